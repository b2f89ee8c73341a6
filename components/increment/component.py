"""Dataset -> registered model version, if there is something to learn: all steps in one."""

from typing import NamedTuple

from kfp.dsl import HTML, Output

from components import component


@component
def increment(
    dataset: str,
    min_new_lines: int,
    max_drift: float,
    always: bool,
    base: str,
    config: dict,
    generated: int,
    new_to_old: float,
    general_lines: int,
    generated_test_lines: int,
    gate: str,
    seed: int,
    trained_by: str,
    report: Output[HTML],
) -> NamedTuple("Retrained", [("version", str), ("verdict", str), ("reasons", list[str])]):
    """Look for new labels and drift; train, evaluate, judge and register when there is something to learn.

    Args:
        dataset: Name of the dataset; its newest version is taken.
        min_new_lines: Labelled lines that must be new since the last training.
        max_drift: By how much the mean score of a symbol may fall before a few new lines are enough.
        always: Train, whatever is found.
        base: Version or alias that training starts from.
        config: Fields of drawops.training.TrainConfig; the rest keep their defaults.
        generated: Symbol lines to generate beside the drawings' own.
        new_to_old: New lines for each replayed old one.
        general_lines: Size of the general set (generated Chinese and English lines).
        generated_test_lines: Size of the generated drawing set, in fonts never trained on.
        gate: Gate in registry/gates/, without .yaml.
        seed: Seed of generation and mixing.
        trained_by: Who asked for the training.
        report: Self-contained HTML report.
    """
    from drawops import steps

    return steps.increment(
        dataset,
        report.path,
        min_new_lines=int(min_new_lines),
        max_drift=float(max_drift),
        always=always,
        base=base,
        config=config,
        generated=int(generated),
        new_to_old=float(new_to_old),
        general_lines=int(general_lines),
        generated_test_lines=int(generated_test_lines),
        gate=gate,
        seed=int(seed),
        trained_by=trained_by,
    )
