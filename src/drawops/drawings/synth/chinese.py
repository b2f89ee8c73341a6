"""Noto's Chinese fonts come as CFF outlines; PDF libraries embed TrueType. This makes the small font we need."""

import io
import logging
from functools import cache
from pathlib import Path
from typing import Any

from drawops.drawings.synth.wording import all_characters


def truetype_subset(path: Path) -> bytes:
    """The characters of our vocabulary from an OpenType/CFF font, as a TrueType file (about 0.5 s)."""
    return _subset(path, "".join(sorted(set(all_characters()) | {chr(c) for c in range(0x20, 0x7F)})))


@cache
def _subset(path: Path, characters: str) -> bytes:
    from fontTools import subset
    from fontTools.ttLib import TTFont

    logging.getLogger("fontTools").setLevel(logging.WARNING)  # where others log at INFO it lists every glyph
    options = subset.Options(layout_features=[], notdef_outline=True, hinting=False)
    font = TTFont(path, lazy=True, recalcTimestamp=False)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=characters)
    subsetter.subset(font)
    _to_truetype(font)
    out = io.BytesIO()
    font.save(out)
    return out.getvalue()


def _to_truetype(font: Any) -> None:
    from fontTools.pens.cu2quPen import Cu2QuPen
    from fontTools.pens.ttGlyphPen import TTGlyphPen
    from fontTools.ttLib import newTable

    order, outlines, glyphs = font.getGlyphOrder(), font.getGlyphSet(), {}
    for name in order:
        pen = TTGlyphPen(outlines)
        outlines[name].draw(Cu2QuPen(pen, 1.0, reverse_direction=True))  # TrueType fills the other way round
        glyphs[name] = pen.glyph()
    font["loca"] = newTable("loca")
    font["glyf"] = table = newTable("glyf")
    table.glyphOrder, table.glyphs = order, glyphs
    for name, glyph in glyphs.items():
        glyph.recalcBounds(table)
        font["hmtx"][name] = (font["hmtx"][name][0], getattr(glyph, "xMin", 0))
    limits = font["maxp"]
    limits.tableVersion = 0x00010000
    limits.maxZones = 1
    for part in ("TwilightPoints", "Storage", "FunctionDefs", "InstructionDefs", "StackElements"):
        setattr(limits, f"max{part}", 0)
    limits.maxSizeOfInstructions = limits.maxComponentElements = 0
    names = font["post"]
    names.formatType, names.extraNames, names.mapping, names.glyphOrder = 2.0, [], {}, order
    for tag in ("CFF ", "VORG", "vhea", "vmtx", "GSUB", "GPOS", "BASE"):
        if tag in font:
            del font[tag]
    font.sfntVersion = "\x00\x01\x00\x00"
