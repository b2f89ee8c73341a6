"""DXF files say what is no outline: dimensions, leaders, hatching, centre lines and light lines do not become shape."""

from pathlib import Path

import ezdxf
import numpy as np
import pytest

from drawops.drawings import open_drawing
from drawops.drawings.model import Page
from drawops.similarity import isolate


def plate(path: Path, *, annotated: bool, layer: str = "0") -> Page:
    """A 60 x 40 plate with a hole; annotated with a dimension, a hatch, a centre line and a box on a layer, all in one
    weight."""
    document = ezdxf.new("R2010", setup=True, units=4)
    space = document.modelspace()
    space.add_lwpolyline([(0, 0), (60, 0), (60, 40), (0, 40)], close=True)
    space.add_circle((20, 20), 8)
    space.add_point((-40, -40))
    space.add_point((110, 80))
    if annotated:
        space.add_linear_dim(base=(30, 60), p1=(0, 40), p2=(60, 40)).render()
        document.layers.add("尺寸线")
        space.add_lwpolyline([(60, 0), (85, 0), (85, 40), (60, 40)], close=True, dxfattribs={"layer": layer})
        space.add_line((-20, 20), (80, 20), dxfattribs={"linetype": "CENTER"})
        space.add_hatch().paths.add_polyline_path([(30, 5), (55, 5), (55, 35), (30, 35)], is_closed=True)
        space.query("HATCH").first.set_pattern_fill("ANSI31", scale=1)  # type: ignore[union-attr]
    document.saveas(path)
    with open_drawing(path) as drawing:
        return drawing.page(0)


def proportions(page: Page) -> list[float]:
    return [round(v.silhouette.shape[1] / v.silhouette.shape[0], 2) for v in isolate(page)]


def test_annotation_as_heavy_as_outlines_leaves_the_shape_as_it_is(tmp_path: Path) -> None:
    bare, annotated = (
        plate(tmp_path / "a.dxf", annotated=False),
        plate(tmp_path / "b.dxf", annotated=True, layer="尺寸线"),
    )
    assert bare.outlines is None and annotated.outlines is not None
    (view,) = isolate(annotated)
    assert proportions(annotated) == pytest.approx([1.5], abs=0.03), "60 x 40, without dimension, centre line, box"
    assert np.count_nonzero(view.silhouette) > 0.98 * view.silhouette.size


def test_what_the_file_calls_nothing_else_is_shape(tmp_path: Path) -> None:
    page = plate(tmp_path / "c.dxf", annotated=True, layer="0")
    assert proportions(page) == pytest.approx([85 / 40], abs=0.05)


def test_a_sheet_of_dimensions_only_still_has_a_shape(tmp_path: Path) -> None:
    document = ezdxf.new("R2010", setup=True, units=4)
    document.modelspace().add_linear_dim(base=(30, 60), p1=(0, 40), p2=(60, 40)).render()
    document.saveas(tmp_path / "d.dxf")
    with open_drawing(tmp_path / "d.dxf") as drawing:
        assert drawing.page(0).outlines is None
        assert isolate(drawing.page(0))


def test_lines_that_a_dxf_draws_lighter_are_no_outlines_whatever_their_kind_and_layer(tmp_path: Path) -> None:
    document = ezdxf.new("R2010", setup=True, units=4)
    space = document.modelspace()
    space.add_lwpolyline([(0, 0), (60, 0), (60, 40), (0, 40)], close=True, dxfattribs={"lineweight": 35})
    space.add_lwpolyline([(60, 0), (85, 0), (85, 40), (60, 40)], dxfattribs={"lineweight": 25})
    space.add_point((-40, -40))
    space.add_point((110, 80))
    document.saveas(tmp_path / "e.dxf")
    with open_drawing(tmp_path / "e.dxf") as drawing:
        page = drawing.page(0)
    assert page.outlines is not None
    assert proportions(page) == pytest.approx([1.5], abs=0.03)


def test_an_outline_that_runs_under_a_text_stays_closed(tmp_path: Path) -> None:
    document = ezdxf.new("R2010", setup=True, units=4)
    space = document.modelspace()
    space.add_lwpolyline([(0, 0), (60, 0), (60, 40), (0, 40)], close=True)
    space.add_text("Ra 3.2", height=5).set_placement((20, 38))
    document.saveas(tmp_path / "f.dxf")
    with open_drawing(tmp_path / "f.dxf") as drawing:
        (view,) = isolate(drawing.page(0))
    assert np.count_nonzero(view.silhouette) > 0.98 * view.silhouette.size


def test_neither_a_mask_under_the_text_nor_heavier_lines_elsewhere_open_it(tmp_path: Path) -> None:
    document = ezdxf.new("R2010", setup=True, units=4)
    space = document.modelspace()
    space.add_lwpolyline([(0, 0), (60, 0), (60, 40), (0, 40)], close=True, dxfattribs={"lineweight": 50})
    for radius in (8, 8.4):  # close together, on paper one heavy line
        space.add_circle((30, 20), radius, dxfattribs={"lineweight": 50})
    mask = space.add_hatch(color=7)
    mask.rgb = (255, 255, 255)
    mask.paths.add_polyline_path([(19.6, 37.6), (39.6, 37.6), (39.6, 43.4), (19.6, 43.4)], is_closed=True)
    space.add_text("Ra 3.2", height=5).set_placement((20, 38))
    space.add_linear_dim(base=(30, 60), p1=(0, 40), p2=(60, 40), dxfattribs={"lineweight": 18}).render()
    document.saveas(tmp_path / "g.dxf")
    with open_drawing(tmp_path / "g.dxf") as drawing:
        views = isolate(drawing.page(0))
    assert [round(v.silhouette.shape[1] / v.silhouette.shape[0], 1) for v in views] == [1.5]
    assert np.count_nonzero(views[0].silhouette) > 0.98 * views[0].silhouette.size


def test_the_ends_of_a_cutting_plane_are_no_part_of_the_view(tmp_path: Path) -> None:
    document = ezdxf.new("R2010", setup=True, units=4)
    space = document.modelspace()
    space.add_lwpolyline([(0, 0), (60, 0), (60, 40), (0, 40)], close=True, dxfattribs={"lineweight": 50})
    for low, high in ((40.6, 44), (-4, -0.6)):
        space.add_line((30, low), (30, high), dxfattribs={"lineweight": 211})
    space.add_linear_dim(base=(30, 60), p1=(0, 40), p2=(60, 40)).render()
    document.saveas(tmp_path / "h.dxf")
    with open_drawing(tmp_path / "h.dxf") as drawing:
        assert proportions(drawing.page(0)) == pytest.approx([1.5], abs=0.03)
