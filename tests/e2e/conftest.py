"""A real Chromium for the tests of the pages."""

import shutil
from collections.abc import Iterator

import pytest

from tests.conftest import needs

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
    "--lang=en",
]


@pytest.fixture(scope="module")
def browser() -> Iterator["object"]:
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        needs("browser", "chromium and chromedriver are not installed (infra/ci/install-test-tools)")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in FLAGS:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.implicitly_wait(0)
    yield driver
    driver.quit()
