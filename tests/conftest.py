"""What all tests share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from drawops.settings import Settings, load_settings, prepare_home

_KEPT = {"DRAWOPS_REQUIRE", "DRAWOPS_SHARED"}


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own DRAWOPS_* variables must not steer a test."""
    for name in list(os.environ):
        if name.startswith("DRAWOPS_") and name not in _KEPT:
            monkeypatch.delenv(name)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A fresh home with a Chinese name, as DRAWOPS_HOME."""
    folder = tmp_path / "图纸 home"
    monkeypatch.setenv("DRAWOPS_HOME", str(folder))
    yield prepare_home(load_settings())


@pytest.fixture
def shared() -> Path:
    """Test drawings that are not part of the project; a test that uses them skips without them."""
    folder = Path(os.environ.get("DRAWOPS_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"no test drawings in {folder} (set DRAWOPS_SHARED)")
    return folder


def needs(what: str, reason: str) -> None:
    """Skip with a reason, or fail where CI says that `what` must be there (DRAWOPS_REQUIRE=browser,…)."""
    if what in os.environ.get("DRAWOPS_REQUIRE", "").split(","):
        pytest.fail(f"{what} is required here, but {reason}")
    pytest.skip(f"needs {what}: {reason}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with slow tests run first: of several processes none is left alone at the end with a long one.

    Tests that need a server or a browser run in `make test-servers`; elsewhere they skip, whatever is installed.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    if os.environ.get("DRAWOPS_REQUIRE"):
        return
    skip = pytest.mark.skip(reason="needs a server or a browser: runs in `make test-servers`")
    for item in items:
        if item.get_closest_marker("server"):
            item.add_marker(skip)
