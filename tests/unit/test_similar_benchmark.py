"""`drawops bench similar`: a real server is asked, and what it prints is what was measured."""

import json

import pytest
from typer.testing import CliRunner

from drawops.cli import app
from drawops.errors import InputRefused
from drawops.serving import similar_benchmark
from drawops.serving.similar_benchmark import measure_similar
from drawops.settings import Settings


@pytest.mark.slow
def test_requests_to_a_server_are_timed(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for what, fewer in (("_SHAPES", 6), ("_SHEETS", 2), ("_WARM_UP", 2)):  # enough to ask with
        monkeypatch.setattr(similar_benchmark, what, fewer)
    result = CliRunner().invoke(app, ["bench", "similar", "-n", "20", "--requests", "10", "--json"])
    crop, sheet = json.loads(result.stdout)
    assert (crop["query"], sheet["query"]) == ("one view", "full sheet")
    for figures in (crop, sheet):
        assert figures["drawings"] == 20 and 0 < figures["p50_ms"] <= figures["p90_ms"] <= figures["p99_ms"]


def test_a_number_that_tells_nothing_is_refused() -> None:
    with pytest.raises(InputRefused, match="at least 10"):
        measure_similar(1)
