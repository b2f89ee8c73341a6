"""How the server says no: every error, whoever raised it, is `{"error": "what, which, and what next"}`."""

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from drawops.errors import Conflict, DrawopsError, ForbiddenTransition, InputRefused, NotAllowed, NotFound, Unavailable

_STATUS = {NotAllowed: 401, InputRefused: 422, NotFound: 404, ForbiddenTransition: 409, Conflict: 409, Unavailable: 503}


class Problem(BaseModel):
    """The shape of every error."""

    error: str = Field(description="What, which, and what next.")


def problem(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": text}, status_code=status, headers=headers)


def add_problems(app: FastAPI) -> None:
    """Answer our own errors and those of FastAPI alike."""
    app.add_exception_handler(DrawopsError, _error_answer)
    app.add_exception_handler(RequestValidationError, _invalid_answer)
    app.add_exception_handler(HTTPException, _http_answer)


def _error_answer(request: Request, exc: Exception) -> Response:
    status = next((code for kind, code in _STATUS.items() if isinstance(exc, kind)), 400)
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
