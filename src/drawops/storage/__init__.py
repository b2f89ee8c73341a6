"""Where bytes live: `open_store("file:///…")` or `open_store("s3://bucket/prefix")`; the address picks the backend."""

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
    if parsed.scheme == "s3":
        from drawops.storage.s3 import S3Address, S3ObjectStore

        return S3ObjectStore(S3Address.parse(url))
    raise SettingsError(f"Object store '{url}': unknown scheme '{parsed.scheme}'. Use file:///folder or s3://bucket.")
