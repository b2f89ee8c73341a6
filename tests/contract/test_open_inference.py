"""The Open Inference Protocol, as a client that is not ours speaks it (Triton's), and as its specification words it."""

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn

from drawops.registry import Records
from drawops.serving.app import create_app
from drawops.serving.oip import SHAPES
from drawops.settings import Settings, prepare_home
from tests.sheets import draw_sheet

pytestmark = pytest.mark.slow
READER = "drawing-ocr"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return prepare_home(Settings(home=tmp_path_factory.mktemp("home"), serve="base"))


@pytest.fixture(scope="module")
def address(settings: Settings) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    deadline = time.monotonic() + 120
    while get(address, "/v2/health/ready").status_code != 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    yield address
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def drawing(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return draw_sheet(tmp_path_factory.mktemp("图纸") / "零件.pdf", seed=1).read_bytes()


@pytest.fixture
def client(address: str) -> Iterator[Any]:
    from tritonclient.http import InferenceServerClient

    client = InferenceServerClient(address, network_timeout=120, connection_timeout=120)
    yield client
    client.close()


def get(address: str, path: str) -> httpx.Response:
    return httpx.get(f"http://{address}{path}", trust_env=False)


def infer(address: str, body: Any, path: str = f"/v2/models/{READER}/infer") -> httpx.Response:
    return httpx.post(f"http://{address}{path}", json=body, trust_env=False, timeout=120)


def asked(content: bytes, **more: Any) -> dict[str, Any]:
    data = [base64.b64encode(content).decode()]
    return {"inputs": [{"name": "drawing", "shape": [1], "datatype": "BYTES", "data": data}], **more}


def drawing_input(content: bytes, *, binary: bool) -> Any:
    from tritonclient.http import InferInput

    one = InferInput("drawing", [1], "BYTES")
    data = content if binary else base64.b64encode(content)
    one.set_data_from_numpy(np.array([data], dtype=object), binary_data=binary)
    return one


def test_tritons_client_finds_the_server_and_its_models(client: Any) -> None:
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(READER)
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    metadata = client.get_model_metadata(READER, "v1.0")
    assert (metadata["name"], metadata["versions"]) == (READER, ["v1.0"])
    assert {"name": "text", "datatype": "BYTES", "shape": [-1]} in metadata["outputs"]


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
def test_tritons_client_reads_a_drawing(client: Any, settings: Settings, drawing: bytes, binary: bool) -> None:
    from tritonclient.http import InferInput, InferRequestedOutput

    name = InferInput("file_name", [1], "BYTES")
    name.set_data_from_numpy(np.array(["零件.pdf".encode()], dtype=object), binary_data=binary)
    names = ["text", "score", "quad", "angle", "drawing_number", "page", "reading"]
    outputs = [InferRequestedOutput(n, binary_data=binary) for n in names]
    result = client.infer(READER, [drawing_input(drawing, binary=binary), name], outputs=outputs, request_id="r-7")
    reading = json.loads(result.as_numpy("reading")[0])
    lines = reading["pages"][0]["lines"]
    assert len(lines) > 3
    texts = [t.decode() if isinstance(t, bytes) else t for t in result.as_numpy("text")]
    assert texts == [line["text"] for line in lines]
    assert np.allclose(result.as_numpy("score"), [line["score"] for line in lines], atol=1e-6)
    assert np.allclose(result.as_numpy("quad"), [line["quad"] for line in lines], atol=1e-2)
    assert result.as_numpy("quad").shape == (len(lines), 4, 2)
    assert result.as_numpy("drawing_number").tolist() == result.as_numpy("page").tolist() == [0] * len(lines)
    answer = result.get_response()
    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("r-7", READER, "v1.0")
    stored = Records(settings.records_url).get(reading["reading_id"])
    assert stored is not None and stored.name == "零件.pdf"


def test_tritons_client_takes_all_outputs_in_binary_when_it_names_none(client: Any, drawing: bytes) -> None:
    result = client.infer(READER, [drawing_input(drawing, binary=True)])
    assert all("binary_data_size" in o["parameters"] for o in result.get_response()["outputs"])
    assert len(result.as_numpy("text")) == len(result.as_numpy("angle")) > 3


def test_the_shape_embedding_is_a_model_too(client: Any, drawing: bytes) -> None:
    dim = client.get_model_metadata(SHAPES)["outputs"][0]["shape"][1]
    result = client.infer(SHAPES, [drawing_input(drawing, binary=True)])
    vectors = result.as_numpy("vector")
    assert vectors.shape[1] == dim and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    assert result.as_numpy("box").shape == (len(vectors), 4)


def test_the_same_drawing_reads_the_same_by_both_ways_in(address: str, drawing: bytes) -> None:
    answer = infer(address, asked(drawing, outputs=[{"name": "text"}])).json()
    (text,) = answer["outputs"]
    reading = httpx.post(f"http://{address}/v1/read", files={"file": ("a.pdf", drawing)}, trust_env=False, timeout=120)
    assert text["data"] == [line["text"] for line in reading.json()["pages"][0]["lines"]]
    assert text["shape"] == [len(text["data"])]


def test_health_and_metadata_are_worded_as_the_specification_has_them(address: str) -> None:
    assert get(address, "/v2/health/live").json() == {"live": True}
    assert get(address, "/v2/health/ready").json() == {"ready": True}
    assert get(address, f"/v2/models/{READER}/ready").json() == {"name": READER, "ready": True}
    assert get(address, f"/v2/models/{READER}/versions/v1.0/ready").status_code == 200
    assert set(get(address, "/v2").json()) == {"name", "version", "extensions"}
    metadata = get(address, f"/v2/models/{READER}").json()
    assert set(metadata) == {"name", "versions", "platform", "inputs", "outputs"}
    for tensor in metadata["inputs"] + metadata["outputs"]:
        assert set(tensor) == {"name", "datatype", "shape"}


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({}, 400, "inputs"),
        ({"inputs": [{"name": "drawing", "shape": [1], "datatype": "FP32", "data": [1.0]}]}, 400, "BYTES"),
        ({"inputs": [{"name": "drawing", "shape": [2], "datatype": "BYTES", "data": ["aGk="]}]}, 400, "shape"),
        ({"inputs": [{"name": "drawing", "shape": [1], "datatype": "BYTES", "data": ["!"]}]}, 400, "base64"),
        ({"inputs": [{"name": "drawing", "shape": [1], "datatype": "BYTES"}]}, 400, "binary_data_size"),
        ({"inputs": [{"name": "page", "shape": [1], "datatype": "BYTES", "data": ["aGk="]}]}, 400, "'page'"),
        (asked(b"no drawing"), 400, "drawing"),
    ],
)
def test_a_request_that_is_not_right_is_answered_with_the_protocols_error(
    address: str, body: Any, status: int, said: str
) -> None:
    answer = infer(address, body)
    assert answer.status_code == status
    assert set(answer.json()) == {"error"} and said in answer.json()["error"]


def test_what_is_not_there_is_answered_with_the_protocols_error(address: str, drawing: bytes) -> None:
    for path in ("/v2/models/other", "/v2/models/other/ready", f"/v2/models/{READER}/versions/v9.9/ready"):
        answer = get(address, path)
        assert answer.status_code == 404 and set(answer.json()) == {"error"}
    assert infer(address, asked(drawing), f"/v2/models/{READER}/versions/v9.9/infer").status_code == 404
    missing = infer(address, asked(drawing, outputs=[{"name": "colour"}]))
    assert missing.status_code == 400 and "colour" in missing.json()["error"]


@pytest.mark.parametrize(
    ("header", "body"),
    [("7", b"{}"), ("x", b"{}"), ("-1", b"{}"), (None, b"\xff\xfe")],
)
def test_a_body_that_is_cut_or_no_json_is_refused(address: str, header: str | None, body: bytes) -> None:
    headers = {"Inference-Header-Content-Length": header} if header else {}
    url = f"http://{address}/v2/models/{READER}/infer"
    answer = httpx.post(url, content=body, headers=headers, trust_env=False)
    assert answer.status_code == 400 and set(answer.json()) == {"error"}


def test_binary_data_that_ends_early_is_refused(address: str) -> None:
    for size, blob in ((100, b"\x01\0\0\0a"), (5, b"\x09\0\0\0a")):
        head = json.dumps(
            {
                "inputs": [
                    {
                        "name": "drawing",
                        "shape": [1],
                        "datatype": "BYTES",
                        "parameters": {"binary_data_size": size},
                    }
                ]
            }
        ).encode()
        answer = httpx.post(
            f"http://{address}/v2/models/{READER}/infer",
            content=head + blob,
            headers={"Inference-Header-Content-Length": str(len(head))},
            trust_env=False,
        )
        assert answer.status_code == 400 and set(answer.json()) == {"error"}
