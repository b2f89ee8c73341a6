"""The page at `/`."""

from functools import cache
from pathlib import Path


@cache
def page_html() -> str:
    return Path(__file__).with_name("page.html").read_text(encoding="utf-8")
