"""Compile every pipeline to its package (IR YAML)."""

from pathlib import Path

from kfp.compiler import Compiler

from drawops.resources import packages_dir
from pipelines.deployment import deployment
from pipelines.retrain import retrain
from pipelines.similarity import similarity
from pipelines.training import incremental, training

PIPELINES = {
    "deployment": deployment,
    "incremental": incremental,
    "retrain": retrain,
    "similarity": similarity,
    "training": training,
}


def compile_all(folder: Path | None = None) -> list[Path]:
    """Write `<name>.yaml` for every pipeline; default: into the packages that ship with drawops."""
    folder = folder or packages_dir()
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, pipeline in PIPELINES.items():
        files.append(folder / f"{name}.yaml")
        Compiler().compile(pipeline, str(files[-1]))
    return files
