"""Where bytes live: `open_store("file:///…")`; the address picks the backend."""

from drawops.storage.local import LocalObjectStore
from drawops.storage.protocol import ObjectInfo, ObjectStore, check_key

__all__ = ["LocalObjectStore", "ObjectInfo", "ObjectStore", "check_key", "open_store"]


def open_store(url: str) -> ObjectStore:
    """The store at `url`.

    Raises:
        SettingsError: the scheme is not known.
    """
    from pathlib import Path
    from urllib.parse import unquote, urlparse

    from drawops.errors import SettingsError

    parsed = urlparse(url)
    if parsed.scheme == "file":
        return LocalObjectStore(Path(unquote(parsed.path)))
    raise SettingsError(f"Object store '{url}': unknown scheme '{parsed.scheme}'. Use file:///folder.")
