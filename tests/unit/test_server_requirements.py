"""The short list of the server's image beside the whole one of pyproject.toml."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9_.-]", requirement.strip(), maxsplit=1)[0].lower().replace("_", "-")


def test_the_server_takes_only_what_drawops_depends_on_and_constraints_pin() -> None:
    lines = (ROOT / "containers/server/requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = {name(line) for line in lines if line and not line.startswith("#")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    known = {name(r) for r in [*project["dependencies"], *project["optional-dependencies"]["servers"]]}
    pinned = {name(line) for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()}
    assert wanted - {"mlflow-skinny"} <= known
    assert wanted <= pinned
