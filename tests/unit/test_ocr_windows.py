"""Where text may stand, and how those places are packed onto sheets."""

import cv2
import numpy as np
import pytest

from drawops.ocr.letters import letters_in
from drawops.ocr.windows import Window, packed, tiles_of, windows_around


def page(*texts, size=(600, 900), paper=255, ink=0):
    picture = np.full((*size, 3), paper, np.uint8)
    for text, x, y in texts:
        cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (ink, ink, ink), 2)
    return picture


def test_letters_are_found_and_lines_are_not():
    picture = page(("A12", 100, 100))
    cv2.line(picture, (20, 300), (800, 300), (0, 0, 0), 2)
    letters = letters_in(picture)
    assert len(letters) == 3
    assert letters.min(axis=0)[0] >= 95 and letters.max(axis=0)[3] <= 105


def test_light_letters_on_a_dark_field_are_found_and_do_not_run_into_one():
    assert len(letters_in(page(("A12", 100, 100), paper=30, ink=240))) == 3


@pytest.mark.parametrize("seed", range(5))
def test_every_letter_is_shown_with_room_around_it_by_one_window(seed):
    places = np.random.default_rng(seed).integers(20, 500, (40, 2))
    letters = np.concatenate([places, places + 12], axis=1).astype(np.int32)
    windows, _ = windows_around(letters, letters, (520, 540), 16, 960)
    for left, top, right, bottom in letters.tolist():
        assert any(
            w.left <= max(0, left - 16)
            and w.top <= max(0, top - 16)
            and w.right >= min(540, right + 16)
            and w.bottom >= min(520, bottom + 16)
            for w in windows
        )


def test_paper_between_texts_is_left_out():
    letters = letters_in(page(("12", 40, 40), ("R5", 800, 560)))
    windows, _ = windows_around(letters, letters, (600, 900), 16, 960)
    assert len(windows) == 2
    assert sum(w.width * w.height for w in windows) < 0.05 * 600 * 900


def test_no_letter_no_window():
    assert windows_around(*[letters_in(page())] * 2, (600, 900), 16, 960)[0] == []


@pytest.mark.parametrize("size", [64, 640, 641, 1654, 12_000])
def test_tiles_cover_a_window_and_fit_a_sheet(size):
    seen = np.zeros(size, bool)
    for tile in tiles_of(Window(5, 0, 5 + size, 64), 640, 96):
        assert tile.width <= 640 and tile.height <= 640
        seen[tile.left - 5 : tile.right - 5] = True
    assert seen.all()


def test_windows_lie_on_sheets_side_by_side_and_none_is_lost():
    random = np.random.default_rng(3)
    windows = [Window(0, 0, int(w), int(h)) for w, h in random.integers(30, 640, (60, 2))]
    sheets = packed(windows, 640)
    assert sorted(map(id, (p.window for sheet in sheets for p in sheet))) == sorted(map(id, windows))
    for sheet in sheets:
        taken = np.zeros((640, 640), int)
        for p in sheet:
            part = taken[p.y : p.y + p.window.height, p.x : p.x + p.window.width]
            assert part.shape == (p.window.height, p.window.width)
            part += 1
        assert taken.max() == 1


def test_a_window_larger_than_a_sheet_is_seen_by_itself_and_whole():
    header = Window(0, 0, 900, 60)
    sheets = packed([Window(0, 0, 100, 60), header, Window(0, 0, 100, 60)], 640)
    assert sorted(len(sheet) for sheet in sheets) == [1, 2]
    assert tiles_of(header, 960, 96) == [header]


def test_a_row_that_is_too_long_is_cut_between_its_texts():
    row = np.array([[x, 100, x + 14, 120] for start in (20, 360, 700) for x in range(start, start + 300, 20)], np.int32)
    (whole,), _ = windows_around(row, row, (600, 1100), 16, 1200)
    assert whole.width > 960
    windows, _ = windows_around(row, row, (600, 1100), 16, 960)
    assert len(windows) > 1 and all(w.width <= 960 for w in windows)
    for start in (20, 360, 700):
        assert any(w.left <= max(0, start - 16) and w.right >= start + 300 for w in windows)


def test_text_into_which_a_window_only_reaches_does_not_count():
    letters = letters_in(page(("12", 40, 40), ("R5", 107, 78)))
    wanted, other = letters[letters[:, 0] < 80], letters[letters[:, 0] >= 80]
    (window,), hidden = windows_around(wanted, letters, (600, 900), 16, 960)
    assert window.right > other[:, 0].min() and window.bottom > other[:, 1].min()
    assert all(hidden[top:bottom, left:right].all() for left, top, right, bottom in other.tolist())
    assert not any(hidden[top:bottom, left:right].any() for left, top, right, bottom in wanted.tolist())
