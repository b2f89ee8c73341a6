"""Every reading is kept and found again."""

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from drawops.errors import InputRefused, SettingsError, Unavailable
from drawops.registry import Records


def reading(*texts: str, model: str = "v1.0") -> dict[str, Any]:
    lines = [{"text": t, "quad": [[0, 0], [9, 0], [9, 9], [0, 9]], "angle": 0.0, "score": 0.9} for t in texts]
    page = {"page": 0, "width": 10, "height": 10, "dpi": 200, "lines": lines, "preview": "data:image/png;base64,…"}
    return {"file": "ignored", "model": model, "pages": [page]}


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(f"sqlite:///{tmp_path / '记录.db'}")


@pytest.fixture
def drawing(tmp_path: Path) -> Path:
    path = tmp_path / "阀体 ⌀12.pdf"
    path.write_bytes(b"a drawing")
    return path


def test_a_reading_is_found_by_path_name_hash_and_model(records: Records, drawing: Path) -> None:
    number = records.store_reading(drawing, reading("⌀12 H7", "阀体"), caller="王芳", source="cli")
    stored = records.get(number)
    assert stored and (stored.name, stored.model, stored.caller, stored.source, stored.page_count, stored.line_count) == (
        "阀体 ⌀12.pdf", "v1.0", "王芳", "cli", 1, 2
    )  # fmt: skip
    assert stored.pages[0]["lines"][0]["text"] == "⌀12 H7"
    assert stored.time.endswith("+00:00")
    for subject in (str(drawing), "阀体 ⌀12.pdf", stored.drawing_sha256[:8].upper()):
        assert records.of_drawing(subject) == [stored]
    assert (records.of_model("v1.0"), records.of_model("v1.1")) == ([stored], [])


def test_the_same_drawing_under_another_name_is_the_same_drawing(records: Records, drawing: Path) -> None:
    other = drawing.with_name("copy.pdf")
    other.write_bytes(drawing.read_bytes())
    for path in (drawing, other):
        records.store_reading(path, reading(), caller="c", source="api")
    assert len(records.of_drawing(str(drawing))) == 2
    assert len(records.of_drawing("copy.pdf")) == 1


def test_previews_are_not_kept(records: Records, drawing: Path) -> None:
    stored = records.get(records.store_reading(drawing, reading("x"), caller="c", source="api"))
    assert stored and set(stored.pages[0]) == {"page", "width", "height", "dpi", "lines"}


def test_the_database_is_in_wal_mode_and_many_threads_write(records: Records, drawing: Path, tmp_path: Path) -> None:
    def write() -> None:
        for _ in range(10):
            Records(records.url).store_reading(drawing, reading("x"), caller="c", source="api")

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(records.of_model("v1.0")) == 40
    with sqlite3.connect(tmp_path / "记录.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_half_a_reading_is_refused(records: Records, drawing: Path) -> None:
    with pytest.raises(InputRefused, match="has no 'pages'"):
        records.store_reading(drawing, {"model": "v1.0"}, caller="c", source="cli")


def test_a_url_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="'records.db' is not a usable SQLAlchemy URL"):
        Records("records.db")


def test_a_database_that_does_not_answer_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is not a database, it is a text of some length", encoding="utf-8")
    with pytest.raises(Unavailable, match="text.db don't answer.*DRAWOPS_RECORDS"):
        Records(f"sqlite:///{tmp_path / 'text.db'}")


def test_the_first_readings_may_come_together(tmp_path):
    drawing = tmp_path / "a.pdf"
    drawing.write_bytes(b"x")
    url, start, ids = f"sqlite:///{tmp_path / 'new.db'}", threading.Barrier(8), []

    def store():
        start.wait()
        reading = {"model": "v1.0", "pages": []}
        ids.append(Records(url).store_reading(drawing, reading, caller="c", source="api"))

    threads = [threading.Thread(target=store) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ids) == list(range(1, 9))
