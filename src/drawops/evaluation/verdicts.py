"""The words of a verdict: the same in the report, on the command line, on the model card and in the demo."""

from collections.abc import Sequence

PASSED, FAILED, UNDECIDED, NEXT = "✓ ", "✗ ", "? ", "→ "
"""What the reasons of a verdict begin with; NEXT is no reason but what to do about one."""


def is_undecided(passed: bool, reasons: Sequence[str]) -> bool:
    """Nothing failed, but the data doesn't suffice to pass."""
    marks = [reason[:2] for reason in reasons]
    return not passed and UNDECIDED in marks and FAILED not in marks


def verdict_words(passed: bool, reasons: Sequence[str], gate: str = "") -> str:
    """`passes the gate “default”`, `is undecided at the gate`, `does not pass the gate`."""
    verb = "passes" if passed else "is undecided at" if is_undecided(passed, reasons) else "does not pass"
    return f"{verb} the gate" + (f" “{gate}”" if gate else "")
