"""DatasetStore: manifests and page pictures in an object store."""

import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from drawops.datasets.manifest import DatasetDrawing, DatasetVersion, LabelledPage
from drawops.drawings.model import Image
from drawops.errors import InputRefused, NotFound, did_you_mean
from drawops.storage import ObjectStore

_NAME = re.compile(r"[^\s@/\\:#?*\0]+")


class DatasetStore:
    """Dataset versions under `datasets/<name>/<version>.json`. A saved version never changes."""

    def __init__(self, store: ObjectStore) -> None:
        self.objects = store

    def save(self, version: DatasetVersion) -> DatasetVersion:
        """Store the manifest; the version that is in the store afterwards (the older one, where it existed)."""
        check_name(version.name)
        key = _key(version.name, version.version)
        if not self.objects.put(key, version.model_dump_json(indent=1).encode(), if_absent=True):
            return self._load(key)
        return version

    def get(self, ref: str) -> DatasetVersion:
        """The version `name@version` (or an unambiguous beginning of it), or the latest one of `name`.

        Raises:
            NotFound: there is none; the nearest name is named.
        """
        name, _, version = ref.partition("@")
        keys = self._keys(name) if name else []
        if not keys:
            hint = did_you_mean(name, self.names()) or "Make one with `drawops ingest PATH --dataset NAME`."
            raise NotFound(f"No dataset '{name}'. {hint}", what=ref)
        if version:
            matching = [k for k in keys if k.rpartition("/")[2].startswith(version)]
            if len(matching) != 1:
                known = [k.rpartition("/")[2].removesuffix(".json") for k in keys]
                problem = "No" if not matching else "More than one"
                raise NotFound(
                    f"{problem} version '{version}' of dataset '{name}'. Known: {', '.join(known)}.", what=ref
                )
            return self._load(matching[0])
        return max((self._load(k) for k in keys), key=lambda v: v.created)

    def latest(self, name: str) -> DatasetVersion | None:
        return self.get(name) if self._keys(name) else None

    def names(self) -> list[str]:
        return sorted({info.key.split("/")[1] for info in self.objects.scan("datasets/")})

    def list(self) -> list[DatasetVersion]:
        """Every version, oldest first."""
        keys = [i.key for i in self.objects.scan("datasets/")]
        return sorted((self._load(k) for k in keys), key=lambda v: (v.created, v.ref))

    def diff(self, a: str, b: str) -> dict[str, Any]:
        """What `b` has that `a` has not: drawings added and removed, lines added, removed and reworded."""
        old = {d.sha256: d for d in self.get(a).drawings}
        new = {d.sha256: d for d in self.get(b).drawings}
        changed = [_changes(old[s], new[s]) for s in sorted(old.keys() & new.keys()) if old[s] != new[s]]
        return {
            "added": [_brief(new[s]) for s in sorted(new.keys() - old.keys())],
            "removed": [_brief(old[s]) for s in sorted(old.keys() - new.keys())],
            "changed": changed,
        }

    def new_lines(self, ref: str, since: str = "") -> int:
        """Labelled lines of a version that an older one has not, or has with another text; all, without an older one.

        Raises:
            NotFound: no such version.
        """
        known = _lines(self.get(since)) if since else set()
        return len(_lines(self.get(ref)) - known)

    def page_image(self, page: LabelledPage) -> Image:
        """The cleaned picture of a page."""
        import PIL.Image

        with PIL.Image.open(io.BytesIO(self.objects.get(page.key))) as picture:
            return np.array(picture.convert("RGB"))

    def _keys(self, name: str) -> Sequence[str]:
        return [info.key for info in self.objects.scan(f"datasets/{name}/")]

    def _load(self, key: str) -> DatasetVersion:
        return DatasetVersion.model_validate_json(self.objects.get(key))


def check_name(name: str) -> str:
    """Raises InputRefused for a name that could not be told from a ref or a path."""
    if not _NAME.fullmatch(name) or name.startswith("."):
        raise InputRefused(f"dataset name {name!r}", "use letters, digits, '-' and '_', without spaces, '@' or '/'")
    return name


def _key(name: str, version: str) -> str:
    return f"datasets/{name}/{version}.json"


def _lines(version: DatasetVersion) -> set[Any]:
    return {(d.sha256, p.page, line.quad, line.text) for d in version.drawings for p in d.pages for line in p.lines}


def _brief(drawing: DatasetDrawing) -> dict[str, Any]:
    return {
        "name": drawing.name,
        "sha256": drawing.sha256,
        "split": drawing.split,
        "lines": sum(len(p.lines) for p in drawing.pages),
    }


def _changes(old: DatasetDrawing, new: DatasetDrawing) -> dict[str, Any]:
    """Lines are the same line when they stand on the same place of the same page."""

    def by_place(drawing: DatasetDrawing) -> dict[Any, str]:
        return {(p.page, line.quad): line.text for p in drawing.pages for line in p.lines}

    before, after = by_place(old), by_place(new)
    return {
        "name": new.name,
        "sha256": new.sha256,
        "lines_added": len(after.keys() - before.keys()),
        "lines_removed": len(before.keys() - after.keys()),
        "texts_changed": [
            {"from": before[k], "to": after[k]} for k in sorted(before.keys() & after.keys()) if before[k] != after[k]
        ],
        "label_source": [old.label_source, new.label_source],
    }
