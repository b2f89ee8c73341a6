"""Drawings into dataset versions: resumable, idempotent, split by drawing."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from reportlab.pdfgen.canvas import Canvas
from typer.testing import CliRunner

from drawops.cli import app
from drawops.datasets import DatasetStore
from drawops.datasets.duplicates import alike, fingerprint
from drawops.datasets.ingest import ingest
from drawops.datasets.labels import write_label_file
from drawops.datasets.manifest import Split
from drawops.datasets.split import split_drawings
from drawops.drawings import TextLine
from drawops.errors import InputRefused, NotFound
from drawops.settings import Settings, child_environment
from drawops.storage import open_store


def write_drawing(path: Path, number: int) -> Path:
    """A one-page PDF with lines and texts of its own."""
    rng = np.random.default_rng(number)
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas = Canvas(str(path), pagesize=(400, 300), invariant=True)
    canvas.rect(10, 10, 380, 280)
    for x, y, w, h in rng.integers(20, 150, (5, 4)):
        canvas.rect(int(x), int(y), int(w), int(h))
    canvas.drawString(200, 250, f"Part number {number}")
    canvas.drawString(200, 230, f"R{number}.5")
    canvas.save()
    return path


@pytest.fixture
def drawings(tmp_path: Path) -> Path:
    folder = tmp_path / "图纸"
    for number in range(6):
        write_drawing(folder / f"零件 {number}.pdf", number)
    return folder


def datasets(settings: Settings) -> DatasetStore:
    return DatasetStore(open_store(settings.objects_url))


def test_drawings_become_a_version_with_labels_and_pictures(drawings: Path, home: Settings) -> None:
    result = ingest([drawings], "parts", settings=home)
    version = result.version
    assert version is not None and result.refused == () and result.added == 6
    assert version.ref.startswith("parts@") and version.parent == ""
    assert version.counts()["all"] == {"drawings": 6, "pages": 6, "lines": 12}
    assert version.statistics()["label_sources"] == {"vector": 6}
    drawing = next(d for d in version.drawings if d.name == "零件 3.pdf")
    assert {line.text for line in drawing.pages[0].lines} == {"Part number 3", "R3.5"}
    image = datasets(home).page_image(drawing.pages[0])
    assert image.shape == (drawing.pages[0].height, drawing.pages[0].width, 3)
    assert open_store(home.objects_url).get(drawing.key) == (drawings / "零件 3.pdf").read_bytes()


def test_the_same_drawings_give_the_same_version(drawings: Path, home: Settings, tmp_path: Path) -> None:
    first = ingest([drawings], "parts", settings=home).version
    again = ingest([drawings], "parts", settings=home)
    assert again.version == first and again.added == 0
    elsewhere = home.model_copy(update={"home": tmp_path / "other"})
    other = ingest(sorted(drawings.iterdir(), reverse=True), "parts", settings=elsewhere).version
    assert first is not None and other is not None and other.ref == first.ref


def test_more_drawings_make_a_child_in_which_no_drawing_changes_its_split(drawings: Path, home: Settings) -> None:
    first = ingest([drawings], "parts", settings=home).version
    for number in range(6, 20):
        write_drawing(drawings / f"零件 {number}.pdf", number)
    second = ingest([drawings], "parts", settings=home).version
    assert first is not None and second is not None
    assert second.parent == first.ref and len(second.drawings) == 20
    before = {d.sha256: d.split for d in first.drawings}
    assert {d.sha256: d.split for d in second.drawings if d.sha256 in before} == before
    changes = datasets(home).diff(first.ref, second.ref)
    assert (len(changes["added"]), changes["removed"], changes["changed"]) == (14, [], [])


def test_an_ingest_again_reads_no_drawing_again(
    drawings: Path, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest([drawings], "parts", settings=home)
    monkeypatch.setattr("drawops.datasets.ingest.open_drawing", None)
    assert ingest([drawings], "other-name", settings=home).added == 6


def test_what_is_refused_is_named_and_the_rest_goes_on(drawings: Path, home: Settings) -> None:
    (drawings / "空.png").touch()
    (drawings / "wrong.png").write_bytes((drawings / "零件 0.pdf").read_bytes())
    (drawings / "old.dwg").write_bytes(b"AC1032")
    result = ingest([drawings, drawings / "missing"], "parts", settings=home)
    reasons = {Path(r.file).name: r.reason for r in result.refused}
    assert set(reasons) == {"空.png", "wrong.png", "old.dwg", "missing"}
    assert "empty" in reasons["空.png"] and "is a PDF" in reasons["wrong.png"]
    assert result.added == 6


def test_where_nothing_is_usable_there_is_no_version(tmp_path: Path, home: Settings) -> None:
    (tmp_path / "a.png").touch()
    result = ingest([tmp_path / "a.png"], "parts", settings=home)
    assert result.version is None and len(result.refused) == 1
    with pytest.raises(NotFound, match="No dataset 'parts'"):
        datasets(home).get("parts")


def test_label_files_and_families_beside_the_drawings_are_taken(drawings: Path, home: Settings) -> None:
    quad = ((100.0, 100.0), (200.0, 100.0), (200.0, 120.0), (100.0, 120.0))
    line = TextLine("Ø20 h6", quad, source="annotator", kind="dimension")
    write_label_file(drawings / "Label.txt", [("零件 1.pdf", [line])])
    (drawings / "parts.csv").write_text("file,family\n零件 1.pdf,shaft\n", encoding="utf-8")
    result = ingest([drawings], "parts", settings=home)
    assert result.version is not None
    by_name = {d.name: d for d in result.version.drawings}
    labelled = by_name["零件 1.pdf"]
    assert (labelled.label_source, labelled.family) == ("label_file", "shaft")
    assert [(x.text, x.kind, x.quad) for x in labelled.pages[0].lines] == [("⌀20 h6", "dimension", quad)]
    assert by_name["零件 2.pdf"].label_source == "vector"
    assert [(c.file, c.action) for c in result.cleaning] == [("零件 1.pdf", "labels normalised")]


def test_text_that_lacks_its_drawn_symbol_is_no_label(tmp_path: Path, home: Settings) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(400, 300))
    canvas.rect(10, 10, 380, 280)
    canvas.drawString(50, 150, "12.5")
    canvas.circle(44, 154, 4)
    canvas.drawString(50, 100, "R5")
    canvas.save()
    result = ingest([tmp_path / "a.pdf"], "parts", settings=home)
    assert result.version is not None
    assert [line.text for line in result.version.drawings[0].pages[0].lines] == ["R5"]
    assert [(c.action, c.reason) for c in result.cleaning] == [
        ("labels dropped", "1 beside a symbol that is drawn as lines: 12.5")
    ]


def test_a_rescan_is_a_near_duplicate_but_another_part_on_the_same_form_is_not(drawings: Path, home: Settings) -> None:
    from drawops.drawings import open_drawing

    image = open_drawing(drawings / "零件 2.pdf").page(0).image
    noise = np.random.default_rng(0).normal(0, 6, image.shape)
    PIL.Image.fromarray(np.clip(image * 0.95 + noise, 0, 255).astype(np.uint8)).save(drawings / "scan.png")
    (drawings / "copy.pdf").write_bytes((drawings / "零件 4.pdf").read_bytes())
    result = ingest([drawings], "parts", settings=home)
    assert result.version is not None and len(result.version.drawings) == 6
    dropped = {c.file: (c.action, c.reason) for c in result.cleaning}
    assert dropped["scan.png"] == ("dropped: near duplicate", "looks like 零件 2.pdf")
    assert [a for a, _ in dropped.values()].count("dropped: duplicate") == 1


def test_pages_of_a_tiff_share_one_split_and_blank_ones_are_dropped(tmp_path: Path, home: Settings) -> None:
    rng = np.random.default_rng(1)
    pages = [np.full((900, 1200), 255, np.uint8) for _ in range(3)]
    for page in (pages[0], pages[2]):
        for x, y in rng.integers(100, 800, (30, 2)):
            page[y : y + 4, x : x + 200] = 0
    images = [PIL.Image.fromarray(p) for p in pages]
    images[0].save(tmp_path / "扫描.tif", save_all=True, append_images=images[1:])
    result = ingest([tmp_path / "扫描.tif"], "scans", settings=home)
    assert result.version is not None
    (drawing,) = result.version.drawings
    assert [p.page for p in drawing.pages] == [0, 2] and drawing.label_source == "none"
    assert [(c.page, c.action) for c in result.cleaning] == [(1, "dropped: blank")]


def test_fingerprints_of_real_sheets_on_one_form_differ(shared: Path) -> None:
    from drawops.drawings import open_drawing

    files = sorted((shared / "data/drawings/ultimaker").glob("12*.pdf"))[:8]
    prints = [fingerprint(open_drawing(f, dpi=100).page(0).image) for f in files]
    assert not any(alike(a, b) for i, a in enumerate(prints) for b in prints[:i])


def test_splits_are_stable_and_small_datasets_still_have_a_test_drawing() -> None:
    many = [f"{n:064x}" for n in range(1000)]
    splits = split_drawings(many, fixed={})
    counts = Counter(splits.values())
    assert 650 < counts["train"] < 750 and 70 < counts["val"] < 130 and 150 < counts["test"] < 250
    assert splits == split_drawings(reversed(many), fixed={})
    assert splits != split_drawings(many, fixed={}, seed=1)
    for size in range(3, 12):
        for start in range(0, 200, size):
            small = split_drawings(many[start : start + size], fixed={})
            assert {"train", "test"} <= set(small.values())
            assert size < 4 or "val" in small.values()
    fixed: dict[str, Split] = dict.fromkeys(many[:5], "train")
    assert "test" in split_drawings(many[5:7], fixed=fixed).values()


def test_a_reference_finds_its_version_or_names_the_nearest(drawings: Path, home: Settings) -> None:
    version = ingest([drawings], "parts", settings=home).version
    assert version is not None
    store = datasets(home)
    assert store.get("parts") == store.get(version.ref) == store.get(version.ref[:-6]) == version
    with pytest.raises(NotFound, match="Did you mean 'parts'"):
        store.get("part")
    with pytest.raises(NotFound, match=version.version):
        store.get("parts@000000")
    for name in ("", "a b", "a@b", "../x", ".hidden"):
        with pytest.raises(InputRefused):
            ingest([drawings], name, settings=home)


def test_the_command_prints_its_result_and_ends_with_1_when_something_was_refused(
    drawings: Path, home: Settings
) -> None:
    runner = CliRunner()
    good = runner.invoke(app, ["ingest", str(drawings), "--dataset", "parts", "--json"])
    assert good.exit_code == 0, good.output
    (drawings / "bad.png").touch()
    bad = runner.invoke(app, ["ingest", str(drawings), "--dataset", "parts", "--json"])
    assert bad.exit_code == 1
    answer = json.loads(bad.stdout)
    assert answer["dataset"] == json.loads(good.stdout)["dataset"]
    assert [Path(r["file"]).name for r in answer["refused"]] == ["bad.png"] and "empty" in answer["refused"][0][
        "reason"
    ]
    listed = json.loads(runner.invoke(app, ["dataset", "list", "--json"]).stdout)
    assert [v["version"] for v in listed] == [answer["dataset"]]
    shown = json.loads(runner.invoke(app, ["dataset", "show", "parts", "--json"]).stdout)
    assert shown["counts"]["all"]["drawings"] == 6 and len(shown["files"]) == 6


@pytest.mark.slow
def test_a_killed_ingest_goes_on_where_it_was(tmp_path: Path, home: Settings) -> None:
    folder = tmp_path / "drawings"
    for number in range(40):
        write_drawing(folder / f"{number:02}.pdf", number)
    command = [sys.executable, "-m", "drawops.cli", "ingest", str(folder), "--dataset", "parts", "--json"]
    command[1:3] = ["-c", "from drawops.cli import main; main()"]
    store = open_store(home.objects_url)
    kills = 0
    for wanted in (3, 12, 25):
        process = subprocess.Popen(command, env=child_environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 90
        while sum(1 for _ in store.scan("prepared/")) < wanted and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.communicate()
    assert kills == 3
    acknowledged = {info.key: store.get(info.key) for info in store.scan("prepared/")}
    assert 25 <= len(acknowledged) < 40
    assert list(store.scan("datasets/")) == []  # no half version
    started = time.time()
    result = ingest([folder], "parts", settings=home)
    assert result.version is not None and len(result.version.drawings) == 40 and result.refused == ()
    for key, content in acknowledged.items():
        assert store.get(key) == content
        path = store.local_path(key)
        assert path is not None and path.stat().st_mtime < started  # not made again
    elsewhere = home.model_copy(update={"home": tmp_path / "undisturbed"})
    undisturbed = ingest([folder], "parts", settings=elsewhere).version
    assert undisturbed is not None and undisturbed.ref == result.version.ref
