"""The page as a person uses it, in a real Chromium."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from drawops.drawings.synth import generate
from drawops.registry import Records
from drawops.serving.keys import KeyRing
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


def shown(browser, css: str) -> list:
    from selenium.webdriver.common.by import By

    return browser.find_elements(By.CSS_SELECTOR, css)


def read_in(browser, url: str, drawing: Path) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(url)
    shown(browser, "#file")[0].send_keys(str(drawing))
    WebDriverWait(browser, 300).until(lambda b: shown(b, "#lines tr"))


def test_a_dropped_drawing_is_read_and_a_line_is_shown_where_it_stands(browser, url: str, drawing: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    read_in(browser, url, drawing)
    rows, shapes = shown(browser, "#lines tr"), shown(browser, "#sheet polygon")
    assert len(rows) == len(shapes) > 5
    assert shown(browser, "#model")[0].text == "v1.0"
    rows[2].click()
    (chosen,) = shown(browser, "#sheet .chosen")
    assert chosen.get_attribute("data-i") == rows[2].get_attribute("data-i")
    assert shown(browser, "#closer b")[0].text == rows[2].find_element("css selector", ".text").text
    browser.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    (chosen,) = shown(browser, "#sheet .chosen")
    assert chosen.get_attribute("data-i") == rows[3].get_attribute("data-i")
    other = shown(browser, "#sheet polygon:not(.chosen)")[4]
    browser.execute_script("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))", other)
    assert shown(browser, "#lines [aria-selected=true]")[0].get_attribute("data-i") == other.get_attribute("data-i")


def test_of_a_blank_page_it_is_said_that_no_text_was_found(browser, url: str, tmp_path: Path) -> None:
    from PIL import Image
    from selenium.webdriver.support.ui import WebDriverWait

    Image.new("RGB", (600, 400), "white").save(tmp_path / "空白.png", dpi=(150, 150))
    browser.get(url)
    shown(browser, "#file")[0].send_keys(str(tmp_path / "空白.png"))
    WebDriverWait(browser, 300).until(lambda b: shown(b, "main.shown"))
    said = shown(browser, "#message")[0].text
    assert said.startswith(("No text was found", "未发现文字"))


def test_dimensions_and_title_block_are_shown_and_can_be_taken_along(browser, url: str, drawing: Path) -> None:
    import urllib.request

    read_in(browser, url, drawing)
    everything = len(shown(browser, "#lines tr"))
    shown(browser, "#kinds option[value=measures]")[0].click()
    rows = shown(browser, "#lines tr")
    assert 3 < len(rows) < everything
    assert all(row.find_element("css selector", ".kind").text for row in rows)
    number = shown(browser, "#fields [data-field=number]")[0].text
    assert number == drawing.stem.split("_")[0]
    for kind in ("json", "csv", "xlsx"):
        link = shown(browser, f"#{kind}")[0]
        assert link.get_attribute("download") == f"{drawing.stem}.{kind}"
        with urllib.request.urlopen(link.get_attribute("href")) as answer:
            content = answer.read()
        assert content[:2] == b"PK" if kind == "xlsx" else number in content.decode("utf-8-sig")


def test_the_page_speaks_chinese_and_english(browser, url: str) -> None:
    from selenium.webdriver.common.by import By

    browser.get(url)
    title = browser.find_element(By.ID, "drop-title")
    assert title.text == "Drop a drawing here"
    browser.find_element(By.ID, "language").click()
    assert title.text == "把图纸拖到这里"
    browser.find_element(By.ID, "language").click()


def test_the_address_may_name_the_language(browser, url: str) -> None:
    from selenium.webdriver.common.by import By

    browser.get(f"{url}/?lang=zh")
    assert browser.find_element(By.ID, "drop-title").text == "把图纸拖到这里"
    browser.find_element(By.ID, "language").click()
    browser.refresh()
    assert browser.find_element(By.ID, "drop-title").text == "Drop a drawing here"


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


def test_a_person_signs_in_with_a_key_reads_and_signs_out(browser, drawing: Path, tmp_path: Path) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    settings = load_settings(tmp_path / "家", serve="base")
    secret = KeyRing(settings).add("王芳", "reader")
    with server_process(settings, watch=False) as url:
        browser.get(f"{url}/")
        assert "/sign-in" in browser.current_url
        shown(browser, "input[name=key]")[0].send_keys(secret)
        shown(browser, "button.main")[0].click()
        WebDriverWait(browser, 60).until(lambda b: "/sign-in" not in b.current_url)
        read_in(browser, f"{url}/", drawing)
        assert shown(browser, "#who")[0].text == "王芳"
        assert browser.execute_script("return document.cookie") == ""  # no script sees the key
        shown(browser, "#signed button")[0].click()
        WebDriverWait(browser, 60).until(lambda b: "/sign-in" in b.current_url)
        browser.get(f"{url}/")
        assert "/sign-in" in browser.current_url
    (read,) = Records(settings.records_url).of_drawing(drawing.name)
    assert read.caller == "王芳"
