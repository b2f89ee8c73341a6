"""Who may ask what. Reading and searching need a reader's key, changing what serves an operator's, keys an admin's."""

import hmac
import ipaddress
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from drawops.serving.keys import Key, KeyRing, Role, digest
from drawops.serving.problems import problem
from drawops.settings import Settings

COOKIE = "drawops_key"
UNMETERED = {"/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"}
_OPEN = UNMETERED | {"/sign-in", "/sign-out"}
_OWN_PROOF = "/v1/hooks/"  # webhooks are signed
_NEEDS: dict[str, Role] = {"/v1/models/": "operator", "/v1/keys": "admin"}


class Guard:
    """
    Args:
        exposed: the server listens on more than this machine.
        own: the key of deployments in this home, which know it from the server's file there.
    """

    def __init__(self, settings: Settings, *, exposed: bool = False, own: Key | None = None) -> None:
        self.ring = KeyRing(settings)
        self._access, self._exposed, self._own = settings.access, exposed, own
        self._open = _OPEN | ({"/metrics"} if settings.metrics == "open" else set())

    @property
    def asks(self) -> bool:
        """Does the server ask for a key?"""
        if self._access == "auto":
            return self._exposed or self.ring.begun
        return self._access == "keys"

    def identify(self, request: Request) -> Key | None:
        """Whose key a request carries: Authorization: Bearer, X-API-Key, or the cookie of the sign-in page."""
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        secret = (
            (bearer.strip() if scheme.lower() == "bearer" else "")
            or request.headers.get("x-api-key", "")
            or request.cookies.get(COOKIE, "")
        )
        return self.find(secret) if secret else None

    def find(self, secret: str) -> Key | None:
        if self._own and hmac.compare_digest(digest(secret), self._own.sha256):
            return self._own
        return self.ring.find(secret)

    def refusal(self, request: Request, key: Key | None) -> Response | None:
        """The answer to a request that may not be; None where it may."""
        path = request.scope["path"]  # not that of request.url, in which the client's Host header has a say
        if path in self._open or path.startswith(_OWN_PROOF) or not self.asks:
            return None
        needed: Role = next((role for start, role in _NEEDS.items() if path.startswith(start)), "reader")
        if key is None:
            if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
                query = request.scope["query_string"].decode("latin-1")
                after = quote(path + (f"?{query}" if query else ""), safe="")
                return RedirectResponse(f"/sign-in?next={after}", status_code=303)
            sent = "authorization" in request.headers or "x-api-key" in request.headers
            return problem(
                401,
                ("This key is unknown or was revoked. " if sent else "")
                + "This server asks for a key, in `Authorization: Bearer …` or `X-API-Key`. Where it runs, "
                f"`drawops key add NAME --role {needed}` makes one (on Kubernetes in the control pod).",
                {"WWW-Authenticate": "Bearer"},
            )
        if not key.may(needed):
            return problem(403, f"{request.method} {path} needs a key of role {needed}; '{key.name}' is {key.role}.")
        return None


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
