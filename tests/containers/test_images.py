"""What the two images hold, and that they run as a pod would run them."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ezdxf
import httpx
import pytest

from tests.containers.conftest import RESTRICTED, SERVER, TRAINER
from tests.sheets import draw_sheet

pytestmark = pytest.mark.server
LIMIT_MB = 900


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def running_server(engine: Any, **environment: str) -> Iterator[tuple[str, Any]]:
    address = f"127.0.0.1:{free_port()}"
    environment = {"DRAWOPS_LISTEN": address, "DRAWOPS_SERVE": "base", **environment}
    container = engine.containers.run(SERVER, detach=True, environment=environment, **RESTRICTED)
    try:
        deadline = time.monotonic() + 120
        while True:
            container.reload()
            try:
                if httpx.get(f"http://{address}/readyz", trust_env=False).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            assert container.status == "running" and time.monotonic() < deadline, container.logs().decode()
            time.sleep(0.2)
        yield f"http://{address}", container
    finally:
        container.remove(force=True)


@pytest.fixture(scope="module")
def server(engine: Any) -> Iterator[str]:
    with running_server(engine) as (url, _):
        yield url


def run(engine: Any, image: str, code: str) -> Any:
    return json.loads(engine.containers.run(image, ["python3", "-c", code], remove=True, **RESTRICTED))


def test_the_server_image_is_small(engine: Any) -> None:
    size = engine.images.get(SERVER).attrs["Size"] / 1e6
    print(
        f"\nserver image: {size:.0f} MB unpacked; trainer image: {engine.images.get(TRAINER).attrs['Size'] / 1e6:.0f} MB"
    )
    assert size <= LIMIT_MB


def test_the_server_image_holds_nothing_that_trains(engine: Any) -> None:
    heavy = ["torch", "paddle", "kfp", "sklearn", "pandas", "pyarrow", "matplotlib"]
    code = f"import json, importlib.util as u; print(json.dumps([m for m in {heavy} if u.find_spec(m)]))"
    assert run(engine, SERVER, code) == []


def test_a_drawing_is_read_over_http_by_a_random_user_on_a_read_only_system(server: str, tmp_path: Path) -> None:
    drawing = draw_sheet(tmp_path / "零件.pdf", seed=1)
    with httpx.Client(base_url=server, trust_env=False, timeout=120) as client:
        files = {"file": (drawing.name, drawing.read_bytes())}
        answer = client.post("/v1/read", files=files, data={"vector_text": "false", "preview": "true"})
        assert answer.status_code == 200, answer.text
        reading = answer.json()
        assert reading["model"] == "v1.0"
        assert reading["pages"][0]["lines"] and reading["pages"][0]["preview"]
        for kind in ("json", "csv", "xlsx"):
            assert client.get(f"/v1/readings/{reading['reading_id']}", params={"format": kind}).status_code == 200
        embedded = client.post("/v1/embed", files=files)
        assert embedded.status_code == 200, embedded.text
        assert (
            client.get("/").status_code == client.get("/docs").status_code == client.get("/shapes").status_code == 200
        )
        assert client.get("/v1/model").json()["label"] == "v1.0"


def test_a_dxf_is_drawn_and_read_where_there_are_no_fonts(server: str, tmp_path: Path) -> None:
    document = ezdxf.new(units=4)
    document.modelspace().add_line((0, 0), (120, 0))
    document.modelspace().add_text("⌖ ⌀0.2 轴套", height=5).set_placement((10, 10))
    document.saveas(tmp_path / "轴套.dxf")
    files = {"file": ("轴套.dxf", (tmp_path / "轴套.dxf").read_bytes())}
    answer = httpx.post(f"{server}/v1/read", files=files, trust_env=False, timeout=120)
    assert answer.status_code == 200, answer.text
    assert [line["text"] for line in answer.json()["pages"][0]["lines"]] == ["⌖ ⌀0.2 轴套"]


def test_told_to_stop_the_server_goes_on_answering_and_closes_connections(engine: Any) -> None:
    with running_server(engine, DRAWOPS_DRAIN_S="4") as (url, container):
        container.kill("SIGTERM")
        deadline = time.monotonic() + 3
        while httpx.get(f"{url}/readyz", trust_env=False).status_code != 503:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        answer = httpx.get(f"{url}/healthz", trust_env=False)
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        assert container.wait(timeout=60)["StatusCode"] == 0


def test_the_server_says_what_it_needs_when_its_registry_is_no_server(engine: Any) -> None:
    container = engine.containers.run(SERVER, detach=True, environment={"DRAWOPS_LISTEN": "127.0.0.1:0"}, **RESTRICTED)
    try:
        assert container.wait(timeout=120)["StatusCode"] == 1
        assert "DRAWOPS_MLFLOW" in container.logs().decode()
    finally:
        container.remove(force=True)


def test_the_image_says_when_it_is_ill(engine: Any) -> None:
    container = engine.containers.create(SERVER)  # podman does not tell it of an image
    try:
        assert "/readyz" in " ".join(container.attrs["Config"]["Healthcheck"]["Test"])
    finally:
        container.remove()


def test_the_trainer_image_holds_every_step_for_a_random_user(engine: Any) -> None:
    code = (
        "import json, getpass, os, kfp, paddle, torch, mlflow, kubernetes\n"
        "import drawops.steps\n"
        "from drawops.settings import load_settings, prepare_home\n"
        "from drawops.runners import packages\n"
        "settings = prepare_home(load_settings())\n"
        "print(json.dumps([os.getcwd(), settings.caller, packages.names()]))"
    )
    folder, caller, pipelines = run(engine, TRAINER, code)
    assert folder == "/" and caller in ("uid-54321", "54321")  # podman gives the uid a name, a pod does not
    assert "incremental" in pipelines
