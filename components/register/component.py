"""Candidate and evaluation -> registered model version with its verdict and report."""

from typing import NamedTuple

from kfp.dsl import HTML, Artifact, Dataset, Input, Model, Output

from components import component


@component
def register(
    model: Input[Model],
    line_set: Input[Dataset],
    evaluation: Input[Artifact],
    mode: str,
    base: str,
    dataset: str,
    gate: str,
    trained_by: str,
    report: Output[HTML],
) -> NamedTuple("Registered", [("version", str), ("verdict", str), ("reasons", list[str])]):
    """Judge the candidate by the gate and register it: Pending when it passed, Rejected when not.

    Args:
        model: Model directory of the candidate.
        line_set: Folder made by preprocess; its summary goes into the record.
        evaluation: Folder made by evaluate.
        mode: `incremental` or `full`; decides between v1.1 and v2.0.
        base: Label of the version that training started from.
        dataset: Pinned dataset version.
        gate: Gate in registry/gates/, without .yaml.
        trained_by: Who asked for the training.
        report: Self-contained HTML report.
    """
    from drawops import steps

    return steps.register(
        model.path,
        line_set.path,
        evaluation.path,
        report.path,
        mode=mode,
        base=base,
        dataset=dataset,
        gate=gate,
        trained_by=trained_by,
    )
