"""The FastAPI application: `create_app(settings)`."""

import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from anyio import to_thread
from fastapi import Body, FastAPI, File, Form, Request, Security, UploadFile
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.security import HTTPBearer
from fastapi_offline import FastAPIOffline

from drawops import __version__
from drawops.errors import DrawopsError, NotFound, Unavailable
from drawops.serving.access import Guard
from drawops.serving.doorway import Doorway
from drawops.serving.hooks import add_hooks
from drawops.serving.keys import Key
from drawops.serving.limits import Rate, Size, Work
from drawops.serving.metrics import Metrics, add_metrics
from drawops.serving.oip import add_open_inference
from drawops.serving.page import page_html
from drawops.serving.problems import Problem, add_problems
from drawops.serving.reads import loaded, read_and_record
from drawops.serving.shape_pages import add_shape_pages
from drawops.serving.shapes import add_shapes
from drawops.serving.sign_in import add_sign_in
from drawops.serving.slot import ModelSlot
from drawops.serving.uploads import uploaded
from drawops.settings import Settings, prepare_home

logger = logging.getLogger(__name__)

PREVIEW_PX = 2000
_QUICK_THREADS = 16


def create_app(
    settings: Settings,
    *,
    follow_every_s: float = 2.0,
    wake: Callable[[], None] = lambda: None,
    exposed: bool = False,
    own_key: Key | None = None,
) -> FastAPI:
    """The server of one home.

    Args:
        exposed, own_key: see `Guard`.
        follow_every_s: how often it looks whether the champion has moved (a deployment also tells it at once).
        wake: called by webhooks: something may have changed in MLflow or in the object store.
    """
    prepare_home(settings)
    slot, work = ModelSlot(settings), Work(settings)
    metrics = Metrics(settings, slot, work)
    guard = Guard(settings, exposed=exposed, own=own_key)
    stop, drain = threading.Event(), threading.Event()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        follower = threading.Thread(
            target=_follow, args=(slot, stop, follow_every_s), daemon=True, name="follow-champion"
        )
        follower.start()
        # Those that wait for their turn hold a thread each; the quick answers need some beside them.
        to_thread.current_default_thread_limiter().total_tokens = work.most + _QUICK_THREADS
        yield
        stop.set()

    app = FastAPIOffline(
        title="DrawOps",
        version=__version__,
        description="Reads engineering drawings with the approved model version and finds parts of similar shape.",
        lifespan=lifespan,
        responses={422: {"model": Problem, "description": "Refused; the error says what, which and what next."}},
        dependencies=[Security(HTTPBearer(auto_error=False, description="Where the server asks for a key."))],
    )
    app.state.settings, app.state.slot, app.state.work, app.state.drain = settings, slot, work, drain
    app.state.metrics = metrics
    app.add_middleware(
        Doorway,
        guard=guard,
        rate=Rate(settings.rate_limit),
        size=Size(settings.max_upload_mb),
        work=work,
        is_draining=drain.is_set,
        on_end=metrics.request_ended,
    )
    add_problems(app)
    _add_health(app, slot)
    _add_models(app, slot)
    _add_reading(app, settings, slot)
    add_open_inference(app, settings, slot)
    add_shapes(app, settings)
    add_shape_pages(app, settings)
    add_hooks(app, settings, wake)
    add_metrics(app, metrics, settings)
    add_sign_in(app, guard)

    @app.get("/", include_in_schema=False)
    def page() -> HTMLResponse:
        return HTMLResponse(page_html())

    return app


def _add_health(app: FastAPI, slot: ModelSlot) -> None:
    # Both answer on the event loop: readings must not keep them from a thread, or a busy server is taken for a dead one.
    @app.get("/healthz", tags=["health"])
    async def healthz() -> dict[str, str]:
        """The process lives."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"])
    async def readyz() -> dict[str, str]:
        """A model version is loaded; 503 until then, and again when the server was told to stop."""
        if app.state.drain.is_set():
            raise Unavailable("This server is about to stop.")
        return {"status": "ok", "model": loaded(slot).label}

    @app.get("/v1/model", tags=["models"])
    def model() -> dict[str, Any]:
        """The version that serves and what is known of it."""
        label = loaded(slot).label
        info = None if slot.from_files else _model_info(app.state.settings, label)
        return {"label": label, "drawops": __version__, "version": info}


def _add_models(app: FastAPI, slot: ModelSlot) -> None:
    @app.post("/v1/models/prepare", tags=["models"])
    def prepare(label: Annotated[str, Body(embed=True)]) -> dict[str, str]:
        """Load an approved version beside the one that serves (first step of a deployment)."""
        return {"label": slot.prepare(label)}

    @app.post("/v1/models/reload", tags=["models"])
    def reload() -> dict[str, str]:
        """Look at the registry now and serve its champion (second step of a deployment)."""
        return {"label": slot.follow_champion()}


def _add_reading(app: FastAPI, settings: Settings, slot: ModelSlot) -> None:
    @app.post("/v1/read", tags=["reading"])
    def read(
        request: Request,
        file: Annotated[UploadFile, File(description="A drawing: PDF, DXF, TIFF, PNG or JPEG.")],
        vector_text: Annotated[bool, Form(description="Use the text that the file itself knows.")] = True,
        preview: Annotated[bool, Form(description="Add each page as a small picture (data URI).")] = False,
        caller: Annotated[
            str, Form(description="Who asks; recorded with the reading, beside the name of the key.")
        ] = "",
    ) -> dict[str, Any]:
        """Read a drawing: lines with text, quad (pixels), angle, score, and the model version."""
        from drawops.drawings import open_drawing
        from drawops.evaluation.report_data import picture

        model = loaded(slot)
        with uploaded(request, file) as path:
            reading = read_and_record(request, path, model, vector_text=vector_text, on_behalf_of=caller)
            if preview:
                with open_drawing(path) as drawing:
                    for entry in reading["pages"]:
                        entry["preview"] = picture(drawing.page(entry["page"]).image, max_side=PREVIEW_PX)
        return reading

    @app.get("/v1/readings/{reading_id}", tags=["reading"])
    def stored(reading_id: int, format: Literal["json", "csv", "xlsx"] = "json") -> Response:
        """A recorded reading again: as it was answered, or its lines, dimensions and title blocks as a table."""
        from drawops.registry import Records

        found = Records(settings.records_url).get(reading_id)
        if found is None:
            raise NotFound(
                f"No reading {reading_id}. Each answer of /v1/read carries its reading_id.", what=str(reading_id)
            )
        return _download(found.reading(), format)


def _download(reading: dict[str, Any], format: str) -> Response:
    from drawops.ocr.workbook import csv_text, workbook_bytes

    if format == "json":
        return JSONResponse(reading)
    name = quote(f"{Path(reading['file']).stem}.{format}")
    if format == "csv":
        content, kind = csv_text([reading]).encode("utf-8-sig"), "text/csv; charset=utf-8"
    else:
        content, kind = workbook_bytes([reading]), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return Response(content, media_type=kind, headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}"})


def _follow(slot: ModelSlot, stop: threading.Event, every_s: float) -> None:
    while not stop.is_set():
        before = slot.problem
        try:
            slot.follow_champion()
        except Exception as exc:  # the registry may be away for a while: go on serving, try again
            if slot.problem != before:  # once, not every two seconds
                known = isinstance(exc, DrawopsError)
                logger.error("could not follow the champion: %s", exc, exc_info=None if known else exc)
        stop.wait(every_s)


def _model_info(settings: Settings, label: str) -> dict[str, Any]:
    from drawops.registry import ModelRegistry

    return ModelRegistry(settings).get(label).to_dict()
