"""Line sets for training; datasets out to other tools and back."""

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from reportlab.pdfgen.canvas import Canvas
from typer.testing import CliRunner

from drawops.cli import app
from drawops.datasets import DatasetStore, DatasetVersion
from drawops.datasets.exporting import export_dataset, from_readings
from drawops.datasets.importing import import_labels
from drawops.datasets.ingest import ingest
from drawops.datasets.labels import parse_label_file, write_label_file
from drawops.datasets.lines import build_line_set, padded
from drawops.drawings import TextLine, open_drawing
from drawops.drawings.cleaning import turn_page
from drawops.errors import InputRefused
from drawops.settings import Settings
from drawops.storage import open_store

CHARSET = "0123456789.Rnumber Pat"


def write_drawings(folder: Path, numbers: range) -> None:
    folder.mkdir(exist_ok=True)
    for number in numbers:
        canvas = Canvas(str(folder / f"零件 {number}.pdf"), pagesize=(400, 300), invariant=True)
        canvas.rect(10 + number, 10, 300, 200 + number)
        canvas.rect(30 + 7 * number, 20, 50, 100)
        canvas.drawString(200, 250, f"Part {number}")
        canvas.drawString(200, 150, f"R{number}.5 ±0.1")
        canvas.save()


@pytest.fixture
def version(tmp_path: Path, home: Settings) -> DatasetVersion:
    write_drawings(tmp_path / "in", range(8))
    made = ingest([tmp_path / "in"], "parts", settings=home).version
    assert made is not None
    return made


def rows_of(folder: Path) -> list[dict[str, str]]:
    return [json.loads(row) for row in (folder / "lines.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_line_set_holds_every_label_in_its_drawings_split(
    version: DatasetVersion, home: Settings, tmp_path: Path
) -> None:
    out = tmp_path / "lines"
    summary = build_line_set(version, out, settings=home, charset=CHARSET, generated=0, new_to_old=0)
    rows = rows_of(out)
    assert len(rows) == 16 and {r["origin"] for r in rows} == {"new"}
    splits = {d.sha256: d.split for d in version.drawings}
    assert all(row["split"] == splits[row["drawing"]] for row in rows)
    for split in ("train", "val", "test"):
        listed = (out / f"{split}.txt").read_text(encoding="utf-8").splitlines()
        assert listed == [f"{r['image']}\t{r['text']}" for r in rows if r["split"] == split]
        assert summary.total(split) == len(listed)
    with PIL.Image.open(out / rows[0]["image"]) as crop:
        assert crop.width > crop.height > 20


def test_labels_outside_the_charset_are_kept_and_counted(
    version: DatasetVersion, home: Settings, tmp_path: Path
) -> None:
    summary = build_line_set(version, tmp_path / "x", settings=home, charset=CHARSET, generated=0, new_to_old=0)
    assert summary.outside == {"±": 8} and summary.outside_lines == 8
    assert sum("±" in row["text"] for row in rows_of(tmp_path / "x")) == 8


def test_generated_and_replayed_lines_are_mixed_by_ratio(
    version: DatasetVersion, home: Settings, tmp_path: Path
) -> None:
    write_drawings(tmp_path / "in", range(8, 12))
    child = ingest([tmp_path / "in"], "parts", settings=home).version
    assert child is not None
    build_line_set(child, tmp_path / "x", settings=home, charset=CHARSET, generated=40, seed=3)
    rows = rows_of(tmp_path / "x")
    train = [r for r in rows if r["split"] == "train"]
    new_real = sum(r["origin"] == "new" for r in train)
    old = [r for r in train if r["origin"] == "old"]
    assert sum(r["origin"] == "generated" for r in train) == 38  # and 2 for val
    assert len(old) == round((new_real + 40) / (7 / 3))
    assert any(r["drawing"] for r in old) and any(not r["drawing"] for r in old)
    assert all(r["drawing"] for r in rows if r["split"] == "test")
    build_line_set(child, tmp_path / "y", settings=home, charset=CHARSET, generated=40, seed=3)
    assert rows == rows_of(tmp_path / "y")


def test_a_dataset_without_labels_needs_generated_lines(tmp_path: Path, home: Settings) -> None:
    image = np.full((600, 800), 255, np.uint8)
    image[100:500:50, 100:700] = 0
    PIL.Image.fromarray(image).save(tmp_path / "scan.png")
    scans = ingest([tmp_path / "scan.png"], "scans", settings=home).version
    assert scans is not None
    with pytest.raises(InputRefused, match="no labelled lines"):
        build_line_set(scans, tmp_path / "x", settings=home, charset=CHARSET, generated=0)
    summary = build_line_set(scans, tmp_path / "y", settings=home, charset=CHARSET, generated=20, new_to_old=0)
    assert summary.counts == {"train": {"generated": 19}, "val": {"generated": 1}, "test": {}}


def test_padding_grows_a_turned_quad_along_its_own_axes() -> None:
    up = ((10.0, 90.0), (10.0, 10.0), (30.0, 10.0), (30.0, 90.0))
    assert np.allclose(padded(up, 0.1), [(8, 92), (8, 8), (32, 8), (32, 92)])


def test_a_correction_makes_a_child_in_which_only_what_was_touched_changed(
    version: DatasetVersion, home: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "导出"
    summary = export_dataset(version, folder, "ppocrlabel", home)
    assert (summary.pictures, summary.lines) == (8, 16)
    untouched = import_labels(folder, "parts", home)
    assert untouched.version == version and untouched.corrected == 0
    file = folder / "Label.txt"
    assert "导出/零件 5.png\t" in file.read_text(encoding="utf-8")  # as PPOCRLabel looks its pictures up
    file.write_text(file.read_text(encoding="utf-8").replace('"R5.5 ±0.1"', '"R5.5 ±0.2"'), encoding="utf-8")
    result = import_labels(folder, "parts", home)
    assert (result.corrected, result.added, result.version.parent) == (1, 0, version.ref)
    corrected = next(d for d in result.version.drawings if d.label_source == "corrections")
    before = next(d for d in version.drawings if d.name == "零件 5.pdf")
    assert corrected.sha256 == before.sha256 and corrected.split == before.split
    assert {(x.text, x.source) for x in corrected.pages[0].lines} == {("Part 5", "vector"), ("R5.5 ±0.2", "annotator")}
    changes = DatasetStore(open_store(home.objects_url)).diff(version.ref, result.version.ref)
    assert changes["changed"][0]["name"] == "零件 5.pdf" and len(changes["changed"]) == 1


def test_an_ingest_again_does_not_undo_corrections(version: DatasetVersion, home: Settings, tmp_path: Path) -> None:
    export_dataset(version, tmp_path / "x", "ppocrlabel", home)
    file = tmp_path / "x/Label.txt"
    file.write_text(file.read_text(encoding="utf-8").replace("Part 2", "Part II"), encoding="utf-8")
    corrected = import_labels(tmp_path / "x", "parts", home).version
    assert ingest([tmp_path / "in"], "parts", settings=home).version == corrected


def test_readings_of_a_turned_scan_are_corrected_and_land_upright(home: Settings, tmp_path: Path) -> None:
    write_drawings(tmp_path / "in", range(1))
    upright = open_drawing(tmp_path / "in/零件 0.pdf").page(0)
    (tmp_path / "in/零件 0.pdf").unlink()
    notes = upright.image.copy()
    for row in range(5):  # enough text to tell the way up
        notes[320 + 40 * row : 350 + 40 * row, 80:400] = upright.image[390:420, 540:860]
    turned, matrix = turn_page(type(upright)(0, notes, 200.0, upright.lines), 2)
    scan = tmp_path / "in/扫描.png"
    PIL.Image.fromarray(turned.image).save(scan, dpi=(200, 200))
    first = ingest([scan], "scans", settings=home)
    assert first.version is not None and [c.action for c in first.cleaning] == ["turned by 180°"]
    lines = [{**line.to_dict(), "source": "ocr", "text": "Fart 0"} for line in turned.lines if line.text == "Part 0"]
    page = {"page": 0, "width": turned.width, "height": turned.height, "dpi": 200.0, "lines": lines}
    reading = tmp_path / "reading.json"
    reading.write_text(json.dumps([{"file": str(scan), "model": "v1.0", "pages": [page]}], ensure_ascii=False))
    folder = tmp_path / "to correct"
    assert from_readings([reading], folder).lines == 1
    (name, (line,)) = next(iter(parse_label_file(folder / "Label.txt").items()))
    assert name == ("扫描.png", 0) and line.angle == 180
    file = folder / "Label.txt"
    file.write_text(file.read_text(encoding="utf-8").replace("Fart", "Part"), encoding="utf-8")
    result = import_labels(folder, "scans", home)
    assert result.corrected == 1 and result.version.parent == first.version.ref
    (stored,) = result.version.drawings[0].pages[0].lines
    expected = next(x for x in upright.lines if x.text == "Part 0")
    assert stored.text == "Part 0" and stored.angle == 0 and np.allclose(stored.quad, expected.quad, atol=0.2)


def test_labelled_pictures_of_other_tools_become_drawings(home: Settings, tmp_path: Path) -> None:
    image = np.full((600, 800), 255, np.uint8)
    image[100:500:50, 100:700] = 0
    PIL.Image.fromarray(image).save(tmp_path / "图.png")
    line = TextLine("12.5", ((100.0, 100.0), (200.0, 100.0), (200.0, 130.0), (100.0, 130.0)))
    write_label_file(tmp_path / "Label.txt", [("图.png", [line]), ("missing.png", [line])])
    result = import_labels(tmp_path, "hand", home)
    assert result.added == 1 and [r.file for r in result.refused] == ["missing.png"]
    assert result.version.drawings[0].label_source == "label_file"


def test_recognition_lists_come_back_in_their_splits(version: DatasetVersion, home: Settings, tmp_path: Path) -> None:
    export_dataset(version, tmp_path / "x", "paddleocr", home)
    result = import_labels(tmp_path / "x", "crops", home)
    counts, original = result.version.counts(), version.counts()
    assert {s: c["lines"] for s, c in counts.items()} == {s: c["lines"] for s, c in original.items()}
    texts = sorted(x.text for d in result.version.drawings for p in d.pages for x in p.lines)
    assert texts == sorted(x.text for d in version.drawings for p in d.pages for x in p.lines)


def test_what_cannot_be_exchanged_is_refused(version: DatasetVersion, home: Settings, tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="not an empty folder"):
        export_dataset(version, tmp_path, "paddleocr", home)
    with pytest.raises(InputRefused, match=r"neither a Label\.txt"):
        import_labels(tmp_path / "in", "parts", home)
    (tmp_path / "r.json").write_text('{"file": "x"}')
    with pytest.raises(InputRefused, match="drawops read --format json"):
        from_readings([tmp_path / "r.json"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_commands_go_out_and_back(version: DatasetVersion, home: Settings, tmp_path: Path) -> None:
    runner, folder = CliRunner(), tmp_path / "导出"
    out = runner.invoke(app, ["dataset", "export", "parts", "--format", "ppocrlabel", str(folder), "--json"])
    assert out.exit_code == 0 and json.loads(out.stdout)["pictures"] == 8
    back = runner.invoke(app, ["dataset", "import", str(folder), "--dataset", "parts", "--json"])
    assert back.exit_code == 0 and json.loads(back.stdout)["dataset"] == version.ref
    same = runner.invoke(app, ["dataset", "diff", "parts", version.ref, "--json"])
    assert json.loads(same.stdout) == {"added": [], "removed": [], "changed": []}
