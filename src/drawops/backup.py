"""`drawops backup` and `drawops restore`: all that a home holds, in one tar file, taken while everything runs.

Consistent without stopping anything: audit record and registry are copied while no decision can be made; databases by
SQLite's backup; then the files that they point to, which are written before and never changed after. What lies on a
server (PostgreSQL, S3) is not in the file, and the file and the command say so.
"""

import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import IO, Any

from drawops import __version__
from drawops.errors import Conflict, InputRefused
from drawops.settings import Settings, load_settings
from drawops.storage import open_store

FORMAT = 1
_MANIFEST = "manifest.json"
_AUDIT = ("audit.jsonl", "audit.jsonl.head", "audit.moved.jsonl", "audit.moved.jsonl.head")
_SMALL = (*_AUDIT, "drawops.toml", "mlflow-keys.json", "keys.json")
_DATABASES = ("records.db", "shapes.db", "mlflow-users.db")
# Where MLflow's database names places by their full address.
_ADDRESSES = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "model_versions": ("source", "storage_location"),
    "logged_models": ("artifact_location",),
}


def backup(settings: Settings, file: Path, *, with_objects: bool = False) -> dict[str, Any]:
    """Write everything that the home holds to a tar file (compressed when its name ends in .gz).

    Args:
        with_objects: also fetch the objects of a store that is not in the home (S3).
    Returns:
        The manifest without its list of files: "files", "bytes", "left_out" (address -> how to keep that).
    Raises:
        InputRefused: there is no home, or the file can't be written.
    """
    if not settings.home.is_dir():
        raise InputRefused(str(settings.home), "is no home: there is nothing to back up")
    objects_in_home = not settings.objects_url.startswith("s3:")
    partial = file.with_name(f".{file.name}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with (
            tarfile.open(partial, "w:gz" if file.name.endswith(".gz") else "w") as tar,
            tempfile.TemporaryDirectory(prefix=".backup-", dir=settings.home) as folder,
        ):
            archive = _Archive(tar)
            for path in _snapshots(settings, Path(folder)):
                archive.add(path.name, path)
            artifacts = settings.home / "mlartifacts"
            for path in sorted(p for p in artifacts.rglob("*") if p.is_file()):
                archive.add(f"mlartifacts/{path.relative_to(artifacts).as_posix()}", path)
            if objects_in_home or with_objects:
                _add_objects(archive, settings)
            manifest = {
                "format": FORMAT,
                "drawops": __version__,
                "time": datetime.now(UTC).isoformat(timespec="seconds"),
                "home": settings.home.as_uri(),
                "left_out": _left_out(settings, objects_in_home or with_objects),
            }
            archive.finish(manifest)
        os.replace(partial, file)
    except OSError as exc:
        raise InputRefused(str(file), f"can't be written: {exc.strerror or exc}") from exc
    finally:
        partial.unlink(missing_ok=True)
    sizes = [entry["bytes"] for entry in archive.files.values()]
    return {**manifest, "file": str(file), "files": len(sizes), "bytes": sum(sizes)}


def restore(file: Path, home: Path) -> dict[str, Any]:
    """Make a home from a backup. The file is checked whole before the home appears.

    Returns:
        "home", "files", "problems" (what `drawops registry verify` finds there), "left_out".
    Raises:
        Conflict: there is a home already.
        InputRefused: not a backup, or a damaged one; the message names the file in it.
    """
    home = home.expanduser().resolve()
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise Conflict(f"{home} is there already. Restore into a folder that does not exist (--home).")
    partial = home.with_name(f".{home.name}.restoring")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        manifest = _unpack(file, partial)
        _move_addresses(partial / "mlflow.db", manifest["home"], home.as_uri())
        if home.exists():
            home.rmdir()
        partial.rename(home)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    settings = load_settings(home)
    if settings.objects_url.startswith("s3:"):
        _return_objects(settings)
    from drawops.registry import ModelRegistry

    problems = list(ModelRegistry(settings).verify())
    left_out = manifest["left_out"]
    return {"home": str(home), "files": len(manifest["files"]), "problems": problems, "left_out": left_out}


class _Archive:
    """A tar file that ends with a list of what is in it."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.files: dict[str, dict[str, Any]] = {}

    def add(self, name: str, path: Path) -> None:
        try:
            with path.open("rb") as stream:
                self.add_stream(name, stream, os.fstat(stream.fileno()).st_size)
        except FileNotFoundError:
            return  # removed since it was listed

    def add_stream(self, name: str, stream: IO[bytes], size: int) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode, entry.mtime = size, 0o600, int(datetime.now(UTC).timestamp())
        hashing = _Hashing(stream, size)
        self._tar.addfile(entry, hashing)  # type: ignore[arg-type]
        self.files[name] = {"bytes": size, "sha256": hashing.digest.hexdigest()}

    def finish(self, manifest: dict[str, Any]) -> None:
        content = json.dumps({**manifest, "files": self.files}, ensure_ascii=False).encode()
        entry = tarfile.TarInfo(_MANIFEST)
        entry.size = len(content)
        self._tar.addfile(entry, io.BytesIO(content))


class _Hashing:
    """Reads at most `size` bytes (a log may grow meanwhile) and knows their sha256."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream, self._left, self.digest = stream, size, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        content = self._stream.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(content)
        self.digest.update(content)
        return content


def _snapshots(settings: Settings, folder: Path) -> Iterator[Path]:
    """Copies of the databases and of small files, the audit record and the registry at one moment."""
    from drawops.registry.audit import home_lock

    with home_lock(settings.home, timeout_s=60):
        for name in _SMALL:
            if (settings.home / name).is_file():
                shutil.copyfile(settings.home / name, folder / name)
        _copy_database(settings.home / "mlflow.db", folder)
    for name in _DATABASES:
        _copy_database(settings.home / name, folder)
    yield from sorted(folder.iterdir())


def _copy_database(path: Path, folder: Path) -> None:
    if not path.is_file():
        return
    with closing(sqlite3.connect(path, timeout=60)) as source, closing(sqlite3.connect(folder / path.name)) as copy:
        source.backup(copy)


def _add_objects(archive: _Archive, settings: Settings) -> None:
    """Dataset manifests first: what they name was stored before them and is still there when its turn comes."""
    store = open_store(settings.objects_url)
    manifests = list(store.scan("datasets/"))
    others = (info for info in store.scan() if not info.key.startswith("datasets/"))
    for info in chain(manifests, others):
        with store.open(info.key) as stream:
            archive.add_stream(f"objects/{info.key}", stream, info.size_bytes)


def _left_out(settings: Settings, objects: bool) -> dict[str, str]:
    """address without password -> how to keep what lies there."""
    from drawops.doctor import without_password

    found = {}
    if not objects:
        found[settings.objects_url] = "objects: `drawops backup --with-objects`, or versions of the bucket"
    for url, what in (
        (settings.mlflow_uri, "model versions and runs"),
        (settings.records_url, "readings and audit record"),
    ):
        if not url.startswith("sqlite:"):
            found[without_password(url)] = f"{what}: back up that server (PostgreSQL: pg_dump)"
    if not settings.index_url.startswith("sqlite:"):
        found[without_password(settings.index_url)] = "shapes: a snapshot there, or index the drawings again"
    return found


def _unpack(file: Path, folder: Path) -> dict[str, Any]:
    seen: dict[str, str] = {}
    manifest: dict[str, Any] = {}
    try:
        with tarfile.open(file) as tar:
            for entry in tar:
                stream = tar.extractfile(entry)
                if stream is None:
                    raise InputRefused(str(file), f"holds something that is no file: {entry.name}")
                if entry.name == _MANIFEST:
                    manifest = json.load(stream)
                    continue
                target = folder / entry.name
                if not target.resolve().is_relative_to(folder.resolve()):
                    raise InputRefused(str(file), f"holds a file outside of the home: {entry.name}")
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as out:
                    target.chmod(0o600)
                    shutil.copyfileobj(stream, out)
                with target.open("rb") as written:
                    seen[entry.name] = hashlib.file_digest(written, "sha256").hexdigest()
    except (OSError, EOFError, tarfile.TarError, ValueError) as exc:
        raise InputRefused(str(file), f"can't be read as a backup: {exc}") from exc
    if manifest.get("format") != FORMAT:
        raise InputRefused(str(file), "is no backup that this program can read, or its end is missing")
    for name, entry in manifest["files"].items():
        if seen.get(name) != entry["sha256"]:
            raise InputRefused(str(file), f"is damaged: {name} is {'changed' if name in seen else 'missing'}")
    return manifest


def _move_addresses(database: Path, old: str, new: str) -> None:
    """MLflow keeps full addresses: they follow the home to its new place."""
    if not database.is_file() or old == new:
        return
    with closing(sqlite3.connect(database)) as db, db:
        tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table in tables & _ADDRESSES.keys():
            columns = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
            for column in columns.intersection(_ADDRESSES[table]):
                db.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                    (f"{new}/", len(old) + 2, len(old) + 1, f"{old}/"),
                )


def _return_objects(settings: Settings) -> None:
    """Objects that were fetched from S3 go back there; what is there stays."""
    folder, store = settings.home / "objects", open_store(settings.objects_url)
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        store.put(path.relative_to(folder).as_posix(), path, if_absent=True)
    shutil.rmtree(folder, ignore_errors=True)
