"""A scene as PDF: lines as vectors, outline fonts as real text, stroke fonts as lines."""

import io
from math import cos, radians, sin
from typing import Any

from drawops.drawings.synth.scene import DASHES, Point, Scene, Text
from drawops.drawings.synth.typeface import OutlineFont

PT = 72.0 / 25.4
"""Points in a millimetre."""


def pdf_bytes(scene: Scene, *, title: str = "") -> bytes:
    """The scene as a one-page PDF; equal scenes give equal bytes."""
    from reportlab.pdfgen.canvas import Canvas

    for font in scene.face.fonts:
        _register(font)
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(scene.width * PT, scene.height * PT), invariant=1)
    canvas.setTitle(title)
    canvas.setProducer("DrawOps")
    canvas.scale(PT, PT)
    canvas.setLineCap(1)
    canvas.setLineJoin(1)
    for line in sorted({s.line for s in scene.strokes} | {a.line for a in scene.arcs}):
        canvas.setLineWidth(scene.line_width(line))
        canvas.setDash(list(DASHES.get(line, ())))
        path = canvas.beginPath()
        for stroke in scene.strokes:
            if stroke.line == line:
                path.moveTo(*stroke.points[0])
                for point in stroke.points[1:]:
                    path.lineTo(*point)
                if stroke.closed:
                    path.close()
        for arc in scene.arcs:
            if arc.line == line:
                x, y, r = *arc.centre, arc.radius
                if arc.full:
                    path.circle(x, y, r)
                else:
                    path.moveTo(x + r * cos(radians(arc.start)), y + r * sin(radians(arc.start)))
                    path.arcTo(x - r, y - r, x + r, y + r, arc.start, arc.end - arc.start)
        canvas.drawPath(path, stroke=1, fill=0)
    canvas.setDash([])
    if scene.fills:
        canvas.drawPath(_path(canvas, [f.points for f in scene.fills], close=True), stroke=0, fill=1)
    for text in scene.texts:
        _write(canvas, text, scene)
    canvas.save()
    return out.getvalue()


def _write(canvas: Any, text: Text, scene: Scene) -> None:
    sizes = {font.name: font.size for font in scene.face.fonts}
    c, s = cos(radians(text.angle)), sin(radians(text.angle))
    strokes: list[list[Point]] = []
    filled: list[list[Point]] = []
    for run in text.layout.runs:
        if run.font:
            x, y = text.at(run.x * text.height, 0.0)
            item = canvas.beginText()
            item.setFont(run.font, sizes[run.font] * text.height)
            item.setTextTransform(c, s, -s, c, x, y)
            item.textOut(run.text)
            canvas.drawText(item)
        else:
            for lines, found in ((run.strokes, strokes), (run.filled, filled)):
                found += [[text.at((run.x + px) * text.height, py * text.height) for px, py in line] for line in lines]
    if strokes:
        canvas.setLineWidth(max(0.18, text.height * 0.09))
        canvas.drawPath(_path(canvas, strokes), stroke=1, fill=0)
    if filled:
        canvas.drawPath(_path(canvas, filled), stroke=0, fill=1)


def _path(canvas: Any, lines: list[list[Point]], *, close: bool = False) -> Any:
    path = canvas.beginPath()
    for line in lines:
        path.moveTo(*line[0])
        for point in line[1:]:
            path.lineTo(*point)
        if close:
            path.close()
    return path


def _register(font: OutlineFont) -> None:
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    if font.name not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(TTFont(font.name, io.BytesIO(font.data)))
