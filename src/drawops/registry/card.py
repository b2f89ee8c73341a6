"""The model card: what the version page of the MLflow UI shows, so that a person can judge."""

from collections.abc import Mapping
from typing import Any


def model_card(
    label: str, tags: Mapping[str, str], card: Mapping[str, Any], report: Mapping[str, Any], *, sign_in: bool = False
) -> str:
    """Markdown, rendered from `registry/model_card.md`.

    Args:
        tags: mode, base, dataset, trained_by, sha256, gate, gate_reasons.
        card: model.json of the model directory.
        report: EvaluationReport as JSON, {} when there is none.
        sign_in: people sign in to the page.
    """
    from jinja2 import Environment, StrictUndefined

    from drawops.evaluation.verdicts import verdict_words
    from drawops.resources import registry_dir

    source = (registry_dir() / "model_card.md").read_text(encoding="utf-8")
    template = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(source)
    reasons = [r for r in tags.get("gate_reasons", "").split("\n") if r]
    judged = tags.get("gate") in ("passed", "failed")
    words = verdict_words(tags.get("gate") == "passed", reasons, tags.get("gate_name", "")) if judged else "not judged"
    return template.render(
        label=label, tags=tags, card=card, report=report, reasons=reasons, words=words, sign_in=sign_in
    )
