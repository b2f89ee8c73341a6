"""Similar parts on the page: what a person gets, without a script."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from drawops.serving.app import create_app
from drawops.serving.shapes import shape_search
from drawops.serving.uploads import KeptDrawings
from drawops.settings import Settings, prepare_home

PLATE = np.array([(0, 0), (300, 0), (300, 90), (110, 90), (110, 260), (0, 260)])

NUMBERS = ("P-100", "P-101", "", "P-103")  # of the drawings


def part(number: int) -> np.ndarray:
    """An angle plate, the longer the higher its number, and a bolted disc beside it."""
    image = np.full((700, 1100, 3), 255, np.uint8)
    plate = (PLATE * (1 + 0.06 * number, 1) + (80, 150)).astype(np.int32)
    cv2.polylines(image, [plate], True, (0, 0, 0), 5)
    cv2.circle(image, (850, 300), 150, (0, 0, 0), 5)
    for angle in range(0, 360, 60 + 15 * number):
        hole = np.array([850, 300]) + 100 * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
        cv2.circle(image, hole.astype(int).tolist(), 14, (0, 0, 0), 5)
    return image


def write(path: Path, image: np.ndarray) -> Path:
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return path


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    folder = tmp_path_factory.mktemp("零件")
    settings = prepare_home(Settings(home=folder / "home", threads=1))
    cache = tmp_path_factory.getbasetemp() / "network"  # the network is exported once for all modules
    cache.mkdir(exist_ok=True)
    (settings.home / "cache").rmdir()
    (settings.home / "cache").symlink_to(cache)
    rows = ["file,name,family,date,number"]
    for number in range(4):
        write(folder / f"板{number}.png", part(number))
        rows.append(
            f"板{number}.png,角板 {number},{'angle' if number < 2 else 'long angle'},202{number}-03-01,{NUMBERS[number]}"
        )
    (folder / "parts.csv").write_text("\n".join(rows), encoding="utf-8")
    shape_search(settings).add([folder])
    return create_app(settings)


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    yield TestClient(app)  # without its lifespan: no model is needed to search


def hits(html: str) -> list[str]:
    return re.findall(r'<a class="hit" title="([^"]+)"', html)


def search(client: TestClient, image: np.ndarray, tmp_path: Path) -> str:
    """Upload a drawing; the address of its search."""
    data = write(tmp_path / "查询.png", image).read_bytes()
    answer = client.post("/shapes", files={"file": ("查询.png", data)}, follow_redirects=False)
    assert answer.status_code == 303
    return answer.headers["location"]


def test_a_drawing_is_searched_with_as_a_whole_or_with_one_view(client: TestClient, tmp_path: Path) -> None:
    address = search(client, part(1), tmp_path)
    html = client.get(address).text
    assert hits(html)[0] == "板1.png" and len(hits(html)) == 4
    views = re.findall(r'class="button" href="([^"]+)">View', html)
    assert len(views) == 2 and all("box=" in view for view in views)
    one = client.get(views[0].replace("&amp;", "&")).text
    assert "chosen" in one and hits(one)[0] == "板1.png"


def test_threshold_choice_and_dates_narrow_the_answer(client: TestClient, tmp_path: Path) -> None:
    address = search(client, part(0), tmp_path)
    assert hits(client.get(address + "&min_score=0.999").text) == ["板0.png"]
    assert set(hits(client.get(address + "&is.family=long angle").text)) == {"板2.png", "板3.png"}
    dated = client.get(address + "&from.date=2021-01-01&to.date=2022-12-31").text
    assert set(hits(dated)) == {"板1.png", "板2.png"}
    assert 'value="2021-01-01"' in dated, "the form keeps what was chosen"


def test_a_field_of_many_values_is_typed_and_dates_have_a_calendar(tmp_path: Path) -> None:
    from drawops.serving.shape_pages import Asked, _choices, _ranges

    facets = {
        "material": {f"材料 {i}": 5 for i in range(90)},
        "plant": {"苏州": 300, "Köln": 150},
        "title": {f"part {i}": 1 for i in range(100)},
        "date": {"2024-01-01": 3, "2025-02-28": 9},
    }
    chosen = {c["field"]: c["long"] for c in _choices(facets, Asked({"is.plant": "苏州"}))}
    assert chosen == {"material": True, "plant": False}
    assert [(r["field"], r["whole"]) for r in _ranges(facets, Asked({}))] == [("date", True)]


def test_more_than_the_first_hits_can_be_asked_for(client: TestClient, tmp_path: Path) -> None:
    address = search(client, part(0), tmp_path)
    first = unescape(client.get(address + "&k=2&lang=en").text)
    assert len(hits(first)) == 2 and "The 2 most similar parts" in first
    (more,) = re.findall(r'href="([^"]+)">Show more', first)
    assert '<input type="hidden" name="k" value="2">' in first, "a filter keeps to it"
    assert len(hits(client.get(more).text)) == 4
    assert len(hits(client.get("/shapes?id=板0.png&k=2").text)) == 2, "beside itself"
    assert "Show more" not in client.get(address + "&lang=en").text


def test_a_card_shows_what_a_parts_list_in_other_words_says() -> None:
    from drawops.serving.shape_pages import _card

    own = {"file": "a.pdf", "path": "/x/a.pdf", "sha256": "0", "pages": 1}
    assert _card({"family": "flange", "date": "2024-01-01", "weight": "1", **own}) == ["flange", "2024-01-01"]
    assert _card({"类别": "法兰", "牌号": "Q235A", **own}) == ["法兰", "Q235A"] and _card(own) == []


def test_a_drawing_that_was_changed_says_so_and_marks_no_view(client: TestClient, app: FastAPI) -> None:
    (path,) = (Path(d.metadata["path"]) for d in [shape_search(app.state.settings).index.get("板3.png")] if d)
    indexed, address = path.read_bytes(), "/shapes/drawing?id=板3.png&box=10,10,300,300&lang=zh"
    assert "已被改动" not in client.get(address).text
    try:
        write(path, part(0))
        shown = client.get(address).text
    finally:
        path.write_bytes(indexed)
    assert "板3.png：文件入库后已被改动，请用" in shown and 'rect class="chosen"' not in shown and "<image" in shown


def test_a_hit_opens_its_drawing_and_leads_to_parts_like_it(client: TestClient, tmp_path: Path) -> None:
    html = client.get(search(client, part(2), tmp_path)).text
    link = re.findall(r'class="hit" title="板2.png" href="([^"]+)"', html)[0].replace("&amp;", "&")
    drawing = client.get(link)
    assert drawing.status_code == 200 and "角板 2" in drawing.text and 'class="chosen"' in drawing.text
    like_it = re.findall(r'class="button" href="([^"]+)"', drawing.text)[0].replace("&amp;", "&")
    assert "板2.png" not in hits(client.get(like_it).text) and len(hits(client.get(like_it).text)) == 3
    assert client.get("/v1/index/picture", params={"id": "板2.png"}).content[:4] == b"\x89PNG"


def test_a_card_shows_the_number_of_its_drawing_or_its_file(client: TestClient, tmp_path: Path) -> None:
    html = client.get(search(client, part(2), tmp_path)).text
    shown = dict(zip(hits(html), re.findall(r'<small class="own"[^>]*>([^<]+)</small>', html), strict=True))
    assert shown == {f"板{i}.png": number or f"板{i}.png" for i, number in enumerate(NUMBERS)}


def test_the_page_speaks_chinese_when_asked(client: TestClient) -> None:
    html = client.get("/shapes", headers={"accept-language": "zh-CN,zh"}).text
    assert "查找相似零件" in html and "4 张图纸已入库" in html
    assert "Find similar parts" in client.get("/shapes?lang=en", headers={"accept-language": "zh-CN"}).text


def test_the_page_of_a_drawing_has_a_switch_of_language(client: TestClient) -> None:
    shown = client.get("/shapes/drawing?id=板2.png&page=0&box=10,10,300,300&lang=en").text
    (switch,) = re.findall(r'<a href="([^"]+)" lang="zh">中文</a>', shown)
    chinese = client.get(switch.replace("&amp;", "&")).text
    assert "查找与此相似的零件" in chinese and "角板 2" in chinese and 'class="chosen"' in chinese
    assert re.search(r'<a href="/shapes/drawing\?[^"]+" lang="en">English</a>', chinese)


def test_what_cannot_be_searched_is_said_on_the_page(client: TestClient, tmp_path: Path) -> None:
    blank = client.get(search(client, np.full((300, 300, 3), 255, np.uint8), tmp_path))
    assert blank.status_code == 422 and "查询.png: no shape was found" in blank.text
    tiny = client.get(search(client, np.zeros((3, 3, 3), np.uint8), tmp_path))
    assert tiny.status_code == 422 and "查询.png: 3 x 3 pixels are too few" in tiny.text
    bad = client.post("/shapes", files={"file": ("坏.pdf", b"no pdf")})
    assert bad.status_code == 422 and "坏.pdf" in bad.text
    assert "not kept any more" in client.get("/shapes?q=0123").text
    gone = client.get("/shapes/drawing?id=板9.png&lang=en").text
    assert "板9.png" in gone and 'href="/shapes?lang=en">New search' in gone
    wrong = client.get(search(client, part(0), tmp_path) + "&box=1,2")
    assert wrong.status_code == 422 and "x0,y0,x1,y1" in wrong.text
    word = client.get(search(client, part(0), tmp_path) + "&min_score=high")
    assert word.status_code == 422 and "min_score=high: must lie between 0" in word.text
    unknown = client.get(search(client, part(0), tmp_path) + "&is.famly=angle")
    assert unknown.status_code == 422 and "Did you mean &#39;family&#39;?" in unknown.text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("box=1000,10,1090,100", "no shape was found in the box"),
        ("min_score=7", "must lie between 0"),
        ("box=5", "x0,y0,x1,y1"),
        ("page=9", "there is no page 9"),
    ],
)
def test_after_an_error_the_form_is_as_it_was_filled_in(
    client: TestClient, tmp_path: Path, wrong: str, said: str
) -> None:
    address = search(client, part(0), tmp_path)
    answer = client.get(f"{address}&is.family=long angle&from.date=2021-01-01&{wrong}")
    assert answer.status_code == 422 and said in answer.text
    form = answer.text[answer.text.index('id="search"') :]
    assert '<option value="long angle" selected>' in form and 'value="2021-01-01"' in form
    assert 'name="to.date"' in form and f'name="q" value="{address.partition("q=")[2].partition("&")[0]}"' in form


def test_the_page_says_whether_the_filters_or_the_threshold_leave_nothing(client: TestClient, tmp_path: Path) -> None:
    address = search(client, part(0), tmp_path)
    for narrow in ("&is.family=angle&from.date=2022-01-01", "&from.date=2025-01-01"):
        html = client.get(address + narrow).text
        assert "No other drawing meets the filters" in html and "Nothing scores that high" not in html
    own = client.get("/shapes?id=板0.png&to.date=2020-12-31&lang=zh").text
    assert "没有其他图纸符合筛选条件" in own, "the drawing asked with is no answer"
    assert "Nothing scores that high" in client.get(address + "&min_score=1&is.family=long angle").text
    for nonsense, said in (
        ("from.date=abc", "&#39;abc&#39; is no date; write 2019-11-05"),
        ("is.family=angel", "angle"),
    ):
        wrong = client.get(f"{address}&{nonsense}")
        assert wrong.status_code == 422 and said in wrong.text
    printed = client.get(address + "&from.date=01.03.2021&to.date=01.03.2022")
    assert set(hits(printed.text)) == {"板1.png", "板2.png"}


def test_a_threshold_that_is_none_is_refused_and_the_slider_does_not_claim_it(client: TestClient) -> None:
    for address in ("/shapes?min_score=7", "/shapes?id=板0.png&min_score=7", "/shapes?id=板0.png&min_score=nan"):
        answer = client.get(address)
        assert answer.status_code == 422 and "must lie between 0 (opposite) and 1 (same)" in answer.text
        assert 'value="7"' not in answer.text and ">7<" not in answer.text
    assert '<output id="shown">0.50</output>' in client.get("/shapes?id=板0.png&min_score=7").text
    assert '<output id="shown">0.75</output>' in client.get("/shapes?id=板0.png&min_score=0.75").text


def test_a_month_or_a_year_is_meant_as_a_whole(client: TestClient, tmp_path: Path) -> None:
    address = search(client, part(0), tmp_path)
    for dates, expected in (
        ("to.date=2022-03", {"板0.png", "板1.png", "板2.png"}),
        ("to.date=2022-02", {"板0.png", "板1.png"}),
        ("to.date=2021", {"板0.png", "板1.png"}),
        ("from.date=2021&to.date=2021", {"板1.png"}),
        ("from.date=2021-03&to.date=2022-03-01", {"板1.png", "板2.png"}),
    ):
        assert set(hits(client.get(f"{address}&{dates}").text)) == expected, dates
    backwards = client.get(f"{address}&from.date=2022-04&to.date=2022-03")
    assert backwards.status_code == 422 and "&#39;2022-04&#39; to &#39;2022-03&#39; is no range" in backwards.text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("min_score=7", "最低分数“7”无效：必须在 0（相反）与 1（相同）之间。"),
        ("is.family=angel", "筛选“零件族”：没有值为 'angel' 的图纸。您要找的是“angle”吗？"),
        ("is.famly=angle", "筛选“famly”：没有图纸带有该字段。您要找的是“family”吗？"),
        ("from.date=abc", "筛选“日期”：“abc”不是日期，请写成 2019-11-05 的形式。"),
        ("from.date=2022&to.date=2021", "筛选“日期”：从 '2022' 到 '2021' 不是有效的范围。"),
        ("box=5", "框“5”无效：请写成 x0,y0,x1,y1（页面像素）。"),
        ("box=0,0,9000,10", "框 [0, 0, 9000, 10] 无效：必须是页面 1100 x 700 像素之内"),
        ("box=1000,10,1090,100", "内没有找到图形"),
        ("page=9", "共 1 页（从 0 编号），没有第 9 页。"),
    ],
)
def test_the_chinese_page_refuses_in_chinese(client: TestClient, wrong: str, said: str) -> None:
    answer = client.get(f"/shapes?id=板0.png&lang=zh&{wrong}")
    assert answer.status_code == 422 and said in unescape(answer.text)


def test_the_chinese_page_refuses_files_in_chinese(client: TestClient, tmp_path: Path) -> None:
    def refusal(name: str, data: bytes) -> str:
        return unescape(client.post("/shapes?lang=zh", files={"file": (name, data)}).text)

    blank = write(tmp_path / "空白.png", np.full((700, 1100, 3), 255, np.uint8)).read_bytes()
    assert "空白.png：图上没有找到图形，图纸是空白的吗？" in refusal("空白.png", blank)
    assert "文件是空的（0 字节）" in refusal("a.png", b"")
    assert "a.docx：不支持 '.docx' 文件" in refusal("a.docx", b"PK")
    assert "a.pdf：内容不是 PDF 文件" in refusal("a.pdf", b"nonsense of some length")
    png = write(tmp_path / "好.png", part(1)).read_bytes()
    assert "cut.png：文件不完整或已损坏" in refusal("cut.png", png[:3000])
    assert "a.jpg：后缀名是 .jpg，内容却是 PNG 文件，请把后缀名改为 .png。" in refusal("a.jpg", png)
    assert "a.pdf：后缀名是 .pdf，内容却是" in refusal("a.pdf", b"PK\x03\x04" + bytes(50))
    assert "cut.pdf：文件不完整或已损坏" in refusal("cut.pdf", b"%PDF-1.7 nonsense")
    assert "cut.dxf：文件不完整或已损坏" in refusal("cut.dxf", b"0\nSECTION\n2\nENTITIES\n")
    header = b"IHDR" + (50_000).to_bytes(4, "big") * 2 + b"\x08\0\0\0\0"
    huge = png[:8] + b"\0\0\0\r" + header + crc32(header).to_bytes(4, "big") + png[33:]
    assert "大.png：超过 " in (said := refusal("大.png", huge)) and " 兆像素，请降低分辨率后导出。" in said
    assert "检索用的图纸已不再保留" in client.get("/shapes?q=abc&lang=zh").text
    assert "索引中没有图纸“x.png”" in client.get("/shapes?id=x.png&lang=zh").text


def test_a_box_and_ranges_go_through_the_api_too(client: TestClient, tmp_path: Path) -> None:
    data = write(tmp_path / "q.png", part(3)).read_bytes()

    def similar(**fields: str) -> dict:
        return client.post("/v1/similar", files={"file": ("q.png", data)}, data=fields).json()

    answer = similar(box="650,100,1050,500", k="2", where='{"date": {"to": "2022-12-31"}}')
    assert len(answer["hits"]) == 2 and {h["mirrored"] for h in answer["hits"]} <= {True, False, None}
    assert "layout" not in answer["hits"][0]["view"]
    assert "x0,y0,x1,y1" in similar(box="here")["error"]
    assert similar(box="5,5,9,9")["error"] == "box [5, 5, 9, 9]: 4 x 4 pixels are too few to hold a shape"
    assert similar(minscore="0.9")["error"].endswith("has none of that name. Did you mean 'min_score'?")
    in_the_address = client.post("/v1/similar?k=1", files={"file": ("q.png", data)})
    assert in_the_address.status_code == 422 and "belongs into the form" in in_the_address.json()["error"]
    for wrong, said in (
        ('{"date": {"since": "2022"}}', "filter 'date': a range is written"),
        ('{"date": {"from": 2024, "to": "2025"}}', "filter 'date': 2024 to '2025' is no range"),
        ('{"family": null}', "filter 'family': must be text, a number or true/false"),
        ('["angle"]', "where: must be a JSON object"),
        ("angle", "where: not valid JSON"),
    ):
        assert similar(where=wrong)["error"].startswith(said)
    dot = client.post(
        "/v1/similar",
        files={"file": ("点.png", write(tmp_path / "点.png", np.zeros((3, 3, 3), np.uint8)).read_bytes())},
    )
    assert dot.json()["error"] == "点.png: 3 x 3 pixels are too few to hold a shape"
    assert client.get("/v1/index/facets").json()["family"] == {"angle": 2, "long angle": 2}


def test_only_the_drawings_asked_for_last_are_kept(tmp_path: Path) -> None:
    kept = KeptDrawings(tmp_path / "asked")
    keys = []
    for number in range(53):
        (tmp_path / f"{number}.txt").write_text(str(number))
        keys.append(kept.keep(tmp_path / f"{number}.txt"))
    assert len(list((tmp_path / "asked").iterdir())) == 50
    assert kept.find(keys[-1]).read_text() == "52"
