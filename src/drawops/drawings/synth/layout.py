"""Puts the views on the sheet: the largest standard scale at which everything fits, projections aligned."""

from collections.abc import Mapping
from dataclasses import dataclass

from drawops.drawings.synth.drafting import Board, Placed, facing
from drawops.drawings.synth.view import View

SCALES: tuple[float, ...] = (5.0, 4.0, 2.5, 2.0, 1.0, 1 / 1.5, 0.5, 0.4, 1 / 3, 0.25, 0.2, 0.1, 0.05)
"""ISO 5455 and GB/T 14690, largest first."""

Cell = tuple[int, int]
"""Row and column, from the upper left; views of a row share y = 0, views of a column share x = 0."""


@dataclass(frozen=True)
class Extent:
    """What a view needs around its origin, sheet mm."""

    left: float
    bottom: float
    right: float
    top: float


def scale_text(scale: float) -> str:
    """`1:2`, `1:2.5`, `5:1`."""
    return f"{scale:g}:1" if scale >= 1 else f"1:{1 / scale:g}"


def extent(board: Board, view: View, scale: float) -> Extent:
    """A view with its dimensions and leaders."""
    x0, y0, x1, y1 = (v * scale * view.zoom for v in view.box)
    room = {"left": 4.0, "right": 4.0, "bottom": 4.0, "top": 4.0}
    for side in ("left", "right", "bottom", "top"):
        dims = [d for d in view.dims if d.side == side]
        if not dims:
            continue
        levels = max(board.levels(dims, scale * view.zoom))
        room[side] = board.first_gap(view, side) + levels * board.pitch(dims, side) + board.style.text_height + 3.0
        spans = [board.span(d, scale * view.zoom) for d in dims]
        before, after = ("left", "right") if side in ("top", "bottom") else ("bottom", "top")
        low, high = (x0, x1) if side in ("top", "bottom") else (y0, y1)
        room[before] = max(room[before], low - min(s[2] for s in spans) + 2.0)
        room[after] = max(room[after], max(s[3] for s in spans) - high + 2.0)
    for leader in view.leaders:
        width = max((board.scene.measure(t, board.style.text_height) for t in leader.lines), default=10.0)
        width = max(width, 9.0 * len(leader.frame)) + 12.0
        away = leader.away % 360.0
        side = "right" if away <= 90 or away >= 270 else "left"
        tip = leader.tip[0] * scale * view.zoom
        beyond = (tip + width - x1) if side == "right" else (x0 - tip + width)
        room[side] = max(room[side], beyond + 4.0)
        room["top" if away < 180 else "bottom"] = max(room["top" if away < 180 else "bottom"], 13.0)
    for cut in view.cuts:
        vertical = abs(cut.a[0] - cut.b[0]) < abs(cut.a[1] - cut.b[1])
        for side in ("bottom", "top") if vertical else ("left", "right"):
            room[side] = max(room[side], 17.0)
    for mark in view.marks:
        side = facing(mark.direction)
        room[side] = max(room[side], 7.0 + board.style.text_height * 3.0)
    if view.title:
        room["top"] += 9.0
    return Extent(room["left"] - x0, room["bottom"] - y0, room["right"] + x1, room["top"] + y1)


def arrange(board: Board, views: Mapping[Cell, View], *, largest: float = 5.0) -> tuple[float, list[Placed]] | None:
    """The scale and the places of the views, or None when even the smallest scale is too large."""
    x0, y0, x1, y1 = board.area
    for scale in (s for s in SCALES if s <= largest):
        extents = {cell: extent(board, view, scale) for cell, view in views.items()}
        columns = sorted({c for _, c in views})
        rows = sorted({r for r, _ in views})
        left = {c: max(e.left for (_, k), e in extents.items() if k == c) for c in columns}
        right = {c: max(e.right for (_, k), e in extents.items() if k == c) for c in columns}
        up = {r: max(e.top for (k, _), e in extents.items() if k == r) for r in rows}
        down = {r: max(e.bottom for (k, _), e in extents.items() if k == r) for r in rows}
        spare_x = x1 - x0 - sum(left.values()) - sum(right.values())
        spare_y = y1 - y0 - sum(up.values()) - sum(down.values())
        if spare_x < 0 or spare_y < 0:
            continue
        gap_x, gap_y = min(spare_x / (len(columns) + 1), 30.0), min(spare_y / (len(rows) + 1), 30.0)
        rest_x, rest_y = spare_x - gap_x * (len(columns) - 1), spare_y - gap_y * (len(rows) - 1)
        across, x = {}, x0 + rest_x / 2
        for c in columns:
            across[c] = x + left[c]
            x += left[c] + right[c] + gap_x
        upward, y = {}, y1 - rest_y / 2
        for r in rows:
            upward[r] = y - up[r]
            y -= up[r] + down[r] + gap_y
        placed = [
            Placed(view, (across[c], upward[r]), scale * view.zoom, extents[r, c].top) for (r, c), view in views.items()
        ]
        return scale, placed
    return None
