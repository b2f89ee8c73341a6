"""The documents say what the program does."""

import re
from pathlib import Path

import pytest
import typer

from drawops.cli import app

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands(group: typer.core.TyperGroup, prefix: str = "drawops") -> dict[str, object]:
    found: dict[str, object] = {}
    for name, command in group.commands.items():
        inner = commands(command, f"{prefix} {name}") if hasattr(command, "commands") else {f"{prefix} {name}": command}
        found |= inner
    return found


COMMANDS = commands(typer.main.get_command(app))


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_in_the_reference(command: str) -> None:
    assert f"`{command}" in (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_takes_json(command: str) -> None:
    options = {option for p in COMMANDS[command].params for option in p.opts}
    assert "--json" in options


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_commands_in_the_documents_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for line in re.findall(r"(?:^|`)(?:\$ )?(drawops(?: [a-z][a-z-]*)+)", text, flags=re.MULTILINE):
        words = line.split()
        assert any(" ".join(words[:n]) in COMMANDS for n in (2, 3)) or " ".join(words[:2]) in {
            " ".join(c.split()[:2]) for c in COMMANDS
        }, line


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_between_the_documents_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target
