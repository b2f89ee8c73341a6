"""Every exception DrawOps raises on purpose.

* DrawopsError
  x InputRefused            a file or a value from outside can't be used (carries `what`, `reason`)
  x NotFound                no such dataset, model version, object, index entry (carries `what`)
  x SettingsError           a wrong setting or training parameter
  x Conflict                it exists already, is locked, or changed meanwhile
  x ForbiddenTransition     an approval step the registry does not allow
  x NotAllowed              who asks could not prove that he may
  x GateFailed              the candidate did not pass its gate (carries `reasons`)
  x StepFailed              a pipeline step failed (carries `step`, `cause`)
  x Unavailable             a server did not answer
  x MissingExtra            an optional package is not installed

A message says what, which, and what next. The CLI prints it as one line and exits with 1;
any other exception is a bug and keeps its traceback.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class DrawopsError(Exception):
    """Base of all errors a user can do something about."""


class InputRefused(DrawopsError):
    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what}: {reason}")
        self.what = what
        self.reason = reason


class NotFound(DrawopsError):
    def __init__(self, message: str, *, what: str = "") -> None:
        super().__init__(message)
        self.what = what


class SettingsError(DrawopsError):
    pass


class Conflict(DrawopsError):
    pass


class ForbiddenTransition(DrawopsError):
    pass


class NotAllowed(DrawopsError):
    pass


class GateFailed(DrawopsError):
    def __init__(self, message: str, *, reasons: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.reasons = list(reasons)


class StepFailed(DrawopsError):
    def __init__(self, step: str, cause: str) -> None:
        super().__init__(f"Step '{step}' failed: {cause}")
        self.step = step
        self.cause = cause


class Unavailable(DrawopsError):
    pass


class MissingExtra(DrawopsError):
    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(f"{purpose} needs an optional package. Install it with `pip install 'drawops[{extra}]'`.")
        self.extra = extra


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence that names the nearest known name, or lists them when none is near, the first twenty of many."""
    options = sorted(known)
    folded = {option.casefold(): option for option in options}
    near = get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    if near:
        return f"Did you mean '{folded[near[0]]}'?"
    more = f" and {len(options) - 20} more" if len(options) > 20 else ""
    return f"Known: {', '.join(options[:20])}{more}." if options else ""
