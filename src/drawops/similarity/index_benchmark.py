"""How fast and how exact vector indexes of a given size are; `drawops bench index`."""

import importlib.util
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from drawops.errors import Conflict, InputRefused
from drawops.similarity.index import Document, VectorIndex, Vectors
from drawops.similarity.local import LocalVectorIndex

K = 10
_BATCH = 10_000
_PER_GROUP = 100  # vectors of a cluster
_SPREAD = 0.7  # noise beside centres of length 1 in each direction: neighbours in a group score about 0.83


@dataclass(frozen=True)
class IndexFigures:
    """`insert_s`: storing all vectors. `build_s`: the graph; `build_cpu_s`: over all cores, to be trusted where other
    programs run too. `memory_mb`: what the process holds more than before,
    with the index open for searching; pages of files that the system keeps in memory as long as there is room are not
    counted. `recall`: of the ten nearest by comparing with all, per cent. `p50_ms`, `p99_ms`: one query on one thread,
    and `p50_cpu_ms`, `p99_cpu_ms` its processor time. None where it does not apply."""

    index: str
    insert_s: float | None
    build_s: float | None
    build_cpu_s: float | None
    memory_mb: float | None
    recall: float
    p50_ms: float
    p99_ms: float
    p50_cpu_ms: float
    p99_cpu_ms: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def vectors_of(n: int, dim: int, seed: int) -> Iterator[Vectors]:
    """`n` vectors of length 1 in clusters, as parts come in families, in batches (…, dim)."""
    centres = np.random.default_rng(seed).normal(size=(max(1, n // _PER_GROUP), dim)).astype(np.float32)
    for start in range(0, n, _BATCH):
        rng = np.random.default_rng([seed, start])
        count = min(_BATCH, n - start)
        chosen = centres[rng.integers(len(centres), size=count)]
        rows = chosen + _SPREAD * rng.standard_normal((count, dim), dtype=np.float32)
        yield rows / np.linalg.norm(rows, axis=1, keepdims=True)


def queries_of(n: int, dim: int, seed: int, count: int) -> Vectors:
    """Vectors of the same clusters that are not in the index, (count, dim)."""
    centres = np.random.default_rng(seed).normal(size=(max(1, n // _PER_GROUP), dim)).astype(np.float32)
    rng = np.random.default_rng([seed, 2**31])
    rows = centres[rng.integers(len(centres), size=count)]
    rows = rows + _SPREAD * rng.standard_normal((count, dim), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def exact_nearest(n: int, dim: int, seed: int, queries: Vectors) -> np.ndarray:
    """(Q, K) numbers of the nearest vectors, by comparing with all."""
    best = np.full((len(queries), K), -2, np.float32)
    numbers = np.zeros((len(queries), K), np.int64)
    for start, batch in zip(range(0, n, _BATCH), vectors_of(n, dim, seed), strict=True):
        scores = np.concatenate([best, queries @ batch.T], axis=1)
        both = np.concatenate([numbers, np.broadcast_to(start + np.arange(len(batch)), (len(queries), len(batch)))], 1)
        top = np.argpartition(-scores, K, axis=1)[:, :K]
        best, numbers = np.take_along_axis(scores, top, 1), np.take_along_axis(both, top, 1)
    return numbers


def measure(
    n: int,
    dim: int,
    *,
    opensearch: str = "",
    folder: Path | None = None,
    only: Sequence[str] = (),
    queries: int = 500,
    seed: int = 0,
    say: Callable[[str], None] = lambda message: None,
) -> list[IndexFigures]:
    """Figures of the local index, of OpenSearch if an address is given, and of the libraries that are installed.

    Each runs in a process of its own, so that memory is its own.

    Args:
        only: these of `local`, `opensearch`, `usearch`, `faiss`, `hnswlib`; all that can be measured if empty.
        opensearch: address without alias taken by anything; its index is removed afterwards.
        folder: where the local index is built (default: a temporary one), at most n * dim * 10 bytes.
    Raises:
        InputRefused: n or dim below what can be measured, or one of `only` can't be.
    """
    chosen = candidates(opensearch)
    if unknown := set(only) - set(chosen):
        raise InputRefused(f"index '{min(unknown)}'", f"can't be measured here; {', '.join(chosen)} can")
    if n < 1_000 or dim < 2:
        raise InputRefused(f"n={n}, dim={dim}", "give at least 1000 vectors of at least 2 numbers")
    asked = queries_of(n, dim, seed, queries)
    say(f"comparing {queries} queries with all {n:,} vectors")
    with tempfile.TemporaryDirectory(dir=folder, prefix="bench-") as work:
        truth = Path(work) / "truth.npz"
        np.savez(truth, nearest=exact_nearest(n, dim, seed, asked), queries=asked)
        figures = []
        for name in [name for name in chosen if not only or name in only]:
            say(name)
            figures.append(_in_a_process(name, n, dim, seed, truth, opensearch))
    return figures


def candidates(opensearch: str) -> list[str]:
    raw = [name for name in ("usearch", "faiss", "hnswlib") if importlib.util.find_spec(name)]
    return ["local", *(["opensearch"] if opensearch else []), *raw]


def _in_a_process(name: str, n: int, dim: int, seed: int, truth: Path, opensearch: str) -> IndexFigures:
    return IndexFigures(**json.loads(_process(name, n, dim, seed, truth, opensearch)))


def _process(name: str, n: int, dim: int, seed: int, truth: Path, opensearch: str = "") -> str:
    """The last line that it prints."""
    words = [name, str(n), str(dim), str(seed), str(truth)]
    done = subprocess.run(
        [sys.executable, "-m", "drawops.similarity.index_benchmark", *words],
        input=opensearch,  # with its password: not where `ps` shows it
        capture_output=True,
        text=True,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Conflict(f"Measuring {name} failed: {last}")
    return done.stdout.splitlines()[-1]


def _memory_mb() -> float:
    resident, of_files = map(int, Path("/proc/self/statm").read_text().split()[1:3])
    return (resident - of_files) * resource.getpagesize() / 2**20


def _asked(search: Callable[[Vectors], list[int]], truth: Path) -> tuple[float, float, float, float, float]:
    """recall@10 in per cent; p50 and p99 in ms, on the clock and of this thread's processor time."""
    with np.load(truth) as file:
        stored = {name: file[name] for name in file.files}
    times, cpu_times, found = [], [], 0
    for number in range(-20, len(stored["queries"])):  # the first twenty warm up
        start, cpu = time.perf_counter(), time.thread_time()
        answer = search(stored["queries"][number])
        if number >= 0:
            times.append(1000 * (time.perf_counter() - start))
            cpu_times.append(1000 * (time.thread_time() - cpu))
            found += len(set(answer) & set(stored["nearest"][number].tolist()))
    quantiles = np.percentile([times, cpu_times], [50, 99], axis=1).T.ravel()
    return 100 * found / (K * len(times)), *quantiles.tolist()


def _fill(index: VectorIndex, n: int, dim: int, seed: int) -> float:
    start, number = time.perf_counter(), 0
    for batch in vectors_of(n, dim, seed):
        index.upsert(Document(str(number + i), row[None], [{"page": 0}]) for i, row in enumerate(batch))
        number += len(batch)
    return time.perf_counter() - start


def _local(n: int, dim: int, seed: int, truth: Path) -> IndexFigures:
    path = truth.parent / "shapes.db"
    inserted = float(_process("fill", n, dim, seed, truth))
    before = _memory_mb()
    index = LocalVectorIndex(path, dim)
    start, cpu = time.perf_counter(), time.process_time()
    index.stats()  # catches up
    index.save()
    built = time.perf_counter() - start, time.process_time() - cpu
    with closing(index):
        memory = _memory_mb() - before
        scores = _asked(lambda query: [int(m.id) for m in index.search(query, K)], truth)
    return IndexFigures("local", inserted, *built, memory, *scores)


def _opensearch(n: int, dim: int, seed: int, truth: Path, url: str) -> IndexFigures:
    from drawops.similarity.opensearch import OpenSearchVectorIndex

    with closing(OpenSearchVectorIndex(url, dim, version="benchmark")) as index:
        if index.count():
            raise Conflict(f"{index.address} holds drawings of a benchmark that was interrupted. Remove {index.name}.")
        try:
            inserted = _fill(index, n, dim, seed)
            start = time.perf_counter()
            index.save()
            built = time.perf_counter() - start
            scores = _asked(lambda query: [int(m.id) for m in index.search(query, K)], truth)
        finally:
            index.drop()
    return IndexFigures("opensearch", inserted, built, None, None, *scores)


def _raw(name: str, n: int, dim: int, seed: int, truth: Path) -> IndexFigures:
    """The library alone: no file, no drawings, nothing to remove."""
    add, search = {"usearch": _usearch, "faiss": _faiss, "hnswlib": _hnswlib}[name](n, dim)
    before, built, cpu, number = _memory_mb(), 0.0, 0.0, 0
    for batch in vectors_of(n, dim, seed):
        start, cpu_start = time.perf_counter(), time.process_time()
        add(batch, np.arange(number, number + len(batch)))
        built, cpu = built + time.perf_counter() - start, cpu + time.process_time() - cpu_start
        number += len(batch)
    return IndexFigures(name, None, built, cpu, _memory_mb() - before, *_asked(search, truth))


Library = tuple[Callable[[Vectors, np.ndarray], Any], Callable[[Vectors], list[int]]]


def _usearch(n: int, dim: int) -> Library:
    from usearch.index import Index

    graph = Index(ndim=dim, metric="cos", dtype="f16", connectivity=16, expansion_add=128, expansion_search=128)
    return (lambda rows, keys: graph.add(keys, rows)), lambda query: graph.search(query, K).keys.tolist()


def _faiss(n: int, dim: int) -> Library:
    import faiss

    graph = faiss.IndexHNSWSQ(dim, faiss.ScalarQuantizer.QT_fp16, 16, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction, graph.hnsw.efSearch = 128, 96
    graph.train(next(vectors_of(_BATCH, dim, 0)))
    return (lambda rows, keys: graph.add(rows)), lambda query: graph.search(query[None], K)[1][0].tolist()


def _hnswlib(n: int, dim: int) -> Library:
    import hnswlib

    graph = hnswlib.Index(space="cosine", dim=dim)
    graph.init_index(max_elements=n, M=16, ef_construction=128)
    graph.set_ef(96)
    return (lambda rows, keys: graph.add_items(rows, keys)), lambda query: graph.knn_query(query, K)[0][0].tolist()


def _main() -> None:
    name, n, dim, seed, truth = sys.argv[1], *map(int, sys.argv[2:5]), Path(sys.argv[5])
    if name == "fill":
        # No graph: it is timed alone, in a process that has not held the vectors.
        with closing(LocalVectorIndex(truth.parent / "shapes.db", dim, exact_below=n)) as index:
            print(_fill(index, n, dim, seed))
        return
    if name == "local":
        figures = _local(n, dim, seed, truth)
    elif name == "opensearch":
        figures = _opensearch(n, dim, seed, truth, sys.stdin.read())
    else:
        figures = _raw(name, n, dim, seed, truth)
    print(json.dumps(figures.to_dict()))


if __name__ == "__main__":
    _main()
