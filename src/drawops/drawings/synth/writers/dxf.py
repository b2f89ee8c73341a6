"""A scene as DXF R2010: layers by line type, texts as TEXT entities stretched to their label's width."""

import io
from math import cos, radians, sin
from typing import Any

from drawops.drawings.synth.scene import DASHES, Scene, Text

LAYERS: dict[str, tuple[str, int]] = {
    "visible": ("OUTLINE", 7),
    "hidden": ("HIDDEN", 4),
    "centre": ("CENTER", 1),
    "phantom": ("PHANTOM", 6),
    "thin": ("THIN", 7),
    "hatch": ("HATCH", 8),
    "dimension": ("DIMENSION", 3),
    "frame": ("FRAME", 7),
    "cut": ("SECTION", 2),
}
"""Layer name and AutoCAD colour index of each line type."""

_WEIGHTS = (13, 18, 20, 25, 30, 35, 40, 50, 53, 60, 70)


def dxf_bytes(scene: Scene) -> bytes:
    """The scene as a DXF file in millimetres; its extents are the sheet."""
    import ezdxf
    from ezdxf import options, units

    keep = options.write_fixed_meta_data_for_testing
    options.write_fixed_meta_data_for_testing = True  # no time stamps: equal scenes give equal bytes
    try:
        doc = ezdxf.new("R2010", units=units.MM)
        _tables(doc, scene)
        space = doc.modelspace()
        for stroke in scene.strokes:
            layer = {"layer": LAYERS[stroke.line][0]}
            if len(stroke.points) == 2 and not stroke.closed:
                space.add_line(stroke.points[0], stroke.points[1], dxfattribs=layer)
            else:
                space.add_lwpolyline(stroke.points, close=stroke.closed, dxfattribs=layer)
        for arc in scene.arcs:
            layer = {"layer": LAYERS[arc.line][0]}
            if arc.full:
                space.add_circle(arc.centre, arc.radius, dxfattribs=layer)
            else:
                space.add_arc(arc.centre, arc.radius, arc.start % 360, arc.end % 360, dxfattribs=layer)
        for fill in scene.fills:
            points = fill.points if len(fill.points) == 4 else [*fill.points, fill.points[-1]]
            space.add_solid([points[0], points[1], points[3], points[2]], dxfattribs={"layer": "DIMENSION"})
        for text in scene.texts:
            _write(space, text)
        doc.header["$EXTMIN"] = doc.header["$LIMMIN"] = (0.0, 0.0, 0.0)
        doc.header["$EXTMAX"] = (scene.width, scene.height, 0.0)
        doc.header["$LIMMIN"], doc.header["$LIMMAX"] = (0.0, 0.0), (scene.width, scene.height)
        out = io.StringIO()
        doc.write(out)
        return out.getvalue().encode("utf-8")
    finally:
        options.write_fixed_meta_data_for_testing = keep


def _tables(doc: Any, scene: Scene) -> None:
    for line, pattern in DASHES.items():
        signed = [p if i % 2 == 0 else -p for i, p in enumerate(pattern)]
        doc.linetypes.add(line.upper(), [sum(pattern), *signed])
    for line, (layer, colour) in LAYERS.items():
        weight = _weight(scene.line_width(line))  # type: ignore[arg-type]
        name = line.upper() if line in DASHES else "Continuous"
        doc.layers.add(layer, color=colour, linetype=name, lineweight=weight)
    doc.layers.add("TEXT", color=7, lineweight=18)
    font = "isocp.shx" if scene.face.is_stroke else "DejaVuSans.ttf"
    doc.styles.add("LATIN", font=font)
    doc.styles.add("CHINESE", font="NotoSansSC-Regular.otf")


def _weight(width: float) -> int:
    """The nearest DXF line weight (1/100 mm) of a width in mm."""
    return min(_WEIGHTS, key=lambda weight: abs(weight - 100.0 * width))


def _write(space: Any, text: Text) -> None:
    from ezdxf.enums import TextEntityAlignment

    if not text.text.strip():
        return
    style = "CHINESE" if any(ord(c) >= 0x2E80 for c in text.text) else "LATIN"
    attributes = {"layer": "TEXT", "style": style, "height": text.height, "rotation": text.angle}
    c, s = cos(radians(text.angle)), sin(radians(text.angle))
    end = text.origin[0] + text.width * c, text.origin[1] + text.width * s
    item = space.add_text(text.text, dxfattribs=attributes)
    # FIT: whatever font the reader has, the text is as wide as its label
    item.set_placement(text.origin, end, align=TextEntityAlignment.FIT)
