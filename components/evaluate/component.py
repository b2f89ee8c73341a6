"""Candidate and champion -> evaluation, on the same lines."""

from kfp.dsl import Artifact, Dataset, Input, Metrics, Model, Output

from components import component


@component
def evaluate(
    model: Input[Model],
    champion_model: Input[Model],
    line_set: Input[Dataset],
    general_lines: int,
    generated_test_lines: int,
    evaluation: Output[Artifact],
    metrics: Output[Metrics],
):
    """Read the test lines and a general set with both models.

    Args:
        model: Model directory of the candidate.
        champion_model: Model directory that it is compared with.
        line_set: Folder made by preprocess.
        general_lines: Size of the general set (generated Chinese and English lines).
        generated_test_lines: Size of the generated drawing set, in fonts never trained on.
        evaluation: Folder with `evaluation.json`.
        metrics: Overall figures of both models.
    """
    from drawops import steps

    figures = steps.evaluate(
        model.path,
        champion_model.path,
        line_set.path,
        evaluation.path,
        general_lines=int(general_lines),
        generated_test_lines=int(generated_test_lines),
    )
    steps.write_metrics(metrics, figures)
