"""What Prometheus is told, and that alerts and dashboard ask for nothing else."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from drawops.registry import Records
from drawops.serving.app import create_app
from drawops.serving.keys import KeyRing
from drawops.settings import Settings, prepare_home
from tests.conftest import needs
from tests.sheets import draw_sheet

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "infra" / "monitoring"
# Words of PromQL, and the metrics of Prometheus itself.
LANGUAGE = set(
    "absent by count histogram_quantile humanize le max rate sum symbol version status source route job instance".split()  # noqa: SIM905
)


def samples(client: TestClient) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = client.get("/metrics").text
    found = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {(s.name, frozenset(s.labels.items())): s.value for s in found}


def one(found: dict[Any, float], name: str, **labels: str) -> float:
    (value,) = (v for (n, has), v in found.items() if n == name and labels.items() <= dict(has).items())
    return value


def alerts() -> dict[str, Any]:
    spec: dict[str, Any] = yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))["spec"]
    return spec


def expressions() -> Iterator[tuple[str, str]]:
    """(where, PromQL) of every alert and every panel."""
    for rule in (rule for group in alerts()["groups"] for rule in group["rules"]):
        yield rule["alert"], rule["expr"]
    for panel in json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = prepare_home(Settings(home=tmp_path_factory.mktemp("home"), serve="base"))
    drawing = settings.home / "a.pdf"
    drawing.write_bytes(b"x")
    for score in (0.98, 0.80):  # the version reads ⌀ less surely than at first
        for _ in range(20):
            line = {"text": "⌀12", "quad": [[0, 0]] * 4, "score": score, "source": "ocr"}
            page = {"page": 0, "width": 9, "height": 9, "dpi": 200, "lines": [line]}
            reading = {"model": "v1.0", "pages": [page]}
            Records(settings.records_url).store_reading(drawing, reading, caller="c", source="api")
    return settings


@pytest.fixture(scope="module")
def told(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> dict[Any, float]:
    """The samples of a server that has read one drawing and refused one."""
    sheet = draw_sheet(tmp_path_factory.mktemp("sheet") / "a.pdf", seed=1)
    with TestClient(create_app(settings)) as client:
        deadline = time.monotonic() + 60
        while client.get("/readyz").status_code != 200 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert client.post("/v1/read", files={"file": ("a.pdf", sheet.read_bytes())}).status_code == 200
        assert client.post("/v1/read", files={"file": ("a.pdf", b"x")}).status_code == 422
        return samples(client)


@pytest.mark.slow
def test_requests_pages_lines_scores_drift_version_and_index_are_told(told: dict[Any, float]) -> None:
    assert one(told, "drawops_requests_total", route="/v1/read", method="POST", status="200") == 1
    assert one(told, "drawops_requests_total", route="/v1/read", method="POST", status="422") == 1
    assert one(told, "drawops_request_seconds_count", route="/v1/read", method="POST") == 2
    assert one(told, "drawops_pages_total", version="v1.0") == 1
    assert one(told, "drawops_lines_total", version="v1.0", source="vector") > 3
    assert one(told, "drawops_symbol_score_baseline", symbol="⌀") == pytest.approx(0.98)
    assert one(told, "drawops_symbol_score_recent", symbol="⌀") == pytest.approx(0.80)
    assert one(told, "drawops_model_info", version="v1.0") == 1
    assert one(told, "drawops_index_drawings") == 0
    assert one(told, "drawops_work_inside") == 0 < one(told, "drawops_work_most")


@pytest.mark.slow
def test_alerts_and_dashboard_ask_only_for_what_a_server_tells(told: dict[Any, float]) -> None:
    labels = {label for _, has in told for label, _ in has}
    names = {name for name, _ in told} | {"drawops_symbol_score_sum", "drawops_symbol_score_count"}
    for where, expression in expressions():
        asked = set(re.findall(r"[a-z][a-z0-9_]*", re.sub(r'"[^"]*"|\[\w+\]', "", expression)))
        assert asked - LANGUAGE <= names, where
        assert asked & names, where
        assert set(re.findall(r"(\w+)=~?\"", expression)) <= labels | {"job"}, where


@pytest.mark.slow
def test_scores_of_symbols_are_told_and_not_those_of_letters(settings: Settings) -> None:
    app = create_app(settings, follow_every_s=3600)
    line = {"quad": [[0, 0]] * 4, "score": 0.9, "source": "ocr"}
    lines = [{**line, "text": "⬡ ⌀30H7 ±0.1"}, {**line, "text": "⌀5", "score": 0.7}]
    app.state.metrics.drawing_read("v1.3", [{"lines": lines}])
    with TestClient(app) as client:
        found = samples(client)
    counted = {dict(has)["symbol"] for name, has in found if name == "drawops_symbol_score_count"}
    assert counted == {"⬡", "⌀", "±"}
    assert one(found, "drawops_symbol_score_sum", symbol="⌀") == pytest.approx(0.8)


def test_figures_are_guarded_like_the_rest_unless_the_setting_says_otherwise(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", serve=str(tmp_path), engine="onnxruntime")
    secret = KeyRing(settings).add("prometheus", "reader")
    for value, alone, with_key in (("keys", 401, 200), ("open", 200, 200), ("off", 401, 404)):
        app = create_app(settings.model_copy(update={"metrics": value}), follow_every_s=3600)
        with TestClient(app) as client:
            assert client.get("/metrics").status_code == alone
            assert client.get("/metrics", headers={"X-API-Key": secret}).status_code == with_key


def test_methods_and_addresses_that_a_client_invents_are_not_kept(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", serve=str(tmp_path), engine="onnxruntime")
    with TestClient(create_app(settings, follow_every_s=3600)) as client:
        for number in range(3):
            client.request(f"ODD{number}", f"/no/such/{number}")
        found = samples(client)
    assert one(found, "drawops_requests_total", route="none") == 3


def test_a_database_that_is_away_takes_only_its_own_figures_with_it(tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path / "home", serve=str(tmp_path), engine="onnxruntime", records="sqlite:////proc/no/such/place.db"
    )
    with TestClient(create_app(settings, follow_every_s=3600)) as client:
        found = samples(client)
    assert one(found, "drawops_index_drawings") == 0
    assert not [name for name, _ in found if name == "drawops_symbol_score_recent"]


@pytest.mark.server
def test_prometheus_itself_takes_every_rule_and_every_expression(tmp_path: Path) -> None:
    if not shutil.which("promtool"):
        needs("promtool", "it is not installed (Debian: prometheus)")
    panels = [{"record": f"panel:{n}", "expr": expression} for n, (_, expression) in enumerate(expressions())]
    for name, spec in (("alerts", alerts()), ("panels", {"groups": [{"name": "panels", "rules": panels}]})):
        file = tmp_path / f"{name}.yaml"
        file.write_text(yaml.safe_dump(spec))
        done = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(drift_case()))
    done = subprocess.run(["promtool", "test", "rules", tmp_path / "test.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def drift_case() -> dict[str, Any]:
    """A version whose ⌀ falls by 0.1 rings after an hour; one whose ± falls by 0.01 does not."""
    series = [
        {"series": f'drawops_symbol_score_{which}{{version="v1.1",symbol="{symbol}"}}', "values": f"{value}+0x90"}
        for symbol, first, now in (("⌀", 0.95, 0.85), ("±", 0.95, 0.94))
        for which, value in (("baseline", first), ("recent", now))
    ]
    rings = {
        "eval_time": "80m",
        "alertname": "DrawopsDrift",
        "exp_alerts": [
            {
                "exp_labels": {"severity": "warning", "symbol": "⌀", "version": "v1.1"},
                "exp_annotations": {
                    "summary": "v1.1 reads '⌀' less surely than at first.",
                    "description": "Its mean score fell by 100m. Look at new drawings with it, correct their readings, "
                    "import them as labels and retrain.",
                },
            }
        ],
    }
    quiet = {"eval_time": "30m", "alertname": "DrawopsDrift"}
    return {
        "rule_files": ["alerts.yaml"],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": series, "alert_rule_test": [quiet, rings]}],
    }


def test_what_the_operator_is_given_finds_the_servers() -> None:
    monitor = yaml.safe_load((FOLDER / "servicemonitor.yaml").read_text(encoding="utf-8"))["spec"]
    service = yaml.safe_load((ROOT / "infra/base/serving/service.yaml").read_text(encoding="utf-8"))
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["endpoints"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]} and endpoint["path"] == "/metrics"
    component = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))
    listed = component["resources"] + component["configMapGenerator"][0]["files"]
    assert {*listed, "kustomization.yaml"} == {file.name for file in FOLDER.iterdir()}
