"""The page as a person uses it, in a real Chromium."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from drawops.drawings.synth import generate
from drawops.serving.process import server_process
from drawops.settings import Settings, load_settings

pytestmark = [pytest.mark.server, pytest.mark.slow]


@pytest.fixture(scope="module")
def drawing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("图纸")
    generate(folder, drawings=1, seed=5, formats=("png",))
    return next(folder.glob("*.png"))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings: Settings = load_settings(tmp_path_factory.mktemp("home"))
    with server_process(settings) as address:
        yield address


def test_a_dropped_drawing_is_read_and_a_line_is_shown_where_it_stands(browser, url: str, drawing: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(url)
    browser.find_element(By.ID, "file").send_keys(str(drawing))
    WebDriverWait(browser, 120).until(lambda b: b.find_elements(By.CSS_SELECTOR, "#lines button"))
    rows = browser.find_elements(By.CSS_SELECTOR, "#lines button")
    shapes = browser.find_elements(By.CSS_SELECTOR, "#sheet polygon")
    assert len(rows) == len(shapes) > 5
    assert browser.find_element(By.ID, "model").text == "v1.0"
    rows[2].click()
    assert "chosen" in browser.find_element(By.CSS_SELECTOR, '#sheet [data-i="2"]').get_attribute("class")
    assert browser.find_element(By.ID, "json").get_attribute("download").endswith(".json")
    assert browser.find_element(By.ID, "csv").get_attribute("href").startswith("blob:")


def test_the_page_speaks_chinese_and_english(browser, url: str) -> None:
    from selenium.webdriver.common.by import By

    browser.get(url)
    title = browser.find_element(By.ID, "drop-title")
    assert title.text == "Drop a drawing here"
    browser.find_element(By.ID, "language").click()
    assert title.text == "把图纸拖到这里"
    browser.find_element(By.ID, "language").click()


def test_a_file_that_is_no_drawing_is_refused_in_words(browser, url: str, tmp_path: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    bad = tmp_path / "坏.pdf"
    bad.write_bytes(b"no pdf at all")
    browser.get(url)
    browser.find_element(By.ID, "file").send_keys(str(bad))
    message = browser.find_element(By.ID, "message")
    WebDriverWait(browser, 30).until(lambda b: "error" in (message.get_attribute("class") or ""))
    assert "坏.pdf" in message.text


def test_the_api_page_needs_no_network(browser, url: str) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(f"{url}/docs")
    WebDriverWait(browser, 30).until(lambda b: b.find_elements(By.CSS_SELECTOR, ".opblock"))
    assert "/v1/read" in browser.find_element(By.ID, "swagger-ui").text
