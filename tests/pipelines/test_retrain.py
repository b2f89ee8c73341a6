"""The pipeline that a schedule starts: it looks first, and learns in one step."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

import drawops
from drawops import steps
from drawops.datasets.ingest import ingest
from drawops.errors import StepFailed
from drawops.registry import ModelRegistry
from drawops.settings import load_settings, prepare_home
from tests.sheets import draw_sheet

SMALL = {"generated": 40, "general_lines": 30, "generated_test_lines": 10, "threads": 2, "epochs": 2}


@pytest.fixture
def webhook():
    """(url, the messages that came)"""
    came = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            came.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", came
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with the dataset `夜班` of eight drawings."""
    folder = tmp_path_factory.mktemp("retrain")
    settings = prepare_home(load_settings(folder / "夜班 home"))
    ingest([draw_sheet(folder / f"夜班 {i}.pdf", seed=60 + i) for i in range(8)], "夜班", settings=settings)
    return settings


def occasion(settings, **changed):
    return steps.occasion("夜班", settings, **({"min_new_lines": 5, "max_drift": 0.05} | changed))


@pytest.mark.slow
def test_it_trains_when_there_is_something_new_and_else_says_why_not(home, webhook, tmp_path):
    url, came = webhook
    settings = home.model_copy(update={"notify": url})
    assert occasion(settings).wanted and not occasion(settings, min_new_lines=10_000).wanted

    asked = {"settings": settings, "dataset": "夜班", "min_new_lines": 5, **SMALL}
    done = drawops.submit("retrain", **asked).wait(timeout_s=600)
    outputs = done.outputs()
    version = ModelRegistry(settings).get(outputs["version"])
    assert outputs["verdict"] == "rejected" and version.status == "Rejected"  # 30 general lines are too few
    assert "new labelled lines" in outputs["reasons"][0]
    assert [(s.name, s.status) for s in done.steps] == [("increment", "succeeded"), ("notify", "succeeded")]
    (message,) = came
    assert message["version"] == version.label and "rejected by its gate" in message["text"]

    again = drawops.submit("retrain", **asked).wait(timeout_s=300)
    assert again.outputs()["verdict"] == "skipped" and again.outputs()["version"] == ""
    assert again.outputs()["reasons"][0].startswith("0 new labelled lines since")
    assert len(came) == 1

    ingest([draw_sheet(tmp_path / "新 1.pdf", seed=81)], "夜班", settings=settings)
    more = occasion(settings)
    assert more.wanted and 5 <= more.new_lines < 200


@pytest.mark.slow
def test_a_run_that_fails_is_told_to_the_webhook(home, webhook):
    url, came = webhook
    settings = home.model_copy(update={"notify": url})
    run = drawops.submit("retrain", settings=settings, dataset="夜班", always=True, base="v9.9", **SMALL)
    with pytest.raises(StepFailed, match="v9.9"):
        run.wait(timeout_s=300)
    (message,) = came
    assert message["state"] == "FAILED" and "夜班" in message["text"]
