"""What a search may be narrowed by: metadata that a drawing must have."""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from drawops.errors import InputRefused, did_you_mean

Where = Mapping[str, Any]
"""Metadata a document must have: {"family": "flange"}; any of several, {"family": ["flange", "hub"]}; a range, both
ends included and either may be left out, {"date": {"from": "2024-01-01", "to": "2024-12-31"}}; to 2024-06 is to the end of June."""

_DATE_FIELD = re.compile(r"([Dd]ate|DATE)(?![a-z])|日期")
_ALL_OF_IT = "~"  # sorts behind what dates are written with: until 2024-06 is until the last moment of that month
_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_YEAR_FIRST = re.compile(r"(\d{4})[-./年](\d{1,2})[-./月](\d{1,2})日?")
_DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")  # with slashes some write the month first


@dataclass(frozen=True)
class Range:
    """Values from `low` to `high`, both included; None is open. Ends that are numbers hold numbers, also those written as
    text (7.5 and "7.5"); ends that are text hold text, by code points, so dates are written year first."""

    low: str | float | None
    high: str | float | None

    @property
    def is_text(self) -> bool:
        return isinstance(self.low if self.low is not None else self.high, str)

    def holds(self, value: Any) -> bool:
        compared: Any = value if self.is_text else number_in(value)
        return (
            compared is not None
            and isinstance(compared, str) == self.is_text
            and (self.low is None or compared >= self.low)
            and (self.high is None or compared <= self.high)
        )


def number_in(value: str | float) -> float | None:
    """7.5 of 7.5 and of "7.5"; None of text that is no number."""
    return None if isinstance(value, str) and not _NUMBER.fullmatch(value) else float(value)


def no_number_in(field: str, wanted: Range, values: Collection[str | float]) -> str:
    """The end of a range that is no number, where all values of the field are: nothing lies in such a range. Else ''."""
    if not wanted.is_text or _DATE_FIELD.search(field) or any(number_in(value) is None for value in values):
        return ""
    return next((str(end) for end in (wanted.low, wanted.high) if end is not None and number_in(end) is None), "")


Wanted = dict[str, list[Any] | Range]


def check_where(where: Where | None) -> Wanted:
    """{field: the values allowed, or a Range}.

    Raises:
        InputRefused: a value is no text, number or truth value, or a range has no end, two kinds of ends, or its
            first after its last, or is one of dates with an end that is none.
    """
    if where is not None and not isinstance(where, Mapping):
        raise InputRefused(f"where {where!r}", 'must be a mapping such as {"family": "flange"}')
    return {name: _range(name, v) if isinstance(v, Mapping) else _options(name, v) for name, v in (where or {}).items()}


def check_fields(wanted: Wanted, known: Collection[str]) -> None:
    """Raises:
    InputRefused: no drawing has one of the fields (the nearest is named)."""
    for name in wanted:
        if name not in known:
            raise InputRefused(f"filter '{name}'", f"no drawing has this field. {did_you_mean(name, known)}".strip())


def passes(metadata: Mapping[str, Any], wanted: Wanted) -> bool:
    """Whether a document with this metadata is among those wanted."""
    return all(
        name in metadata and (values.holds(metadata[name]) if isinstance(values, Range) else metadata[name] in values)
        for name, values in wanted.items()
    )


def parse_value(text: str) -> str | dict[str, str]:
    """What is behind the = of a filter: "2024-01-01..2024-12-31" (either end may be missing) is a range."""
    low, dots, high = text.partition("..")
    ends = {"from": low.strip(), "to": high.strip()}
    return {name: end for name, end in ends.items() if end} if dots and (low or high) else text


def _options(name: str, value: Any) -> list[Any]:
    options = list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]
    for option in options:
        if not is_plain(option):
            raise InputRefused(f"filter '{name}'", f"must be text, a number or true/false, not {option!r}")
    others = [form for option in options for form in _other_forms(name, option)]
    return [*options, *(other for other in others if other not in options)]


def _other_forms(name: str, option: str | float) -> list[str | float]:
    """In which a parts list, whose values are all text, or somebody else may have written the same."""
    if isinstance(option, bool):
        return []
    if not isinstance(option, str):
        return [f"{option:.12g}"]
    number = number_in(option)
    return [uniform(name, option)] if number is None else [number]


def _range(name: str, ends: Mapping[str, Any]) -> Range:
    low, high = ends.get("from"), ends.get("to")
    given = [end for end in (low, high) if end is not None]
    if not given or ends.keys() - {"from", "to"} or not all(is_plain(end) for end in given):
        raise InputRefused(f"filter '{name}'", 'a range is written {"from": …, "to": …}, with at least one of them')
    no_range = InputRefused(f"filter '{name}'", f"{low!r} to {high!r} is no range")
    if len({isinstance(end, str) for end in given}) > 1:
        raise no_range
    last = high
    if _DATE_FIELD.search(name):
        for end in given:
            if isinstance(end, str) and not _is_date(uniform(name, end)):
                raise InputRefused(f"filter '{name}'", f"'{end}' is no date; write 2019-11-05")
        low, high = (uniform(name, end) if isinstance(end, str) else end for end in (low, high))
        last = f"{high}{_ALL_OF_IT}" if isinstance(high, str) else high
    elif all(number_in(end) is not None for end in given):
        low, last = (end if end is None else number_in(end) for end in (low, high))
    if low is not None and last is not None and low > last:  # type: ignore[operator]
        raise no_range
    return Range(low, last)


def uniform(field: str, value: str) -> str:
    """A date of a field of dates year first, so that dates can be compared: 2020.8.7, 2020年8月7日 and 07.08.2020 are
    2020-08-07. Anything else as it is."""
    if not _DATE_FIELD.search(field):
        return value
    if found := _YEAR_FIRST.fullmatch(value.strip()):
        year, month, day = found.groups()
    elif found := _DAY_FIRST.fullmatch(value.strip()):
        day, month, year = found.groups()
    else:
        return value
    return f"{year}-{int(month):02}-{int(day):02}"


def looks_like_date(value: Any) -> bool:
    """2024, 2024-03 or 2024-03-01."""
    return isinstance(value, str) and _DATE.fullmatch(value) is not None


def _is_date(text: str) -> bool:
    """Whether there is such a year, month, day or time of a day."""
    try:
        datetime.fromisoformat(text if len(text) > 10 else f"{text}-01-01"[:10])
    except ValueError:
        return False
    return looks_like_date(text[:10])


def is_plain(value: Any) -> bool:
    return isinstance(value, (str, int, bool)) or (isinstance(value, float) and math.isfinite(value))
