"""Line set and base model -> candidate model, by incremental training."""

from kfp.dsl import Dataset, Input, Metrics, Model, Output

from components import component


@component
def train_incremental(
    line_set: Input[Dataset],
    base_model: Input[Model],
    config: dict,
    model: Output[Model],
    metrics: Output[Metrics],
):
    """Teach a recogniser the symbols of a line set; the rest of its head stays as it was.

    Args:
        line_set: Folder made by preprocess.
        base_model: Model directory to start from.
        config: Fields of drawops.training.TrainConfig; the rest keep their defaults.
        model: Model directory of the candidate.
        metrics: Final loss and accuracy, seconds, peak memory.
    """
    from drawops import steps

    summary = steps.train(line_set.path, base_model.path, model.path, mode="incremental", config=config)
    model.metadata.update(summary)
    steps.write_metrics(metrics, summary)
