"""VectorIndex on an OpenSearch server with the k-NN plug-in.

One document a drawing, its views nested in it: so `k` counts drawings, a drawing is replaced as a whole, and the score
is that of its best view, which Lucene gives as (1 + cos) / 2. Each embedding version has an index of its own behind
the name of the alias: re-embedding fills the next one beside it, `activate` moves the alias.

While there are few drawings, or few pass the filter, all are compared; else the HNSW graph is asked for many more than
`k`, because Lucene searches as wide as it returns.
"""

import json
import logging
import re
import zlib
from collections.abc import Iterable
from typing import Any

from numpy.typing import ArrayLike
from opensearchpy import exceptions, helpers

from drawops.errors import Conflict, Unavailable
from drawops.similarity.filters import Where, check_fields, check_where
from drawops.similarity.index import (
    MOST_VALUES,
    Document,
    Match,
    Vectors,
    check_query,
    check_vectors,
    in_order,
)
from drawops.similarity.opensearch_client import Action, Address, BulkLoad
from drawops.similarity.opensearch_documents import LONGEST_ID, best_view, decoded, decoded_match, encoded, mapping
from drawops.similarity.opensearch_terms import clause

logger = logging.getLogger(__name__)

EXACT_BELOW = 20_000
_WIDTH = 200  # drawings asked of the graph at least: Lucene finds more of the first ten when asked for more
_PAGE = 1_000  # hits a request; a hit brings a picture
_MOST = 10_000  # the largest k and window of OpenSearch
_MERGE_AFTER = 5_000  # drawings in one load, from which merging the segments is worth the time


class OpenSearchVectorIndex:
    """See `VectorIndex`. Any number of processes may share it."""

    def __init__(
        self,
        url: str,
        dim: int,
        *,
        version: str = "",
        exact_below: int = EXACT_BELOW,
        patience_s: float = 120.0,
    ) -> None:
        """Look for the index; it is made with the first drawing.

        Args:
            patience_s: how long a load goes on when the server is away or full.
        Raises:
            SettingsError: the address is wrong, the password, the certificate, or there is no k-NN plug-in.
            Conflict: vectors of this version have another dimension there, or the alias is an index.
            Unavailable: the server does not answer.
        """
        self.address, self.dim, self.version = Address.parse(url), dim, version
        self.exact_below, self._patience_s = exact_below, patience_s
        slug = re.sub(r"[^a-z0-9]+", "-", version.lower()).strip("-")[:40] or "vectors"
        self.name = f"{self.address.alias}-{slug}-{zlib.crc32(version.encode()):08x}"
        self._client = self.address.connect()
        self._loaded = 0  # since segments were merged
        self._exists = self._check()

    def _check(self) -> bool:
        """Whether the index is there, as it must be."""
        with self.address.errors():
            found = self._client.indices.get_mapping(index=f"{self.address.alias},{self.name}", ignore_unavailable=True)
        if self.address.alias in found:
            raise Conflict(f"{self.address}: '{self.address.alias}' is an index there, not an alias. Use another name.")
        noted = {name: index["mappings"].get("_meta", {}).get("alias") for name, index in found.items()}
        if foreign := [name for name in found if name != self.name and noted[name] != self.address.alias]:
            raise Conflict(
                f"{self.address}: the alias '{self.address.alias}' leads to '{foreign[0]}' there, which is no shape index of "
                "that name. Use another alias."
            )
        if self.name not in found:
            return False
        mapping = found[self.name]["mappings"]
        try:
            there = mapping["properties"]["views"]["properties"]["vector"]["dimension"]
        except KeyError as exc:
            raise Conflict(f"{self.address}: index '{self.name}' was not made by DrawOps. Use another alias.") from exc
        if there != self.dim:
            raise Conflict(
                f"{self.address} holds vectors of dimension {there} for embedding version '{self.version}', "
                f"not {self.dim}. Use another alias or another version name."
            )
        return True

    def _make(self) -> None:
        if self._exists:
            return
        body: dict[str, Any] = {
            # The refresh is asked for after each change; in a long load a rare one makes fewer, larger segments.
            "settings": {"index.knn": True, "number_of_shards": 1, "auto_expand_replicas": "0-1"}
            | {"refresh_interval": "30s"},
            "mappings": mapping(self.dim, version=self.version, alias=self.address.alias),
        }
        with self.address.errors():
            if not self._client.indices.exists_alias(name=self.address.alias):
                body["aliases"] = {self.address.alias: {}}
            try:
                self._client.indices.create(index=self.name, body=body)
            except exceptions.RequestError as exc:
                if exc.error != "resource_already_exists_exception":
                    raise
        self._exists = self._check()

    def upsert(self, documents: Iterable[Document]) -> None:
        """See `VectorIndex`. All are checked before the first is sent; give at most some ten thousand at once."""
        actions = [Action(d.id, encoded(d, self.dim)) for d in documents]
        if not actions:
            return
        self._make()
        load = BulkLoad(self._client, self.address, self.name, patience_s=self._patience_s)
        try:
            load.run(actions)
        finally:
            self._loaded += load.stored
        self._refresh()
        if load.stored >= _MERGE_AFTER:
            self.save()

    def _refresh(self) -> None:
        with self.address.errors():
            self._client.indices.refresh(index=self.name)

    def save(self) -> None:
        """After a load: merge the segments, which makes every search faster. May take minutes for a million."""
        if not self._loaded:
            return
        try:
            with self.address.errors():
                self._client.indices.forcemerge(index=self.name, max_num_segments=1, request_timeout=3600)
            self._refresh()
        except Unavailable as exc:  # all is stored; only slower
            logger.warning("segments were not merged: %s", exc)
        self._loaded = 0

    def delete(self, ids: Iterable[str]) -> int:
        wanted = list(dict.fromkeys(ids))
        if not wanted or not self._exists:
            return 0
        there = []
        for i in range(0, len(wanted), _PAGE):
            with self.address.errors():
                found = self._client.mget(index=self.name, body={"ids": wanted[i : i + _PAGE]}, _source=False)
            there += [item["_id"] for item in found["docs"] if item["found"]]
        load = BulkLoad(self._client, self.address, self.name, patience_s=self._patience_s)
        load.run(Action(id, None) for id in there)
        self._refresh()
        return len(there)

    def search(
        self, vectors: ArrayLike, k: int | None = 10, *, min_score: float | None = None, where: Where | None = None
    ) -> list[Match]:
        check_query(k, min_score)
        queries = check_vectors(vectors, self.dim, "query")
        condition = self._condition(where)
        if not self._there():
            return []
        if self._count(condition) > self.exact_below:
            return self._search_graph(queries, k, min_score, condition)
        return self._compare(queries, k, min_score, condition)

    def _condition(self, where: Where | None) -> list[dict[str, Any]]:
        """Filter clauses; an unknown field is refused."""
        wanted = check_where(where)
        if wanted:
            check_fields(wanted, self._fields())
        return [clause(name, values) for name, values in wanted.items()]

    def _search_graph(
        self, queries: Vectors, k: int | None, min_score: float | None, condition: list[dict[str, Any]]
    ) -> list[Match]:
        """The graph names candidates for each query vector; they are compared exactly."""
        width = _MOST if k is None else min(_MOST, max(_WIDTH, 4 * k))
        body: list[dict[str, Any]] = []
        for query in queries:
            knn: dict[str, Any] = {"vector": query.tolist()}
            knn |= {"min_score": min_score} if k is None else {"k": width}
            if condition:
                knn["filter"] = {"bool": {"filter": condition}}
            nested = {"nested": {"path": "views", "score_mode": "max", "query": {"knn": {"views.vector": knn}}}}
            body += [{}, {"query": nested, "size": width, "_source": False}]
        with self.address.errors():
            answers = self._client.msearch(index=self.name, body=body)["responses"]
        for answer in answers:
            if "error" in answer:
                raise Unavailable(f"{self.address}: {answer['error'].get('reason', answer['error'])}")
        if len(queries) > 1 or k is None:
            found = sorted({hit["_id"] for answer in answers for hit in answer["hits"]["hits"]})
        else:
            found = [hit["_id"] for hit in answers[0]["hits"]["hits"][: k + _PAGE // 10]]
        return self._compare(queries, k, min_score, [{"ids": {"values": found}}]) if found else []

    def _compare(
        self, queries: Vectors, k: int | None, min_score: float | None, condition: list[dict[str, Any]]
    ) -> list[Match]:
        """Exact scores of all that meet the condition, in pages."""
        scoring = [best_view(query, number) for number, query in enumerate(queries)]
        body: dict[str, Any] = {
            "query": {"bool": {"must": scoring, "filter": condition}},
            "sort": [{"_score": "desc"}, {"id": "asc"}],
            "track_scores": True,
            "_source": ["metadata", "fields"],
        }
        if min_score is not None:
            body["min_score"] = len(queries) * (min_score - 1e-6)  # the sum over the queries, in single precision
        matches: list[Match] = []
        # A few more than k: what is alike to six digits comes in the order of the ids, also at the end.
        wanted = float("inf") if k is None else k + 10
        while len(matches) < wanted:
            body["size"] = int(min(_PAGE, wanted - len(matches)))
            with self.address.errors():
                hits = self._client.search(index=self.name, body=body)["hits"]["hits"]
            matches += [decoded_match(hit, len(queries)) for hit in hits]
            if len(hits) < body["size"]:
                break
            body["search_after"] = hits[-1]["sort"]
        return in_order(matches, k, min_score)

    def get(self, id: str) -> Document | None:
        return next(iter(self.get_many([id])), None)

    def get_many(self, ids: Iterable[str]) -> list[Document]:
        wanted = [id for id in ids if id and len(id.encode()) <= LONGEST_ID]
        if not wanted or not self._there():
            return []
        found = []
        for i in range(0, len(wanted), _PAGE):
            with self.address.errors():
                answer = self._client.mget(index=self.name, body={"ids": wanted[i : i + _PAGE]})
            found += [decoded(item["_source"]) for item in answer["docs"] if item.get("found")]
        return found

    def ids(self) -> set[str]:
        if not self._there():
            return set()
        with self.address.errors():
            hits = helpers.scan(self._client, index=self.name, query={"_source": False}, size=_MOST)
            return {hit["_id"] for hit in hits}

    def count(self, where: Where | None = None) -> int:
        condition = self._condition(where)
        return self._count(condition) if self._there() else 0

    def _count(self, condition: list[dict[str, Any]]) -> int:
        with self.address.errors():
            return int(self._client.count(index=self.name, body={"query": {"bool": {"filter": condition}}})["count"])

    def facets(self) -> dict[str, dict[str | float, int]]:
        found: dict[str, dict[str | float, int]] = {}
        for name in sorted(self._fields()):
            terms = {"field": "facets", "include": re.escape(name) + "=.*", "size": MOST_VALUES}
            with self.address.errors():
                answer = self._client.search(index=self.name, body={"size": 0, "aggs": {"values": {"terms": terms}}})
            buckets = answer["aggregations"]["values"]["buckets"]
            found[name] = {json.loads(b["key"][len(name) + 1 :]): b["doc_count"] for b in buckets}
        return found

    def stats(self) -> dict[str, Any]:
        documents = self.count()
        values = {
            "documents": documents,
            "views": 0,
            "dim": self.dim,
            "version": self.version,
            "fields": [],
            "other_versions": self._other_versions(),
            "search": "hnsw" if documents > self.exact_below else "exact",
            "bytes": 0,
            "active": self.active,
        }
        if self._exists:
            with self.address.errors():
                body = {"size": 0, "aggs": {"views": {"sum": {"field": "view_count"}}}}
                found = self._client.search(index=self.name, body=body)
                stored = self._client.indices.stats(index=self.name, metric="store")
            values["views"] = int(found["aggregations"]["views"]["value"])
            values["fields"] = sorted(self._fields())
            values["bytes"] = stored["_all"]["primaries"]["store"]["size_in_bytes"]
        return values

    @property
    def active(self) -> str:
        """The embedding version to which the alias points; '' when there is none."""
        try:
            with self.address.errors():
                found = self._client.indices.get_mapping(index=self.address.alias)
        except exceptions.NotFoundError:
            return ""
        return next((str(index["mappings"].get("_meta", {}).get("version", "")) for index in found.values()), "")

    def activate(self, *, remove_others: bool = False) -> list[str]:
        with self.address.errors():
            self._make()
            others = {name: version for name, version in self._indices().items() if name != self.name}
            # One request: readers of the alias never see a gap.
            actions: list[dict[str, Any]] = [{"add": {"index": self.name, "alias": self.address.alias}}]
            for name in others:
                if remove_others:
                    actions.append({"remove_index": {"index": name}})
                else:
                    actions.append({"remove": {"index": name, "alias": self.address.alias, "must_exist": False}})
            self._client.indices.update_aliases(body={"actions": actions})
        return sorted(others.values()) if remove_others else []

    def drop(self) -> None:
        """Remove this version's index with all its drawings."""
        with self.address.errors():
            self._client.indices.delete(index=self.name, ignore_unavailable=True)
        self._exists = False

    def close(self) -> None:
        self._client.close()

    def _there(self) -> bool:
        """Whether the index exists: another process may have made it meanwhile."""
        self._exists = self._exists or self._check()
        return self._exists

    def _fields(self) -> list[str]:
        if not self._there():
            return []
        body = {"size": 0, "aggs": {"fields": {"terms": {"field": "fields", "size": _PAGE}}}}
        with self.address.errors():
            found = self._client.search(index=self.name, body=body)
        return [bucket["key"] for bucket in found["aggregations"]["fields"]["buckets"]]

    def _indices(self) -> dict[str, str]:
        """{index: embedding version} of all indices behind this address."""
        found = self._client.indices.get_mapping(index=f"{self.address.alias}-*")
        notes = {name: index["mappings"].get("_meta", {}) for name, index in found.items()}
        return {name: str(n.get("version")) for name, n in notes.items() if n.get("alias") == self.address.alias}

    def _other_versions(self) -> dict[str, int]:
        with self.address.errors():
            others = {name: version for name, version in self._indices().items() if name != self.name}
            return {version: int(self._client.count(index=name)["count"]) for name, version in others.items()}
