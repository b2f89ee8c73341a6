"""The pipeline `retrain`: what a schedule starts. Looks first; the whole increment is one step."""

from kfp import dsl

from components import IMAGE
from components.increment.component import increment
from components.notify.component import notify
from pipelines.placement import place


@dsl.pipeline(
    name="retrain",
    description="Train incrementally on a dataset's newest version when enough new labels have arrived, in one step.",
)
def retrain(
    dataset: str,
    min_new_lines: int = 200,
    max_drift: float = 0.05,
    always: bool = False,
    base: str = "champion",
    config: dict = {},  # noqa: B006 (kfp reads the default; nothing changes it)
    generated: int = 1200,
    new_to_old: float = 2.333,
    general_lines: int = 5000,
    generated_test_lines: int = 500,
    gate: str = "default",
    seed: int = 0,
    trained_by: str = "schedule",
    image: str = IMAGE,
    secret: str = "drawops",
):
    told = notify(dataset=dataset)
    place(told, image, "1", "1G", secret, hours=0.2, cache=False)
    with dsl.ExitHandler(told, name="told-when-it-fails"):
        task = increment(
            dataset=dataset,
            min_new_lines=min_new_lines,
            max_drift=max_drift,
            always=always,
            base=base,
            config=config,
            generated=generated,
            new_to_old=new_to_old,
            general_lines=general_lines,
            generated_test_lines=generated_test_lines,
            gate=gate,
            seed=seed,
            trained_by=trained_by,
        )
        # Not cached: what there is to learn changes without a parameter changing. CPU and memory are no parameters
        # here: kfp 2.17 compiles them into a group without handing them to it, which a backend then refuses.
        place(task, image, "2", "6G", secret, hours=24, cache=False)
