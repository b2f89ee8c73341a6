"""Metadata as terms of one keyword field, so that any field can be filtered without a mapping of its own.

Each value gives two terms: `name=value`, compared for equality, and one that sorts as the value does, for ranges.
"""

import hashlib
import json
import struct
from typing import Any

from drawops.similarity.filters import Range

_LONGEST = 1_000  # bytes


def terms(name: str, value: str | float) -> list[str]:
    return [facet(name, value), ordered(name, value)]


def clause(name: str, wanted: list[Any] | Range) -> dict[str, Any]:
    """The filter on a field."""
    if not isinstance(wanted, Range):
        return {"terms": {"facets": [facet(name, value) for value in wanted]}}
    first, last = ("t", "u") if wanted.is_text else ("n", "o")  # those of the other kind lie outside
    low = {"gte": f"{name}\x1f{first}" if wanted.low is None else ordered(name, wanted.low)}
    high = {"lt": f"{name}\x1f{last}"} if wanted.high is None else {"lte": ordered(name, wanted.high)}
    # In the filter of a graph search the k-NN plug-in takes a range alone for one on the views, where there is nothing
    # to find; beside a term it sees that the drawing is meant.
    return {"bool": {"filter": [{"term": {"fields": name}}, {"range": {"facets": low | high}}]}}


def facet(name: str, value: str | float) -> str:
    """A metadata field and its value as one term, equal where Python calls the values equal."""
    plain = value if isinstance(value, str) else float(value)
    term = f"{name}={json.dumps(plain, ensure_ascii=False)}"
    if len(term.encode()) <= _LONGEST:
        return term
    return f"{name}#{hashlib.sha256(term.encode()).hexdigest()}"


def ordered(name: str, value: str | float) -> str:
    """A term that sorts among those of its field as the value does: text by its characters, numbers by the bits of
    the IEEE 754 double, all turned round where it is negative."""
    if isinstance(value, str):
        return f"{name}\x1ft{value}".encode()[:_LONGEST].decode(errors="ignore")
    (bits,) = struct.unpack(">Q", struct.pack(">d", value))
    bits ^= (1 << 64) - 1 if bits >> 63 else 1 << 63
    return f"{name}\x1fn{bits:016x}"
