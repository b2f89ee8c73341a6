"""The report holds what it must and needs no network."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from drawops.evaluation.line_sets import LineSet
from drawops.evaluation.report import (
    ApprovalEntry,
    LineageStep,
    ReadDrawing,
    ReadLine,
    ReportData,
    SimilarHit,
    SimilarQuery,
    StepCost,
    load_curve,
    picture,
    render_report,
    software_versions,
    write_report,
)
from drawops.evaluation.results import EvaluationReport, ModelSummary

SHEET = np.full((700, 1000, 3), 255, np.uint8)
QUAD = [(100.0, 100.0), (300.0, 100.0), (300.0, 140.0), (100.0, 140.0)]


class Links(HTMLParser):
    """Every address that the page would load or link to."""

    def __init__(self):
        super().__init__()
        self.found = []
        self.open_tags = []

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag("img", attrs)  # as an element that needs no end

    def handle_starttag(self, tag, attrs):
        self.found += [v for k, v in attrs if k in ("src", "href", "action", "srcset", "data") and v]
        if tag not in ("meta", "link", "img", "br"):
            self.open_tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open_tags.pop() == tag


@pytest.fixture
def evaluation(tmp_path):
    """Two lines read by hand-made models."""
    import cv2

    from drawops.evaluation.comparison import compare
    from drawops.ocr import Reading

    for name in ("0.png", "1.png"):
        cv2.imencode(".png", SHEET[:48, :200])[1].tofile(tmp_path / name)
    rows = tuple(
        {"image": f"{i}.png", "text": t, "drawing": d} for i, (t, d) in enumerate([("⌀60H7", "a"), ("R5", "b")])
    )
    lines = LineSet(tmp_path, rows, "0" * 64)
    result = compare(
        "drawings", lines, [Reading("⌀60H7", 1), Reading("R5", 1)], [Reading("060H7", 1), Reading("R5", 1)]
    )
    models = {n: ModelSummary(label=n, sha256=n * 32, classes=18710) for n in ("v1.1", "v1.0")}
    return EvaluationReport(candidate=models["v1.1"], champion=models["v1.0"], sets=[result])


@pytest.fixture
def everything(evaluation):
    line = ReadLine(quad=QUAD, before="060H7", after="⌀60H7", truth="⌀60H7")
    return ReportData(
        title="图纸识别 <v1.1>",
        status="Deployed",
        drawings=[ReadDrawing(name="轴套.pdf", picture=picture(SHEET), width=1000, height=700, lines=[line])],
        curve=[{"epoch": 1, "loss": 2.5, "accuracy": 0.6}, {"epoch": 2, "loss": 0.5, "accuracy": 0.98}],
        evaluation=evaluation,
        verdict={"gate": "default", "passed": True, "undecided": False, "reasons": ["✓ Gained 36.00 points."]},
        approvals=[
            ApprovalEntry(
                time="2026-11-23T07:00:00+00:00",
                who="demo (unattended)",
                action="approve",
                subject="v1.1",
                from_status="Pending",
                to_status="Approved",
                why="passed its gate",
            )
        ],
        similar=[
            SimilarQuery(name="轴套.pdf", hits=[SimilarHit(name="衬套.dxf", score=0.971, picture=picture(SHEET))])
        ],
        lineage=[LineageStep(kind="Dataset version", name="demo@3f9a", details=["split by drawing"])],
        costs=[StepCost(name="train", seconds=141, peak_mb=2400), StepCost(name="evaluate", seconds=9)],
        configuration={"epochs": 30, "fonts": ["a", "b"]},
        software=software_versions(),
    )


def test_a_drawing_shows_its_dimensions_and_title_block(everything):
    from drawops.dimensions import parse_dimension

    line = ReadLine(quad=QUAD, before="060H7", after="⌀60H7", dimension=parse_dimension("⌀60H7").to_dict())
    block = {"name": "轴套", "number": "DW-7", "material": None}
    drawing = everything.drawings[0].model_copy(update={"lines": [line], "title_block": block})
    html = render_report(everything.model_copy(update={"drawings": [drawing]}))
    assert "Dimensions (1)" in html and "diameter 60 H7 mm" in html
    assert "DW-7" in html and "<span>material</span>" not in html


def test_the_report_holds_every_section_with_its_content(everything, tmp_path):
    html = write_report(tmp_path / "报告" / "report.html", everything).read_text(encoding="utf-8")
    for expected in (
        "passes the gate “default”",
        "Gained 36.00 points.",
        "轴套.pdf",
        "demo (unattended)",
        "A demonstration without a person at the terminal",
        "0.971",
        "demo@3f9a",
        "2 min 21 s",
        "2,400 MiB",
        "Exact match on validation lines",
        "审批记录",
        "onnxruntime",
        "a, b",
    ):
        assert expected in html, expected
    assert "图纸识别 &lt;v1.1&gt;" in html  # text is text, never markup


def test_the_report_loads_nothing_from_elsewhere(everything):
    html = render_report(everything)
    links = Links()
    links.feed(html)
    links.close()
    assert not links.open_tags  # every element is closed
    assert len(links.found) > 10
    assert [a for a in links.found if not a.startswith(("data:", "#"))] == []
    assert all(a.startswith("data:") for a in re.findall(r"url\(([^)]*)\)", html))
    assert "http://" not in html and "https://" not in html and "<script" not in html


def test_changed_characters_are_marked(everything):
    html = render_report(everything)
    assert '<span class="reading"><mark>0</mark>60H7</span>' in html
    assert '<span class="reading new"><mark>⌀</mark>60H7</span>' in html


def test_sections_without_data_are_left_out_or_say_why(evaluation):
    html = render_report(ReportData(title="train", missing={"approval": "Nobody has decided yet."}))
    assert "Nobody has decided yet." in html
    for heading in ("Similar parts", "Lineage", "What the gate says", "Time and memory", "Lost, kept and gained"):
        assert heading not in html


def test_an_undecided_gate_says_who_keeps_serving(evaluation):
    verdict = {"gate": "strict", "passed": False, "undecided": True, "reasons": ["? About 7,173 more lines."]}
    html = render_report(ReportData(title="t", evaluation=evaluation, verdict=verdict))
    assert "v1.1 is undecided at the gate" in html and "v1.0 keeps serving" in html
    assert '<li class="open">' in html


def test_pictures_are_scaled_down_and_keep_their_kind():
    import base64

    import cv2

    grey, colour = np.full((500, 2000, 3), 255, np.uint8), np.full((50, 40, 3), (255, 0, 0), np.uint8)
    assert picture(colour).startswith("data:image/jpeg;base64,")
    uri = picture(grey, max_side=400)
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(uri.split(",")[1]), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert decoded.shape == (100, 400) and decoded.min() == 255  # white stays white


def test_the_curve_of_a_model_directory_is_read(tmp_path):
    assert load_curve(tmp_path) == []
    (tmp_path / "curve.json").write_text(json.dumps([{"epoch": 1, "loss": 2.0}]), encoding="utf-8")
    assert load_curve(tmp_path) == [{"epoch": 1, "loss": 2.0}]
