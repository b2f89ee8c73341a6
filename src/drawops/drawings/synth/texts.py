"""What is written on drawings, and what is written elsewhere: texts of lines, no pictures."""

import random
import re
from collections.abc import Callable

from drawops.drawings.synth.words import (
    ENGLISH_WORDS,
    EUROPEAN_WORDS,
    LABELS,
    LABELS_ZH,
    NOTES_EN,
    NOTES_ZH,
    TITLE_EN,
    TITLE_ZH,
    common_chinese,
    rare_chinese,
    tuple_of,
)

_FITS = tuple_of(
    "H6 H7 H8 H9 H11 F7 G7 JS9 N9 P7 P9 K7 h6 h7 h9 g6 f7 e8 k6 m6 n6 p6 r6 s6 js6 H7/g6 H8/f7 H7/k6 H7/p6"
)
_TOLERANCES = tuple_of(
    "0.005 0.008 0.01 0.012 0.015 0.02 0.025 0.03 0.04 0.05 0.06 0.08 0.1 0.12 0.15 0.2 0.25 0.3 0.5"
)
_ROUGHNESS = tuple_of("0.2 0.4 0.8 1.6 3.2 6.3 12.5 25")
_FORM = "⏥○⌭"  # no datum
_PROFILE = "⌒⌓"
_LOCATION = "⌖◎⌯∥⊥∠↗⌰"  # with datums
# Lone letters whose small form is not their capital, and that are no figure, once scaled to the height of a line.
_LONE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabdefghnqrt"
_SMALL = "abdhklmnprstxz"
_NAMES = tuple_of("TEETH PITCH MODULE FACTOR SHIFT LENGTH WIDTH Number 齿数 模数 系数 齿距 厚度 长度 代号")
_QUANTITIES = "tlzmnhbdsrLBHDSRTZαβ"


def _number(rng: random.Random, low: float = 1, high: float = 300, decimals: int | None = None) -> str:
    places = rng.choice((0, 0, 0, 1, 1, 2, 2, 3)) if decimals is None else decimals
    return f"{rng.uniform(low, high):.{places}f}"


def _tolerance(rng: random.Random) -> str:
    return rng.choice(_TOLERANCES)


def _signed(rng: random.Random, sign: str) -> str:
    return "0" if rng.random() < 0.12 else sign + _tolerance(rng)


def _linear(rng: random.Random) -> str:
    value = _number(rng)
    return rng.choice((value, f"{value}±{_tolerance(rng)}", f"({value})", value))


def _diameter(rng: random.Random) -> str:
    value = f"⌀{_number(rng, 1, 200)}"
    return value + rng.choice(
        ("", f"±{_tolerance(rng)}", rng.choice(_FITS), rng.choice(_FITS), f" {rng.choice(_FITS)}")
    )


def _limits(rng: random.Random) -> str:
    prefix = rng.choice(("", "⌀", "⌀", "R"))
    value = prefix + _number(rng)
    upper, lower = _signed(rng, "+"), _signed(rng, "-")
    return rng.choice((f"{value}+{_tolerance(rng)}/-{_tolerance(rng)}", upper, lower, f"+{_tolerance(rng)}", lower))


def _holes(rng: random.Random) -> str:
    start = f"{rng.randint(2, 16)}×⌀{_number(rng, 2, 40)}"
    depth = f"↧{_number(rng, 3, 60)}"
    return start + rng.choice(("", "", depth, f" {depth}", " THRU", " EQS", "均布", "通孔", f"{rng.choice(_FITS)}"))


def _sunk(rng: random.Random) -> str:
    value = f"⌀{_number(rng, 5, 60)}"
    if rng.random() < 0.5:
        return f"⌴{value}" + rng.choice(("", f"↧{_number(rng, 2, 30)}", f" ↧{_number(rng, 2, 30)}"))
    return f"⌵{value}" + rng.choice(("", f"×{rng.choice((82, 90, 120))}°", f" {rng.choice((82, 90))}°"))


def _thread(rng: random.Random) -> str:
    size = rng.choice((2, 2.5, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 30, 36, 42))
    pitch = rng.choice(("", "×0.5", "×0.75", "×1", "×1.25", "×1.5", "×2", "×3"))
    grade = rng.choice(("", "", "-6g", "-6H", "-7H", "-LH", " - 6H", "-6h"))
    special = rng.choice(
        ("G1/4", "G1/2", "Rc3/8", "1/4-20 UNC", "NPT 1/2", f"Tr{rng.choice((20, 32, 40))}×{rng.choice((4, 6, 7))}")
    )
    thread = special if rng.random() < 0.12 else f"M{size}{pitch}{grade}"
    return (
        thread
        if rng.random() < 0.7
        else rng.choice((f"{rng.randint(2, 12)}×{thread}", f"{thread}↧{rng.randint(5, 40)}"))
    )


def _roughness(rng: random.Random) -> str:
    value = rng.choice(_ROUGHNESS)
    return rng.choice((f"Ra{value}", f"Ra {value}", f"Rz{value}", f"Ra {value} µm", value))


def _chamfer(rng: random.Random) -> str:
    size = rng.choice(("0.5", "1", "1", "1.5", "2", "3", "5"))
    return rng.choice(
        (
            f"{size}x45°",
            f"{size}×45°",
            f"C{size}",
            f"{rng.randint(2, 6)}×C{size}",
            f"{size}×{rng.choice((15, 30, 60))}°",
        )
    )


def _radius(rng: random.Random) -> str:
    value = _number(rng, 0.5, 150, rng.choice((0, 0, 1)))
    return rng.choice(
        (f"R{value}", f"R{value}", f"{rng.randint(2, 8)}×R{value}", f"SR{value}", f"S⌀{value}", f"R{value} TYP")
    )


def _angle(rng: random.Random) -> str:
    value = _number(rng, 1, 179, rng.choice((0, 0, 1)))
    return f"{value}°" + rng.choice(
        ("", "", "±0.5°", "±1°", f"{rng.randint(1, 59)}′", "±30′", f"{rng.randint(1, 59)}′{rng.randint(1, 59)}″")
    )


def _frame(rng: random.Random) -> str:
    """A GD&T frame as one row; its cells are parted by a space."""
    tolerance = _tolerance(rng)
    kind = rng.random()
    if kind < 0.22:
        return f"{rng.choice(_FORM)} {tolerance}"
    datums = rng.sample("ABCDEFG", rng.choice((1, 1, 2, 3)))
    if kind < 0.4:
        return " ".join([rng.choice(_PROFILE), tolerance, *datums[: rng.randint(0, 3)]])
    zone = rng.choice(("", "⌀")) + tolerance + rng.choice(("", "", "", "Ⓜ", "Ⓛ", "Ⓟ", "Ⓔ"))
    if rng.random() < 0.15:
        datums[0] += "Ⓜ"
    if rng.random() < 0.1:
        datums = ["A-B"]
    return " ".join([rng.choice(_LOCATION), zone, *datums])


def _frame_cell(rng: random.Random) -> str:
    return rng.choice(
        (
            rng.choice(_FORM + _PROFILE + _LOCATION),
            f"⌀{_tolerance(rng)}Ⓜ",
            f"⌀{_tolerance(rng)}",
            rng.choice("ABCDEF") + rng.choice(("", "Ⓜ", "Ⓛ")),
            f"{_tolerance(rng)}{rng.choice('ⓂⒺⓁⓅ')}",
        )
    )


def _section(rng: random.Random) -> str:
    letter = rng.choice("ABCDEFGHJK")
    scale = f"{rng.choice((1, 2, 5))}:{rng.choice((1, 1, 2, 5, 10))}"
    return rng.choice(
        (
            letter,
            f"{letter}-{letter}",
            f"{letter} {scale}",
            scale,
            f"SECTION {letter}-{letter}",
            f"DETAIL {letter}",
            f"{letter}向",
            f"{letter}-{letter} {scale}",
        )
    )


def _note(rng: random.Random) -> str:
    if rng.random() < 0.55:
        note = rng.choice(NOTES_ZH)
        return (
            note
            if rng.random() < 0.6
            else rng.choice((f"{rng.randint(1, 9)}.{note}", f"{note}{_number(rng)}", f"{note}⌀{_number(rng)}"))
        )
    note = rng.choice(NOTES_EN)
    return note if rng.random() < 0.6 else f"{rng.randint(1, 9)}. {note}"


def _title(rng: random.Random) -> str:
    if rng.random() < 0.5:
        return rng.choice(TITLE_ZH)
    code = "".join(rng.choices("ABCDEGHKMPRSTXZ", k=rng.randint(1, 3)))
    number = f"{code}{rng.choice(('-', '', '.'))}{rng.randint(10, 99999)}{rng.choice(('', '-01', '.00', '-A'))}"
    date = f"{rng.randint(1998, 2029)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    return rng.choice(
        (
            number,
            date,
            rng.choice(TITLE_EN),
            rng.choice(TITLE_EN),
            f"{_number(rng, 0.1, 90, 2)} kg",
            f"{rng.randint(1, 9)}/{rng.randint(1, 9)}",
        )
    )


def _compare(rng: random.Random) -> str:
    return (
        rng.choice("≤≥") + _number(rng) + rng.choice(("", "°", " mm", "mm", " µm"))
        if rng.random() < 0.6
        else f"□{_number(rng, 5, 120)}"
    )


# How often each kind occurs, roughly as on part drawings; symbols more often, they are what is to be learnt.
_KINDS: tuple[tuple[Callable[[random.Random], str], float], ...] = (
    (_linear, 2.0),
    (_diameter, 2.5),
    (_limits, 2.0),
    (_holes, 1.6),
    (_sunk, 1.4),
    (_thread, 1.2),
    (_roughness, 1.0),
    (_chamfer, 1.0),
    (_radius, 1.0),
    (_angle, 1.0),
    (_frame, 3.4),
    (_frame_cell, 1.2),
    (_section, 0.8),
    (_note, 1.4),
    (_title, 1.2),
    (_compare, 0.5),
)


def drawing_text(rng: random.Random) -> str:
    """A text as it stands on a drawing: dimension, tolerance, frame, thread, note, title-block field, …"""
    kinds, weights = zip(*_KINDS, strict=True)
    return rng.choices(kinds, weights)[0](rng)


def dimension_text(rng: random.Random) -> str:
    """As `drawing_text`, with more bare numbers, decimal commas, and figures that are easily lost: ones."""
    text = drawing_text(rng) if rng.random() < 0.65 else _figures(rng)
    if rng.random() < 0.1:
        text = re.sub(r"(?<=\d)\.(?=\d)", ",", text)
    return text


def _figures(rng: random.Random) -> str:
    """A number and what stands beside it, every third figure a one."""
    whole = "".join(rng.choice("0123456789111") for _ in range(rng.choice((1, 2, 2, 2, 3, 3, 4))))
    value = (whole.lstrip("0") or "1") + rng.choice(
        ("", "", "", f".{rng.choice('0123456789111')}", f".{rng.randint(1, 99):02}")
    )
    return (
        rng.choice(
            ("", "", "", "R", "⌀", "⌀", "M", "(", f"{rng.randint(1, 12)}x", f"{rng.randint(1, 12)}×⌀", "+", "-", "±")
        )
        + value
        + rng.choice(
            (
                "",
                "",
                "",
                "°",
                "x45°",
                "x1",
                f"±0.{rng.randint(1, 9)}",
                f"±{_tolerance(rng)}",
                f"+{_tolerance(rng)}",
                f"-{_tolerance(rng)}",
                " REF",
                " TYP",
                "H7",
                "h11",
            )
        )
    )


def confusable_text(rng: random.Random) -> str:
    """What has little beside it to be told by, and is rare in the other texts: lone letters and figures, small letters of
    quantities, deviations, zeros beside letters."""
    figure, letter = rng.choice("0123456789"), rng.choice(_LONE_LETTERS)
    value = _number(rng, 1, 60, rng.choice((0, 0, 0, 1)))
    return rng.choice(
        (
            figure,
            letter,
            f"{rng.choice(_QUANTITIES)}={value}",
            f"{rng.choice(_QUANTITIES)} = {value}",
            f"{rng.choice('ABCDHLMRSTZhlmstz')}{rng.randint(1, 9)}",
            f"{rng.choice('⌀R□')}{figure}",
            f"{rng.randint(1, 90)}°",
            f"{rng.randint(1, 12)}x",
            f"{rng.randint(10, 99)}",
            f"{figure}.{rng.randint(0, 9)}",
            rng.choice("+-±") + _tolerance(rng),
            f"{letter}-{letter}",
            f"{rng.choice(_NAMES)} {rng.choice(_SMALL)}",
            f"{rng.choice('ABCDHKMPZ')}{rng.choice(('0', '00'))}-{rng.randint(1, 999):04}",
            f"{rng.choice(('CHAMFERS', 'EDGES', 'MAX', '倒角'))} C0.{rng.randint(1, 9)}{rng.choice(('', '.'))}",
        )
    )


def rare_text(rng: random.Random) -> str:
    """Chinese text in which every other character is seldom written."""
    return "".join(
        rng.choice(rare_chinese() if rng.random() < 0.5 else common_chinese()) for _ in range(rng.randint(2, 8))
    )


def general_text(rng: random.Random) -> str:
    """A text as it stands anywhere: common Chinese characters, English words, numbers."""
    kind = rng.random()
    if kind < 0.5:
        return "".join(rng.choices(common_chinese(), k=rng.randint(2, 12)))
    if kind < 0.78:
        words = rng.choices(ENGLISH_WORDS, k=rng.randint(1, 4))
        return " ".join(word.capitalize() if rng.random() < 0.3 else word for word in words)
    digits = "".join(rng.choices("0123456789", k=rng.randint(2, 9)))
    start = rng.choice(("¥", "$", "No.", "Tel:", "", "", "", "ID:"))
    return start + digits + rng.choice(("", "", "元", ".50", "%", f"-{rng.randint(1, 99)}", f"/{rng.randint(1, 31)}"))


def punctuated_text(rng: random.Random) -> str:
    """What general text lacks and sheets have: labels with a colon, Chinese sentences with their punctuation, words with
    accents, brackets, circled numbers, file names and addresses."""
    kind = rng.random()
    if kind < 0.27:
        label = rng.choice((*LABELS, *EUROPEAN_WORDS))
        return label + rng.choice((":", ":", ":", " :", f": {_title(rng)}", f": {_number(rng)}", ""))
    if kind < 0.62:
        return _chinese_sentence(rng)
    words = " ".join(rng.choices((*EUROPEAN_WORDS, *ENGLISH_WORDS), k=rng.randint(1, 3)))
    if kind < 0.74:
        return words.replace(" ", rng.choice((" ", " ", ", ", " / ", " & ", "; "))) + rng.choice(("", ".", "!", "?"))
    if kind < 0.86:
        mark = rng.choice((*"ABMNRX!?", "1", "12", " ! ", " M ", " x "))
        low, high = sorted(rng.sample(range(-40, 200), 2))
        return rng.choice(
            (
                f"[{mark}]{words.capitalize()}",
                f"[{mark}] {words}",
                f"[{_number(rng)}]",
                f"{rng.choice('①②③④⑤⑥⑦⑧⑨⑩')}{rng.choice(('', ' '))}{words.capitalize()}",
                rng.choice("①②③④⑤⑥⑦⑧⑨⑩"),
                f"{low}{rng.choice(('~', ' ~ '))}{high}{rng.choice(('', '°C', ' mm'))}",
                f"({words})",
                f"≈{_number(rng)}",
                f"*{words}",
            )
        )
    word, other = rng.choices(ENGLISH_WORDS, k=2)
    phone = f"+{rng.randint(1, 99)} {rng.randint(10, 999)} {rng.randint(10000, 9999999)}"
    standard = f"{rng.choice(('ISO', 'DIN', 'GB', 'ASTM'))}{rng.randint(100, 14000)}"
    return rng.choice(
        (
            f"www.{word}-{other}.com",
            f"{word}@{other}.de",
            f"{word}_{other}.dwg",
            f"Tel. {phone}",
            f"{standard}_{_thread(rng)}",
            f"{word.upper()}_{other.upper()}_{rng.randint(1, 99)}",
        )
    )


def _chinese_sentence(rng: random.Random) -> str:
    parts = ["".join(rng.choices(common_chinese(), k=rng.randint(1, 6))) for _ in range(rng.randint(1, 3))]
    start = rng.choice(("", "", "", f"{rng.randint(1, 9)}、", f"{rng.randint(1, 9)}. ", f"({rng.randint(1, 9)})"))
    start += rng.choice(("", "", f"{rng.choice(LABELS_ZH)}："))
    first, second = rng.sample(range(1, 60), 2)
    middle = rng.choice(("，", "、", "，", "；", "。", f"{first}～{second}", f"（{first}）", "“", "·", "《"))
    return start + middle.join(parts) + rng.choice(("", "。", "。", "：", "；", "，", "）"))
