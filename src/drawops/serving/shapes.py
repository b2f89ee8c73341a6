"""Similar parts over HTTP: the API. The pages that people use are in `shape_pages`."""

import json
import threading
from pathlib import Path
from typing import Annotated, Any

import cv2
from fastapi import Depends, FastAPI, File, Form, Query, Request, UploadFile
from fastapi.responses import Response

from drawops.drawings.model import Image
from drawops.errors import InputRefused, NotFound, did_you_mean
from drawops.serving.uploads import uploaded
from drawops.settings import Settings
from drawops.similarity import ShapeSearch
from drawops.similarity.shape import parse_box

PICTURE_PX = 2000
_FIELDS = ("file", "k", "min_score", "where", "page", "box", "rerank")

_OPEN: dict[Path, ShapeSearch] = {}
_LOCK = threading.Lock()


def shape_search(settings: Settings) -> ShapeSearch:
    """The shape search of a home, opened once."""
    with _LOCK:
        if settings.home not in _OPEN:
            _OPEN[settings.home] = ShapeSearch(settings)
        return _OPEN[settings.home]


def add_shapes(app: FastAPI, settings: Settings) -> None:
    @app.post("/v1/similar", tags=["shapes"], dependencies=[Depends(_only_known_fields)])
    def similar(
        request: Request,
        file: Annotated[UploadFile, File(description="A drawing, or a crop of one.")],
        k: Annotated[int, Form(description="How many drawings at most.")] = 10,
        min_score: Annotated[float | None, Form(description="Only hits with at least this score, 0 to 1.")] = None,
        where: Annotated[
            str,
            Form(description='Metadata as JSON: {"family": "flange", "date": {"from": "2024-01-01"}}.'),
        ] = "",
        page: Annotated[int | None, Form(description="Only this page of the drawing, from 0.")] = None,
        box: Annotated[str, Form(description="Only this part of the page: x0,y0,x1,y1 in pixels.")] = "",
        rerank: Annotated[
            bool, Form(description="Order the best 200 anew by the paths of neighbours that lead to them.")
        ] = False,
    ) -> dict[str, Any]:
        """The drawings whose shape is most similar, best first, as `hits`. `score` is (1 + cosine) / 2 of the best view, for a
        drawing of several views the mean of that over them. `view` is that of the hit which is most alike: number, page
        (from 0), box in pixels of its page, and `query_box`, the view of the query that it is like. `mirrored` is null where
        it can't be told. 422 says what is wrong with the drawing or a field, 404 that nothing is indexed."""
        with uploaded(request, file) as path:
            hits = shape_search(settings).search(
                path, k, min_score, json_object("where", where), page=page, box=parse_box(box), rerank=rerank
            )
            return {"hits": [hit.to_dict() for hit in hits]}

    @app.post("/v1/embed", tags=["shapes"])
    def embed(
        request: Request, file: Annotated[UploadFile, File(description="A drawing, or a crop of one.")]
    ) -> dict[str, Any]:
        """The shape vectors of a drawing's views and the version of the embedding."""
        with uploaded(request, file) as path:
            return shape_search(settings).embed(path)

    @app.get("/v1/index", tags=["shapes"])
    def index() -> dict[str, Any]:
        """How many drawings and views are indexed."""
        return shape_search(settings).stats()

    @app.get("/v1/index/facets", tags=["shapes"])
    def facets() -> dict[str, dict[str, int]]:
        """The values of each metadata field, and how many drawings have them."""
        found = shape_search(settings).index.facets()
        return {name: {str(value): n for value, n in values.items()} for name, values in found.items()}

    @app.get("/v1/index/picture", tags=["shapes"], response_class=Response)
    def picture(
        id: Annotated[str, Query(description="Of an indexed drawing.")],
        page: Annotated[int, Query(ge=0)] = 0,
    ) -> Response:
        """A page of an indexed drawing, PNG, at most 2000 pixels wide and high."""
        from drawops.drawings import open_drawing

        with open_drawing(indexed_file(settings, id)) as drawing:
            return Response(png(drawing.page(page).image), media_type="image/png")


def indexed_file(settings: Settings, id: str) -> Path:
    """Where an indexed drawing lies.

    Raises:
        NotFound: no such drawing in the index, or its file is gone.
    """
    document = shape_search(settings).index.get(id)
    if document is None:
        raise NotFound(f"No drawing '{id}' in the shape index.", what=id)
    path = Path(str(document.metadata.get("path", "")))
    if not path.is_file():
        raise NotFound(
            f"The file of '{id}' is not at {path} any more. Index it again where it lies now, "
            f"or take it out of the index with `drawops index remove '{id}'`.",
            what=id,
        )
    return path


def png(image: Image, max_side: int = PICTURE_PX) -> bytes:
    scale = min(1.0, max_side / max(image.shape[:2]))
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return cv2.imencode(".png", image[:, :, ::-1])[1].tobytes()


async def _only_known_fields(request: Request) -> None:
    """A misspelt `min_score` must not give an answer without one."""
    for name in await request.form():
        if name not in _FIELDS:
            raise InputRefused(f"field '{name}'", f"/v1/similar has none of that name. {did_you_mean(name, _FIELDS)}")
    for name in request.query_params:
        if name in _FIELDS:
            raise InputRefused(f"field '{name}'", "belongs into the form, not into the address")


def json_object(name: str, text: str) -> dict[str, Any] | None:
    if not text.strip():
        return None
    try:
        value = json.loads(text)
    except json.JSONDecodeError as exc:
        raise InputRefused(name, f'not valid JSON ({exc}). Send an object like {{"family": "flange"}}.') from exc
    if not isinstance(value, dict):
        raise InputRefused(name, 'must be a JSON object like {"family": "flange"}.')
    return value
