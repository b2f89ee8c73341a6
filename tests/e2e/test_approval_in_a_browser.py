"""A quality manager approves a version in the MLflow UI, in a real Chromium: signs in, gives a reason, approves; the
version is deployed on the server that runs, and the audit record names the person."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from drawops.registry import ModelRegistry, ModelVersion
from drawops.registry.accounts import set_account
from drawops.registry.ui import mlflow_ui
from drawops.settings import Settings, prepare_home

pytestmark = [pytest.mark.server, pytest.mark.slow]
NAME, PASSWORD = "李伟", "li-wei-password"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("质量") / "home"
    settings = prepare_home(Settings(home=home, sign_in=True, mlflow_password="drawops-own-password"))
    ModelRegistry(settings).ensure_base()
    set_account(settings, NAME, PASSWORD, "approver")
    return settings


@pytest.fixture(scope="module")
def address(settings: Settings) -> Iterator[str]:
    with mlflow_ui(settings, 0) as (address, _):
        yield address


def candidate(settings: Settings, folder: Path, trained_by: str) -> ModelVersion:
    """A version with the base model's files, so that a server can serve it."""
    registry = ModelRegistry(settings)
    shutil.copytree(registry.fetch("v1.0"), folder / "model")
    verdict = {"passed": True, "reasons": ["reads ⌀ in 98 of 98 lines"]}
    values = {"mode": "incremental", "base": "v1.0", "dataset": "阀门@0123456789ab"}
    return registry.register(folder / "model", **values, verdict=verdict, trained_by=trained_by)


class VersionPage:
    """The page of a model version, as a person uses it."""

    def __init__(self, browser, address: str, settings: Settings, version: ModelVersion) -> None:
        self.browser = browser
        host = address.removeprefix("http://")
        browser.execute_cdp_cmd("Network.enable", {})
        self._sign_in(NAME, PASSWORD)
        browser.get(f"http://{host}/#/models/{settings.model_name}/versions/{version.version}")
        self.wait("[data-testid=tags-cell], .mlflow-ui-container")

    def _sign_in(self, name: str, password: str) -> None:
        import base64

        token = base64.b64encode(f"{name}:{password}".encode()).decode()
        self.browser.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {"Authorization": f"Basic {token}"}})

    def wait(self, css: str, seconds: float = 60):
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.browser, seconds).until(lambda b: b.find_elements("css selector", css))[0]
