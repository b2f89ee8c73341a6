"""The life of a model version, as docs/registry.md has it."""

import itertools
from pathlib import Path
from typing import get_args

import pytest

from drawops.errors import ForbiddenTransition
from drawops.registry.states import STATUSES, TRANSITIONS, Actor, check
from drawops.registry.versions import next_label

ACTORS = get_args(Actor)


@pytest.mark.parametrize(("from_", "to"), itertools.product(("", *STATUSES), STATUSES))
def test_only_what_the_table_names_is_allowed_and_only_to_whom_it_names(from_: str, to: str) -> None:
    for actor in ACTORS:
        if TRANSITIONS.get((from_, to)) == actor:
            check("v1.1", from_, to, actor)
        else:
            with pytest.raises(ForbiddenTransition) as error:
                check("v1.1", from_, to, actor)
            assert to in str(error.value) and (from_ or "not registered") in str(error.value)


def test_a_refusal_names_state_wish_and_what_is_possible() -> None:
    with pytest.raises(ForbiddenTransition) as error:
        check("v1.1", "Pending", "Deployed", "deployment")
    assert str(error.value) == (
        "v1.1 is Pending and can't become Deployed: Pending -> Deployed is not allowed. "
        "Possible now: approve it (Approved), or reject it (Rejected)."
    )


def test_no_version_is_deployed_that_no_person_approved() -> None:
    """Every way to Deployed, but that of the base model, leads through a person."""
    trained = {edge: actor for edge, actor in TRANSITIONS.items() if edge != ("", "Deployed")}
    unapproved, queue = set(), [""]
    while queue:
        state = queue.pop()
        for (from_, to), actor in trained.items():
            if from_ == state and actor != "person" and to not in unapproved:
                unapproved.add(to)
                queue.append(to)
    assert "Deployed" not in unapproved


def test_the_documentation_shows_the_same_table() -> None:
    text = (Path(__file__).parents[3] / "docs" / "registry.md").read_text(encoding="utf-8")
    rows = {
        tuple(cell.strip().strip("`") for cell in line.strip("|").split("|")[:3])
        for line in text.splitlines()
        if line.startswith("| ") and line.count("|") >= 4
    }
    for (from_, to), actor in TRANSITIONS.items():
        assert (from_ or "—", to, actor) in rows


@pytest.mark.parametrize(
    ("mode", "base", "used", "expected"),
    [
        ("incremental", "v1.0", ["v1.0"], "v1.1"),
        ("incremental", "v1.0", ["v1.0", "v1.1", "v1.9", "v2.0"], "v1.10"),
        ("incremental", "v1.1", ["v1.0", "v1.1", "v2.0", "v2.3"], "v1.2"),
        ("incremental", "v2.0", ["v1.0", "v1.1", "v2.0"], "v2.1"),
        ("full", "v1.1", ["v1.0", "v1.1"], "v2.0"),
        ("full", "v1.0", ["v1.0", "v3.2"], "v4.0"),
    ],
)
def test_the_next_label_counts_on_in_the_line_of_its_base(mode: str, base: str, used: list[str], expected: str) -> None:
    assert next_label(mode, base, used) == expected
