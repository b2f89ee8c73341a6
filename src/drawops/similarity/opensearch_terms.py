"""Metadata as terms of one keyword field, so that any field can be filtered without a mapping of its own.

Each value gives two terms: `name=value`, compared for equality, and one that sorts as the value does, for ranges; text that
is a number gives a third, so that it sorts as both.
"""

import hashlib
import json
import struct
from typing import Any

from drawops.similarity.filters import Range, number_in

_LONGEST = 1_000  # bytes
_NUMBER, _TEXT, _DIGITS = "n", "t", "d"  # kinds of terms that sort; the last of text that is a number


def terms(name: str, value: str | float) -> list[str]:
    number = number_in(value)
    found = [facet(name, value)]
    if number is not None:
        found.append(_ordered(name, _NUMBER, number))
    if isinstance(value, str):
        found.append(_ordered(name, _TEXT if number is None else _DIGITS, value))
    return found


def clause(name: str, wanted: list[Any] | Range) -> dict[str, Any]:
    """The filter on a field."""
    if not isinstance(wanted, Range):
        return {"terms": {"facets": [facet(name, value) for value in wanted]}}
    kinds = (_TEXT, _DIGITS) if wanted.is_text else (_NUMBER,)
    ranges = [_range(name, kind, wanted.low, wanted.high) for kind in kinds]
    # In the filter of a graph search the k-NN plug-in takes a range alone for one on the views, where there is nothing
    # to find; beside a term it sees that the drawing is meant.
    return {"bool": {"filter": [{"term": {"fields": name}}], "should": ranges, "minimum_should_match": 1}}


def _range(name: str, kind: str, low: Any, high: Any) -> dict[str, Any]:
    """Of the terms of one kind: those of the others lie outside."""
    first = {"gte": f"{name}\x1f{kind}" if low is None else _ordered(name, kind, low)}
    last = {"lt": f"{name}\x1f{chr(ord(kind) + 1)}"} if high is None else {"lte": _ordered(name, kind, high)}
    return {"range": {"facets": first | last}}


def facet(name: str, value: str | float) -> str:
    """A metadata field and its value as one term, equal where Python calls the values equal."""
    plain = value if isinstance(value, str) else float(value)
    term = f"{name}={json.dumps(plain, ensure_ascii=False)}"
    if len(term.encode()) <= _LONGEST:
        return term
    return f"{name}#{hashlib.sha256(term.encode()).hexdigest()}"


def _ordered(name: str, kind: str, value: str | float) -> str:
    """A term that sorts among those of its field and kind as the value does: text by its characters, numbers by the bits of
    the IEEE 754 double, all turned round where it is negative."""
    if isinstance(value, str):
        return f"{name}\x1f{kind}{value}".encode()[:_LONGEST].decode(errors="ignore")
    (bits,) = struct.unpack(">Q", struct.pack(">d", value))
    bits ^= (1 << 64) - 1 if bits >> 63 else 1 << 63
    return f"{name}\x1f{kind}{bits:016x}"
