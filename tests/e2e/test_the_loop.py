"""The whole loop as a user walks it on the command line, in its plainest form."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from drawops.serving.process import server_process
from drawops.serving.servers import call
from drawops.settings import Settings, load_settings
from drawops.storage import open_store
from tests.servers import minio, postgresql

pytestmark = pytest.mark.slow

# Small enough for minutes; the training, the judging and the registering are the real ones.
SMALL = ["epochs=3", "generated=40", "general_lines=40", "generated_test_lines=20"]
# So few lines decide nothing in the default gate; how it judges is tested elsewhere.
GATE = """
description: For a test with few lines.
drawings: {min_gain_points: -30, min_lines: 5, too_few: generated}
general: {max_loss_points: 60, min_lines: 40}
"""


def drawops(*arguments: str, code: int = 0) -> Any:
    """Run a command with --json, in the home of the environment."""
    done = subprocess.run(
        [sys.executable, "-m", "drawops.cli", *arguments, "--json"], capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == code, done.stderr[-3000:] + done.stdout[-1000:]
    return json.loads(done.stdout)


def test_from_drawings_to_an_approved_version_that_serves(home: Settings, tmp_path: Path) -> None:
    assert served(walk(home, tmp_path)) == ["v1.0", "v1.1", "v1.0"]


@pytest.mark.server
def test_the_same_with_objects_on_s3_and_models_and_readings_on_postgresql(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with minio.running(tmp_path / "minio") as objects, postgresql.running() as database:
        for name in ("mlflow", "records"):
            database.sql(f"create database {name} owner mlflow")
        for variable, value in {
            "AWS_ACCESS_KEY_ID": "drawops",
            "AWS_SECRET_ACCESS_KEY": "drawops-secret",
            "DRAWOPS_OBJECTS": f"s3://drawings/工厂 1?endpoint={objects.endpoint}",
            "DRAWOPS_MLFLOW": database.url("mlflow"),
            "DRAWOPS_RECORDS": database.url("records"),
        }.items():
            monkeypatch.setenv(variable, value)
        assert drawops("storage", "init")["versioning"] == "Enabled"
        assert served(walk(load_settings(), tmp_path)) == ["v1.0", "v1.1", "v1.0"]
        kinds = {info.key.split("/")[0] for info in open_store(load_settings().objects_url).scan()}
        assert {"raw", "datasets", "mlartifacts"} <= kinds
        for kept_elsewhere in ("objects", "mlartifacts", "mlflow.db", "records.db"):
            assert not (home.home / kept_elsewhere).exists()
        left_out = drawops("backup", str(tmp_path / "home.tar"))["left_out"]
        assert len(left_out) == 3


def served(history: list[dict[str, Any]]) -> list[str]:
    return [period["label"] for period in history]


def walk(home: Settings, tmp_path: Path) -> list[dict[str, Any]]:
    """Every command of the loop. Returns which version served when, as `drawops model history` tells it."""
    folder = tmp_path / "新图纸"
    drawops("synth", str(folder), "--drawings", "4", "--seed", "11")
    (folder / "坏.pdf").write_bytes(b"%PDF-1.7 broken")
    ingested = drawops("ingest", str(folder), "--dataset", "齿轮箱", code=1)  # the bad file is told, the others go on
    assert [Path(r["file"]).name for r in ingested["refused"]] == ["坏.pdf"]

    gate = tmp_path / "few.yaml"
    gate.write_text(GATE, encoding="utf-8")
    settings = [part for value in (*SMALL, f"gate={gate}") for part in ("--set", value)]
    trained = drawops("train", "齿轮箱", "--mode", "incremental", *settings)
    assert trained["version"] == "v1.1"
    assert drawops("model", "show", "v1.1")["status"] == "Pending"
    assert drawops("model", "show", "champion")["label"] == "v1.0"

    drawing = next(p for p in sorted(folder.iterdir()) if p.suffix == ".png")
    with server_process(home) as url:
        assert call("GET", f"{url}/v1/model")["label"] == "v1.0"
        approved = drawops("model", "approve", "v1.1", "--by", "李伟", "--why", "读得出形位公差")
        assert approved["servers"] == [url]
        assert call("GET", f"{url}/v1/model")["label"] == "v1.1"
        with drawing.open("rb") as stream:
            reading = call("POST", f"{url}/v1/read", files={"file": (drawing.name, stream)}, timeout_s=120)
        assert reading["model"] == "v1.1"
        assert reading["file"] == drawing.name
        assert reading["pages"][0]["lines"]

        indexed = drawops("index", "add", str(folder), code=1)
        assert len(indexed["added"]) == 4
        hits = drawops("index", "search", str(drawing), "-k", "3")
        assert hits[0]["id"] == drawing.name
        assert hits[0]["score"] > 0.999

        drawops("model", "rollback", "--by", "李伟", "--why", "演练")
        assert call("GET", f"{url}/v1/model")["label"] == "v1.0"

    found = drawops("lineage", drawing.name)
    model = next(m for m in found["models"] if m["label"] == "v1.1")
    assert model["approval"]["by"] == "李伟"
    assert model["dataset"]["ref"] == ingested["dataset"]
    assert drawops("registry", "verify")["ok"]
    return drawops("model", "history")
