"""The commands over the registry, as a person types them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from drawops.cli import app
from drawops.errors import DrawopsError
from drawops.registry import ModelRegistry, ModelVersion
from drawops.settings import Settings

Register = Callable[..., ModelVersion]
COMMANDS = ["model list", "model show v1.0", "model compare v1.0 champion", "model history", "registry verify"]


@pytest.fixture
def drawops(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("DRAWOPS_HOME", str(settings.home))
    return lambda *words: CliRunner().invoke(app, list(words))


@pytest.fixture
def as_json(drawops: Callable[..., Result]) -> Callable[..., Any]:
    def run(*words: str) -> Any:
        result = drawops(*words, "--json")
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return json.loads(result.stdout)

    return run


def test_a_version_is_approved_deployed_and_rolled_back(
    as_json: Callable[..., Any], registry: ModelRegistry, candidate: Register
) -> None:
    candidate()
    approved = as_json("model", "approve", "v1.1", "--by", "李伟", "--why", "reads our frames")
    assert (approved["label"], approved["status"], approved["approved_by"], approved["servers"]) == (
        "v1.1", "Deployed", "李伟", []
    )  # fmt: skip
    assert as_json("model", "rollback", "--by", "王芳", "--why", "reads 6 as 8")["label"] == "v1.0"
    assert as_json("model", "deploy", "v1.1", "--by", "李伟")["status"] == "Deployed"
    history = as_json("model", "history")
    assert [(p["label"], p["by"]) for p in history[1:]] == [("v1.1", "李伟"), ("v1.0", "王芳"), ("v1.1", "李伟")]
    assert {v["label"]: v["status"] for v in as_json("model", "list")} == {"v1.0": "Archived", "v1.1": "Deployed"}
    assert as_json("registry", "verify") == {"ok": True, "lines": 9, "problems": []}


def test_without_deploy_on_approval_nothing_is_deployed(
    as_json: Callable[..., Any], candidate: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate()
    monkeypatch.setenv("DRAWOPS_DEPLOY_ON_APPROVAL", "false")
    assert as_json("model", "approve", "v1.1", "--by", "李伟", "--why", "good")["status"] == "Approved"


def test_a_decision_without_name_or_reason_is_an_error(drawops: Callable[..., Result], candidate: Register) -> None:
    candidate()
    for words in (["--by", "李伟"], ["--why", "good"]):
        result = drawops("model", "reject", "v1.1", *words)
        assert isinstance(result.exception, DrawopsError)
    assert "no reason is given" in str(drawops("model", "approve", "v1.1", "--by", "李伟").exception)


def test_verify_exits_with_1_when_a_line_was_changed(drawops: Callable[..., Result], registry: ModelRegistry) -> None:
    path = registry.audit.path
    path.write_text(path.read_text(encoding="utf-8").replace("Deployed", "Approved"), encoding="utf-8")
    result = drawops("registry", "verify")
    assert result.exit_code == 1
    assert "line 1: was changed after it was written" in result.stdout


@pytest.mark.parametrize("command", [*COMMANDS, "registry audit", "lineage v1.0", "watch --once"])
def test_every_command_speaks_to_people_and_to_programs(
    drawops: Callable[..., Result], registry: ModelRegistry, command: str
) -> None:
    shown, printed = drawops(*command.split()), drawops(*command.split(), "--json")
    assert (shown.exit_code, printed.exit_code) == (0, 0)
    if command != "watch --once":  # a record for each line, and there is none
        assert "v1.0" in shown.stdout or "unbroken" in shown.stdout
        json.loads(printed.stdout)


def test_the_lineage_tree_names_who_approved(
    drawops: Callable[..., Result], registry: ModelRegistry, candidate: Register
) -> None:
    candidate()
    registry.approve("v1.1", by="李伟 [主管]", why="good")
    result = drawops("lineage", "v1.1")
    assert "Approved by 李伟 [主管]" in result.stdout
    assert "read 0 drawings" in result.stdout


def test_watch_once_takes_over_and_deploys(
    drawops: Callable[..., Result], candidate: Register, in_ui: Callable[..., None], registry: ModelRegistry
) -> None:
    candidate()
    in_ui("v1.1", approved_by="李伟", approval_reason="good", approval_status="Approved")
    lines = [json.loads(line) for line in drawops("watch", "--once", "--json").stdout.splitlines()]
    assert [(line["action"], line["subject"]) for line in lines] == [
        ("approve", "v1.1"),
        ("deploy", "v1.1"),
        ("archive", "v1.0"),
    ]
    assert registry.get("champion").label == "v1.1"
