"""Dimension texts as quantities."""

import pytest

from drawops.dimensions import Dimension, parse_dimension
from drawops.dimensions.model import describe


def quantity(text: str) -> tuple | None:
    d = parse_dimension(text)
    return d and (d.kind, d.count, d.nominal, d.upper, d.lower, d.fit, d.unit)


def of(kind, nominal, upper=None, lower=None, *, fit=None, unit="mm", count=1):
    return kind, count, nominal, upper, lower, fit, unit


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("35", of("linear", 35)),
        ("12.5", of("linear", 12.5)),
        ("12,5", of("linear", 12.5)),
        ("200,00", of("linear", 200)),
        (".75", of("linear", 0.75)),
        ("(12)", of("linear", 12)),
        ("（25，5）", of("linear", 25.5)),
        ("25 REF", of("linear", 25)),
        ("[50]", of("linear", 50)),
        ("□20", of("linear", 20)),
        ("SW17", of("linear", 17)),
        ("t=3", of("linear", 3)),
        ("12.7 mm", of("linear", 12.7)),
        ("80 µm", of("linear", 80, unit="µm")),
        ('2.5"', of("linear", 2.5, unit="in")),
        ('1 1/2"', of("linear", 1.5, unit="in")),
        ("3/8 in", of("linear", 0.375, unit="in")),
        ("4×20 (=80)", of("linear", 20, count=4)),
        ("⌀60", of("diameter", 60)),
        ("Ø 60", of("diameter", 60)),
        ("φ21,5", of("diameter", 21.5)),
        ("S⌀12", of("diameter", 12)),
        ("DIA 10", of("diameter", 10)),
        ("10 DIA", of("diameter", 10)),
        ("R5", of("radius", 5)),
        ("R10,00", of("radius", 10)),
        ("SR10", of("radius", 10)),
        ("R0.5 MAX", of("radius", 0.5, upper=0)),
        ("R0.2 MIN", of("radius", 0.2, lower=0)),
        ("≤5", of("linear", 5, upper=0)),
        ("≥ 8 mm", of("linear", 8, lower=0)),
    ],
)
def test_sizes(text, wanted):
    assert quantity(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("21.5±0.1", of("linear", 21.5, 0.1, -0.1)),
        ("⌀21,5 ±0,1", of("diameter", 21.5, 0.1, -0.1)),
        ("10 +/- 0.1", of("linear", 10, 0.1, -0.1)),
        ("10±0.1mm", of("linear", 10, 0.1, -0.1)),
        ("35.36 +0.03/-0.03", of("linear", 35.36, 0.03, -0.03)),
        ("35.36 +0.03 -0.03", of("linear", 35.36, 0.03, -0.03)),
        ("+0.03 35.36-0.03", of("linear", 35.36, 0.03, -0.03)),
        ("35.36 -0.03 +0.03", of("linear", 35.36, 0.03, -0.03)),
        ("33 +0.2 0", of("linear", 33, 0.2, 0)),
        ("33 +0.2/0", of("linear", 33, 0.2, 0)),
        ("33 0/-0.2", of("linear", 33, 0, -0.2)),
        ("⌀60 -0.01 -0.03", of("diameter", 60, -0.01, -0.03)),
        ("R12 +0.5/0", of("radius", 12, 0.5, 0)),
        ("25 +0.1", of("linear", 25, upper=0.1)),
        ("25-0,1", of("linear", 25, lower=-0.1)),
        ("20.02/19.98", of("linear", 20, 0.02, -0.02)),
        ("⌀20,02 ⌀19,98", of("diameter", 20, 0.02, -0.02)),
        ("1.250 +.002/-.001 in", of("linear", 1.25, 0.002, -0.001, unit="in")),
    ],
)
def test_deviations_and_limits(text, wanted):
    assert quantity(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("⌀30H7", of("diameter", 30, fit="H7")),
        ("⌀38 H12", of("diameter", 38, fit="H12")),
        ("12h6", of("linear", 12, fit="h6")),
        ("⌀40js6", of("diameter", 40, fit="js6")),
        ("8P9", of("linear", 8, fit="P9")),
        ("⌀40H7/g6", of("diameter", 40, fit="H7/g6")),
        ("⌀40 H7 g6", of("diameter", 40, fit="H7/g6")),
        ("⌀10H7(+0.015/0)", of("diameter", 10, 0.015, 0, fit="H7")),
        ("⌀50f7 -0.025 -0.050", of("diameter", 50, -0.025, -0.05, fit="f7")),
    ],
)
def test_fits(text, wanted):
    assert quantity(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("4×⌀6.5 THRU", of("diameter", 6.5, count=4)),
        ("6X R2", of("radius", 2, count=6)),
        ("2 x R10", of("radius", 10, count=2)),
        ("4-⌀6.5通孔", of("diameter", 6.5, count=4)),
        ("8×⌀9均布", of("diameter", 9, count=8)),
        ("8×⌀9 EQS", of("diameter", 9, count=8)),
        ("EQS 6×⌀9", of("diameter", 9, count=6)),
        ("(EQS)6-⌀9", of("diameter", 9, count=6)),
        ("均布 6-⌀9", of("diameter", 9, count=6)),
        ("6孔均布⌀9", of("diameter", 9, count=6)),
        ("6x⌀9 EQ SP", of("diameter", 9, count=6)),
        ("⌀6.5 6X", of("diameter", 6.5, count=6)),
        ("R5 3 PLACES", of("radius", 5, count=3)),
        ("R3 (2 PLACES)", of("radius", 3, count=2)),
        ("4 HOLES ⌀6", of("diameter", 6, count=4)),
        ("4×⌀6.6↧12 ⌴⌀11↧6.5", of("diameter", 6.6, count=4)),
        ("⌴⌀11↧6", of("diameter", 11)),
        ("⌵⌀12×90°", of("diameter", 12)),
        ("⌀8 ↧ 20", of("diameter", 8)),
        ("⌀6.5 深12", of("diameter", 6.5)),
        ("⌀6,5 durchgehend", of("diameter", 6.5)),
        ("4 x M8 Gewinde durchgehend", of("thread", 8, count=4)),
        ("2X 45°", of("angle", 45, unit="°", count=2)),
        ("12×30°(=360°)", of("angle", 30, unit="°", count=12)),
    ],
)
def test_counts_and_remarks(text, wanted):
    assert quantity(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("45°", of("angle", 45, unit="°")),
        ("45,0°", of("angle", 45, unit="°")),
        ("45°±0.5°", of("angle", 45, 0.5, -0.5, unit="°")),
        ("45±1°", of("angle", 45, 1, -1, unit="°")),
        ("30°15′", of("angle", 30.25, unit="°")),
        ("30°15'36\"", of("angle", 30.26, unit="°")),
        ("30°±30′", of("angle", 30, 0.5, -0.5, unit="°")),
        ("45° +1°/0°", of("angle", 45, 1, 0, unit="°")),
        ("2×45°", of("chamfer", 2)),
        ("1x45°", of("chamfer", 1)),
        ("0,5 x 45°", of("chamfer", 0.5)),
        ("45°×2", of("chamfer", 2)),
        ("C1.5", of("chamfer", 1.5)),
        ("CH5", of("chamfer", 5)),
        ("2×C1", of("chamfer", 1, count=2)),
    ],
)
def test_angles_and_chamfers(text, wanted):
    assert quantity(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("M4", of("thread", 4)),
        ("M8×1.25-6H", of("thread", 8, fit="6H")),
        ("M8x1.25 - 6g", of("thread", 8, fit="6g")),
        ("M10x1-LH", of("thread", 10)),
        ("M20×2-5g6g-LH", of("thread", 20, fit="5g6g")),
        ("M6-6H/6g", of("thread", 6, fit="6H/6g")),
        ("6×M8↧16", of("thread", 8, count=6)),
        ("4-M6", of("thread", 6, count=4)),
        ("Tr32×6-7e", of("thread", 32, fit="7e")),
        ("G1/2", of("thread", 0.5, unit="in")),
        ("G 1 1/4", of("thread", 1.25, unit="in")),
        ("Rc3/8", of("thread", 0.375, unit="in")),
        ("NPT 1/2", of("thread", 0.5, unit="in")),
        ("G3/4-A", of("thread", 0.75, unit="in")),
        ("G1/2A-LH", of("thread", 0.5, unit="in")),
        ("NPT 1/4-18", of("thread", 0.25, unit="in")),
        ("1/2-14 NPT", of("thread", 0.5, unit="in")),
        ("2-G1/4", of("thread", 0.25, count=2, unit="in")),
        ("2-M6深10", of("thread", 6, count=2)),
        ("M6-6H 深12", of("thread", 6, fit="6H")),
        ("2-M6深10孔深12", of("thread", 6, count=2)),
        ("4-M6-7H↧12/孔↧15 EQS", of("thread", 6, count=4, fit="7H")),
        ("M8 有效深10,底孔深15", of("thread", 8)),
        ("1/4-20 UNC-2B", of("thread", 0.25, fit="2B", unit="in")),
        ("#8-32 UNC", of("thread", 0.164, unit="in")),
    ],
)
def test_threads(text, wanted):
    assert quantity(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("⌖ ⌀0.1Ⓜ A B C", of("gdt", 0.1)),
        ("⌖|⌀0.1(M)|A|B|C", of("gdt", 0.1)),
        ("∥ 0.02 A", of("gdt", 0.02)),
        ("// 0.02 A", of("gdt", 0.02)),
        ("⊥⌀0,05A", of("gdt", 0.05)),
        ("⏥ 0.05", of("gdt", 0.05)),
        ("⌰ 0.1 A-B", of("gdt", 0.1)),
        ("0.1 A B", of("gdt", 0.1)),
        ("Ra 1.6", of("surface_finish", 1.6, unit="µm")),
        ("Ra1,6", of("surface_finish", 1.6, unit="µm")),
        ("√Ra 3.2", of("surface_finish", 3.2, unit="µm")),
        ("Ra 3.2 µm", of("surface_finish", 3.2, unit="µm")),
        ("Ra 3.2 μm", of("surface_finish", 3.2, unit="µm")),
        ("Rz25", of("surface_finish", 25, unit="µm")),
        ("3.2√", of("surface_finish", 3.2, unit="µm")),
        ("▽▽", of("surface_finish", None, unit="µm")),
    ],
)
def test_frames_and_surface_finish(text, wanted):
    assert quantity(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("δ3", of("linear", 3)),
        ("δ=2.5", of("linear", 2.5)),
        ("⌒25", of("linear", 25)),
        ("12⌒", of("linear", 12)),
        ("⌒ 0.1", of("gdt", 0.1)),
        ("弧长25", of("linear", 25)),
        ("MAX 5", of("linear", 5, upper=0)),
        ("MIN. 3", of("linear", 3, lower=0)),
        ("TYP. R5", of("radius", 5)),
        ("2X TYP R5", of("radius", 5, count=2)),
        ("PCD ⌀50", of("diameter", 50)),
        ("⌀50 B.C.", of("diameter", 50)),
        ("4 HOLES ⌀6 EQUI SPACED ON 50 PCD", of("diameter", 6, count=4)),
        ("25.4 [1.000]", of("linear", 25.4)),
        ("⌀25.4±0.1 [⌀1.000±.004]", of("diameter", 25.4, 0.1, -0.1)),
        ("1.000 [25.4]", of("linear", 1, unit="in")),
        ("5'-6\"", of("linear", 66, unit="in")),
        ("1'-2 1/2\"", of("linear", 14.5, unit="in")),
        ("30 DEG.", of("angle", 30, unit="°")),
        ("16 ø", of("diameter", 16)),
        ("⌀20h6Ⓔ", of("diameter", 20, fit="h6")),
        ("R2 (x4)", of("radius", 2, count=4)),
        ("⌀6.5 x4", of("diameter", 6.5, count=4)),
        ("⌀10 x 5", of("diameter", 10)),
        ("⌖ ⌀0.2 Ⓟ 20 A", of("gdt", 0.2)),
        ("C2 两端", of("chamfer", 2)),
    ],
)
def test_other_ways_to_write_them(text, wanted):
    assert quantity(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A",
        "A-A",
        "H7",
        "6X",
        "3 PLACES",
        "4孔",
        "2处",
        "±0.1",
        "+0.03",
        "0",
        "0012",
        "18,0012,00",
        "10-2",
        "1:2",
        "M1:1",
        "1/2",
        "A4",
        "50%",
        "10:30",
        "18-3-2013",
        "01-08-2013",
        "2013-04-24",
        "1173-B2P-A",
        "B 1173-B2P-A",
        "C45",
        "C45 (1.0503)",
        "Q235A",
        "1.1191 (C45E)",
        "EN AW-6061 T6",
        "136.39 gram",
        "5.5kg",
        "60 HRC",
        "58-62 HRC",
        "M. van den Berg",
        "GB/T 1804-m",
        "ISO 2768-mK",
        "DIN 7168",
        "未注倒角C1",
        "1. REMOVE ALL BURRS",
        "Section A-A",
        "⌀",
        "R",
        "0.02/100",
        "2'",
        "10x8",
        "10 x 10",
        "25 [1.5]",
        "1:50 TAPER",
        "锥度1:50",
        "全部倒角C1",
        "R3~R5",
        "ISO 4762 M8x20",
        "3/18/2013",
        "DW71-0005",
        "45钢",
        "20CrMnTi",
        "24V DC",
        "REF 25",
    ],
)
def test_what_is_no_dimension(text):
    assert parse_dimension(text) is None


def test_the_text_is_kept_as_written_but_for_its_spelling():
    d = parse_dimension("４×φ6.5  THRU")
    assert d == Dimension("4×⌀6.5 THRU", "diameter", 6.5, count=4)


def test_the_json_has_the_promised_fields():
    assert parse_dimension("4×⌀6.5 +0.1/0").to_dict() == {
        "kind": "diameter",
        "count": 4,
        "nominal": 6.5,
        "upper": 0.1,
        "lower": 0.0,
        "fit": None,
        "unit": "mm",
    }


def test_any_text_is_parsed_or_left_without_an_exception():
    import random

    rng = random.Random(5)
    alphabet = "0123456789.,+-±×xXRMCHGah°'\"⌀⌖ⓂAB/()[] √▽µmδ⌒²٣½𝟑\u3000\x00"
    written = ["4×⌀6.6 THRU", "M8x1.25-6g", "⌖ ⌀0.1Ⓜ A B", "⌀20 +0.021/0", "1/4-20 UNC", "25.4 [1.000]", "1'-2 1/2\""]
    for i in range(6000):
        text = rng.choice(written) if i % 2 else "".join(rng.choices(alphabet, k=rng.randint(1, 14)))
        for _ in range(i % 4):  # what a reader gets wrong: a character left out, added, doubled
            at = rng.randrange(len(text) + 1)
            text = text[:at] + rng.choice([*alphabet, ""]) + text[at + rng.randint(0, 1) :]
        d = parse_dimension(text)
        assert d is None or d.nominal is None or d.nominal > 0, text
        assert d is None or d.upper is None or d.lower is None or d.upper >= d.lower, text


def test_no_dimension_is_invented_for_dates_scales_part_numbers_standards_and_materials():
    import random

    rng = random.Random(7)
    n = rng.randrange
    for _ in range(400):
        for text in (
            f"{n(1, 29)}-{n(1, 13)}-{n(1990, 2030)}",
            f"{n(1990, 2030)}.{n(1, 13):02}.{n(1, 29):02}",
            f"{n(1, 29):02}/{n(1, 13):02}/{n(10, 99)}",
            f"{n(1, 20)}:{n(1, 50)}",
            f"{rng.choice(['DW', 'HX', 'KV', 'PN'])}{n(10, 99)}-{n(1, 9999):04}",
            f"{n(1000, 9999)}-{rng.choice('ABZ')}{n(1, 9)}P-{rng.choice('ABC')}",
            f"{rng.choice(['ISO', 'DIN', 'EN', 'GB/T', 'ASME Y'])} {n(10, 9999)}-{n(1, 20)}",
            f"{n(1, 9)}.{n(4000, 4999)} ({rng.choice('XC')}{n(10, 99)}Cr)",
            f"SHEET {n(1, 9)} OF {n(1, 9)}",
            f"{n(1, 5)}/{n(5, 9)}",
            f"Q{n(195, 460)}B",
            f"+{n(10, 99)} {n(100, 999)} {n(1000, 9999)}",
        ):
            assert parse_dimension(text) is None, text


def test_parsing_takes_no_time_on_long_notes():
    import time

    start = time.perf_counter()
    assert parse_dimension("1 2 3 4 5 " * 2000) is None
    assert parse_dimension("4×" * 5000) is None
    assert time.perf_counter() - start < 1


def test_most_dimension_texts_of_the_generator_are_understood():
    import random

    from drawops.drawings.synth import texts

    kinds = {
        texts._linear: "linear",
        texts._diameter: "diameter",
        texts._holes: "diameter",
        texts._thread: "thread",
        texts._chamfer: "chamfer",
        texts._radius: ("radius", "diameter"),
        texts._angle: "angle",
        texts._frame: "gdt",
    }
    rng = random.Random(1)
    for write, kind in kinds.items():
        for _ in range(300):
            text = write(rng)
            d = parse_dimension(text)
            assert d and d.kind in kind, text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("4×⌀6.5 THRU", "diameter 4× 6.5 mm"),
        ("33 +0.2/0", "linear 33 +0.2/0 mm"),
        ("45°±0.5°", "angle 45 ±0.5 °"),
        ("R0.5 MAX", "radius 0.5 0/… mm"),
        ("⌀40H7/g6", "diameter 40 H7/g6 mm"),
        ("▽", "surface finish"),
    ],
)
def test_a_dimension_in_a_few_words(text, wanted):
    assert describe(parse_dimension(text).to_dict()) == wanted
