"""Drawings in, similar drawings out: isolation, embedding and index together."""

import base64
import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from drawops.drawings import NO_DRAWINGS, find_files, open_drawing
from drawops.drawings.model import Image, Page
from drawops.errors import Conflict, InputRefused, NotFound, Unavailable, did_you_mean
from drawops.similarity import reranking
from drawops.similarity.duplicates import SAME_PART, Group, find_duplicates
from drawops.similarity.embedding import BUILT_IN, Embedder
from drawops.similarity.filters import Range, Where, check_where, no_number_in, number_in
from drawops.similarity.handedness import FLAT, LAYOUT, mirrored, signature
from drawops.similarity.index import (
    Document,
    Match,
    VectorIndex,
    Vectors,
    check_query,
    in_order,
    open_index,
    without_password,
)
from drawops.similarity.parts import Parts
from drawops.similarity.photo import Box
from drawops.similarity.reranking import SHORTLIST, size_of
from drawops.similarity.shape import isolate
from drawops.similarity.trained import is_trained, open_embedder
from drawops.similarity.views import View

if TYPE_CHECKING:
    from drawops.settings import Settings

logger = logging.getLogger(__name__)

OWN_FIELDS = frozenset({"file", "path", "sha256", "pages"})
"""Metadata that say where a drawing is, not what."""

_THUMBNAIL_SIDE = 160
_AS_GOOD = 0.002  # of mirrored and other hits that score so nearly the same, the mirrored come last
_PATIENCE_S, _WAIT_S = 120.0, 2.0  # how long a load waits for an index server that went away, and between tries
_LOOK_AGAIN_S = 5.0  # after so long a running server sees that another embedding version is in service


@dataclass(frozen=True)
class Hit:
    """A drawing found. `score` is (1 + cos) / 2 of its best view, for a query of several views the mean
    of that over them, less what the sizes of its views speak against it (`reranking.scores_by_size`). `view` describes
    the view most like one of the query's: number, page (from 0), box in pixels of the page, and `query_box`, the view of
    the query that it is like. `mirrored` says whether it is rather the mirror image of that; None where it can't be told
    (a symmetric view). `thumbnail` is a small PNG."""

    id: str
    score: float
    view: Mapping[str, Any]
    metadata: Mapping[str, Any]
    mirrored: bool | None = None
    thumbnail: bytes = field(default=b"", repr=False)

    def to_dict(self, *, picture: bool = True) -> dict[str, Any]:
        """JSON-able; the picture as a data URL."""
        values: dict[str, Any] = {
            "id": self.id,
            "score": round(self.score, 4),
            "name": self.metadata.get("name", self.metadata.get("file", self.id)),
            "mirrored": self.mirrored,
            "view": dict(self.view),
            "metadata": dict(self.metadata),
        }
        if picture and self.thumbnail:
            values["thumbnail"] = "data:image/png;base64," + base64.b64encode(self.thumbnail).decode()
        return values


@dataclass(frozen=True)
class Refused:
    file: str
    reason: str


@dataclass
class Added:
    """What `ShapeSearch.add` did. Of the `drawings` stored, `known` were there before: changed, moved or renamed."""

    drawings: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    views: int = 0
    unchanged: list[str] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        refused = [{"file": r.file, "reason": r.reason} for r in self.refused]
        stored = {"added": self.drawings, "known": self.known, "views": self.views}
        return {**stored, "unchanged": self.unchanged, "refused": refused}


class ShapeSearch:
    """The shape index of one home. Threads may share one."""

    def __init__(self, settings: "Settings", *, embedding: str = "") -> None:
        """`embedding`: the version to work with; by default the trained one in service, else the one that ships."""
        self.settings = settings
        self._embedding = embedding
        self._lock = threading.Lock()
        self._index: VectorIndex | None = None
        self._embedders: dict[str, Embedder] = {}
        self._look_again = 0.0

    @property
    def index(self) -> VectorIndex:
        """The index of the embedding version; follows a switch of versions within seconds."""
        with self._lock:
            if self._index is None:
                self._index = self._open(self._embedding or BUILT_IN)
            if not self._embedding and time.monotonic() >= self._look_again:
                active = self._index.active
                wanted = active if is_trained(active) else BUILT_IN
                if wanted != self._index.version:  # searches that run keep the old one
                    self._index = self._open(wanted)
                self._look_again = time.monotonic() + _LOOK_AGAIN_S
            return self._index

    def _open(self, version: str) -> VectorIndex:
        return open_index(self.settings.index_url, Embedder.dim, version=version)

    def add(self, paths: Iterable[Path | str], *, on_file: Callable[[str, int, int], None] | None = None) -> Added:
        """Index the drawings among `paths` (folders are walked); each is stored as soon as it is done.

        A drawing that is in the index already, byte for byte, is left alone unless its metadata changed; a file of
        the same path with other content takes the place of the old one. A copy in another folder is a drawing of its
        own; where the file that was indexed is gone, it has moved there or was renamed. Metadata are taken from a
        `parts.csv` in the file's folder (columns file, family, name, number, material, …); what it has no column for
        stays as it was.
        What only the embedding version in service has is embedded anew, under the id and with the metadata it has there.
        An index server that goes away meanwhile is waited for.

        Args:
            on_file: called with the name, its number from 1, and how many there are.
        Raises:
            InputRefused: a path does not exist.
            Unavailable: the index server stayed away for two minutes; it says how many drawings are stored.
        """
        result, parts = Added(), Parts()
        found = {path: find_files([path]) for path in map(Path, paths)}
        result.refused += [Refused(str(path), NO_DRAWINGS) for path, inside in found.items() if not inside]
        files = list(dict.fromkeys(file for inside in found.values() for file in inside))
        with self._in_service() as service:
            for number, file in enumerate(files, start=1):
                if on_file:
                    on_file(file.name, number, len(files))
                try:
                    part = parts.of(file)
                except InputRefused as exc:  # of all drawings beside it: said once
                    if all(refused.file != exc.what for refused in result.refused):
                        result.refused.append(Refused(exc.what, f"{exc.reason}; the drawings beside it wait for it"))
                    continue
                try:
                    self._patiently(partial(self._add_file, file, part, service, result), result)
                except InputRefused as exc:
                    known = self.index.get(file.name)
                    stays = known and known.metadata.get("path") == str(file.resolve())
                    reason = f"{exc.reason}; what the file held before stays in the index" if stays else exc.reason
                    result.refused.append(Refused(str(file), reason))
        if result.drawings:
            self.index.save()
        return result

    def _patiently(self, act: Callable[[], None], result: Added) -> None:
        """Do it, again while the index server is away."""
        until = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return act()
            except Unavailable as exc:
                if time.monotonic() + _WAIT_S > until:
                    stored = f"{len(result.drawings)} drawings of this load are stored; the same command goes on."
                    raise Unavailable(f"{exc} {stored}") from exc
                logger.info("%s Next try in %.0f s.", exc, _WAIT_S)
                time.sleep(_WAIT_S)

    def files_in_service(self) -> list[Path]:
        """Where the drawings lie that are indexed in the version in service: what another version has to embed."""
        with self._in_service() as index:
            return [path for _, path in _paths(index)]

    @contextmanager
    def _in_service(self) -> Iterator[VectorIndex]:
        """The index of the version in service, which may be another than the one that is worked with."""
        index, active = self.index, self.index.active
        if active in ("", index.version):
            yield index
            return
        with closing(self._open(active)) as other:
            yield other

    def _add_file(self, file: Path, part: Mapping[str, str], service: VectorIndex, result: Added) -> None:
        index = self.index
        with open_drawing(file) as drawing:
            origin = {"file": file.name, "path": str(file.resolve()), "sha256": drawing.sha256}
            id, known = self._id_for(file, drawing.sha256, service)
            kept = known.metadata if known and known.metadata.get("sha256") == drawing.sha256 else {}
            metadata = {**kept, **part, **origin, "pages": drawing.page_count}
            is_same = known and dict(known.metadata) == {k: v for k, v in metadata.items() if v != ""}
            if is_same and (service is index or index.get(id)):
                result.unchanged.append(id)
                return
            views, shapes, thumbnails = [], [], []
            for page in drawing.pages():
                for view in isolate(page):
                    views.append({"page": page.index, "box": list(view.box), LAYOUT: signature(view.figure)})
                    shapes.append(view)
                    thumbnails.append(thumbnail(_cut(page.image, view)))
        if not shapes:
            raise InputRefused(file.name, "no shape was found on it: is the sheet blank?")
        vectors = self._vectors(shapes, index)
        before = None if known else _renamed(index, vectors, drawing.sha256)
        if before:
            metadata = {**before.metadata, **metadata}
        index.upsert([Document(id, vectors, views, metadata, thumbnails)])
        if before:
            index.delete([before.id])
        result.drawings.append(id)
        result.known += [id] if known or before else []
        result.views += len(shapes)

    def _id_for(self, file: Path, sha256: str, service: VectorIndex) -> tuple[str, Document | None]:
        """The id under which the file is stored, here or else in service, or is to be: its name, with a hash behind it
        where another drawing has that name."""
        path = str(file.resolve())
        hashes = sha256[:8], hashlib.sha256(path.encode()).hexdigest()[:12]  # the path's where a copy has the first
        ids = (file.name, *(f"{file.name}#{end}" for end in hashes))
        stored = {known.id: known for index in dict.fromkeys((service, self.index)) for known in index.get_many(ids)}
        for id, known in stored.items():
            if known.metadata.get("path") == path:
                return id, known
        for id, known in stored.items():
            if known.metadata.get("sha256") == sha256 and not Path(str(known.metadata.get("path"))).exists():
                return id, known
        return next(id for id in ids if id not in stored), None

    def search(
        self,
        drawing: Path | str | Page | Image,
        k: int | None = 10,
        min_score: float | None = None,
        where: Where | None = None,
        *,
        page: int | None = None,
        box: Box | None = None,
        rerank: bool = False,
    ) -> list[Hit]:
        """The `k` drawings most similar in shape to a drawing file, a page or a crop, best first; a mirrored part
        comes behind others that score within 0.002 of it.

        Args:
            page: of a file, only this page (from 0). box: only what lies in this part of the page, in its pixels.
            rerank: order the best two hundred anew by the paths of neighbours that lead to them. The scores stay
                what they are, and are no longer in order.
        Raises:
            InputRefused: no shape in it, nothing was found and no drawing has a value in `where` (the nearest is
                named), or see `VectorIndex.search`.
            NotFound: nothing is indexed.
        """
        check_query(k, min_score)
        found, index = self.views(drawing, page, box), self.index
        vectors = self._vectors([view for _, view in found], index)
        wide = max(k, SHORTLIST) if k and (rerank or len(found) > 1) else k
        try:
            matches = index.search(vectors, wide, min_score=min_score, where=where)
        except InputRefused:  # of a field that no drawing has
            self._refuse_when_empty()
            raise
        if not matches:  # not before: counting a million takes longer than searching them
            self._refuse_when_empty()
            _refuse_unknown_values(index, where)
        if len(found) > 1:
            sizes = [size_of(view.box) for _, view in found]
            documents = index.get_many(m.id for m in matches)
            matches = in_order(reranking.by_size(vectors, sizes, matches, documents), wide, min_score)
        layouts = [signature(view.figure) for _, view in found]
        first = (self._reranked(vectors, matches, index) if rerank else matches)[:k]
        told = mirrored([layouts[m.query_number] for m in first], [m.view.get(LAYOUT, FLAT) for m in first])
        hits = []
        for match, is_mirrored in zip(first, told, strict=True):
            query = found[match.query_number][1]
            shown = {name: value for name, value in match.view.items() if name != LAYOUT}
            shown |= {"number": match.view_number, "query_box": list(query.box)}
            hits.append(Hit(match.id, match.score, shown, match.metadata, is_mirrored, match.thumbnail))
        return _mirrored_last(hits)

    def _reranked(self, vectors: Vectors, matches: list[Match], index: VectorIndex) -> list[Match]:
        """The first of them in new order, the others behind."""
        first = {m.id: m for m in matches[:SHORTLIST]}
        documents = index.get_many(first)
        order = reranking.rerank(vectors, [d.vectors for d in documents])
        return [first[documents[i].id] for i in order] + matches[SHORTLIST:]

    def duplicates(
        self,
        min_score: float = SAME_PART,
        where: Where | None = None,
        *,
        on_drawing: Callable[[int, int], None] | None = None,
    ) -> list[Group]:
        """See `find_duplicates`.

        Raises:
            InputRefused: also where nothing was found and no drawing has a value in `where`.
        """
        groups = find_duplicates(self.index, min_score=min_score, where=where, on_drawing=on_drawing)
        if not groups:
            _refuse_unknown_values(self.index, where)
        return groups

    def embed(self, drawing: Path | str | Page | Image) -> dict[str, Any]:
        """The vectors of a drawing's views: version, dim, and of each view page, box and vector (JSON-able).

        Raises:
            InputRefused: no shape in it.
        """
        found, index = self.views(drawing), self.index
        vectors = self._vectors([view for _, view in found], index)
        rows = zip(found, vectors, strict=True)
        views = [{"page": page, "box": list(view.box), "vector": vector.tolist()} for (page, view), vector in rows]
        return {"version": index.version, "dim": Embedder.dim, "views": views}

    def views(
        self, drawing: Path | str | Page | Image, page: int | None = None, box: Box | None = None
    ) -> list[tuple[int, View]]:
        """The views of a drawing with their page numbers: of a file those of all pages, or those asked for.

        Of a `box` the views that lie in it for the most part; where it holds none, what is drawn in it.

        Raises:
            InputRefused: no shape there, or no such page or box.
        """
        if isinstance(drawing, (str, Path)):
            what = Path(drawing).name
            with open_drawing(drawing) as opened:
                pages = opened.pages() if page is None and box is None else [opened.page(page or 0)]
                found = [(one.index, view) for one in pages for view in _isolated(one, box)]
        else:
            what, number = (drawing.name, drawing.index) if isinstance(drawing, Page) else ("image", 0)
            found = [(number, view) for view in _isolated(drawing, box)]
        if not found:
            where = f"in the box {list(box)} of it" if box else "on it"
            raise InputRefused(what, f"no shape was found {where}: is it blank?")
        return found

    def _vectors(self, views: list[View], index: VectorIndex) -> Vectors:
        version = index.version
        with self._lock:  # two threads must not export the network twice
            if version not in self._embedders:
                self._embedders[version] = open_embedder(self.settings, version)
        return self._embedders[version].embed(views)

    def remove(self, ids: Iterable[str]) -> int:
        """Take drawings out of the index, of all versions of the embedding; they are in no answer from now on.

        Raises:
            NotFound: an id is not in the index; nothing is removed.
        """
        index, paths = self.index, dict[str, Any]()
        for id in ids:
            if (document := index.get(id)) is None:
                near = get_close_matches(id, index.ids(), n=1)
                hint = f" Did you mean '{near[0]}'?" if near else ""
                raise NotFound(f"No drawing '{id}' in the shape index.{hint}", what=id)
            paths[id] = document.metadata.get("path")
        for version in index.stats()["other_versions"]:  # which a switch would bring them back from
            with suppress(Conflict), closing(self._open(version)) as other:  # one of other vectors can't be switched to
                there = {id: other.get(id) for id in paths}
                other.delete([id for id, d in there.items() if d and d.metadata.get("path") == paths[id]])
        return index.delete(list(paths))

    def missing(self) -> list[str]:
        """Ids of drawings whose file is gone from its folder."""
        return [id for id, path in _paths(self.index) if _is_gone(path)]

    def stats(self) -> dict[str, Any]:
        return {"index": without_password(self.settings.index_url), **self.index.stats()}

    def _refuse_when_empty(self) -> None:
        index = self.index
        if not index.count():
            where = without_password(self.settings.index_url)
            if before := index.stats()["other_versions"].get(index.active):  # of an earlier release
                raise NotFound(
                    f"No drawing in the shape index {where} has vectors of version {index.version} yet, {before} "
                    f"have those of {index.active}. Embed them anew with `drawops index add --embedding {index.version}`."
                )
            raise NotFound(f"The shape index {where} is empty. Fill it with `drawops index add FOLDER`.")

    def close(self) -> None:
        if self._index is not None:
            self._index.close()
            self._index = None


def similar(
    path: Path | str | Image,
    k: int = 10,
    *,
    min_score: float | None = None,
    where: Where | None = None,
    page: int | None = None,
    box: Box | None = None,
    rerank: bool = False,
) -> list[Hit]:
    """The `k` indexed drawings most similar in shape to a drawing file or a picture (H, W, 3), best first. See
    `ShapeSearch.search`."""
    from drawops.settings import load_settings

    search = ShapeSearch(load_settings())
    try:
        return search.search(path, k, min_score, where, page=page, box=box, rerank=rerank)
    finally:
        search.close()


def _paths(index: VectorIndex) -> Iterator[tuple[str, Path]]:
    """Of each drawing in the index its id and where its file lies, by id."""
    found = (index.get(id) for id in sorted(index.ids()))
    return ((d.id, Path(str(d.metadata["path"]))) for d in found if d and "path" in d.metadata)


def _renamed(index: VectorIndex, vectors: Vectors, sha256: str) -> Match | None:
    """The drawing with these bytes whose file is not there any more."""
    with suppress(InputRefused):  # nothing is indexed yet
        for match in index.search(vectors, where={"sha256": sha256}):
            if _is_gone(Path(str(match.metadata.get("path")))):
                return match
    return None


def _is_gone(file: Path) -> bool:
    """Not of a folder that isn't there: its disk may be away, or it is another machine's."""
    return file.parent.is_dir() and not file.exists()


def _refuse_unknown_values(index: VectorIndex, where: Where | None) -> None:
    for name, values in check_where(where).items():
        if isinstance(values, Range):
            if end := no_number_in(name, values, index.facets().get(name, {})):
                raise InputRefused(f"filter '{name}'", f"'{end}' is no number, as all its values are; write 0.5")
        elif values and not index.count({name: values}):
            there = index.facets().get(name, {})
            texts = [value for value in values if isinstance(value, str)] or values
            asked = " or ".join(dict.fromkeys(f"'{value}'" for value in texts))
            numbers = {number_in(value) for value in values} - {None}
            same = next((f"Did you mean '{value}'?" for value in there if number_in(value) in numbers), "")
            hint = same or did_you_mean(str(values[-1]), map(str, there))
            raise InputRefused(f"filter '{name}'", f"no drawing has {asked}. {hint}")


def _mirrored_last(hits: list[Hit]) -> list[Hit]:
    """Each hit that is not mirrored before the mirrored ones that stand before it and score as good as the same."""
    ordered: list[Hit] = []
    for hit in hits:
        place = len(ordered)
        if not hit.mirrored:
            while place and (other := ordered[place - 1]).mirrored and abs(other.score - hit.score) <= _AS_GOOD:
                place -= 1
        ordered.insert(place, hit)
    return ordered


def _isolated(page: Page | Image, box: Box | None) -> list[View]:
    if box is None:
        return isolate(page)
    x0, y0, x1, y1 = box
    image = page.image if isinstance(page, Page) else page
    height, width = image.shape[:2]
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise InputRefused(
            f"box {list(box)}", f"must be x0, y0, x1, y1 within the {width} x {height} pixels of the page"
        )
    inside = []
    for view in isolate(page):  # on the whole page, which tells outlines from dimensions
        left, top, right, bottom = view.box
        shared = max(0, min(x1, right) - max(x0, left)) * max(0, min(y1, bottom) - max(y0, top))
        if shared > 0.5 * (right - left) * (bottom - top):
            inside.append(view)
    if inside:
        return inside
    crop = isolate(Page(0, np.ascontiguousarray(image[y0:y1, x0:x1]), 0, name=f"box {list(box)}"))
    return [replace(v, box=(v.box[0] + x0, v.box[1] + y0, v.box[2] + x0, v.box[3] + y0)) for v in crop]


def _cut(image: Image, view: View) -> Image:
    """The view as it is drawn, with a margin."""
    x0, y0, x1, y1 = view.box
    pad = max(4, round(0.03 * max(x1 - x0, y1 - y0)))
    return image[max(0, y0 - pad) : y1 + pad, max(0, x0 - pad) : x1 + pad]


def thumbnail(picture: Image) -> bytes:
    """At most 160 pixels wide and high, PNG."""
    scale = min(1.0, _THUMBNAIL_SIDE / max(picture.shape[:2]))
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    small = cv2.resize(np.ascontiguousarray(picture), size, interpolation=cv2.INTER_AREA)
    ok, png = cv2.imencode(".png", cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))
    if not ok:
        raise InputRefused("thumbnail", f"could not be written as PNG ({small.shape})")
    return png.tobytes()
