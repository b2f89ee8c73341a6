"""The VectorIndex protocol; `tests/contract/test_vector_index.py` proves what is said here.

What is indexed is a document (a drawing) with one vector for each of its views. The score of a document for a query
vector is that of its best view: (1 + cos) / 2, from 0 to 1, the same on every backend. For a query of several vectors
(a whole sheet) it is the mean of these: simple views, a disc or a rectangle, are on sheets of every kind, and one of
them alike says little.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drawops.errors import InputRefused, SettingsError
from drawops.similarity.filters import Where, is_plain

Vectors = NDArray[np.float32]
MOST_VALUES = 100  # of a metadata field, in `facets`


@dataclass(frozen=True)
class Document:
    """A drawing in the index.

    `vectors` is (V, dim), one row a view; `views` says in JSON-able words what each row is; `thumbnails` may hold
    a small PNG for each.
    """

    id: str
    vectors: Vectors
    views: Sequence[Mapping[str, Any]]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    thumbnails: Sequence[bytes] = ()


@dataclass(frozen=True)
class Match:
    """One document found: its score; the view that is most like one of the query vectors, with its thumbnail, if it
    has one; and the number of that query vector."""

    id: str
    score: float
    view_number: int
    view: Mapping[str, Any]
    query_number: int
    metadata: Mapping[str, Any]
    thumbnail: bytes = b""


class VectorIndex(Protocol):
    """Documents by id, searched by vector. An index has one dimension and one embedding version.

    Documents of another version may lie in the same place; this index neither finds nor counts them.
    """

    dim: int
    version: str

    @property
    def active(self) -> str:
        """The embedding version in service; '' before the first document."""
        ...

    def upsert(self, documents: Iterable[Document]) -> None:
        """Store documents, replacing those of the same id. When it returns they survive a crash.

        Raises:
            InputRefused: a vector of another dimension, of length zero, or with NaN; nothing of the call is stored.
        """
        ...

    def search(
        self, vectors: ArrayLike, k: int | None = 10, *, min_score: float | None = None, where: Where | None = None
    ) -> list[Match]:
        """The `k` documents most similar to the query vectors ((dim,) or (Q, dim)) taken together, best first.

        `min_score` leaves out what scores lower; with it, `k` may be None: all that score at least that.

        Raises:
            InputRefused: a wrong query vector, k < 1, min_score outside [0, 1], neither k nor min_score,
                or a field in `where` that no document has (the nearest is named).
        """
        ...

    def get(self, id: str) -> Document | None:
        """The document with its vectors, or None."""
        ...

    def get_many(self, ids: Iterable[str]) -> list[Document]:
        """Those of the documents that are there, in the order of their ids as given."""
        ...

    def delete(self, ids: Iterable[str]) -> int:
        """Remove documents; they are in no answer from now on. Returns how many there were."""
        ...

    def ids(self) -> set[str]:
        """The ids of all documents."""
        ...

    def count(self, where: Where | None = None) -> int:
        """How many documents there are, with this metadata.

        Raises:
            InputRefused: see `search`.
        """
        ...

    def stats(self) -> dict[str, Any]:
        """documents, views, dim, version, fields, bytes, …"""
        ...

    def facets(self) -> dict[str, dict[str | float, int]]:
        """Of each metadata field its values and how many documents have them, the most frequent first; the hundred
        most frequent where there are more."""
        ...

    def save(self) -> None:
        """After a large load: bring what was added into the form that is searched fastest."""
        ...

    def activate(self, *, remove_others: bool = False) -> list[str]:
        """Make this embedding version the one in service, at once for all readers.

        Returns:
            the other versions that were removed, if `remove_others`.
        """
        ...

    def close(self) -> None: ...


def open_index(url: str, dim: int, *, version: str = "") -> VectorIndex:
    """The index at `url`: sqlite:///path/to/shapes.db or opensearch://user:password@host:9200/alias (opensearchs: TLS).

    Raises:
        SettingsError: the scheme is not known, or a server refuses the password.
        Unavailable: a server does not answer.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        from drawops.similarity.local import LocalVectorIndex

        return LocalVectorIndex(Path(rest[1:]), dim, version=version)
    if scheme in ("opensearch", "opensearchs"):
        from drawops.similarity.opensearch import OpenSearchVectorIndex

        return OpenSearchVectorIndex(url, dim, version=version)
    raise SettingsError(
        f"Index '{without_password(url)}': unknown address. "
        "Use sqlite:///folder/shapes.db or opensearch://user:password@host:9200/alias."
    )


def without_password(url: str) -> str:
    """The address as it may be shown and logged."""
    return re.sub(r"//[^/@]*@", "//", url)


def check_vectors(vectors: ArrayLike, dim: int, what: str) -> Vectors:
    """(N, dim) float32, each row of length 1.

    Raises:
        InputRefused: another dimension, no rows, NaN or infinity, a row of length zero.
    """
    try:
        rows = np.atleast_2d(np.asarray(vectors, dtype=np.float32))
    except (TypeError, ValueError) as exc:
        raise InputRefused(what, f"is not an array of numbers ({exc})") from exc
    if rows.ndim != 2 or rows.shape[1] != dim:
        raise InputRefused(
            what,
            f"has shape {np.shape(vectors)}, this index holds vectors of dimension {dim}. "
            "Embed with the version of the index, or index again with the new one.",
        )
    if not len(rows):
        raise InputRefused(what, "there is no vector: no shape was found")
    if not np.isfinite(rows).all():
        raise InputRefused(what, "the vector has NaN or infinite values")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if (lengths == 0).any():
        raise InputRefused(what, "the vector is all zeros, it has no direction")
    return rows / lengths


def check_document(document: Document, dim: int) -> tuple[Vectors, dict[str, Any]]:
    """Its vectors, each of length 1, and its metadata without empty values.

    Raises:
        InputRefused: an empty id, wrong vectors, another number of views or thumbnails than vectors, wrong metadata.
    """
    if not document.id:
        raise InputRefused("document", "its id is empty")
    vectors = check_vectors(document.vectors, dim, document.id)
    if len(document.views) != len(vectors) or len(document.thumbnails) not in (0, len(vectors)):
        raise InputRefused(document.id, "vectors, views and thumbnails differ in number")
    return vectors, check_metadata(document.metadata, document.id)


def check_metadata(metadata: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Metadata without empty values.

    Raises:
        InputRefused: a value is no text, number or truth value, or a field name can't be used in a filter.
    """
    kept = {}
    for name, value in metadata.items():
        if not isinstance(name, str) or not name or '"' in name:
            raise InputRefused(what, f"metadata field {name!r} must be a name without quotes")
        if value is None or value == "":
            continue
        if not is_plain(value):
            raise InputRefused(what, f"metadata '{name}' must be text, a number or true/false, not {value!r}")
        kept[name] = value
    return kept


def in_order(matches: Iterable[Match], k: int | None, min_score: float | None) -> list[Match]:
    """Best first; what is alike to six digits by id, so that every backend cuts the same `k`."""
    best = [m for m in matches if min_score is None or m.score >= min_score - 1e-6]
    return sorted(best, key=lambda m: (-round(m.score, 6), m.id))[:k]


def check_query(k: int | None, min_score: float | None) -> None:
    if k is None and min_score is None:
        raise InputRefused("search", "give k, min_score or both")
    if k is not None and k < 1:
        raise InputRefused(f"k={k}", "must be at least 1")
    if min_score is not None and not 0 <= min_score <= 1:  # also False for NaN
        raise InputRefused(f"min_score={min_score}", "must lie between 0 (opposite) and 1 (same)")


def __getattr__(name: str) -> Any:
    if name == "LocalVectorIndex":
        from drawops.similarity.local import LocalVectorIndex

        return LocalVectorIndex
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
