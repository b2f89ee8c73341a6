"""A quality manager approves a version in the MLflow UI, in a real Chromium: signs in, gives a reason, approves; the
version is deployed on the server that runs, and the audit record names the person."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from drawops.registry import ModelRegistry, ModelVersion
from drawops.registry.accounts import set_account
from drawops.registry.ui import mlflow_ui
from drawops.serving.process import server_process
from drawops.serving.servers import call
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
        browser.get(f"http://{quote(NAME)}:{quote(PASSWORD)}@{address.removeprefix('http://')}/")  # the sign-in box
        browser.get(f"{address}/#/models/{settings.model_name}/versions/{version.version}")
        self.wait(STATUS)

    def wait(self, css: str, text: str = ""):
        from selenium.common.exceptions import StaleElementReferenceException
        from selenium.webdriver.support.ui import WebDriverWait

        def shown(browser):
            return next((e for e in browser.find_elements("css selector", css) if text in e.text), None)

        return WebDriverWait(
            self.browser, 120, ignored_exceptions=[StaleElementReferenceException], poll_frequency=0.2
        ).until(shown)

    def add_tag(self, name: str, value: str) -> None:
        self.wait("[data-testid=tags-form-input-name]").send_keys(name)
        self.wait("[data-testid=tags-form-input-value]").send_keys(value)
        self.click("[data-testid=add-tag-button]")
        self.wait(f"tr[data-row-key={name}]", value)

    def set_status(self, value: str) -> None:
        from selenium.webdriver.common.keys import Keys

        self.click(f"{STATUS} [data-testid=editable-table-button-edit]")
        field = self.wait(f"{STATUS} [data-testid=editable-table-edited-input]")
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(value)
        self.click(f"{STATUS} [data-testid=editable-table-button-save]")

    def click(self, css: str) -> None:
        self.browser.execute_script("arguments[0].click()", self.wait(css))  # whatever lies over it


STATUS = "tr[data-row-key=approval_status]"


def test_who_signed_in_approves_and_the_server_serves_the_version(
    browser, settings: Settings, address: str, tmp_path: Path
) -> None:
    registry = ModelRegistry(settings)
    version = candidate(settings, tmp_path, trained_by="王芳")
    with server_process(settings) as server:
        assert call("GET", f"{server}/v1/model")["label"] == "v1.0"
        page = VersionPage(browser, address, settings, version)
        page.set_status("Approved")
        page.wait("[role=alert], .du-bois-light-notification-notice", "must say why")
        page.add_tag("approval_reason", "读得出形位公差")
        page.set_status("Approved")
        deadline = time.monotonic() + 240
        while call("GET", f"{server}/v1/model")["label"] != version.label and time.monotonic() < deadline:
            time.sleep(0.5)
        assert call("GET", f"{server}/v1/model")["label"] == version.label
    browser.refresh()
    page.wait(STATUS, "Deployed")
    lines = [(e.who, e.action, e.source) for e in registry.audit.entries(version.label)]
    assert (NAME, "refused", "mlflow-sign-in") in lines and (NAME, "approve", "mlflow-sign-in") in lines
    approval = next(e for e in registry.audit.entries(version.label) if e.action == "approve")
    assert approval.why == "读得出形位公差"
    assert registry.get("champion").approved_by == NAME
    assert registry.verify() == []


def test_who_trained_a_version_is_told_that_another_person_decides(
    browser, settings: Settings, address: str, tmp_path: Path
) -> None:
    version = candidate(settings, tmp_path, trained_by=NAME)
    page = VersionPage(browser, address, settings, version)
    page.add_tag("approval_reason", "我自己训练的")
    page.set_status("Approved")
    page.wait(".du-bois-light-notification-notice", "Ask somebody else")
    page.wait(STATUS, "Pending")
    assert ModelRegistry(settings).get(version.label).status == "Pending"
