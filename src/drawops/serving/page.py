"""The page at `/`, and how the pages that the server makes are filled in."""

import base64
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse

from drawops.drawings.stand_ins import symbol_font


@cache
def page_html() -> str:
    """With the font for ⌖ ⌴ ⏥ … in it: hardly a computer has one."""
    page = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    return page.replace("SYMBOL_FONT", base64.b64encode(symbol_font()).decode("ascii"))


def language_of(request: Request, chosen: str = "") -> Literal["en", "zh"]:
    spoken = chosen or request.headers.get("accept-language", "en")
    return "zh" if spoken.startswith("zh") else "en"


def rendered(template: str, language: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page of `templates/`."""
    html = _environment().get_template(template).render({"error": "", **values, "language": language})
    return HTMLResponse(html, status_code=status)


@lru_cache(maxsize=1)
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["path"] = lambda text: quote(str(text), safe="")
    return environment
