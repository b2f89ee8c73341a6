"""Generated lines, their fonts and the symbols drawn as strokes."""

import random
from itertools import islice

import numpy as np
import pytest

from drawops.datasets.text import normalise
from drawops.drawings.synth.fonts import HELD_OUT_FONTS, TRAINING_FONTS, choose_font, load_font, stroke_glyph
from drawops.drawings.synth.lines import drawing_lines, general_lines
from drawops.drawings.synth.symbols import SYMBOLS, Proportions, symbol_glyph
from drawops.drawings.synth.texts import drawing_text, punctuated_text
from drawops.drawings.synth.words import common_chinese
from drawops.errors import NotFound


def test_no_font_is_both_trained_on_and_held_out():
    assert not set(TRAINING_FONTS) & set(HELD_OUT_FONTS)
    files = {load_font(name).path for name in HELD_OUT_FONTS} - {None}
    assert not files & {load_font(name).path for name in TRAINING_FONTS}


def test_every_font_of_both_pools_is_installed_and_has_the_digits():
    for name in (*TRAINING_FONTS, *HELD_OUT_FONTS):
        assert set("0123456789R.") <= load_font(name).characters, name


def test_a_wrong_font_name_names_the_nearest():
    with pytest.raises(NotFound, match="Did you mean 'roboto'"):
        load_font("robotto")


def test_a_missing_character_comes_from_another_font_of_the_same_pool():
    rng = random.Random(0)
    assert choose_font("R", "caladea", "training", rng) == "caladea"
    assert choose_font("钢", "caladea", "training", rng) == "noto-sans-sc"
    assert choose_font("钢", "lato", "held_out", rng) == "noto-serif-sc"
    assert choose_font("\U0010ffff", "lato", "held_out", rng) is None


def test_a_stroke_font_stands_on_its_baseline_with_capitals_one_high():
    heights = [y for stroke in stroke_glyph("hershey-simplex", "H").strokes for _, y in stroke]
    assert min(heights) == 0.0 and max(heights) == pytest.approx(1.0)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_every_drawn_symbol_lies_on_its_line_and_within_its_advance(symbol: str):
    for held_out in (False, True):
        glyph = symbol_glyph(symbol, Proportions.drawn(random.Random(1), held_out=held_out))
        assert glyph is not None
        points = np.array([p for stroke in (*glyph.strokes, *glyph.filled) for p in stroke])
        assert points[:, 0].min() >= -0.3 and points[:, 0].max() <= glyph.advance + 0.3
        assert points[:, 1].min() >= -0.2 and points[:, 1].max() <= 1.2


def test_drawn_symbols_differ_from_each_other():
    shapes = {symbol: symbol_glyph(symbol) for symbol in SYMBOLS}
    assert len({glyph.strokes for glyph in shapes.values() if glyph}) == len(SYMBOLS)
    assert symbol_glyph("A") is None


def test_the_same_seed_draws_the_same_lines_and_another_seed_others():
    first, again, other = (list(drawing_lines(6, seed=s)) for s in (1, 1, 2))
    assert all(a.text == b.text and np.array_equal(a.image, b.image) for a, b in zip(first, again, strict=True))
    assert [a.text for a in first] != [b.text for b in other]


def test_lines_keep_to_the_fonts_of_their_pool():
    assert {line.font for line in drawing_lines(40, seed=3)} <= set(TRAINING_FONTS)
    assert {line.font for line in drawing_lines(40, seed=3, fonts="held_out")} <= set(HELD_OUT_FONTS)
    assert not any(load_font(line.font).is_stroke for line in general_lines(20, seed=3))


def test_every_line_is_a_picture_with_ink_in_it():
    for line in (*drawing_lines(60, seed=4), *general_lines(20, seed=4)):
        assert line.image.dtype == np.uint8 and line.image.ndim == 3 and line.image.shape[2] == 3
        assert line.image.std() > 3, line.text


def test_all_kinds_of_drawing_text_and_all_new_symbols_occur():
    rng = random.Random(0)
    texts = [drawing_text(rng) for _ in range(3000)]
    characters = set("".join(texts))
    assert set("⌀⌖⏥⌭◎⌯⌒⌓⌰↗⌴⌵↧ⓂⒺⓁⓅ±°×∥⊥∠′≤≥µ□") <= characters
    assert not characters & set("Øøφ∅Φμ"), "labels are written as normalisation writes them"
    for piece in ("H7", "M8", "Ra", "x45°", "技术要求", "SECTION", "+0.", "-0."):
        assert any(piece in text for text in texts), piece
    assert all(text == " ".join(text.split()) for text in texts)


def test_labels_are_already_normalised():
    rng = random.Random(1)
    for text in islice((drawing_text(rng) for _ in range(1000)), 1000):
        assert normalise(text) == text


def test_common_chinese_is_level_one_of_gb_2312():
    characters = common_chinese()
    assert len(characters) == len(set(characters)) == 3755
    assert characters[0] == "啊" and "图" in characters


def test_punctuation_brackets_circled_numbers_and_accents_occur():
    rng = random.Random(1)
    texts = [normalise(punctuated_text(rng)) for _ in range(2000)]
    assert set(":。、~[]①_@äéñß") <= set("".join(texts))
    assert not any(text != text.strip() or not text for text in texts)
