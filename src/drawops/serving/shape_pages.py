"""Similar parts for people: pages made on the server, every state of a search an address that can be kept and sent.

They work without JavaScript and without a mouse; a script only lets a box be drawn with the mouse and sends the form when
something is changed.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import FastAPI, File, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse

from drawops.drawings import open_drawing
from drawops.drawings.model import Page
from drawops.errors import DrawopsError, InputRefused
from drawops.evaluation.report_data import picture
from drawops.files import sha256_of
from drawops.serving.page import language_of, rendered
from drawops.serving.page_texts import SHAPE_TEXTS
from drawops.serving.problems import status_of
from drawops.serving.refusals import in_language
from drawops.serving.shapes import indexed_file, shape_search
from drawops.serving.uploads import KeptDrawings, uploaded
from drawops.settings import Settings
from drawops.similarity.filters import looks_like_date
from drawops.similarity.photo import Box
from drawops.similarity.search import OWN_FIELDS
from drawops.similarity.shape import parse_box

_OWN_FIELDS = OWN_FIELDS | {"name", "number"}  # of one drawing: nothing to narrow by
_FIRST_FIELDS = {"family", "material", "plant"}
_ON_A_CARD = ("family", "material", "plant", "date")
_HITS = 20
_MOST_HITS = 200
_MOST_OPTIONS = 40


@dataclass(frozen=True)
class Asked:
    """A page as its address says it."""

    values: dict[str, str]
    path: str = "/shapes"

    def get(self, name: str) -> str:
        return self.values.get(name, "").strip()

    @property
    def where(self) -> dict[str, Any]:
        """Of `is.family=flange`, `from.date=…` and `to.date=…`."""
        where: dict[str, Any] = {}
        for name, value in self.values.items():
            kind, dot, field = name.partition(".")
            if not dot or not value.strip():
                continue
            if kind == "is":
                where[field] = value
            elif kind in ("from", "to"):
                where.setdefault(field, {})[kind] = value
        return where

    def url(self, **changes: str) -> str:
        """The address with some values changed; an empty one is left out."""
        kept = {name: value for name, value in (self.values | changes).items() if value != ""}
        return f"{self.path}?{urlencode(kept)}"


def add_shape_pages(app: FastAPI, settings: Settings) -> None:
    kept = KeptDrawings(settings.cache / "asked")

    @app.post("/shapes", include_in_schema=False, response_model=None)
    def upload(
        request: Request, file: Annotated[UploadFile, File()], lang: str = ""
    ) -> RedirectResponse | HTMLResponse:
        try:
            with uploaded(request, file) as path, open_drawing(path):
                key = kept.keep(path)
        except DrawopsError as exc:
            return _page(request, Asked({"lang": lang}), status=status_of(exc), error=str(exc))
        return RedirectResponse(Asked({"q": key, "lang": lang}).url(), status_code=303)

    @app.get("/shapes", include_in_schema=False)
    def search(request: Request) -> HTMLResponse:
        asked = Asked(dict(request.query_params))
        form: dict[str, Any] = {}
        try:
            facets = shape_search(settings).index.facets()
            form = {"choices": _choices(facets, asked), "ranges": _ranges(facets, asked)}
            found = _search(settings, kept, asked, facets)
        except DrawopsError as exc:  # the form stays as it was filled in
            return _page(request, asked, status=status_of(exc), error=str(exc), **form, **_shown(settings, kept, asked))
        return _page(request, asked, **form, **found)

    @app.get("/shapes/drawing", include_in_schema=False)
    def drawing(request: Request) -> HTMLResponse:
        asked = Asked(dict(request.query_params), request.url.path)
        id = asked.get("id")
        try:
            path = indexed_file(settings, id)
            page, pages = _open(path, _number(asked.get("page")))
        except DrawopsError as exc:
            return _page(request, asked, template="drawing.html.j2", status=status_of(exc), error=str(exc))
        document = shape_search(settings).index.get(id)
        metadata = document.metadata if document else {}
        changed = metadata.get("sha256") != sha256_of(path)
        return _page(
            request,
            asked,
            template="drawing.html.j2",
            error=f"{id}: was changed after it was indexed; run `drawops index add` on it again" if changed else "",
            sheet=_sheet(page, pages),
            box=None if changed else _quietly_parsed(asked.get("box")),
            metadata=metadata,
        )


def _search(
    settings: Settings, kept: KeptDrawings, asked: Asked, facets: dict[str, dict[str | float, int]]
) -> dict[str, Any]:
    """What the page shows of a search: the sheet with its views, and the hits."""
    minimum = _score(asked.get("min_score"))
    if not (asked.get("q") or asked.get("id")):
        return {"indexed": shape_search(settings).index.count()}
    search, (page, _) = shape_search(settings), _asked_page(settings, kept, asked)
    where = _typed(asked.where, facets)
    most = min(_number(asked.get("k")) or _HITS, _MOST_HITS)
    hits = search.search(
        page,
        most + bool(asked.get("id")),  # which finds itself
        minimum,
        where,
        box=parse_box(asked.get("box")),
        rerank=asked.get("rerank") == "1",
    )
    others = [hit.to_dict() | {"card": _card(hit.metadata)} for hit in hits if hit.id != asked.get("id")][:most]
    filtered_out = bool(where) and not others and search.index.count(where) <= len(hits)
    more = min(2 * most, _MOST_HITS) if len(others) == most < _MOST_HITS else 0
    return _shown(settings, kept, asked) | {"hits": others, "filtered_out": filtered_out, "more": more}


def _card(metadata: Mapping[str, Any]) -> list[Any]:
    """What a hit says of itself beside name and number: of a parts list in other words its first columns."""
    known = [metadata[name] for name in _ON_A_CARD if name in metadata]
    return known or [value for name, value in metadata.items() if name not in _OWN_FIELDS][:4]


def _shown(settings: Settings, kept: KeptDrawings, asked: Asked) -> dict[str, Any]:
    """The sheet asked with and its views, the first page where there is none of that number; nothing where the drawing
    can't be shown."""
    for tried in (asked, Asked(asked.values | {"page": "0"})):
        try:
            page, pages = _asked_page(settings, kept, tried)
        except DrawopsError:
            continue
        box = _quietly_parsed(asked.get("box"))
        return {"sheet": _sheet(page, pages), "views": _view_boxes(settings, page), "box": box}
    return {}


def _view_boxes(settings: Settings, page: Page) -> list[Box]:
    try:
        return [view.box for _, view in shape_search(settings).views(page)]
    except DrawopsError:  # a blank sheet
        return []


def _quietly_parsed(text: str) -> Box | None:
    try:
        return parse_box(text)
    except DrawopsError:
        return None


def _asked_page(settings: Settings, kept: KeptDrawings, asked: Asked) -> tuple[Page, int]:
    path = kept.find(asked.get("q")) if asked.get("q") else indexed_file(settings, asked.get("id"))
    return _open(path, _number(asked.get("page")))


def _open(path: Path, number: int) -> tuple[Page, int]:
    """The page, and how many there are."""
    return _opened(path, path.stat().st_mtime_ns, number)


@lru_cache(maxsize=4)  # a search is narrowed step by step
def _opened(path: Path, changed: int, number: int) -> tuple[Page, int]:
    with open_drawing(path) as drawing:
        return drawing.page(number), drawing.page_count


def _sheet(page: Page, pages: int) -> dict[str, Any]:
    height, width = page.image.shape[:2]
    return {"picture": picture(page.image), "width": width, "height": height, "pages": pages}


def _choices(facets: dict[str, dict[str | float, int]], asked: Asked) -> list[dict[str, Any]]:
    """Fields whose values drawings share: one of them can be chosen, of a long list by typing its beginning."""
    return [
        {"field": name, "options": values, "long": len(values) > _MOST_OPTIONS, "chosen": asked.get(f"is.{name}")}
        for name, values in sorted(facets.items(), key=lambda f: f[0] not in _FIRST_FIELDS)
        if name not in _OWN_FIELDS
        and len(values) > 1
        and (name in _FIRST_FIELDS or len(values) <= sum(values.values()) / 2)
        and not _are_dates(values)
    ]


def _ranges(facets: dict[str, dict[str | float, int]], asked: Asked) -> list[dict[str, Any]]:
    """Fields of dates: a first and a last can be given."""
    return [
        {"field": name, "low": min(values), "high": max(values), "whole": all(len(str(v)) == 10 for v in values)}
        | {end: asked.get(f"{end}.{name}") for end in ("from", "to")}
        for name, values in facets.items()
        if name not in _OWN_FIELDS and _are_dates(values)
    ]


def _are_dates(values: dict[str | float, int]) -> bool:
    return all(looks_like_date(value) for value in values)


def _typed(where: dict[str, Any], facets: dict[str, dict[str | float, int]]) -> dict[str, Any]:
    """An address is text; a field may hold numbers."""
    return {
        name: next((v for v in facets.get(name, {}) if str(v) == wanted), wanted) if isinstance(wanted, str) else wanted
        for name, wanted in where.items()
    }


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 9 else 0


def _score(text: str) -> float:
    """
    Raises:
        InputRefused: it is no number from 0 to 1.
    """
    try:
        score = float(text or 0)
    except ValueError:
        score = math.nan
    if not 0 <= score <= 1:  # also NaN
        raise InputRefused(f"min_score={text}", "must lie between 0 (opposite) and 1 (same)")
    return score


def _threshold(asked: Asked) -> str:
    """Where the slider stands; at its beginning when what was asked for was refused."""
    try:
        return f"{_score(asked.get('min_score')) or 0.5:.2f}"
    except InputRefused:
        return "0.50"


def _page(
    request: Request,
    asked: Asked,
    *,
    template: str = "shapes.html.j2",
    status: int = 200,
    error: str = "",
    **values: Any,
) -> HTMLResponse:
    language = language_of(request, asked.get("lang"))
    nothing: dict[str, Any] = {
        "sheet": None,
        "views": [],
        "box": None,
        "hits": None,
        "filtered_out": False,
        "more": 0,
        "choices": [],
        "ranges": [],
        "indexed": 0,
        "threshold": _threshold(asked),
    }
    if error:
        values["error"] = in_language(language, error)
    values = {**nothing, "metadata": {}, **values, "asked": asked, "t": SHAPE_TEXTS[language]}
    return rendered(template, language, status=status, **values)
