"""Signing in to the pages with a key, and keys over HTTP."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Body, FastAPI, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from drawops.serving.access import COOKIE, Guard
from drawops.serving.doorway import seen_of
from drawops.serving.keys import Key
from drawops.serving.page import language_of, rendered
from drawops.serving.page_texts import SIGN_IN_TEXTS

_STAYS_S = 12 * 3600


def add_sign_in(app: FastAPI, guard: Guard) -> None:
    @app.get("/sign-in", include_in_schema=False)
    def ask(request: Request, next: str = "/", lang: str = "") -> HTMLResponse:
        return _page(request, next, lang)

    @app.post("/sign-in", include_in_schema=False, response_model=None)
    def sign_in(
        request: Request,
        key: Annotated[str, Form()],
        next: Annotated[str, Form()] = "/",
        lang: Annotated[str, Form()] = "",
    ) -> Response:
        found = guard.find(key.strip())
        if found is None:
            return _page(request, next, lang, wrong=True)
        seen_of(request).key = found.name
        answer = RedirectResponse(_local(next), status_code=303)
        # The browser sends it with requests of this site alone, and shows it to no script.
        answer.set_cookie(
            COOKIE,
            key.strip(),
            max_age=_STAYS_S,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return answer

    @app.post("/sign-out", include_in_schema=False)
    def sign_out() -> RedirectResponse:
        answer = RedirectResponse("/sign-in", status_code=303)
        answer.delete_cookie(COOKIE)
        return answer

    @app.get("/v1/me", tags=["keys"])
    def me(request: Request) -> dict[str, Any]:
        """The name and the role of the key that this request carries; empty without one."""
        seen = seen_of(request)
        return {"key": seen.key, "role": seen.role, "signed_in": COOKIE in request.cookies and bool(seen.key)}

    @app.get("/v1/keys", tags=["keys"])
    def keys() -> list[dict[str, Any]]:
        """Every key: name, role, when it was made. Needs an admin's key."""
        return [described(key) for key in guard.ring.all()]

    @app.post("/v1/keys", tags=["keys"])
    def add(name: Annotated[str, Body()], role: Annotated[str, Body()] = "reader") -> dict[str, str]:
        """Make a key; its secret is in this answer and nowhere else. Needs an admin's key."""
        return {"name": name, "role": role, "key": guard.ring.add(name, role)}

    @app.delete("/v1/keys/{name}", tags=["keys"])
    def revoke(name: str) -> dict[str, Any]:
        """Revoke a key; its next request is refused. Needs an admin's key."""
        return described(guard.ring.revoke(name))


def described(key: Key) -> dict[str, str]:
    """What may be shown of a key."""
    return {name: value for name, value in asdict(key).items() if name != "sha256"}


def _page(request: Request, next: str, lang: str, *, wrong: bool = False) -> HTMLResponse:
    language = language_of(request, lang)
    text = SIGN_IN_TEXTS[language]
    error, status = (text["wrong"], 401) if wrong else ("", 200)
    return rendered("sign_in.html.j2", language, status=status, t=text, error=error, next=_local(next))


def _local(address: str) -> str:
    """An address of this server; nobody is sent elsewhere after he signed in."""
    is_local = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if is_local and not any(ord(c) < 32 for c in address) else "/"
