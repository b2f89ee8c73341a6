"""The server: what it answers, how it refuses, and how it changes its model version."""

import base64
import io
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from drawops.drawings.stand_ins import symbol_font
from drawops.errors import ForbiddenTransition, Unavailable
from drawops.ocr.model_files import base_recogniser
from drawops.registry import ModelRegistry, Records
from drawops.serving.app import create_app
from drawops.serving.deploy import deploy
from drawops.serving.process import server_process
from drawops.serving.run import _listen
from drawops.serving.servers import call, known_servers
from drawops.settings import Settings, prepare_home
from tests.pictures import text_picture

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = prepare_home(Settings(home=tmp_path_factory.mktemp("服务器") / "home"))
    ModelRegistry(settings).ensure_base()
    return settings


@pytest.fixture(scope="module")
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings)) as client:
        deadline = time.monotonic() + 60
        while client.get("/readyz").status_code != 200 and time.monotonic() < deadline:
            time.sleep(0.05)
        yield client


@pytest.fixture(scope="module")
def picture() -> bytes:
    sheet = Image.new("RGB", (900, 500), "white")
    sheet.paste(Image.fromarray(text_picture("GEARBOX 128.5")), (200, 200))
    out = io.BytesIO()
    sheet.save(out, "PNG", dpi=(200, 200))
    return out.getvalue()


def add_version(settings: Settings, folder: Path) -> str:
    """One more version with the base model's files."""
    registry = ModelRegistry(settings)
    model = folder / "model"
    shutil.copytree(registry.fetch("v1.0"), model)
    verdict = {"passed": True, "reasons": ["made for a test"]}
    return registry.register(model, mode="incremental", base="v1.0", dataset="d@0", verdict=verdict).label


def test_a_drawing_is_read_and_the_reading_recorded(client: TestClient, settings: Settings, picture: bytes) -> None:
    answer = client.post("/v1/read", files={"file": ("齿轮 1.png", picture)}, data={"caller": "王芳"})
    assert answer.status_code == 200, answer.text
    reading = answer.json()
    assert (reading["file"], reading["model"]) == ("齿轮 1.png", "v1.0")
    page = reading["pages"][0]
    assert (page["page"], page["width"], page["height"]) == (0, 900, 500)
    assert [line["text"] for line in page["lines"]] == ["GEARBOX 128.5"]
    assert "preview" not in page
    stored = Records(settings.records_url).get(reading["reading_id"])
    assert stored is not None
    assert (stored.name, stored.caller, stored.source, stored.model) == ("齿轮 1.png", "王芳", "api", "v1.0")


def test_a_preview_is_added_when_asked_for(client: TestClient, picture: bytes) -> None:
    reading = client.post("/v1/read", files={"file": ("a.png", picture)}, data={"preview": "true"}).json()
    assert reading["pages"][0]["preview"].startswith("data:image/")


def test_a_recorded_reading_can_be_had_again_as_json_csv_and_workbook(client: TestClient, picture: bytes) -> None:
    reading = client.post("/v1/read", files={"file": ("齿轮 1.png", picture)}).json()
    address = f"/v1/readings/{reading['reading_id']}"
    assert client.get(address).json() == reading
    table = client.get(address, params={"format": "csv"})
    assert "GEARBOX 128.5" in table.content.decode("utf-8-sig").splitlines()[1]
    assert "%E9%BD%BF%E8%BD%AE%201.csv" in table.headers["content-disposition"]
    assert client.get(address, params={"format": "xlsx"}).content[:2] == b"PK"
    missing = client.get("/v1/readings/987654")
    assert missing.status_code == 404 and "987654" in missing.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "named"),
    [
        ("POST", "/v1/read", "file"),
        ("GET", "/v1/readings/first", "reading_id"),
        ("POST", "/v1/models/prepare", "label"),
    ],
)
def test_what_is_missing_or_malformed_is_answered_in_the_shape_of_all_errors(
    client: TestClient, method: str, path: str, named: str
) -> None:
    answer = client.request(method, path, json={} if named == "label" else None)
    assert answer.status_code == 422
    assert set(answer.json()) == {"error"} and named in answer.json()["error"] and path in answer.json()["error"]


@pytest.mark.parametrize("path", ["/v1/read", "/v1/similar", "/v1/embed"])
def test_a_file_that_is_no_drawing_is_refused_with_its_name(client: TestClient, path: str) -> None:
    answer = client.post(path, files={"file": ("坏.pdf", b"no pdf")})
    assert answer.status_code == 422
    assert "坏.pdf" in answer.json()["error"]


def test_a_browser_in_chinese_is_refused_in_chinese_and_a_program_in_english(client: TestClient) -> None:
    def refused(language: str, name: str, content: bytes) -> str:
        headers = {"Accept-Language": language} if language else {}
        answer = client.post("/v1/read", files={"file": (name, content)}, headers=headers)
        assert answer.status_code == 422
        return str(answer.json()["error"])

    assert refused("zh-CN,zh;q=0.9", "空.png", b"") == "空.png：文件是空的（0 字节），请重新导出或复制。"
    assert (
        refused("en", "空.png", b"")
        == refused("", "空.png", b"")
        == "空.png: is empty (0 bytes); export or copy it again"
    )
    dot = io.BytesIO()
    Image.new("RGB", (5, 5), "white").save(dot, "PNG")
    small = "点.png（第 0 页，从 0 编号）：5 x 5 像素太小，无法辨认文字，请以 200 dpi 以上扫描或导出。"
    assert refused("zh", "点.png", dot.getvalue()) == small
    gone = client.get("/v1/readings/99999", headers={"Accept-Language": "zh"})
    assert gone.status_code == 404 and gone.json()["error"] == "没有编号为 99999 的识别记录。"


def test_an_address_or_method_that_is_not_there_is_told_in_the_same_shape(client: TestClient) -> None:
    for answer, status in ((client.get("/v1/lesen"), 404), (client.get("/v1/read"), 405)):
        assert answer.status_code == status
        assert set(answer.json()) == {"error"} and "/docs" in answer.json()["error"]
    described = client.get("/openapi.json").json()
    assert "HTTPValidationError" not in described["components"]["schemas"]


def test_a_filter_that_is_no_json_object_is_refused(client: TestClient, picture: bytes) -> None:
    answer = client.post("/v1/similar", files={"file": ("a.png", picture)}, data={"where": "family=flange"})
    assert answer.status_code == 422
    assert '{"family": "flange"}' in answer.json()["error"]


def test_health_model_and_page_answer(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    model = client.get("/v1/model").json()
    assert model["label"] == "v1.0" and model["version"]["status"] == "Deployed"
    page = client.get("/").text
    assert "把图纸拖到这里" in page
    assert base64.b64encode(symbol_font()).decode() in page  # ⌖ ⌴ ⏥ show on every computer
    assert "/v1/similar" in client.get("/openapi.json").json()["paths"]


def test_a_version_nobody_approved_is_not_loaded(client: TestClient, settings: Settings, tmp_path: Path) -> None:
    label = add_version(settings, tmp_path)
    answer = client.post("/v1/models/prepare", json={"label": label})
    assert answer.status_code == 409
    assert "Pending" in answer.json()["error"]
    with pytest.raises(ForbiddenTransition):
        deploy(label, settings, by="王芳", why="too early")


def test_a_deployment_under_load_drops_no_request_and_every_answer_names_its_version(
    tmp_path: Path, picture: bytes
) -> None:
    settings = prepare_home(Settings(home=tmp_path / "home"))
    with server_process(settings, watch=False) as url:
        assert known_servers(settings) == [url]
        label = add_version(settings, tmp_path)
        ModelRegistry(settings).approve(label, by="王芳", why="test")
        answers: list[str] = []
        failures: list[str] = []
        stop = threading.Event()

        def load() -> None:
            while not stop.is_set():
                try:
                    answers.append(call("POST", f"{url}/v1/read", files={"file": ("a.png", picture)})["model"])
                except Unavailable as exc:
                    failures.append(str(exc))

        clients = [threading.Thread(target=load) for _ in range(3)]
        for thread in clients:
            thread.start()
        while not answers:
            time.sleep(0.05)
        assert deploy(label, settings, by="王芳", why="test").servers == (url,)
        seen = len(answers)
        while len(answers) < seen + 6 and not failures:
            time.sleep(0.05)
        stop.set()
        for thread in clients:
            thread.join()
        assert not failures
        assert set(answers) == {"v1.0", label}
        assert answers[-1] == label
    assert known_servers(settings) == []


def test_an_answer_does_not_wait_for_the_network_to_acknowledge_its_head() -> None:
    with _listen("127.0.0.1", 0) as listener:
        listener.listen()
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_server_that_was_killed_is_forgotten(tmp_path: Path) -> None:
    settings = prepare_home(Settings(home=tmp_path / "home"))
    folder = settings.home / "servers"
    folder.mkdir()
    (folder / "999999999.json").write_text(json.dumps({"url": "http://127.0.0.1:1", "pid": 999999999}))
    assert known_servers(settings) == []
    assert not list(folder.iterdir())


def test_a_version_that_a_server_cannot_load_never_becomes_champion(tmp_path: Path) -> None:
    settings = prepare_home(Settings(home=tmp_path / "home"))
    with server_process(settings, watch=False) as url:
        label = add_version(settings, tmp_path)
        registry = ModelRegistry(settings)
        registry.approve(label, by="王芳", why="test")
        (registry.fetch(label) / "inference.onnx").write_bytes(b"damaged on disk")
        with pytest.raises(Unavailable):
            deploy(label, settings, by="王芳", why="test")
        assert registry.get("champion").label == "v1.0"
        assert registry.get(label).status == "Approved"
        assert call("GET", f"{url}/v1/model")["label"] == "v1.0"
        assert registry.audit.entries(label)[-1].action == "deployment failed"


def test_a_server_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    code = (
        "import sys, time; from pathlib import Path\n"
        "from drawops.serving.process import server_process\n"
        "from drawops.settings import Settings\n"
        "with server_process(Settings(home=Path(sys.argv[1])), watch=False) as url:\n"
        "    print(url, flush=True); time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(home)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    url = parent.stdout.readline().strip()
    assert call("GET", f"{url}/healthz") == {"status": "ok"}
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 60
    while known_servers(Settings(home=home)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert known_servers(Settings(home=home)) == []


def test_without_a_registry_the_model_of_a_folder_or_the_base_model_is_served(tmp_path: Path, picture: bytes) -> None:
    home = prepare_home(Settings(home=tmp_path / "home", mlflow="http://127.0.0.1:1"))
    folder = tmp_path / "模型"
    folder.mkdir()
    shutil.copyfile(base_recogniser(), folder / "inference.onnx")
    (folder / "model.json").write_text('{"label": "v7.3"}', encoding="utf-8")
    for serve, label in ((str(folder), "v7.3"), ("base", "v1.0")):
        with TestClient(create_app(home.model_copy(update={"serve": serve}))) as client:
            deadline = time.monotonic() + 60
            while client.get("/readyz").status_code != 200 and time.monotonic() < deadline:
                time.sleep(0.05)
            assert client.post("/v1/read", files={"file": ("a.png", picture)}).json()["model"] == label
            assert client.get("/v1/model").json()["version"] is None


def test_a_version_is_served_though_it_is_not_champion(settings: Settings, tmp_path: Path) -> None:
    label = add_version(settings, tmp_path)
    ModelRegistry(settings).approve(label, "李伟", "for a canary")
    with TestClient(create_app(settings.model_copy(update={"serve": label}))) as client:
        deadline = time.monotonic() + 60
        while client.get("/readyz").status_code != 200 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert client.get("/readyz").json()["model"] == label
    assert ModelRegistry(settings).get("champion").label != label


def test_told_to_stop_a_server_answers_for_a_while_and_closes_connections(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", serve="base", drain_s=3)
    with server_process(settings, watch=False) as url:
        process = psutil.Process(json.loads(next((settings.home / "servers").glob("*.json")).read_text())["pid"])
        process.terminate()
        deadline = time.monotonic() + 2.5
        while httpx.get(f"{url}/readyz", trust_env=False).status_code != 503:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert httpx.get(f"{url}/healthz", trust_env=False).headers["connection"] == "close"
        process.wait(timeout=60)
