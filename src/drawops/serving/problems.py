"""How the server says no: every error, whoever raised it, is `{"error": "what, which, and what next"}`; of the pages of shapes,
which a browser sends forms to, a page."""

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from drawops.errors import Conflict, DrawopsError, ForbiddenTransition, InputRefused, NotAllowed, NotFound, Unavailable
from drawops.serving.page import language_of, rendered
from drawops.serving.page_texts import SHAPE_TEXTS
from drawops.serving.refusals import in_language

_STATUS = {NotAllowed: 401, InputRefused: 422, NotFound: 404, ForbiddenTransition: 409, Conflict: 409, Unavailable: 503}


class Problem(BaseModel):
    """The shape of every error."""

    error: str = Field(description="What, which, and what next.")


class _Said(JSONResponse):
    """An error that is put into the language of its request when it is sent: only then the request is known."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None) -> None:
        super().__init__({"error": text}, status, headers)
        self._text, self._kept = text, headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        language = language_of(request, request.query_params.get("lang", ""))
        said = in_language(language, self._text)
        if scope["path"].startswith("/shapes") and "text/html" in request.headers.get("accept", ""):
            texts = SHAPE_TEXTS[language]
            answer: Response = rendered("refused.html.j2", language, status=self.status_code, error=said, t=texts)
            answer.headers.update(self._kept or {})
        else:
            answer = JSONResponse({"error": said}, self.status_code, self._kept)
        await answer(scope, receive, send)


def problem(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """In English; in Chinese where the address says `lang=zh` or the request's Accept-Language begins with it."""
    return _Said(status, text, headers)


def status_of(exc: Exception) -> int:
    return next((code for kind, code in _STATUS.items() if isinstance(exc, kind)), 400)


def add_problems(app: FastAPI) -> None:
    """Answer our own errors and those of FastAPI alike."""
    app.add_exception_handler(DrawopsError, _error_answer)
    app.add_exception_handler(RequestValidationError, _invalid_answer)
    app.add_exception_handler(HTTPException, _http_answer)


def _error_answer(request: Request, exc: Exception) -> Response:
    status = status_of(exc)
    if request.scope["path"] == "/readyz":
        return PlainTextResponse(str(exc), status_code=status)
    if request.scope["path"].startswith("/v2/") and status == 422:
        status = 400  # what the Open Inference Protocol knows
    return problem(status, str(exc))


def _invalid_answer(request: Request, exc: Exception) -> Response:
    """What FastAPI itself refuses."""
    assert isinstance(exc, RequestValidationError)
    said = "; ".join(f"{'.'.join(map(str, e['loc'][1:])) or e['loc'][0]}: {e['msg']}" for e in exc.errors())
    return problem(422, f"{said}. See /docs for what {request.scope['path']} takes.")


def _http_answer(request: Request, exc: Exception) -> Response:
    """No such address, or not with this method."""
    assert isinstance(exc, HTTPException)
    said = f"{request.method} {request.scope['path']}: {exc.detail}. See /docs for what there is."
    return problem(exc.status_code, said, exc.headers)
