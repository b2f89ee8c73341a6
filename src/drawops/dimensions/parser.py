"""Parsing of dimension texts, as ISO 129, ISO 1101, ASME Y14.5 and GB/T 4458 write them."""

import re
from collections.abc import Callable
from dataclasses import replace
from unicodedata import category

from drawops.datasets.text import normalise
from drawops.dimensions.angles import take_angle
from drawops.dimensions.model import Dimension, Kind
from drawops.dimensions.scanner import FRACTION, NUMBER, TIMES, Scanner, clean, value
from drawops.dimensions.tail import NotADimension, Tail, take_count, take_tail
from drawops.dimensions.threads import take_thread
from drawops.dimensions.tolerances import take_tolerance, take_unit

_SPELLINGS = str.maketrans(
    {
        "✕": "×",
        "✖": "×",
        "⨯": "×",
        "″": '"',
        "′": "'",
        "´": "'",
        "`": "'",
        "∇": "▽",
        "∨": "√",
        "─": "-",
        "⌢": "⌒",
        "⟂": "⊥",
        "|": " ",
        "│": " ",
    }
)
_DIAMETER = r"(?:⌀|[ØøΦφ∅])"
_CHARACTERISTICS = "⏤⏥○⌭⌒⌓⌖◎⌯∥⊥∠↗⌰"
_MODIFIERS = "ⓂⓁⒺⓅⓈⒻⓉⓊ"
_NOT_OWN = _CHARACTERISTICS + _MODIFIERS + "⌀□▽√⌴⌵↧°⌲"
_DATUM = rf"[A-Z](?:-[A-Z])?[{_MODIFIERS}]?(?![A-Za-z0-9])"
_EVENLY = r"EQS|EQ\.?\s?SP|均布"
_IN_FRONT = (
    rf"((?:\d{{1,3}}\s*[×xX孔]\s*)?)\(?((?:MAX|MIN)(?:IMUM)?|TYP|PCD|P\.C\.D|B\.C|{_EVENLY})\.?\)?"
    r"\s*(?=S?[RM]?⌀?\s*[\d.,])(.+)"
)
_STEELS = {22, 25, 30, 35, 40, 45, 50, 55, 60}  # C45 is a material
_LARGEST = 100_000  # mm


def parse_dimension(text: str) -> Dimension | None:
    """The quantity that a line of a drawing states; None where it is no dimension (a note, a part number, a name,
    a tolerance without its nominal size).

    The whole line must make sense: an unknown word makes it a note.
    """
    spelled, inches = _without_other_unit(_spelled(text))
    if not any(c.isdigit() or c == "▽" for c in spelled) or _is_only_a_count(spelled):
        return None
    # `2×45°` is a chamfer before it is two angles, but `4×20` is four times 20 before it is a 4 with something behind.
    for counted, readers in ((False, _READERS[:-1]), (True, _READERS), (False, _READERS[-1:])):
        for read in readers:
            scan = Scanner(spelled)
            count = take_count(scan) if counted else 1
            if count is None:
                break
            dimension = read(scan)
            if dimension is None or dimension.nominal == 0:
                continue
            if inches and dimension.unit == "mm":
                dimension = replace(dimension, unit="in")
            try:
                tail = take_tail(scan)
            except NotADimension:
                continue
            if count > 1 and dimension.kind == "linear" and count >= (dimension.nominal or 0) and "=" not in spelled:
                return None  # 10x8 is a section, a key, a plate
            return _finished(dimension, tail, count, normalise(text))
    return None


def _is_only_a_count(text: str) -> bool:
    """4孔, 2 PLACES: of a dimension that stands elsewhere."""
    scan = Scanner(text)
    return take_count(scan) is not None and scan.done


def _spelled(text: str) -> str:
    """One spelling, without the brackets around a reference (12) or basic [50] dimension."""
    spelled = _without_own_mark(normalise(text).translate(_SPELLINGS)).replace("+/-", "±").replace("''", '"').strip()
    spelled = re.sub(r"(?<=\d)\s*deg(?:rees?)?(?![A-Za-z])\.?", "°", spelled, flags=re.IGNORECASE)
    if remark := re.fullmatch(_IN_FRONT, spelled, re.IGNORECASE):
        spelled = f"{remark[1]}{remark[3]} {remark[2]}"
    for opening, closing in ("()", "[]", "()"):
        inner = spelled[1:-1]
        if spelled[:1] == opening and spelled[-1:] == closing and opening not in inner and closing not in inner:
            spelled = inner.strip()
    return spelled


def _without_own_mark(text: str) -> str:
    """Without the symbol of a plant's own (⬡, ◈, ★ …) before or behind the dimension: it says nothing about the size."""
    return text[_is_own_mark(text[:1]) : len(text) - _is_own_mark(text[-1:])]


def _is_own_mark(character: str) -> bool:
    return bool(character) and category(character) == "So" and character not in _NOT_OWN


def _without_other_unit(text: str) -> tuple[str, bool]:
    """`25.4 [1.000]` and `1.000 [25.4]` say the same size in mm and inches: without the bracket, and whether the size
    before it is in inches."""
    match = re.fullmatch(rf"(\D*({NUMBER})[^\[\]()]*?)\s*[\[(][⌀R]?({NUMBER})[\d.,±+/\s-]*(?:mm|in|\")?[\])]", text)
    if match:
        first, second = value(match[2]), value(match[3])
        for inches, ratio in ((False, (first, second)), (True, (second, first))):
            if ratio[1] and abs(ratio[0] / ratio[1] - 25.4) < 0.3:
                return match[1], inches
    return text, False


def _finished(dimension: Dimension, tail: Tail, count: int, text: str) -> Dimension:
    upper, lower = dimension.upper, dimension.lower
    if upper is None and lower is None:
        upper, lower = (0.0 if tail.maximum else None), (0.0 if tail.minimum else None)
    return replace(dimension, text=text, count=max(count, tail.count), upper=upper, lower=lower)


def _frame(scan: Scanner) -> Dimension | None:
    """A GD&T frame in one row: characteristic, tolerance zone, datums."""
    if re.match(r"\s*⌒\s*(?!0?[.,])\d", scan.text[scan.at :]):
        return None  # an arc's length; a profile's tolerance is below 1
    symbol = scan.take(rf"[{_CHARACTERISTICS}]") or scan.take(r"//(?=\s*[⌀\d])")
    zone = scan.take(rf"S?{_DIAMETER}?\s*({NUMBER})(?!\s*°)")
    if not zone:
        return None
    unit = take_unit(scan)
    scan.take(rf"(?:[{_MODIFIERS}]|\([MLEPSF]\))+(?:(?<=Ⓟ)\s*{NUMBER})?")
    scan.take("CZ")
    datums = 0
    while scan.take(_DATUM) or (symbol and scan.take(rf"(?:(?<=[A-Z])|(?<=\d))[A-Z][{_MODIFIERS}]?(?![a-z0-9])")):
        datums += 1
    # Without its characteristic only datums tell a frame from a size, and they need a small zone before them.
    if not symbol and not (datums and re.search("[.,]", zone[1]) and value(zone[1]) <= 2):
        return None
    return _dimension("gdt", value(zone[1]), unit)


def _finish(scan: Scanner) -> Dimension | None:
    """Ra 1.6, √Ra 3.2, 3.2√, ▽▽▽."""
    triangles = scan.take("▽+")
    if triangles and scan.done:
        return _dimension("surface_finish", None, "µm")
    sign = scan.take("√") or triangles
    parameter = scan.take(r"(?:R[azyqt]|RA|RZ|Rmax)(?![A-Za-z])\s*=?|(?:R[azyqt])(?=\d)")
    number = scan.take(rf"({NUMBER})")
    if not number:
        return None
    unit = scan.take(r"(µ(?:m|in|\"))")
    behind = scan.take("√|▽+")
    if not (sign or parameter or behind):
        return None
    return _dimension("surface_finish", value(number[1]), "µin" if unit and unit[1] != "µm" else "µm")


def _chamfer(scan: Scanner) -> Dimension | None:
    """2×45°, C1.5, 45°×2, CH5."""
    if letter := scan.take(rf"(?:CH|C)\s?({NUMBER})(?!\d)"):
        leg = value(letter[1])
        return None if leg in _STEELS else _with_tolerance(scan, "chamfer", leg)
    # `2X 45°` is how ASME writes two angles: a chamfer has its product sign close on both sides, or free on both.
    if product := scan.take(rf"({NUMBER})(\s*){TIMES}(\s*)({NUMBER})\s*°"):
        places = product[2] == "" and product[3] != "" and product[1].isdigit() and value(product[1]) > 1
        repeated = re.match(r"\s*(?:\(?=|EQS|均布)", scan.text[scan.at :])
        if places or repeated or not 0 < value(product[4]) < 90:
            return None
        return _with_tolerance(scan, "chamfer", value(product[1]))
    if product := scan.take(rf"{NUMBER}\s*°\s*{TIMES}\s*({NUMBER})(?!\s*°)"):
        return _with_tolerance(scan, "chamfer", value(product[1]))
    return None


def _radius(scan: Scanner) -> Dimension | None:
    if not scan.take(r"(?:SR|CR|R|r)(?=\s?[\d.,(]|\s?FULL)"):
        return None
    return _sized(scan, "radius")


def _diameter(scan: Scanner) -> Dimension | None:
    scan.take("[⌴⌵]")
    if not (scan.take(rf"S?\s?{_DIAMETER}") or scan.word(r"DIAM?|DIAMETER|直径")):
        return None
    dimension = _sized(scan, "diameter")
    if not re.match(r"\s[×xX]\d{1,2}\s*\Z", scan.text[scan.at :]):  # `⌀6.5 x4` are four
        scan.take(rf"{TIMES}\s*{NUMBER}(?:\s*mm)?\s*\Z")
    return dimension


def _angle(scan: Scanner) -> Dimension | None:
    angle = take_angle(scan)
    return _dimension("angle", angle.nominal, "°", angle.upper, angle.lower) if angle else None


def _linear(scan: Scanner) -> Dimension | None:
    """A bare size; a square (□20), width across flats (SW 17), depth (↧12), thickness (t=3, δ3), the length of an arc
    (⌒25) or feet and inches (5'-6") are too."""
    if re.match(r"\s*0\d", scan.text[scan.at :]):  # 01-08-2013, 0012
        return None
    if feet := scan.take(rf"(\d+)'\s*-?\s*({FRACTION}|{NUMBER})\s*\""):
        return _dimension("linear", 12 * value(feet[1]) + value(feet[2]), "in")
    scan.take("[□↧⌒]") or scan.take(r"(?:SW|AF|[tT]\s?=|t(?=\s?\d)|[δΔ]\s?=?(?=\s?\d)|厚|板厚|深|弧长|THK\.?)")
    dimension = _sized(scan, "linear")
    return (
        dimension and replace(dimension, kind="diameter") if scan.word("DIAM?") or scan.take(_DIAMETER) else dimension
    )


def _sized(scan: Scanner, kind: Kind) -> Dimension | None:
    """`nominal unit fit deviations`, the upper deviation perhaps in front, or two limits of size."""
    bound = scan.take("([≤≥])")
    early = scan.take(rf"(\+{NUMBER}|0)\s+(?={NUMBER}\s*-)")
    number = scan.take(rf"({FRACTION}|{NUMBER})(?!\s*[:%])")
    if not number:
        return None
    nominal = value(number[1])
    if "/" in number[1] and not re.match(r"\s*(?:\"|in\b)", scan.text[scan.at :], re.IGNORECASE):
        return None  # 1/2 is a sheet's number, or a half of an inch
    if limits := _limits(scan, number[1]):
        middle, half = (nominal + limits) / 2, abs(nominal - limits) / 2
        return _dimension(kind, middle, take_unit(scan), half, -half)
    if nominal > _LARGEST:
        return None
    dimension = _with_tolerance(scan, kind, nominal)
    if early:
        if dimension.upper is not None or dimension.lower is None:
            return None
        dimension = replace(dimension, upper=clean(value(early[1].lstrip("+"))))
    if bound:
        return replace(dimension, upper=0.0 if bound[1] == "≤" else None, lower=0.0 if bound[1] == "≥" else None)
    return dimension


def _limits(scan: Scanner, first: str) -> float | None:
    """The other limit of size: `20.02/19.98`, or one under the other. Both have decimals and are nearly equal."""
    start = scan.at
    if re.search("[.,]", first):
        other = scan.take(rf"(?:/|-|\s)\s*{_DIAMETER}?R?\s*(\d+[.,]\d+)")
        if other and value(other[1]) and 0 < abs(value(first) - value(other[1])) < 0.03 * value(other[1]):
            return value(other[1])
    scan.at = start
    return None


def _with_tolerance(scan: Scanner, kind: Kind, nominal: float) -> Dimension:
    unit = take_unit(scan)
    tolerance = take_tolerance(scan, nominal)
    return _dimension(kind, nominal, unit or take_unit(scan), tolerance.upper, tolerance.lower, tolerance.fit)


def _dimension(
    kind: Kind,
    nominal: float | None,
    unit: str | None,
    upper: float | None = None,
    lower: float | None = None,
    fit: str | None = None,
) -> Dimension:
    nominal, upper, lower = (None if v is None else clean(v) for v in (nominal, upper, lower))
    return Dimension("", kind, nominal, upper, lower, fit, unit or "mm")


_READERS: tuple[Callable[[Scanner], Dimension | None], ...] = (
    _frame,
    _finish,
    take_thread,
    _chamfer,
    _radius,
    _diameter,
    _angle,
    _linear,
)
