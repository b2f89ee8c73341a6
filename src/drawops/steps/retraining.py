"""Retraining that looks first, all in one process: what a schedule starts.

The pods around a step cost more than the work on small data, so nothing is handed from pod to pod here.
"""

import html
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from drawops.runners.events import reported
from drawops.settings import Settings
from drawops.steps.learning import evaluate, preprocess, train
from drawops.steps.pinning import datasets, pin_models, step_settings
from drawops.steps.registration import register

logger = logging.getLogger(__name__)

SKIPPED = "skipped"
_NAMED = 8  # drifted symbols that are told; a backend takes no long outputs


class Retrained(NamedTuple):
    """`verdict` is "passed", "rejected" or "skipped" (then there is no version); `reasons` says why, in words."""

    version: str
    verdict: str
    reasons: list[str]


@dataclass(frozen=True)
class Occasion:
    """Is there something to learn? `dataset` is pinned; `reasons` says why or why not, in words."""

    wanted: bool
    dataset: str
    new_lines: int
    reasons: list[str]


def occasion(dataset: str, settings: Settings, *, min_new_lines: int, max_drift: float) -> Occasion:
    """Look for new labels and for drift.

    Training is wanted when the dataset has `min_new_lines` labelled lines more than the newest version that was trained
    on it had, whatever became of that version; or when the champion's readings have drifted and there is any new
    line to learn from. Drift alone is told, with what to do: the same lines would teach nothing new.

    Args:
        dataset: its name.
        max_drift: by how much a symbol's mean score may fall, see `drawops.registry.drift`.
    """
    from drawops.registry import ModelRegistry, Records
    from drawops.registry.drift import WINDOW, find_drift

    store, registry = datasets(settings), ModelRegistry(settings)
    newest = store.get(dataset).ref
    trained = [v for v in registry.list() if v.dataset.partition("@")[0] == newest.partition("@")[0]]
    last = max(trained, key=lambda v: v.version, default=None)
    new_lines = store.new_lines(newest, last.dataset if last else "")
    since = f"since {last.label} was trained" if last else f"and nothing was trained on '{dataset}' yet"
    reasons = [f"{new_lines} new labelled lines {since} ({min_new_lines} are asked for)"]
    wanted = new_lines >= max(1, min_new_lines)
    champion = registry.standing().champion
    if champion:
        drifted = find_drift(*Records(settings.records_url).ends_of_model(champion, WINDOW), max_drop=max_drift)
        reasons += [f"readings by {champion} have drifted: {one}" for one in drifted[:_NAMED]]
        if len(drifted) > _NAMED:
            reasons.append(f"and so have those of {len(drifted) - _NAMED} more symbols")
        wanted = wanted or bool(drifted and new_lines)
        if drifted and not new_lines:
            reasons.append("nothing new to learn from: correct readings of these drawings and import them as labels")
    return Occasion(wanted, newest, new_lines, reasons)


@reported("increment")
def increment(
    dataset: str,
    report: str,
    *,
    min_new_lines: int,
    max_drift: float,
    always: bool,
    base: str,
    config: Mapping[str, Any],
    generated: int,
    new_to_old: float,
    general_lines: int,
    generated_test_lines: int,
    gate: str,
    seed: int,
    trained_by: str,
) -> Retrained:
    """Train incrementally on the newest version of a dataset if there is something to learn, judge and register.

    Args:
        dataset: its name; the newest version is taken.
        report: HTML file to write.
        always: train, whatever `occasion` finds.
        base: version or alias to start from. The rest as in the pipeline `incremental`.
    Raises:
        NotFound: no such dataset or version.
    """
    settings = step_settings()
    found = occasion(dataset, settings, min_new_lines=min_new_lines, max_drift=max_drift)
    if not (found.wanted or always):
        return _skip(found, Path(report))
    labels = pin_models({"base": base, "champion": "champion"}, settings)
    with tempfile.TemporaryDirectory(prefix="increment-", dir=settings.cache) as work:
        lines, base_model, champion_model, model, evaluation = (
            str(Path(work, name)) for name in ("lines", "base", "champion", "model", "evaluation")
        )
        preprocess(
            found.dataset,
            labels["base"],
            labels["champion"],
            lines,
            base_model,
            champion_model,
            generated=generated,
            new_to_old=new_to_old,
            seed=seed,
        )
        train(lines, base_model, model, mode="incremental", config=config)
        evaluate(
            model,
            champion_model,
            lines,
            evaluation,
            general_lines=general_lines,
            generated_test_lines=generated_test_lines,
        )
        registered = register(
            model,
            lines,
            evaluation,
            report,
            mode="incremental",
            base=labels["base"],
            dataset=found.dataset,
            gate=gate,
            trained_by=trained_by,
        )
    done = Retrained(registered.version, registered.verdict, [*found.reasons, *registered.reasons])
    outcome = "waits for approval" if done.verdict == "passed" else "was rejected by its gate"
    tell(settings, f"{done.version} {outcome}. " + "; ".join(done.reasons), dataset=found.dataset, version=done.version)
    return done


def _skip(found: Occasion, report: Path) -> Retrained:
    report.parent.mkdir(parents=True, exist_ok=True)
    items = "".join(f"<li>{html.escape(reason)}</li>" for reason in found.reasons)
    page = f"<!doctype html><meta charset=utf-8><p>Nothing was trained on {html.escape(found.dataset)}:</p><ul>{items}</ul>"
    report.write_text(page, encoding="utf-8")
    return Retrained("", SKIPPED, found.reasons)


@reported("notify")
def notify(state: str, dataset: str, run: str) -> None:
    """Tell the webhook of the settings that a run failed; one that succeeded has told its result itself."""
    if state != "SUCCEEDED":
        tell(step_settings(), f"Retraining on '{dataset}' ended as {state}.", dataset=dataset, run=run, state=state)


def tell(settings: Settings, text: str, **facts: str) -> bool:
    """Post a message to the webhook `DRAWOPS_NOTIFY`, where there is one. Returns whether it was taken.

    A receiver that is down must not make a run fail, so that is only written to the log.
    """
    import httpx

    if not settings.notify:
        return False
    try:
        # "text" is the key that Slack, Mattermost, Teams and DingTalk bridges show
        httpx.post(settings.notify, json={"text": f"DrawOps: {text}", **facts}, timeout=10).raise_for_status()
    except httpx.HTTPError as exc:
        logger.warning("The notification '%s' was not taken: %s", text, exc)
        return False
    return True
