"""Embeddings trained on a user's own drawings, in `<home>/embeddings/<version>/`: `head.onnx` and what is known of it."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drawops import __version__
from drawops.errors import DrawopsError, InputRefused, NotFound, did_you_mean
from drawops.similarity.embedding import BUILT_IN, WIDTH, Describer, Embedder, open_session
from drawops.similarity.kept import Kept, TimeLeft
from drawops.similarity.labelled import advice, examples_in, labelled_files, made_up_examples
from drawops.similarity.metric_learning import Comparison, Learnt, export, lacking, learn, vectors_of

if TYPE_CHECKING:
    from drawops.settings import Settings

HEAD, CARD = "head.onnx", "embedding.json"
_PARITY = 1e-4


@dataclass(frozen=True)
class Outcome:
    """What `train` did: the comparison, and the version where it was kept, else ''."""

    version: str
    comparison: Comparison
    epochs: int
    left_out: list[str]

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "kept": bool(self.version), "better": self.comparison.better}


def train(
    folder: Path | None,
    settings: "Settings",
    *,
    classes: str = "folder",
    epochs: int = 60,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Learn from the drawings of a folder (None: from made-up shapes), compare on families not seen, keep what is better.

    What is computed is kept in `<cache>/train-embedding/` until the end: after a kill the same call goes on.

    Raises:
        InputRefused: no drawings, too few families.
    """
    describer = Describer(settings.cache, threads=settings.threads)
    job = [BUILT_IN, __version__, str(folder.resolve()) if folder else "", classes, seed]
    name = hashlib.sha256(json.dumps(job).encode()).hexdigest()[:16]
    kept = Kept(settings.cache / "train-embedding" / name)
    left_out: list[str] = []
    if folder is None:
        examples = made_up_examples(describer, seed=seed, progress=TimeLeft("families drawn", say), kept=kept)
    else:
        # Looked at first: to describe the drawings takes a second each.
        if too_few := lacking(family for _, family in labelled_files(folder, classes)):
            raise InputRefused(str(folder), f"by {classes} {too_few}: {advice(classes)}")
        told = TimeLeft("drawings described", say)
        examples, left_out = examples_in(folder, classes, describer, seed=seed, progress=told, kept=kept)
        for remark in left_out:
            say(f"left out: {remark}")
    learnt = learn(examples, epochs=epochs, seed=seed, say=say, kept=kept)
    notes = {
        "data": str(folder.resolve()) if folder else "made-up shapes",
        "drawings": len(examples),
        "families": len({e.family for e in examples}),
        "seed": seed,
        "epochs": learnt.epochs,
        "trained": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    version = store(learnt, settings, notes) if learnt.comparison.better else ""
    kept.clear()
    return Outcome(version, learnt.comparison, learnt.epochs, left_out)


def folder_of(settings: "Settings") -> Path:
    return settings.home / "embeddings"


def is_trained(version: str) -> bool:
    """Whether the name is that of a trained embedding (`shape-7+0f3a9c21`), made on the vectors that ship."""
    return "+" in version


def trained_versions(settings: "Settings") -> list[str]:
    return sorted(file.parent.name for file in folder_of(settings).glob(f"*/{CARD}"))


def store(learnt: Learnt, settings: "Settings", notes: Mapping[str, Any]) -> str:
    """Write a trained embedding; its version is named after what it computes.

    Raises:
        DrawopsError: the exported network gives other vectors than the trained one.
    """
    folder_of(settings).mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".new-", dir=folder_of(settings)))
    try:
        export(learnt.head, partial / HEAD)
        probe = np.random.default_rng(0).normal(size=(16, WIDTH)).astype(np.float32)
        there = open_session(partial / HEAD, 1).run(None, {"descriptors": probe})[0]
        if np.abs(there - vectors_of(learnt.head, probe)).max() > _PARITY:
            raise DrawopsError(
                "The exported embedding computes something else than the trained one; nothing is stored."
            )
        version = f"{BUILT_IN}+{hashlib.sha256((partial / HEAD).read_bytes()).hexdigest()[:8]}"
        card = {"version": version, "based_on": BUILT_IN, **notes, "comparison": learnt.comparison.to_dict()}
        (partial / CARD).write_text(json.dumps(card, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        target = folder_of(settings) / version
        if not target.is_dir():  # else the same training has been done before
            partial.chmod(0o755)
            os.rename(partial, target)
    finally:
        for file in partial.glob("*"):
            file.unlink()
        if partial.is_dir():
            partial.rmdir()
    return version


def open_embedder(settings: "Settings", version: str = BUILT_IN) -> Embedder:
    """The embedder of that version.

    Raises:
        NotFound: a trained version that is not in this home, or was made on vectors of an older program.
    """
    if version == BUILT_IN:
        return Embedder(settings.cache, threads=settings.threads)
    file = folder_of(settings) / version / HEAD
    known = trained_versions(settings)
    if not file.is_file():
        raise NotFound(
            f"No embedding '{version}' in {folder_of(settings)}. {did_you_mean(version, [BUILT_IN, *known])} "
            "Copy its folder from the home where it was trained, or put another into service: "
            "`drawops index add --embedding VERSION`, then `drawops index switch --embedding VERSION`.",
            what=version,
        )
    if not version.startswith(f"{BUILT_IN}+"):
        raise NotFound(
            f"Embedding '{version}' was trained for an older DrawOps; this one has {BUILT_IN}. Train it again."
        )
    return Embedder(settings.cache, threads=settings.threads, head=file, version=version)
