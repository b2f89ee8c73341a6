"""DXF drawings: drawn by ezdxf's frontend onto pixels, their texts harvested from the very geometry that is drawn.

A page is a paper-space layout that has more than viewports on it, else the model space. Units and dpi give the size
in pixels; a drawing at a scale that no sheet could have (a plan in metres, an untitled sketch) is fitted to A3.
"""

import logging
import math
import re
from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import ezdxf
import numpy as np
from ezdxf import recover
from ezdxf.addons.drawing import RenderContext
from ezdxf.addons.drawing.backend import Backend, BackendProperties, BkPath2d, BkPoints2d, ImageData
from ezdxf.addons.drawing.config import BackgroundPolicy, Configuration, HatchPolicy, LinePolicy
from ezdxf.addons.drawing.pipeline import RenderPipeline2d
from ezdxf.addons.drawing.properties import LayoutProperties, Properties
from ezdxf.addons.drawing.recorder import Recorder
from ezdxf.entities import DXFGraphic
from ezdxf.enums import InsertUnits
from ezdxf.lldxf.const import DXFError
from ezdxf.lldxf.encoding import decode_dxf_unicode, has_dxf_unicode
from ezdxf.math import BoundingBox2d, Matrix44, Vec2
from ezdxf.units import conversion_factor
from numpy.typing import NDArray

from drawops.drawings.dxf_frames import Frontend, with_gdt_symbols
from drawops.drawings.dxf_text import FallbackTextRenderer
from drawops.drawings.harvest import Piece, to_lines
from drawops.drawings.model import Image, Page
from drawops.drawings.opening import refuse_if_huge
from drawops.drawings.outlines import telling, weight_of_outlines
from drawops.drawings.symbols import mark_partial
from drawops.errors import InputRefused

logging.getLogger("ezdxf").setLevel(logging.ERROR)  # it warns where a computer has no fonts: see `stand_ins`
_SHEET_MM = (90.0, 1400.0)  # long side of what is believed to be drawn 1:1: A6 to a little over A0
_A3_MM = 420.0
_SHEETS_MM = ((148, 210), (210, 297), (297, 420), (420, 594), (594, 841), (841, 1189))
_MARGIN = 0.02
_MIN_CAP_PX = 14.0  # median cap height below which the page is drawn larger, up to three times
_CAP_TO_EM = 1.4
_ANNOTATION = "\0annotation"  # the layer under which the recorder keeps what is no outline
_ANNOTATION_KINDS = frozenset(
    [
        "DIMENSION",
        "ARC_DIMENSION",
        "LARGE_RADIAL_DIMENSION",
        "LEADER",
        "MULTILEADER",
        "MLEADER",
        "TOLERANCE",
        "TEXT",
        "MTEXT",
        "ATTRIB",
        "ATTDEF",
    ]
)
_ANNOTATION_LAYERS = re.compile(r"dim|bema[sß]+ung|hatch|schraff|cent(er|re)|mittel|尺寸|标注|中心|剖面|填充", re.I)
_CENTRE_LINES = re.compile(r"cent(er|re)|mitte|dash_?dot|phantom|divide|acad_iso(04|08|10)w", re.I)
# +0.2^-0.1 as some programs write it: in files ^ and the character behind it are a control character, "^ " is a ^.
_STACK = re.compile(r"(\\S[^;^]*)\^(?! )")
_CONFIG = Configuration(
    background_policy=BackgroundPolicy.WHITE,
    line_policy=LinePolicy.ACCURATE,
    hatch_policy=HatchPolicy.NORMAL,
    hatching_timeout=5.0,
)


class DxfSource:
    """Pages of a DXF file, drawn at `dpi` of the sheet."""

    def __init__(self, path: Path, dpi: float) -> None:
        self._name, self._dpi = path.name, dpi
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - 256))
            if b"EOF" not in stream.read():
                raise InputRefused(path.name, "is cut off (the end mark EOF is missing); copy or export it again")
        self._document = _read(path)
        self._layouts = _layouts(self._document)
        if not self._layouts:
            raise InputRefused(path.name, "has nothing drawn in it; check that the layers were exported")
        self.page_count = len(self._layouts)

    def page(self, index: int) -> Page:
        layout = self._layouts[index]
        recorder = Recorder()
        pipeline = HarvestingPipeline(recorder)
        context = RenderContext(self._document)
        context.set_current_layout(layout)
        context.current_layout_properties.set_colors("#ffffff")
        try:
            Frontend(context, pipeline, _CONFIG, pipeline.pieces).draw_layout(
                layout, layout_properties=LayoutProperties(layout.name, "#ffffff")
            )
        except (DXFError, ValueError, TypeError, ArithmeticError, AttributeError, RecursionError) as exc:
            raise InputRefused(self._name, f"page {index} can't be drawn ({exc}); save it again in your CAD") from exc
        player = recorder.player()
        box = player.bbox()  # of what is drawn; the sheet's, where the drawing has one
        if not box.has_data or max(box.size) <= 0 or not all(map(math.isfinite, (*box.extmin, *box.extmax))):
            raise InputRefused(self._name, f"page {index} has nothing visible on it; check layers and layouts")
        scale = self._pixels_per_unit(layout, max(box.size), [p.size / _CAP_TO_EM for p in pipeline.pieces])
        sheet = _sheet(self._document, layout, box)
        margin = 0.0 if sheet else _MARGIN * max(box.size) * scale
        box = sheet or box
        width, height = (math.ceil(side * scale + 2 * margin) for side in (box.size.x, box.size.y))
        refuse_if_huge(f"{self._name} page {index}", width, height)
        to_pixels = Matrix44.scale(scale, -scale, 1) @ Matrix44.translate(
            margin - box.extmin.x * scale, margin + box.extmax.y * scale, 0
        )
        player.transform(to_pixels)
        canvas = Canvas(width, height, self._dpi)
        player.replay(canvas)
        pieces = [_in_pixels(piece, to_pixels, scale) for piece in pipeline.pieces]
        lines = tuple(mark_partial(to_lines(pieces, canvas.image), canvas.image))
        return Page(index, canvas.image, self._dpi, lines, canvas.outlines(), name=self._name)

    def close(self) -> None:
        del self._document, self._layouts

    def _pixels_per_unit(self, layout: Any, long_side: float, cap_heights: list[float]) -> float:
        if layout.is_modelspace:
            millimetres = _millimetres(self._document.header.get("$INSUNITS", 0))
        else:
            millimetres = 25.4 if layout.dxf.get("plot_paper_units", 1) == 0 else 1.0
        if not _SHEET_MM[0] <= long_side * millimetres <= _SHEET_MM[1]:
            millimetres = _A3_MM / long_side
        scale = millimetres / 25.4 * self._dpi
        if cap_heights:
            cap = float(np.median(cap_heights)) * scale
            scale *= min(max(_MIN_CAP_PX / max(cap, 1e-9), 1.0), 3.0)
        return scale


class HarvestingPipeline(RenderPipeline2d):
    """ezdxf's pipeline, noting every text with the place where it is drawn (drawing units, y up)."""

    text_engine = FallbackTextRenderer()

    def __init__(self, backend: Recorder) -> None:
        super().__init__(backend)
        self.pieces: list[Piece] = []
        self._inside: list[bool] = []  # of the entities that are being drawn, the outermost first: is it annotation?

    def enter_entity(self, entity: DXFGraphic, properties: Properties) -> None:
        super().enter_entity(entity, properties)
        self._inside.append(is_annotation(entity, properties))

    def exit_entity(self, entity: DXFGraphic) -> None:
        super().exit_entity(entity)
        self._inside.pop()

    def get_backend_properties(self, properties: Properties) -> BackendProperties:
        result = super().get_backend_properties(properties)
        return result._replace(layer=_ANNOTATION) if any(self._inside) else result

    def draw_text(
        self, text: str, transform: Matrix44, properties: Properties, cap_height: float, dxftype: str = "TEXT"
    ) -> None:
        text = text.replace(r"\~", "\u00a0")  # a blank of MTEXT that ezdxf leaves
        if _shade(properties.color) >= _WHITE:  # written on a dark screen; only areas are masks
            properties = copy(properties)
            properties.color = "#000000"
        super().draw_text(text, transform, properties, cap_height, dxftype)
        piece = self._piece(text, transform, properties, cap_height)
        if piece:
            self.pieces.append(piece)

    def _piece(self, text: str, transform: Matrix44, properties: Properties, cap_height: float) -> Piece | None:
        font = self.text_engine.get_font(properties.font or self.default_font_face)
        if not text.strip() or not font.covers(text):
            return None  # an empty box is drawn instead: no ground truth
        try:
            extents = [e for p in font.text_glyph_paths(text, cap_height) if len(p) for e in p.extents()]
        except (RuntimeError, ValueError):
            return None  # nor was it drawn
        if not extents:
            return None
        if self.clipping_portal.is_active:
            centre = transform.transform((sum(e.x for e in extents) / len(extents), cap_height / 2, 0))
            if self.clipping_portal.clip_point(Vec2(centre)) is None:
                return None
            transform = self.clipping_portal.transform_matrix(transform)
        x_axis, y_axis = transform.transform_direction((1, 0, 0)), transform.transform_direction((0, 1, 0))
        if x_axis.x * y_axis.y - x_axis.y * y_axis.x <= 0:
            return None  # mirrored
        origin = transform.transform((0, 0, 0))
        direction = Vec2(x_axis).normalize()
        left, right = min(e.x for e in extents), max(e.x for e in extents)
        bottom, top = min(e.y for e in extents), max(e.y for e in extents)
        corners = [
            Vec2(transform.transform((x, y, 0)) - origin)
            for x, y in ((left, bottom), (right, bottom), (left, top), (right, top))
        ]
        along, up = [direction.dot(c) for c in corners], [direction.orthogonal().dot(c) for c in corners]
        return Piece(
            text=text,
            origin=(origin.x, origin.y),
            angle=direction.angle_deg,
            size=cap_height * y_axis.magnitude * _CAP_TO_EM,
            advance=font.text_width_ex(text, cap_height) * x_axis.magnitude,
            box=(min(along), min(up), max(along), max(up)),
        )


def is_annotation(entity: DXFGraphic, properties: Properties) -> bool:
    """Whether an entity is no outline of the part, by its kind, its line type or the name of its layer."""
    if entity.dxftype() == "HATCH":
        return not entity.dxf.solid_fill  # what is filled is drawn as a silhouette
    return (
        entity.dxftype() in _ANNOTATION_KINDS
        or _CENTRE_LINES.search(properties.linetype_name) is not None
        or _ANNOTATION_LAYERS.search(properties.layer) is not None
    )


class Canvas(Backend):
    """A white page on which ezdxf draws in pixels: dark, anti-aliased, line weights at the page's dpi."""

    def __init__(self, width: int, height: int, dpi: float) -> None:
        super().__init__()
        self.image: Image = np.full((height, width, 3), 255, np.uint8)
        self._outlines: dict[float, NDArray[np.uint8]] = {}  # what is not annotation, by its weight in mm; fills at inf
        self._weights: list[tuple[float, float]] = []  # weight and length of the lines that tell which are outlines
        self._annotated = False
        self._dpi = dpi

    def outlines(self) -> NDArray[np.bool_] | None:
        """What is no annotation and as heavy as outlines; None where all is, or nothing."""
        threshold = weight_of_outlines(*zip(*self._weights, strict=True)) if self._weights else 0.0
        heavy = [mask for weight, mask in self._outlines.items() if weight >= threshold]
        told = self._annotated or len(heavy) < len(self._outlines)
        return np.logical_or.reduce(heavy) if told and heavy else None

    def _mask(self, weight: float) -> NDArray[np.uint8]:
        if weight not in self._outlines:
            self._outlines[weight] = np.zeros(self.image.shape[:2], np.uint8)
        return self._outlines[weight]

    def draw_point(self, pos: Vec2, properties: BackendProperties) -> None:
        self._stroke([np.array([[pos.x, pos.y], [pos.x + 0.5, pos.y]])], properties)

    def draw_line(self, start: Vec2, end: Vec2, properties: BackendProperties) -> None:
        self._stroke([np.array([[start.x, start.y], [end.x, end.y]])], properties)

    def draw_solid_lines(self, lines: Iterable[tuple[Vec2, Vec2]], properties: BackendProperties) -> None:
        self._stroke([np.array([[a.x, a.y], [b.x, b.y]]) for a, b in lines], properties)

    def draw_path(self, path: BkPath2d, properties: BackendProperties) -> None:
        self._stroke(list(_flatten(path)), properties)

    def draw_filled_paths(self, paths: Iterable[BkPath2d], properties: BackendProperties) -> None:
        self._fill([points for path in paths for points in _flatten(path)], properties)

    def draw_filled_polygon(self, points: BkPoints2d, properties: BackendProperties) -> None:
        self._fill([np.array([(v.x, v.y) for v in points.vertices()])], properties)

    def draw_image(self, image_data: ImageData, properties: BackendProperties) -> None:
        """A picture in the drawing, laid over the page through its transform."""
        to_page = image_data.flip_matrix() @ image_data.transform
        corners = [to_page.transform((x, y, 0)) for x, y in ((0, 0), (1, 0), (0, 1))]
        o, x, y = (np.array([c.x, c.y]) for c in corners)
        affine = np.column_stack([x - o, y - o, o])
        size = (self.image.shape[1], self.image.shape[0])
        pixels = cv2.warpAffine(np.ascontiguousarray(image_data.image), affine, size)
        alpha = pixels[:, :, 3:].astype(np.float32) / 255
        self.image[:] = (self.image * (1 - alpha) + pixels[:, :, :3] * alpha).astype(np.uint8)

    def set_background(self, color: str) -> None:
        pass  # paper is white

    def clear(self) -> None:
        self.image[:] = 255

    def _stroke(self, polylines: list[np.ndarray], properties: BackendProperties) -> None:
        if not polylines:
            return
        width = max(1, round(properties.lineweight / 25.4 * self._dpi))
        shade = min(_shade(properties.color), 90)  # yellow or white lines of a dark screen are black on paper
        lines = [_fixed(p) for p in polylines]
        cv2.polylines(self.image, lines, False, (shade,) * 3, width, cv2.LINE_AA, _SHIFT)
        if properties.layer == _ANNOTATION:
            self._annotated = True
        else:
            weight = round(properties.lineweight, 2)
            cv2.polylines(self._mask(weight), lines, False, 255, width + 2, cv2.LINE_8, _SHIFT)
            lengths = [float(np.hypot(*np.diff(p, axis=0).T).sum()) for p in polylines]
            told = telling([np.ptp(p, axis=0) for p in polylines], self.image.shape)
            self._weights += [(weight, length) for length, tells in zip(lengths, told, strict=True) if tells]

    def _fill(self, polygons: list[np.ndarray], properties: BackendProperties) -> None:
        shade = _shade(properties.color)
        # White fills are masks under text; other light ones are dimmed so that yellow letters can be read.
        shade = 255 if shade >= _WHITE else min(shade, 110)
        areas = [_fixed(p) for p in polygons if len(p) > 2]
        cv2.fillPoly(self.image, areas, (shade,) * 3, cv2.LINE_AA, _SHIFT)
        if properties.layer == _ANNOTATION:
            self._annotated = True
        elif shade < 255:
            cv2.fillPoly(self._mask(math.inf), areas, 255, cv2.LINE_8, _SHIFT)


_WHITE = 250  # grey level
_SHIFT = 4  # fractional bits of OpenCV's fixed-point coordinates


def _fixed(points: np.ndarray) -> np.ndarray:
    limit = 2**30
    return np.clip(np.round(points * 2**_SHIFT), -limit, limit).astype(np.int32)


def _flatten(path: BkPath2d) -> Iterator[np.ndarray]:
    """Polylines of a path, within a quarter of a pixel."""
    for part in path.to_path().sub_paths():
        points = np.array([(v.x, v.y) for v in part.flattening(0.25, segments=4)])
        if len(points) > 1:  # some files hold paths without any
            yield points


def _shade(color: str) -> int:
    """Luminance 0-255 of "#rrggbb" or "#rrggbbaa"."""
    r, g, b = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return round(0.299 * r + 0.587 * g + 0.114 * b)


def _in_pixels(piece: Piece, to_pixels: Matrix44, scale: float) -> Piece:
    """Angles stay: they are counter-clockwise as seen, in both frames."""
    at = to_pixels.transform((*piece.origin, 0))
    start, bottom, end, top = (v * scale for v in piece.box)
    return replace(
        piece,
        origin=(at.x, at.y),
        size=piece.size * scale,
        advance=piece.advance * scale,
        box=(start, bottom, end, top),
    )


def _read(path: Path) -> Any:
    try:
        document = ezdxf.readfile(path)
    except (DXFError, ValueError, TypeError, AttributeError, KeyError, IndexError):
        try:  # many CAD programs write DXF that is slightly wrong
            document, _ = recover.readfile(path)
        except (DXFError, ValueError, TypeError, AttributeError, KeyError, IndexError, OSError) as exc:
            raise InputRefused(path.name, f"is damaged ({exc}); save it again in your CAD as DXF 2013") from exc
    for entity in list[Any](document.entitydb.values()):  # ezdxf leaves \\U+00D8 as it is in old files
        if entity.dxftype() in ("TEXT", "ATTRIB", "ATTDEF") and has_dxf_unicode(entity.dxf.get("text", "")):
            entity.dxf.text = decode_dxf_unicode(entity.dxf.text)
        elif entity.dxftype() == "MTEXT":
            text = decode_dxf_unicode(entity.text) if has_dxf_unicode(entity.text) else entity.text
            entity.text = with_gdt_symbols(_STACK.sub(r"\1^ ", text))
    return document


def _sheet(document: Any, layout: Any, drawn: BoundingBox2d) -> BoundingBox2d | None:
    """The sheet's rectangle where the drawing shows it.

    That is what is drawn, where it is as large as a standard sheet (its edge is drawn); else the drawing limits, where
    everything lies within them and takes more than half of them.
    """
    sides = sorted(drawn.size)
    if any(abs(sides[0] - w) < 0.5 and abs(sides[1] - h) < 0.5 for w, h in _SHEETS_MM):
        return drawn
    if layout.is_modelspace:
        low, high = document.header.get("$LIMMIN", (0, 0)), document.header.get("$LIMMAX", (0, 0))
    else:
        low, high = layout.get_paper_limits()
    sheet = BoundingBox2d([Vec2(low), Vec2(high)])
    if not sheet.has_data or min(sheet.size) <= 0:
        return None
    around = sheet.copy()
    around.grow(0.005 * max(drawn.size))
    if not around.contains(drawn):
        return None
    return sheet if drawn.size.x > sheet.size.x / 2 and drawn.size.y > sheet.size.y / 2 else None


def _millimetres(units: int) -> float:
    """Millimetres in a drawing unit; 1 for unitless drawings and units that are not in the DXF reference."""
    try:
        return conversion_factor(InsertUnits(units), InsertUnits.Millimeters) if units else 1.0
    except ValueError:
        return 1.0


def _layouts(document: Any) -> list[Any]:
    papers = [
        layout
        for layout in document.layouts
        if not layout.is_modelspace and any(entity.dxftype() != "VIEWPORT" for entity in layout)
    ]
    return papers or ([document.modelspace()] if len(document.modelspace()) else [])
