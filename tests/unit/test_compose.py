"""The compose file: every part there, nothing secret in it, nothing open to others, nothing started too early."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from drawops.serving.keys import KeyRing
from drawops.settings import Settings, load_settings

FOLDER = Path(__file__).parents[2] / "infra" / "compose"
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, str]]:
    """The key that make-env prints, and what it writes."""
    folder = tmp_path_factory.mktemp("compose")
    script = Path(shutil.copy(FOLDER / "make-env", folder))
    printed = subprocess.run([script], capture_output=True, text=True, check=True).stdout.strip()
    file = folder / ".env"
    assert file.stat().st_mode & 0o077 == 0
    again = subprocess.run([script], capture_output=True, text=True)
    assert again.returncode == 1 and "already" in again.stderr
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return printed, dict(line.split("=", 1) for line in lines)


def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


def test_every_service_is_pinned_checked_and_comes_back(compose: dict[str, Any]) -> None:
    assert set(services(compose)) == {"postgres", "mlflow", "watcher", "server", "opensearch", "minio"}
    for name, service in services(compose).items():
        image = VARIABLE.sub(lambda m: m[3], service["image"])
        assert re.search(r":[\w.-]*\d", image) and not image.endswith(":latest"), name
        assert service["healthcheck"]["test"] and service["restart"] == "unless-stopped", name


def test_a_service_waits_until_what_it_needs_is_healthy(compose: dict[str, Any]) -> None:
    for name, service in services(compose).items():
        for needed, how in service.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}, name
            assert "profiles" not in services(compose)[needed], f"{name} needs {needed}, which is optional"


def test_only_this_machine_reaches_the_ports(compose: dict[str, Any]) -> None:
    for name, service in services(compose).items():
        for port in service.get("ports", []):
            assert VARIABLE.sub(lambda m: m[3], port).startswith("127.0.0.1:"), name


def test_every_variable_is_made_or_has_a_default(compose: dict[str, Any], made: tuple[str, dict[str, str]]) -> None:
    text = (FOLDER / "compose.yaml").read_text(encoding="utf-8")
    asked = {match[1]: match[2] for match in VARIABLE.finditer(text)}
    for name, kind in asked.items():
        assert name in made[1] or kind == "-", name
    assert made[1].keys() <= asked.keys(), "made for nobody"


def test_no_password_is_written_down(compose: dict[str, Any]) -> None:
    for name, service in services(compose).items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|_KEYS?$|ACCESS_KEY", variable):
                assert VARIABLE.fullmatch(str(value)), f"{name}: {variable}"
            assert not re.search(r"://[^:/$]+:[^@$]+@", str(value)), f"{name}: {variable}"


def test_our_own_services_have_no_rights_that_they_do_not_need(compose: dict[str, Any]) -> None:
    for name in ("mlflow", "watcher", "server"):
        service = services(compose)[name]
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
    assert services(compose)["server"]["volumes"] == ["home:/var/lib/drawops:ro"]


@pytest.mark.parametrize("name", ["mlflow", "watcher", "server"])
def test_the_settings_are_ours_and_the_keys_open_the_server(
    name: str,
    compose: dict[str, Any],
    made: tuple[str, dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    key, values = made

    def filled(text: str) -> str:
        return VARIABLE.sub(lambda m: values.get(m[1]) or (m[3] if m[2] == "-" else ""), str(text))

    for variable, value in services(compose)[name]["environment"].items():
        if variable.startswith("DRAWOPS_") and variable != "DRAWOPS_HOME":
            monkeypatch.setenv(variable, filled(value))
    settings: Settings = load_settings(tmp_path)
    assert settings.records_url.startswith("postgresql") and settings.objects == ""
    if name == "server":
        ring = KeyRing(settings)
        assert (yours := ring.find(key)) is not None and yours.role == "reader"
        assert (deployment := ring.find(values["SERVER_KEY"])) is not None and deployment.role == "operator"
        assert key not in values.values()


def test_podman_compose_understands_it(made: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    program = shutil.which("podman-compose")
    if not program:
        pytest.skip("podman-compose is not installed")
    environment = {**os.environ, **made[1]}
    command = [program, "-f", FOLDER / "compose.yaml", "--profile", "objects", "config"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    understood = yaml.safe_load(done.stdout)["services"]
    assert set(understood) == {"postgres", "mlflow", "watcher", "server", "opensearch", "minio"}
    assert made[1]["POSTGRES_PASSWORD"] in understood["server"]["environment"]["DRAWOPS_RECORDS"]
