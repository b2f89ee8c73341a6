"""The steps that put something into use: deploy a model version, embed drawings into the shape index."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from drawops.runners.events import ProgressReporter, reported
from drawops.settings import Settings
from drawops.steps.pinning import datasets, require_pinned, step_settings

if TYPE_CHECKING:
    from drawops.datasets import DatasetDrawing

logger = logging.getLogger(__name__)


class Deployed(NamedTuple):
    version: str
    servers: int


@reported("deploy")
def deploy(version: str, *, by: str, why: str) -> Deployed:
    """Deploy an approved version: every reachable server answers with it, and the champion moves.

    Raises:
        ForbiddenTransition: it is not approved.
        Unavailable: a server can't serve it; nothing has changed.
    """
    from drawops.serving.deploy import deploy

    deployment = deploy(version, step_settings(), by=by, why=why)
    return Deployed(deployment.label, len(deployment.servers))


@reported("embed")
def embed(dataset: str) -> dict[str, float]:
    """Put the shapes of a dataset version's drawings into the shape index.

    Returns:
        "drawings" in the dataset and "indexed" in the index afterwards.
    """
    from drawops.similarity.search import ShapeSearch

    settings = step_settings()
    require_pinned(dataset)
    version = datasets(settings).get(dataset)
    folder = settings.cache / "drawings" / version.name
    search = ShapeSearch(settings)
    report = ProgressReporter("embed")
    try:
        files = _write_out(version.drawings, folder, settings, dataset=version.name)
        added = search.add(files, on_file=lambda name, number, total: report(number, total, phase=name))
        for refused in added.refused:
            logger.warning("not embedded: %s: %s", refused.file, refused.reason)
        figures = {
            "drawings": len(version.drawings),
            "embedded": len(added.drawings),
            "unchanged": len(added.unchanged),
            "refused": len(added.refused),
            "views": added.views,
            "indexed": search.index.count(),
        }
    finally:
        search.close()
    return {name: float(value) for name, value in figures.items()}


def _write_out(drawings: Iterable["DatasetDrawing"], folder: Path, settings: Settings, *, dataset: str) -> list[Path]:
    """The drawings' files under their own names, each with a `parts.csv`, always in the same place.

    The index knows a file by its path: in the same place it is seen to be unchanged.
    """
    import csv

    from drawops.storage import open_store

    store = open_store(settings.objects_url)
    files = []
    for drawing in drawings:
        file = folder / drawing.sha256[:12] / Path(drawing.name).name
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.unlink(missing_ok=True)  # a link whose aim is gone
            if (local := store.local_path(drawing.key)) is not None:
                file.symlink_to(local)
            else:
                partial = file.with_name(f".{file.name}.partial")
                partial.write_bytes(store.get(drawing.key))
                partial.replace(file)
        with (file.parent / "parts.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("file", "family", "dataset"), (file.name, drawing.family, dataset)])
        files.append(file)
    return files
