"""The load on a server: what is counted, and that real servers can be put under it."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from drawops.bench import serving
from drawops.bench.serving import Target, soak
from drawops.errors import InputRefused, Unavailable
from drawops.ocr.model_files import base_recogniser
from drawops.serving.process import server_process
from drawops.settings import Settings, prepare_home
from tests.sheets import draw_sheet


def test_errors_are_counted_and_growing_memory_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_SAMPLE_S", 0.01)
    asked, memory = itertools.count(), itertools.count(100)

    def ask(connection: Any, drawing: Path) -> None:
        if (number := next(asked)) >= 4 and number % 10 == 0:
            raise Unavailable("503: full")

    target = Target("a server", ask, lambda: float(next(memory)))
    figures = serving._measured(target, [tmp_path / "a", tmp_path / "b"], 2, 0.05, lambda message: None)
    assert figures.requests > 20 and figures.errors == pytest.approx(figures.requests / 10, abs=2)
    assert figures.first_errors[0] == "Unavailable: 503: full" and len(figures.first_errors) <= 5
    assert figures.growth > 0.05 and figures.peak_mb >= figures.end_mb > figures.start_mb >= 100


def test_a_server_that_fails_at_once_is_not_measured(tmp_path: Path) -> None:
    def ask(connection: Any, drawing: Path) -> None:
        raise Unavailable("401: no key")

    with pytest.raises(Unavailable, match="no key"):
        serving._measured(Target("a server", ask, lambda: 1.0), [tmp_path], 1, 0.01, lambda message: None)


def test_no_time_or_no_clients_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused):
        soak([], Settings(home=tmp_path), tmp_path, minutes=0)


@pytest.mark.slow
def test_our_server_and_mlflows_read_the_same_drawings(tmp_path: Path) -> None:
    settings = prepare_home(Settings(home=tmp_path / "home", engine="onnxruntime"))
    sheet = draw_sheet(tmp_path / "a.pdf", seed=1)
    ours, mlflows = soak([sheet], settings, base_recogniser(), clients=2, minutes=0.05, mlflow_minutes=0.05)
    for figures in (ours, mlflows):
        assert figures.requests > 0 and figures.errors == 0, figures.first_errors
        assert 0 < figures.p50_ms <= figures.p99_ms and figures.start_mb > 50
    assert (ours.server, mlflows.server) == ("DrawOps", "mlflow models serve")


@pytest.mark.slow
def test_a_server_that_runs_already_is_asked_with_its_own_key(tmp_path: Path) -> None:
    settings = prepare_home(Settings(home=tmp_path / "home", serve="base", access="keys"))
    sheet = draw_sheet(tmp_path / "a.pdf", seed=1)
    with server_process(settings, watch=False) as url:
        (figures,) = soak([sheet], settings, base_recogniser(), url=url, clients=1, minutes=0.03)
    assert figures.server == url and figures.errors == 0 and figures.start_mb > 50
