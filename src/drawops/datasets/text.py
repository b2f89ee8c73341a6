"""Label normalisation: one spelling for what the eye can't tell apart. Everyone who compares texts uses it."""

import re
import unicodedata

_SAME = str.maketrans(
    {
        "\u03bc": "\u00b5",  # Greek mu -> micro sign, as the base dictionary writes it
        "\u2212": "-",  # minus, hyphens, en dash
        "\u2010": "-",
        "\u2011": "-",
        "\u2013": "-",
        "\u02da": "\u00b0",  # ring above -> degree
        "\u27c2": "\u22a5",  # perpendicular -> up tack
        "\u2016": "\u2225",  # double vertical line -> parallel
        "\u23ca": "\u22a5",
        "\u2019": "'",
        "\u2018": "'",
        "\u201c": '"',
        "\u201d": '"',
    }
)
_INVISIBLE = re.compile("[\u200b-\u200f\u2028-\u202e\u2060\ufeff\u00ad]")
_DIAMETER = re.compile(r"[\u00d8\u00f8\u03a6\u03c6\u03d5\u2205\u2300](?=\s*\(?\s*\d)")
_ORDINAL_AS_DEGREE = re.compile(r"(?<=\d)\s*\u00ba")


def normalise(text: str) -> str:
    """The one spelling of a label or a reading.

    Full-width forms become half-width, μ becomes µ (U+00B5), minus signs and the en dash become "-", Ø, ø, Φ, φ and
    ∅ before a number become the diameter sign ⌀, º after a number becomes °, curly quotes become straight, runs of
    white space become one space. Idempotent.
    """
    text = unicodedata.normalize("NFC", text)
    text = "".join(_half_width(c) for c in text)
    text = _INVISIBLE.sub("", text).translate(_SAME)
    text = _DIAMETER.sub("\u2300", text)
    text = _ORDINAL_AS_DEGREE.sub("\u00b0", text)
    text = "".join(c if c.isprintable() or c.isspace() else "" for c in text)
    return " ".join(text.split())


def _half_width(character: str) -> str:
    code = ord(character)
    if 0xFF01 <= code <= 0xFF5E:
        return chr(code - 0xFEE0)
    return {0x3000: " ", 0xFFE5: "\u00a5", 0xFFE1: "\u00a3"}.get(code, character)
