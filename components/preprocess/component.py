"""Dataset version -> line set, and the two models that the run needs, fetched from the registry."""

from kfp.dsl import Dataset, Model, Output

from components import component


@component
def preprocess(
    dataset: str,
    base: str,
    champion: str,
    generated: int,
    new_to_old: float,
    seed: int,
    line_set: Output[Dataset],
    base_model: Output[Model],
    champion_model: Output[Model],
):
    """Cut the lines of a dataset version, mix in generated and old ones, and fetch base and champion.

    Args:
        dataset: Pinned dataset version, `name@version`.
        base: Label of the version that training starts from, such as `v1.0`.
        champion: Label of the version that the candidate is compared with.
        generated: Symbol lines to generate beside the drawings' own.
        new_to_old: New lines for each replayed old one.
        seed: Seed of generation and mixing.
        line_set: Folder with crops, PaddleOCR lists and `lines.jsonl`.
        base_model: Model directory of `base`.
        champion_model: Model directory of `champion`.
    """
    from drawops import steps

    summary = steps.preprocess(
        dataset,
        base,
        champion,
        line_set.path,
        base_model.path,
        champion_model.path,
        generated=int(generated),
        new_to_old=float(new_to_old),
        seed=int(seed),
    )
    line_set.metadata.update(summary)
    base_model.metadata["label"] = base
    champion_model.metadata["label"] = champion
