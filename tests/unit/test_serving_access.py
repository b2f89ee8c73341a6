"""Who may ask a server for what, and how much."""

import io
import json
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from typer.testing import CliRunner

from drawops.cli import app as cli
from drawops.drawings import limited, open_drawing
from drawops.errors import Conflict, InputRefused, NotFound, SettingsError
from drawops.serving.app import create_app
from drawops.serving.keys import KeyRing, new_key
from drawops.serving.request_log import JsonLines
from drawops.serving.run import run_server
from drawops.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    # No model and no registry, and it finds out at once.
    return Settings(home=tmp_path / "home", serve=str(tmp_path), engine="onnxruntime", mlflow="http://127.0.0.1:1")


def client_of(settings: Settings, **changes: Any) -> TestClient:
    """Of a server without a model: who may ask does not depend on it."""
    return TestClient(create_app(settings.model_copy(update=changes), follow_every_s=3600), follow_redirects=False)


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


# ---- keys --------------------------------------------------------------------------------------------------


def test_a_key_is_found_by_its_secret_of_which_only_the_hash_is_kept(settings: Settings) -> None:
    ring = KeyRing(settings)
    secret = ring.add("王芳", "operator")
    assert (found := ring.find(secret)) is not None and (found.name, found.role) == ("王芳", "operator")
    assert ring.find(secret + "x") is None and ring.find("") is None
    file = settings.home / "keys.json"
    assert secret not in file.read_text() and file.stat().st_mode & 0o077 == 0


def test_a_key_that_was_added_or_revoked_elsewhere_counts_at_once(settings: Settings) -> None:
    server, command = KeyRing(settings), KeyRing(settings)
    secret = command.add("press-shop", "reader")
    assert server.find(secret) is not None
    command.revoke("press-shop")
    assert server.find(secret) is None
    with pytest.raises(NotFound, match="press"):
        command.revoke("press-shop")


def test_keys_of_the_setting_count_beside_those_of_the_home(settings: Settings) -> None:
    secret, key = new_key("gateway", "reader")
    ring = KeyRing(settings.model_copy(update={"keys": f" {key.line},\n"}))
    assert (found := ring.find(secret)) is not None and found.name == "gateway"
    with pytest.raises(Conflict, match="gateway"):
        ring.add("gateway", "admin")
    with pytest.raises(NotFound, match="DRAWOPS_KEYS"):
        ring.revoke("gateway")


@pytest.mark.parametrize("line", ["a", "a:reader", "a:boss:" + "0" * 64, "a:reader:" + "0" * 63])
def test_a_setting_that_is_no_list_of_keys_is_refused_without_being_shown(settings: Settings, line: str) -> None:
    with pytest.raises(SettingsError, match="name:role:sha256") as refused:
        KeyRing(settings.model_copy(update={"keys": line}))
    assert "000" not in str(refused.value)


@pytest.mark.parametrize(("name", "role"), [("a:b", "reader"), ("", "reader"), ("a b", "reader"), ("a", "boss")])
def test_a_name_or_role_that_can_be_none_is_refused(settings: Settings, name: str, role: str) -> None:
    with pytest.raises(InputRefused):
        KeyRing(settings).add(name, role)


def test_keys_are_made_listed_and_revoked_on_the_command_line(home: Settings) -> None:
    run = CliRunner().invoke
    made = json.loads(run(cli, ["key", "add", "li-wei", "--role", "admin", "--json"]).stdout)
    assert KeyRing(home).find(made["key"]) is not None
    assert json.loads(run(cli, ["key", "list", "--json"]).stdout)[0]["name"] == "li-wei"
    elsewhere = json.loads(run(cli, ["key", "add", "pod", "--elsewhere", "--json"]).stdout)
    there = KeyRing(home.model_copy(update={"keys": elsewhere["line"]}))
    assert there.find(elsewhere["key"]) is not None and KeyRing(home).find(elsewhere["key"]) is None
    assert run(cli, ["key", "revoke", "li-wei"]).exit_code == 0
    assert KeyRing(home).all() == []


# ---- who may ask -------------------------------------------------------------------------------------------


def test_without_a_key_a_server_on_this_machine_is_open_until_there_is_one(settings: Settings) -> None:
    with client_of(settings) as client:
        assert client.get("/v1/index").status_code == 200
        KeyRing(settings).add("first", "reader")
        answer = client.get("/v1/index")
        assert answer.status_code == 401 and "drawops key add" in answer.json()["error"]
        assert answer.headers["www-authenticate"] == "Bearer"


def test_each_role_may_do_what_is_its_and_no_more(settings: Settings) -> None:
    ring = KeyRing(settings)
    secrets = {role: ring.add(role, role) for role in ("reader", "operator", "admin")}
    asked = [("GET", "/v1/index", 0), ("POST", "/v1/models/prepare", 1), ("GET", "/v1/keys", 2)]
    with client_of(settings) as client:
        for level, secret in enumerate(secrets.values()):
            for method, path, needed in asked:
                refused = client.request(method, path, headers=bearer(secret)).status_code in (401, 403)
                assert refused == (level < needed), (level, path)
        said = client.get("/v1/keys", headers=bearer(secrets["reader"])).json()["error"]
        assert "admin" in said and "'reader' is reader" in said


def test_a_key_may_come_as_a_bearer_a_header_or_a_cookie_but_a_wrong_one_counts_for_nothing(settings: Settings) -> None:
    secret = KeyRing(settings).add("a", "reader")
    with client_of(settings) as client:
        for headers in (bearer(secret), {"X-API-Key": secret}, {"Cookie": f"drawops_key={secret}"}):
            assert client.get("/v1/me", headers=headers).json()["key"] == "a"
        for headers in (bearer("x"), bearer(""), {"X-API-Key": secret[:-1]}, {"Authorization": f"Basic {secret}"}):
            assert client.get("/v1/me", headers=headers).status_code == 401


def test_health_stays_open_and_webhooks_keep_their_own_proof(settings: Settings) -> None:
    KeyRing(settings).add("a", "reader")
    with client_of(settings, hook_secret="shared secret") as client:
        assert client.get("/healthz").status_code == client.get("/v2/health/live").status_code == 200
        assert client.get("/readyz").status_code == 503
        assert client.head("/v1/hooks/objects").status_code == 200
        assert "bearer token" in client.post("/v1/hooks/objects").json()["error"]


@pytest.mark.parametrize("host", ["x/healthz?", "x/sign-in?", "x/v1/hooks/?", "x/healthz#"])
def test_a_host_header_does_not_make_another_address_of_a_request(settings: Settings, host: str) -> None:
    KeyRing(settings).add("a", "reader")
    with client_of(settings) as client:
        assert client.get("/v1/index", headers={"Host": host}).status_code == 401


def test_an_open_server_asks_nobody_and_one_with_keys_asks_everybody(settings: Settings) -> None:
    KeyRing(settings).add("a", "reader")
    with client_of(settings, access="open") as client:
        assert client.get("/v1/index").status_code == 200
    KeyRing(settings).revoke("a")
    with client_of(settings, access="keys") as client:
        assert client.get("/v1/index").status_code == 401


def test_who_revokes_the_last_key_does_not_let_everybody_in(settings: Settings) -> None:
    secret = KeyRing(settings).add("a", "admin")
    with client_of(settings) as client:
        assert client.get("/v1/index", headers={"X-API-Key": secret}).status_code == 200
        KeyRing(settings).revoke("a")
        refused = client.get("/v1/index", headers={"X-API-Key": secret})
        assert refused.status_code == 401 and "revoked" in refused.json()["error"]


def test_a_server_that_others_can_reach_does_not_start_without_a_key(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="drawops key add"):
        run_server(settings, host="0.0.0.0", port=0, watch=False, announce=lambda url: None)


def test_keys_can_be_made_and_revoked_over_http_by_an_admin(settings: Settings) -> None:
    admin = bearer(KeyRing(settings).add("root", "admin"))
    with client_of(settings) as client:
        made = client.post("/v1/keys", json={"name": "cell-4", "role": "reader"}, headers=admin).json()
        assert client.get("/v1/me", headers=bearer(made["key"])).json()["role"] == "reader"
        listed = client.get("/v1/keys", headers=admin).json()
        assert {k["name"] for k in listed} == {"root", "cell-4"} and all("sha256" not in k for k in listed)
        assert client.delete("/v1/keys/cell-4", headers=admin).status_code == 200
        assert client.get("/v1/me", headers=bearer(made["key"])).status_code == 401


def test_a_person_signs_in_to_the_pages_with_a_key_and_out_again(settings: Settings) -> None:
    secret = KeyRing(settings).add("王芳", "reader")
    with client_of(settings) as client:
        sent = client.get("/shapes?lang=zh", headers={"Accept": "text/html"})
        assert (sent.status_code, sent.headers["location"]) == (303, "/sign-in?next=%2Fshapes%3Flang%3Dzh")
        assert "访问本服务器需要密钥" in client.get("/sign-in?lang=zh").text
        wrong = client.post("/sign-in", data={"key": "nonsense", "next": "/"})
        assert wrong.status_code == 401 and "set-cookie" not in wrong.headers
        done = client.post("/sign-in", data={"key": secret, "next": "/shapes?lang=zh"})
        assert (done.status_code, done.headers["location"]) == (303, "/shapes?lang=zh")
        assert {"HttpOnly", "SameSite=lax"} <= set(done.headers["set-cookie"].split("; "))
        assert client.get("/shapes", headers={"Accept": "text/html"}).status_code == 200
        assert client.get("/v1/me").json() == {"key": "王芳", "role": "reader", "signed_in": True}
        client.post("/sign-out")
        assert client.get("/v1/me").status_code == 401


@pytest.mark.parametrize("address", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nb", ""])
def test_nobody_is_sent_to_another_site_after_signing_in(settings: Settings, address: str) -> None:
    secret = KeyRing(settings).add("a", "reader")
    with client_of(settings) as client:
        done = client.post("/sign-in", data={"key": secret, "next": address})
        assert done.headers["location"] == "/"


# ---- how much ----------------------------------------------------------------------------------------------


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (300, 200), "white").save(out, "PNG")
    return out.getvalue()


def test_who_asks_too_often_is_told_when_to_come_again_and_others_are_not(settings: Settings) -> None:
    one, other = (bearer(KeyRing(settings).add(name, "reader")) for name in ("one", "other"))
    with client_of(settings, rate_limit="3/hour") as client:
        assert [client.get("/v1/me", headers=one).status_code for _ in range(4)] == [200, 200, 200, 429]
        refused = client.get("/v1/me", headers=one)
        assert int(refused.headers["retry-after"]) > 0 and "one" in refused.json()["error"]
        assert client.get("/v1/me", headers=other).status_code == 200
        assert client.get("/healthz").status_code == 200


def test_guessing_keys_is_counted_for_the_address(settings: Settings) -> None:
    KeyRing(settings).add("a", "reader")
    with client_of(settings, rate_limit="3/hour") as client:
        assert [client.get("/v1/me", headers=bearer(str(n))).status_code for n in range(4)] == [401, 401, 401, 429]


def test_a_rate_that_is_none_is_refused(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="600/minute"):
        create_app(settings.model_copy(update={"rate_limit": "often"}))


def test_a_request_that_is_too_large_is_refused_whether_it_says_so_or_not(settings: Settings) -> None:
    def chunks() -> Iterator[bytes]:
        yield from [b"x" * 100_000] * 12

    with client_of(settings, max_upload_mb=1) as client:
        for content in (b"x" * 2**21, chunks()):
            assert client.post("/v2/models/drawing-ocr/infer", content=content).status_code == 413
        form = {"Content-Type": "multipart/form-data; boundary=B"}
        head = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        chinese = client.post("/v1/read", content=b"x" * 2**21, headers={"Accept-Language": "zh"})
        assert chinese.json()["error"] == "文件超过 1 MiB 的上限，请发送单张图纸。"
        answer = client.post("/v1/read", content=iter([head, b"x" * 2**21]), headers=form)
        assert answer.status_code == 413 and "MAX_UPLOAD_MB" in answer.json()["error"]
        for content in (b"x" * 2**21, iter([head, b"x" * 2**21])):
            page = client.post("/shapes?lang=zh", content=content, headers=form | {"Accept": "text/html,*/*"})
            assert page.status_code == 413 and page.headers["content-type"].startswith("text/html")
            assert '<p class="error" role="alert">文件超过 1 MiB 的上限' in page.text and "/shapes?lang=zh" in page.text


def test_when_too_many_drawings_wait_another_is_told_to_come_again(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"at_once": 1, "max_waiting": 1}), follow_every_s=3600)
    statuses: list[int] = []
    with TestClient(app) as client:
        with app.state.work.turn():  # one is being read
            ask = lambda: statuses.append(  # noqa: E731
                client.post("/v1/embed", files={"file": ("a.png", picture())}).status_code
            )
            threads = [threading.Thread(target=ask) for _ in range(2)]
            for thread in threads:
                thread.start()
            deadline = time.monotonic() + 30
            while app.state.work.inside < 2 and time.monotonic() < deadline:
                time.sleep(0.01)
            refused = client.post("/v1/embed", files={"file": ("a.png", picture())})
            assert (
                refused.status_code == 503 and refused.headers["retry-after"] and "AT_ONCE" in refused.json()["error"]
            )
            assert client.get("/healthz").status_code == client.get("/v1/me").status_code == 200
        for thread in threads:
            thread.join()
    assert app.state.work.inside == 0 and 503 not in statuses and len(statuses) == 2


def test_a_drawing_of_too_many_pages_or_pixels_is_refused(settings: Settings, tmp_path: Path) -> None:
    page = Image.new("RGB", (300, 200), "white")
    page.save(tmp_path / "a.tiff", save_all=True, append_images=[page, page])
    with limited(pixels=100_000, pages=2), pytest.raises(InputRefused, match="3 pages"):
        open_drawing(tmp_path / "a.tiff")
    with limited(pixels=50_000, pages=3), pytest.raises(InputRefused, match="0.05 megapixels"):
        open_drawing(tmp_path / "a.tiff")
    with open_drawing(tmp_path / "a.tiff") as drawing:
        assert drawing.page_count == 3
    with client_of(settings, max_pages=2) as client:
        answer = client.post("/v1/embed", files={"file": ("a.tiff", (tmp_path / "a.tiff").read_bytes())})
        assert answer.status_code == 422 and "3 pages" in answer.json()["error"]


# ---- what is left of a request -----------------------------------------------------------------------------


def lines_of(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(JsonLines().format(r)) for r in caplog.records if r.name == "drawops.requests"]


def test_a_request_leaves_one_line_with_its_number_and_its_key(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    secret = KeyRing(settings).add("王芳", "reader")
    with client_of(settings) as client, caplog.at_level(logging.INFO):
        answer = client.get("/v1/readings/7", headers={"X-Request-ID": "order-17", **bearer(secret)})
        assert answer.headers["x-request-id"] == "order-17"
        assert len(client.get("/v1/me", headers={"X-Request-ID": "bad id\t" * 40}).headers["x-request-id"]) == 32
        client.get("/healthz")
    first, second = lines_of(caplog)
    assert {k: first[k] for k in ("id", "key", "route", "status", "path")} == {
        "id": "order-17",
        "key": "王芳",
        "route": "/v1/readings/{reading_id}",
        "status": 404,
        "path": "/v1/readings/7",
    }
    assert first["ms"] > 0 and first["level"] == "INFO" and first["time"].endswith("+00:00")
    assert second["status"] == 401 and "key" not in second
    assert secret not in caplog.text


def test_a_failure_of_the_server_is_told_in_the_same_shape_and_logged_with_its_cause(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(settings, follow_every_s=3600)

    @app.get("/v1/broken")
    def broken() -> None:
        raise RuntimeError("the cause")

    with TestClient(app) as client, caplog.at_level(logging.INFO):
        answer = client.get("/v1/broken")
    assert answer.status_code == 500
    assert set(answer.json()) == {"error"} and answer.headers["x-request-id"] in answer.json()["error"]
    failed, line = lines_of(caplog)
    assert "RuntimeError: the cause" in failed["exception"] and line["status"] == 500
