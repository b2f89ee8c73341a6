"""Commands: train-detector, detector …."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from drawops.cli._output import (
    AsJson,
    Assignments,
    assigned,
    print_json,
    print_table,
    reading_settings,
    say,
    writing_settings,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from drawops.evaluation.detection import FoundGain
    from drawops.training.config import Progress

_detector = typer.Typer(help="Text detectors: which there are, which one is in use.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    app.command("train-detector")(train_detector)
    app.add_typer(_detector, name="detector")


def train_detector(
    dataset: Annotated[
        str, typer.Argument(metavar="[DATASET]", help="Learn from its train split; without it: from generated sheets.")
    ] = "",
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Teach the text detector your pages; it is used only if it finds more on pages not learnt from."""
    from drawops.training.config import DetectorConfig

    config = DetectorConfig.parse(assigned(assignments))
    from drawops.training.detector import train_detector as train

    outcome = train(dataset, writing_settings(), config, say=say, on_progress=_telling())
    if as_json:
        print_json(outcome.to_dict())
        return
    if outcome.own:
        _print_gain(outcome.own, "pages of the dataset, not learnt from", outcome.base, outcome.version)
    _print_gain(outcome.generated, "generated sheets, not learnt from", outcome.base, outcome.version)
    if outcome.kept:
        print(f"{outcome.version} finds more and is in use from now on; servers take it when they start.")
        print(f"To go back: drawops detector use {outcome.base}")
        return
    print(f"{outcome.version} is not used:")
    for reason in outcome.reasons:
        print(f"  {reason}")
    print(f"To use it nevertheless: drawops detector use {outcome.version}")


@_detector.command("list")
def list_(as_json: AsJson = False) -> None:
    """The detectors of this home and what they find on pages they have not learnt from."""
    from drawops.ocr.detectors import BASE, detector_versions, find_detector, folder_of
    from drawops.ocr.model_files import load_card

    settings = reading_settings()
    current = find_detector(None, settings).name
    cards = {BASE: {}, **{v: load_card(folder_of(settings) / v) for v in detector_versions(settings)}}
    if as_json:
        print_json([{"version": name, "in_use": name == current, **card} for name, card in cards.items()])
        return
    print_table(
        ("detector", "in use", "dataset", "judged on", "recall % before", "after", "trained"),
        (
            (
                name,
                "yes" if name == current else "",
                card.get("dataset", ""),
                *_judged(card),
                card.get("trained", ""),
            )
            for name, card in cards.items()
        ),
    )


@_detector.command()
def use(
    version: Annotated[str, typer.Argument(metavar="V", help="base, or a version of `drawops detector list`.")],
    as_json: AsJson = False,
) -> None:
    """Read with this detector from now on; servers take it when they start."""
    from drawops.ocr.detectors import find_detector, use_detector

    settings = writing_settings()
    use_detector(version, settings)
    found = find_detector(None, settings)
    if as_json:
        print_json({"in_use": found.name, "sha256": found.sha256})
    else:
        print(f"{found.name} is in use.")


def _judged(card: "dict[str, Any]") -> tuple[str, str, str]:
    name = "own" if card.get("own") else "generated"
    if not card.get(name):
        return "", "", ""
    before, after = (f"{100 * card[name][when]['recall']:.1f}" for when in ("before", "after"))
    return name, before, after


def _print_gain(gain: "FoundGain", what: str, base: str, version: str) -> None:
    print_table(
        ("detector", "precision %", "recall %", "hmean %"),
        (
            (name, *(f"{100 * v:.1f}" for v in (found.precision, found.recall, found.hmean)))
            for name, found in ((base, gain.before), (version, gain.after))
        ),
        title=f"{gain.pages} {what}, {gain.before.labels} lines; boxes at IoU 0.5",
    )
    print(
        f"Gain in hmean: {100 * gain.gain:+.2f} points, 95 % interval {100 * gain.low:+.2f} to {100 * gain.high:+.2f}."
    )


def _telling() -> "Callable[[Progress], None]":
    """A line every fifteen seconds."""
    last = time.monotonic()

    def tell(progress: "Progress") -> None:
        nonlocal last
        if time.monotonic() - last > 15:
            last = time.monotonic()
            say(
                f"epoch {progress.epoch}/{progress.epochs}, step {progress.step}/{progress.steps}, loss "
                f"{progress.loss:.4f}, agreement {progress.accuracy:.3f}, {progress.eta_s:.0f} s left at most"
            )

    return tell
