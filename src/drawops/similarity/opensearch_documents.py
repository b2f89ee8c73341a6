"""Drawings as OpenSearch keeps them: one document each, its views nested in it."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from drawops.errors import InputRefused
from drawops.similarity.index import Document, Match, Vectors, check_document
from drawops.similarity.opensearch_terms import terms

LONGEST_ID = 512  # bytes, of OpenSearch
_METHOD = {
    "name": "hnsw",
    "engine": "lucene",  # named: the default is another one, which scores and filters differently
    "space_type": "cosinesimil",
    "parameters": {"m": 16, "ef_construction": 128},
}


def mapping(dim: int, **notes: str) -> dict[str, Any]:
    """Of an index of such documents."""
    view = {
        "number": {"type": "integer"},
        "info": {"type": "object", "enabled": False},
        "thumbnail": {"type": "binary"},
        "vector": {"type": "knn_vector", "dimension": dim, "method": _METHOD},
    }
    return {
        "_meta": notes,
        "dynamic": "strict",
        "properties": {
            "id": {"type": "keyword"},
            "metadata": {"type": "object", "enabled": False},
            "facets": {"type": "keyword"},  # what filters ask for, see `opensearch_terms`
            "fields": {"type": "keyword"},  # the names of the metadata
            "view_count": {"type": "integer"},
            "views": {"type": "nested", "properties": view},
        },
    }


def encoded(document: Document, dim: int) -> bytes:
    """JSON, once it is found to be in order.

    Raises:
        InputRefused: see `check_document`, or the id is too long.
    """
    vectors, metadata = check_document(document, dim)
    if len(document.id.encode()) > LONGEST_ID:
        raise InputRefused(document.id, f"OpenSearch takes ids of at most {LONGEST_ID} bytes")
    pictures: Sequence[bytes | None] = document.thumbnails or [None] * len(vectors)
    views = [
        {"number": i, "vector": vector, "info": dict(info)}
        | ({} if png is None else {"thumbnail": base64.b64encode(png).decode()})
        for i, (vector, info, png) in enumerate(
            # eight digits are more than a float32 of length 1 has, and half the bytes of what Python prints
            zip(np.round(vectors.astype(float), 8).tolist(), document.views, pictures, strict=True)
        )
    ]
    facets = [term for name, value in metadata.items() for term in terms(name, value)]
    values = {"id": document.id, "metadata": metadata, "facets": facets, "fields": [*metadata], "views": views}
    return json.dumps(values | {"view_count": len(views)}, ensure_ascii=False).encode()


def best_view(query: Vectors, number: int) -> dict[str, Any]:
    """A clause that scores a drawing by its view most like the query vector, and says which that is."""
    parameters = {"field": "views.vector", "query_value": query.tolist(), "space_type": "cosinesimil"}
    script = {"lang": "knn", "source": "knn_score", "params": parameters}
    return {
        "nested": {
            "path": "views",
            "score_mode": "max",
            "query": {"script_score": {"query": {"match_all": {}}, "script": script}},
            "inner_hits": {
                "name": str(number),
                "size": 1,
                "_source": ["views.number", "views.info", "views.thumbnail"],
            },
        }
    }


def decoded_match(hit: Mapping[str, Any], queries: int) -> Match:
    """Of a hit of as many `best_view` clauses as there are queries."""
    best = {int(number): found["hits"]["hits"][0] for number, found in hit["inner_hits"].items()}
    query = max(sorted(best), key=lambda number: best[number]["_score"])
    view = best[query]["_source"]
    picture = base64.b64decode(view.get("thumbnail", ""))
    score = min(1.0, max(0.0, hit["_score"] / queries))
    return Match(hit["_id"], score, view["number"], view["info"], query, _metadata(hit["_source"]), picture)


def decoded(source: Mapping[str, Any]) -> Document:
    views = source["views"]
    pictures = tuple(base64.b64decode(v["thumbnail"]) for v in views if "thumbnail" in v)
    vectors = np.array([v["vector"] for v in views], np.float32)
    return Document(source["id"], vectors, tuple(v["info"] for v in views), _metadata(source), pictures)


def _metadata(source: Mapping[str, Any]) -> dict[str, Any]:
    """In the order that they were given: the server loses that of an object where it sends only a part of a document."""
    return {name: source["metadata"][name] for name in source["fields"]}
