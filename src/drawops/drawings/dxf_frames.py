"""GD&T frames of a DXF: its TOLERANCE entities, which ezdxf leaves out, and the letters of the fonts that hold their symbols."""

import math
import re
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Any

from ezdxf.addons.drawing import RenderContext
from ezdxf.addons.drawing.config import Configuration
from ezdxf.addons.drawing.frontend import UniversalFrontend
from ezdxf.addons.drawing.pipeline import RenderPipeline2d
from ezdxf.addons.drawing.properties import Properties
from ezdxf.entities import DimStyle, DXFGraphic
from ezdxf.lldxf.const import DXFValueError
from ezdxf.lldxf.encoding import decode_dxf_unicode
from ezdxf.lldxf.validator import make_table_key
from ezdxf.math import UCS, Matrix44, Vec3
from ezdxf.tools.text import fast_plain_mtext

from drawops.drawings.harvest import Piece

_GDT_LETTERS = str.maketrans("abcdefghijklmnopqrstuvwx", "∠⊥⏥⌓○∥⌭↗⌯⌖⌒ⓁⓂ⌀□Ⓟ℄◎Ⓢ⌰⏤⌴⌵↧")
_GDT_RUN = re.compile(r"\\F[^;\\{}]*gdt[^;\\{}]*;([^\\{}%]*)", re.I)  # gdt.shx, AMGDT, AIGDT
_SIZES = ("dimtxt", "dimgap", "dimscale")
# What AutoCAD takes where a style leaves it out.
_STYLE = {"dimtxt": 0.18, "dimgap": 0.09, "dimscale": 1.0, "dimtxsty": "Standard"}


def with_gdt_symbols(content: str) -> str:
    """The content of an MTEXT or TOLERANCE with the symbols that `{\\Fgdt;n}` and the like write as letters."""
    return _GDT_RUN.sub(lambda run: run[1].translate(_GDT_LETTERS), content)


def frame_rows(content: str) -> list[list[str]]:
    """The texts of the cells of a TOLERANCE, row by row, without the empty ones: [["⌖", "⌀0.1Ⓜ", "A", "B"]]."""
    content = decode_dxf_unicode(with_gdt_symbols(content))
    rows = (re.split("%%v", row, flags=re.I) for row in content.split("^J"))
    plain = ([str(fast_plain_mtext(cell)).strip() for cell in row] for row in rows)
    return [cells for row in plain if (cells := [cell for cell in row if cell])]


class Frontend(UniversalFrontend):
    """ezdxf's frontend that draws TOLERANCE entities too; of the texts of a row of cells, which `pieces` receives from the
    pipeline, it makes one piece."""

    def __init__(
        self, context: RenderContext, pipeline: RenderPipeline2d, config: Configuration, pieces: list[Piece]
    ) -> None:
        super().__init__(context, pipeline, config)
        self._pieces = pieces

    def draw_entity(self, entity: DXFGraphic, properties: Properties) -> None:
        if entity.dxftype() != "TOLERANCE" or entity.proxy_graphic:
            return super().draw_entity(entity, properties)
        self.pipeline.enter_entity(entity, properties)
        style = _style(entity)
        # A block that is inserted at a scale makes the axis longer.
        scale = style["dimscale"] * entity.dxf.x_axis_vector.magnitude
        height, gap = style["dimtxt"] * scale, abs(style["dimgap"]) * scale
        axes = UCS(entity.dxf.insert, ux=entity.dxf.x_axis_vector, uz=entity.dxf.extrusion)
        properties = copy(properties)
        properties.font = self.ctx.fonts.get(make_table_key(style["dimtxsty"]))
        face = self.get_font_face(properties)

        def rule(*ends: tuple[float, float]) -> None:
            start, end = (axes.to_wcs(Vec3(end)) for end in ends)
            self.pipeline.draw_line(start, end, properties)

        for i, cells in enumerate(frame_rows(entity.dxf.content)):
            baseline = -height / 2 - i * (height + 2 * gap)  # the entity is placed by the middle of its first row
            bottom, top = baseline - gap, baseline + height + gap
            at, first = 0.0, len(self._pieces)
            rule((0, bottom), (0, top))
            for cell in cells:
                width = self.text_engine.get_text_line_width(cell, face, height)
                wide = max(width, height) + 2 * gap
                place = Matrix44.translate(at + (wide - width) / 2, baseline, 0) @ axes.matrix
                self.pipeline.draw_text(cell, place, properties, height, "MTEXT")
                at += wide
                rule((at, bottom), (at, top))
            rule((0, bottom), (at, bottom))
            rule((0, top), (at, top))
            row = self._pieces[first:]
            self._pieces[first:] = [_in_one(row, " ".join(cells))] if len(row) == len(cells) else []
        self.pipeline.exit_entity(entity)


def _style(entity: DXFGraphic) -> dict[str, Any]:
    """Sizes and text style of the entity's dimension style, and what the entity overrides of it."""
    named = DimStyle()
    if entity.doc and entity.dxf.dimstyle in entity.doc.dimstyles:
        named = entity.doc.dimstyles.get(entity.dxf.dimstyle)
    style = {name: named.dxf.get(name) or default for name, default in _STYLE.items()}
    try:
        tags = [tag.value for tag in entity.get_xdata_list("ACAD", "DSTYLE")[2:-1]]
    except DXFValueError:
        return style
    names = map(DimStyle.CODE_TO_DXF_ATTRIB.get, tags[::2])
    own = {name: value for name, value in zip(names, tags[1::2], strict=False) if name in _SIZES and value}
    return {**style, **own}


def _in_one(cells: Sequence[Piece], text: str) -> Piece:
    """The pieces of cells side by side as one."""
    first, last = cells[0], cells[-1]
    along = [math.dist(cell.origin, first.origin) for cell in cells]
    boxes = [cell.box for cell in cells]
    return replace(
        first,
        text=text,
        advance=along[-1] + last.advance,
        box=(boxes[0][0], min(b[1] for b in boxes), along[-1] + boxes[-1][2], max(b[3] for b in boxes)),
    )
