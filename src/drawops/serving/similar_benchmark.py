"""How long a search over HTTP takes among many drawings; `drawops bench similar`.

A server of its own on this machine, its index filled with generated drawings, is asked with crops of one view each (line
drawings of generated shapes) and with full sheets, both as PNG. The time is that of a client: upload, decoding, isolation,
embedding, search and the answer with its pictures.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from drawops.drawings.model import Image
from drawops.errors import InputRefused, Unavailable
from drawops.serving.process import server_process
from drawops.settings import Settings, load_settings, prepare_home
from drawops.similarity.embedding import BUILT_IN, Embedder
from drawops.similarity.generated import generated_views
from drawops.similarity.handedness import LAYOUT, signature
from drawops.similarity.index import Document, open_index
from drawops.similarity.index_benchmark import vectors_of
from drawops.similarity.search import thumbnail
from drawops.similarity.views import View

_VIEWS = 2  # of an indexed drawing
_AT_ONCE = 5_000
_SHAPES = 40
_SHEETS = 6
_WARM_UP = 10


@dataclass(frozen=True)
class SimilarFigures:
    """Milliseconds a request with such a `query`, as a client sees them, over `requests` one after the other among `drawings`; `cpu_ms`: of the
    server's processor time, the mean, to be trusted where other programs run too."""

    query: str
    drawings: int
    requests: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    cpu_ms: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def measure_similar(
    drawings: int = 100_000,
    *,
    requests: int = 200,
    seed: int = 0,
    folder: Path | None = None,
    say: Callable[[str], None] = lambda message: None,
) -> list[SimilarFigures]:
    """Of searches with one view, and of a fifth as many with a full sheet.

    Args:
        folder: where the home of the server is made (default: a temporary one), some 5 KB a drawing; it is removed.
    Raises:
        InputRefused: too few drawings or requests to measure anything.
        Unavailable: the server does not start, or refuses a request.
    """
    if drawings < 10 or requests < 10:
        raise InputRefused(f"{drawings} drawings, {requests} requests", "give at least 10 of each")
    views = generated_views(_SHAPES, 1, seed=seed)[0]
    with tempfile.TemporaryDirectory(dir=folder, prefix="bench-") as home:
        local = f"sqlite:///{Path(home) / 'shapes.db'}"
        settings = prepare_home(load_settings(home, index=local))
        say(f"indexing {drawings:,} drawings")
        _fill(settings, drawings, views, seed)
        crops = [_png(_drawn(view)) for view in views]
        sheets = _generated_sheets(Path(home) / "sheets", seed)
        with server_process(settings, watch=False) as url:
            figures = []
            for query, pictures, count in (
                ("one view", crops, requests),
                ("full sheet", sheets, max(10, requests // 5)),
            ):
                say(f"{query}: asking {count} times")
                _asked(url, pictures, _WARM_UP)
                before = _children_cpu_s()
                times = _asked(url, pictures, count)
                cpu_ms = 1000 * (_children_cpu_s() - before) / count
                p50, p90, p99 = (float(value) for value in np.percentile(times, [50, 90, 99]))
                figures.append(SimilarFigures(query, drawings, count, p50, p90, p99, cpu_ms))
    return figures


def _generated_sheets(folder: Path, seed: int) -> list[bytes]:
    from drawops.drawings.synth import generate

    generate(folder, drawings=_SHEETS, seed=seed, formats=("png",))
    return [file.read_bytes() for file in sorted(folder.glob("*.png"))]


def _fill(settings: Settings, drawings: int, views: list[View], seed: int) -> None:
    pictures = [thumbnail(_drawn(view)) for view in views]
    layouts = [signature(view.figure) for view in views]
    with closing(open_index(settings.index_url, Embedder.dim, version=BUILT_IN)) as index:
        documents = _documents(drawings, pictures, layouts, seed)
        while part := list(islice(documents, _AT_ONCE)):
            index.upsert(part)
        index.save()


def _documents(drawings: int, pictures: list[bytes], layouts: list[str], seed: int) -> Iterator[Document]:
    rows = (row for batch in vectors_of(_VIEWS * drawings, Embedder.dim, seed) for row in batch)
    for number in range(drawings):
        chosen = [(number + i) % len(pictures) for i in range(_VIEWS)]
        yield Document(
            f"part-{number:07}.pdf",
            np.stack(list(islice(rows, _VIEWS))),
            [{"page": 0, "box": [200, 200, 900, 800], LAYOUT: layouts[i]} for i in chosen],
            {
                "file": f"part-{number:07}.pdf",
                "family": f"family {number % 40}",
                "material": f"material {number % 12}",
                "plant": f"plant {number % 5}",
                "date": f"{2005 + number % 20}-{1 + number % 12:02}-{1 + number % 28:02}",
            },
            [pictures[i] for i in chosen],
        )


def _asked(url: str, crops: list[bytes], requests: int) -> list[float]:
    """Milliseconds of each request."""
    import httpx

    times = []
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        for number in range(requests):
            start = time.perf_counter()
            answer = client.post(
                "/v1/similar", files={"file": ("crop.png", crops[number % len(crops)])}, data={"k": "10"}
            )
            times.append(1000 * (time.perf_counter() - start))
            if answer.status_code != 200 or len(answer.json()["hits"]) != 10:
                raise Unavailable(f"{url}/v1/similar answered {answer.status_code}: {answer.text[:300]}")
    return times


def _children_cpu_s() -> float:
    import psutil

    used = [child.cpu_times() for child in psutil.Process().children()]
    return sum(times.user + times.system for times in used)


def _drawn(view: View) -> Image:
    """The outlines of a view as a drawing shows them, black on white, about 600 pixels wide."""
    pad, scale = 12, max(1, round(600 / max(view.silhouette.shape)))
    shape = cv2.copyMakeBorder(view.silhouette, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
    shape = cv2.resize(shape, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    outlines, _ = cv2.findContours((shape > 127).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    sheet = np.full((*shape.shape, 3), 255, np.uint8)
    cv2.drawContours(sheet, outlines, -1, (0, 0, 0), 3, cv2.LINE_AA)
    return sheet


def _png(image: Image) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()
