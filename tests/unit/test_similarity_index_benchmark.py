"""`drawops bench index`: what it prints is what was measured."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from drawops.cli import app
from drawops.errors import InputRefused
from drawops.settings import Settings
from drawops.similarity.index_benchmark import K, exact_nearest, measure, queries_of, vectors_of


def test_the_exact_answer_is_that_of_comparing_with_all() -> None:
    everything = np.concatenate(list(vectors_of(25_000, 8, seed=3)))
    queries = queries_of(25_000, 8, 3, 20)
    found = exact_nearest(25_000, 8, 3, queries)
    for query, numbers in zip(queries, found, strict=True):
        assert set(numbers) == set(np.argsort(-(everything @ query))[:K])


@pytest.mark.slow
def test_the_local_index_is_measured_with_its_graph(home: Settings) -> None:
    result = CliRunner().invoke(app, ["bench", "index", "-n", "21000", "--dim", "16", "--queries", "50", "--json"])
    local = next(row for row in json.loads(result.stdout) if row["index"] == "local")
    assert local["recall"] > 90 and 0 < local["p50_ms"] <= local["p99_ms"]
    assert local["insert_s"] > 0 and local["build_s"] > 0 and local["memory_mb"] > 0


def test_a_size_that_tells_nothing_is_refused() -> None:
    with pytest.raises(InputRefused, match="at least 1000"):
        measure(10, 16)
