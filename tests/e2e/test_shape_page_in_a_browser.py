"""Similar parts as a person finds them, in a real Chromium."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from drawops.drawings.synth import generate
from drawops.serving.process import server_process
from drawops.serving.shapes import shape_search
from drawops.settings import load_settings, prepare_home

pytestmark = [pytest.mark.server, pytest.mark.slow]


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("图纸")
    generate(
        folder, drawings=8, seed=21, formats=("pdf",), families=("sprocket", "flange", "base_plate", "angle_profile")
    )
    return folder


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, drawings: Path) -> Iterator[str]:
    settings = prepare_home(load_settings(tmp_path_factory.mktemp("home")))
    search = shape_search(settings)
    search.add([drawings])
    search.close()
    with server_process(settings) as address:
        yield address


@pytest.fixture
def results(browser, url: str, drawings: Path):
    """The page after a search with one of the drawings."""
    browser.get(f"{url}/shapes?lang=en")
    browser.find_element(By.ID, "file").send_keys(str(sorted(drawings.glob("*.pdf"))[0]))
    browser.find_element(By.CSS_SELECTOR, "#upload button").click()
    wait(browser)
    return browser


def wait(browser) -> None:
    WebDriverWait(browser, 60).until(lambda b: b.find_elements(By.ID, "count"))


def after(browser, act) -> None:
    """Do something that loads the next page, and wait for that."""
    old = browser.find_element(By.ID, "count")
    act()
    WebDriverWait(browser, 60).until(lambda b: _gone(old))
    wait(browser)


def _gone(element) -> bool:
    from selenium.common.exceptions import StaleElementReferenceException

    try:
        element.is_enabled()
    except StaleElementReferenceException:
        return True
    return False


def hits(browser) -> list[str]:
    return [hit.get_attribute("title") for hit in browser.find_elements(By.CSS_SELECTOR, ".hit")]


def test_a_drawing_finds_itself_first_and_a_hit_opens_its_drawing(results, drawings: Path) -> None:
    first = results.find_element(By.CSS_SELECTOR, ".hit")
    assert first.get_attribute("title") == sorted(drawings.glob("*.pdf"))[0].name
    assert first.find_element(By.CSS_SELECTOR, ".score").text == "1.000"
    first.click()
    WebDriverWait(results, 30).until(lambda b: b.find_elements(By.CSS_SELECTOR, "rect.chosen"))
    assert results.find_elements(By.CSS_SELECTOR, "svg.sheet image")


def test_a_threshold_and_a_family_narrow_the_hits(results) -> None:
    every = hits(results)
    family = Select(results.find_element(By.NAME, "is.family"))
    after(results, lambda: family.select_by_value("flange"))
    assert 0 < len(hits(results)) < len(every)
    slider = results.find_element(By.ID, "min_score")
    after(results, lambda: slider.send_keys(Keys.END))
    assert hits(results) == [] or "1.000" in results.find_element(By.CSS_SELECTOR, ".score").text


def test_gone_back_to_a_search_shows_the_filters_that_it_had(results) -> None:
    every = hits(results)
    after(results, lambda: Select(results.find_element(By.NAME, "is.family")).select_by_value("flange"))
    assert results.current_url.endswith("&is.family=flange"), "the address names what was chosen, not what was not"
    results.back()
    WebDriverWait(results, 30).until(lambda b: "flange" not in b.current_url)
    wait(results)
    assert hits(results) == every and results.find_element(By.NAME, "is.family").get_attribute("value") == ""


def test_a_box_drawn_with_the_mouse_searches_with_that_view(results) -> None:
    view = results.find_element(By.CSS_SELECTOR, "#sheet a rect")
    size = view.size
    draw = ActionChains(results).move_to_element(view)
    draw.move_by_offset(-size["width"] // 2 - 6, -size["height"] // 2 - 6).click_and_hold()
    draw.move_by_offset(size["width"] // 2, size["height"] // 2)
    draw.move_by_offset(size["width"] // 2 + 12, size["height"] // 2 + 12).release()
    after(results, draw.perform)
    assert results.find_element(By.ID, "box").get_attribute("value").count(",") == 3
    assert results.find_elements(By.CSS_SELECTOR, "#sheet rect.chosen") and hits(results)


def test_a_view_is_chosen_with_the_keyboard_alone(results) -> None:
    buttons = results.find_elements(By.CSS_SELECTOR, "nav.views a")
    after(results, lambda: buttons[1].send_keys(Keys.ENTER))
    chosen = results.find_element(By.CSS_SELECTOR, "nav.views a.chosen")
    assert chosen.text == "View 1" and hits(results)


def test_the_threshold_is_moved_with_the_keyboard_which_stays_on_it(results) -> None:
    slider = results.find_element(By.ID, "min_score")
    after(results, lambda: slider.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT))
    assert results.find_element(By.ID, "shown").text == "0.53"
    assert results.switch_to.active_element.get_attribute("id") == "min_score"


def test_a_drawing_dropped_on_the_page_is_searched_with(browser, url: str, drawings: Path) -> None:
    browser.get(f"{url}/shapes?lang=zh")
    file = sorted(drawings.glob("*.pdf"))[1]
    browser.execute_script(
        """
        const bytes = Uint8Array.from(atob(arguments[0]), c => c.charCodeAt(0)), dropped = new DataTransfer();
        dropped.items.add(new File([bytes], arguments[1], {type: "application/pdf"}));
        document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: dropped, bubbles: true, cancelable: true}));
        """,
        base64.b64encode(file.read_bytes()).decode(),
        "图纸 1.pdf",
    )
    wait(browser)
    assert hits(browser)[0] == file.name and "个零件" in browser.find_element(By.ID, "count").text
