"""Which model version a server reads with, and how it changes without a dropped request."""

import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drawops.ocr import Reader
    from drawops.settings import Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedModel:
    label: str
    reader: "Reader"
    digest: str
    """sha256 of the recogniser's file."""


class ModelSlot:
    """Holds the version that serves and at most one that is prepared to take over.

    A request takes `current` once and keeps it to its end, so a swap drops nothing: the old reader lives
    until its last request has finished.
    """

    def __init__(self, settings: "Settings") -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._current: LoadedModel | None = None
        self._prepared: LoadedModel | None = None
        self.problem = ""
        """Why the champion could not be followed at the last try."""

    @property
    def from_files(self) -> bool:
        """It serves files that no registry was asked about."""
        serve = self._settings.serve
        return serve == "base" or (bool(serve) and Path(serve).is_dir())

    @property
    def current(self) -> LoadedModel | None:
        return self._current

    def prepare(self, label: str) -> str:
        """Load a version beside the one that serves. Only versions that a person approved are loaded.

        Returns:
            The version's own label (`label` may be an alias).
        Raises:
            NotFound, ForbiddenTransition: no such version, or it is not approved.
        """
        from drawops.errors import ForbiddenTransition
        from drawops.registry import ModelRegistry

        registry = ModelRegistry(self._settings)
        version = registry.get(label)
        if version.status not in ("Approved", "Deployed", "Archived"):
            raise ForbiddenTransition(f"{version.label} is {version.status}; only an approved version can be served.")
        with self._lock:
            for held in (self._current, self._prepared):
                if held and held.label == version.label:
                    self._prepared = held
                    return held.label
            logger.info("loading %s", version.label)
            self._prepared = self._load(version.label, registry.fetch(version.label))
            return version.label

    def follow_champion(self) -> str:
        """Serve what the registry calls champion, or what DRAWOPS_SERVE names. Returns its label."""
        try:
            label = self._follow()
        except Exception as exc:
            self.problem = f"{type(exc).__name__}: {exc}"
            raise
        self.problem = ""
        return label

    def _follow(self) -> str:
        from drawops.registry import ModelRegistry

        wanted = self._settings.serve or "champion"
        if self.from_files:
            return self._serve_files(wanted)
        if wanted == "champion":
            wanted = ModelRegistry(self._settings).resolve("champion")
        if self._current is None or self._current.label != wanted:
            self.prepare(wanted)
            with self._lock:
                self._current, self._prepared = self._prepared, None
            logger.info("serving %s", wanted)
        return wanted

    def _serve_files(self, wanted: str) -> str:
        """Serve files that are here already; no registry is asked, who put them there answers for them."""
        if self._current is None:
            from drawops.ocr.model_files import load_card
            from drawops.registry.versions import BASE_LABEL

            folder = None if wanted == "base" else Path(wanted)
            label = BASE_LABEL if folder is None else str(load_card(folder).get("label") or folder.name)
            self._current = self._load(label, folder)
            logger.info("serving %s from files", label)
        return self._current.label

    def _load(self, label: str, folder: Path | None) -> LoadedModel:
        from drawops.files import sha256_of
        from drawops.ocr import open_reader
        from drawops.ocr.model_files import base_recogniser, onnx_file

        return LoadedModel(
            label, open_reader(folder, self._settings), sha256_of(onnx_file(folder or base_recogniser()))
        )
