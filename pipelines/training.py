"""The pipelines `incremental` and `training`: preprocess -> train -> evaluate -> register."""

from typing import Any, NamedTuple

from kfp import dsl

from components import IMAGE
from components.evaluate.component import evaluate
from components.preprocess.component import preprocess
from components.register.component import register
from components.train_full.component import train_full
from components.train_incremental.component import train_incremental
from pipelines.placement import place


class Outputs(NamedTuple):
    version: str
    verdict: str
    reasons: list[str]
    report: dsl.HTML


def _learning(name: str, description: str, train: Any, mode: str) -> Any:
    """The pipeline around a training component; it takes the same parameters whatever is trained."""

    @dsl.pipeline(name=name, description=description)
    def pipeline(
        dataset: str,
        base: str,
        champion: str,
        config: dict = {},  # noqa: B006 (kfp reads the default; nothing changes it)
        generated: int = 1200,
        new_to_old: float = 2.333,
        general_lines: int = 5000,
        generated_test_lines: int = 500,
        gate: str = "default",
        seed: int = 0,
        trained_by: str = "",
        image: str = IMAGE,
        cpu: str = "2",
        memory: str = "6G",
        secret: str = "drawops",
    ) -> Outputs:
        def placed(task, *, hours, cache):
            place(task, image, cpu, memory, secret, hours=hours, cache=cache)
            return task

        food = placed(
            preprocess(
                dataset=dataset, base=base, champion=champion, generated=generated, new_to_old=new_to_old, seed=seed
            ),
            hours=2,
            cache=True,
        ).outputs
        trained = placed(
            train(line_set=food["line_set"], base_model=food["base_model"], config=config), hours=24, cache=True
        ).outputs
        judged = placed(
            evaluate(
                model=trained["model"],
                champion_model=food["champion_model"],
                line_set=food["line_set"],
                general_lines=general_lines,
                generated_test_lines=generated_test_lines,
            ),
            hours=4,
            cache=True,
        ).outputs
        registered = placed(
            register(
                model=trained["model"],
                line_set=food["line_set"],
                evaluation=judged["evaluation"],
                mode=mode,
                base=base,
                dataset=dataset,
                gate=gate,
                trained_by=trained_by,
            ),
            hours=1,
            cache=False,
        ).outputs
        return Outputs(registered["version"], registered["verdict"], registered["reasons"], registered["report"])

    return pipeline


incremental = _learning(
    "incremental",
    "Teach a recogniser the new lines of a dataset version, evaluate, judge and register it.",
    train_incremental,
    "incremental",
)
training = _learning(
    "training",
    "Train every layer on a dataset version, evaluate, judge and register the candidate.",
    train_full,
    "full",
)
