"""Title-block fields by layout: a label, and the value in its cell, right of it or below it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drawops.drawings.model import Image, TextLine
from drawops.ocr.cells import Cell, Cells
from drawops.ocr.fillers import filler_in
from drawops.ocr.title_entries import Entry, entries_of
from drawops.ocr.title_words import FIELDS, is_gb_label, label_of, label_with_value, looks_like

_MOST_CELLS = 500
_NEAR = 0.3  # of the page's height: how far the fields of a title block lie apart


@dataclass(frozen=True)
class TitleBlock:
    """`fields` has every name of `FIELDS`, None where nothing is found; `members` are the indices of the lines that
    stand in the block, labels and other entries included."""

    fields: dict[str, str | None]
    members: frozenset[int]


@dataclass(frozen=True)
class _Found:
    value: str
    entries: tuple[Entry, ...]


def read_title_block(lines: Sequence[TextLine], image: Image) -> TitleBlock | None:
    """The title block of a page (H, W, 3); None where fewer than two fields are found."""
    if not any((label_of(line.text) or ("",))[0] or label_with_value(line.text) for line in lines):
        return None
    return _Search(*entries_of(lines, image), lines, image).result()


class _Search:
    def __init__(self, entries: list[Entry], cells: Cells, lines: Sequence[TextLine], image: Image) -> None:
        self.entries = entries
        self.cells = cells
        self.lines = lines
        self.image = image
        self.found: dict[str, _Found] = {}

    def result(self) -> TitleBlock | None:
        said = {field: found for field in FIELDS if (found := self._labelled(field))}
        self.found = {field: found[0] for field, found in said.items()}
        self._drop_strays(said)
        for field in FIELDS:
            if field not in self.found and (filler := self._filler(field)):
                self.found[field] = filler
        if author := self._date_of_author():
            self.found["date"] = author
        self._unlabelled()
        if len(self.found) < 2:
            return None
        values = {f: self.found[f].value if f in self.found else None for f in FIELDS}
        return TitleBlock(values, self._members())

    # ---- fields with a label -----------------------------------------------------------------------------------

    def _labelled(self, field: str) -> list[_Found]:
        """What labels of the field say, the likeliest first."""
        candidates: list[tuple[tuple[float, ...], _Found]] = []
        for entry in self.entries:
            label = entry.label
            if label and label[0] == field:
                for distance, look in enumerate((self._in_cell, self._beside, self._nearby)):
                    if found := look(entry, field):
                        candidates.append(((label[1], distance, -entry.bottom), found))
                        break
            elif not label and (inline := label_with_value(entry.text)) and inline[0] == field:
                candidates.append(((inline[1], 0, -entry.bottom), _Found(inline[2], (entry,))))
        return [found for _, found in sorted(candidates, key=lambda c: c[0])]

    def _in_cell(self, label: Entry, field: str) -> _Found | None:
        if label.cell is None:
            return None
        others = [e for e in self._inside(label.cell) if e.index != label.index]
        if found := self._value(field, others):
            return found
        # Alone in the label's cell, whatever stands there (-, n/a) is what the block says.
        return _Found(others[0].text, (others[0],)) if len(others) == 1 and not others[0].label else None

    def _beside(self, label: Entry, field: str) -> _Found | None:
        """In the next cell, where the label has its own for itself."""
        if label.cell is None or len(self._inside(label.cell)) > 1:
            return None
        for dx, dy in ((1, 0), (0, 1)):
            for cell in self.cells.beside(label.cell, dx, dy)[:1]:
                if field == "revision" and dy:
                    column = abs(cell.width - label.cell.width) < 0.3 * label.cell.width
                    return self._last_below(cell) if column else None
                if any(e.label or label_with_value(e.text) for e in self._inside(cell)):
                    continue  # what stands there belongs to the label there, and our field is blank
                if found := self._value(field, self._inside(cell)):
                    return found
        return None

    def _last_below(self, cell: Cell) -> _Found | None:
        """The newest row of a table of changes."""
        found = None
        while value := self._value("revision", self._inside(cell)):
            found = value
            below = [c for c in self.cells.beside(cell, 0, 1) if abs(c.width - cell.width) < 0.1 * cell.width]
            if not below:
                break
            cell = below[0]
        return found

    def _nearby(self, label: Entry, field: str) -> _Found | None:
        """Without rules: right of the label on its row, else below it."""
        if label.cell is not None:
            return None
        row = [
            e
            for e in self.entries
            if e.cell is None
            and abs(e.middle - label.middle) < 0.6 * label.height
            and e.left - label.right > -label.height
        ]
        near = [e for e in row if e.left - label.right < 12 * label.height]
        if found := self._value(field, sorted(near, key=lambda e: e.left)[:1]):
            return found
        below = [
            e
            for e in self.entries
            if e.cell is None
            and 0 < e.middle - label.middle < 3 * max(label.height, e.height)
            and e.left < label.right + label.height
            and e.right > label.left
        ]
        return self._value(field, below[:1])

    def _inside(self, cell: Cell) -> list[Entry]:
        return [e for e in self.entries if e.cell and e.cell.number == cell.number]

    def _value(self, field: str, entries: Sequence[Entry]) -> _Found | None:
        """What of the entries is the field's value; several lines of free text make one."""
        fitting = [e for e in entries if not e.label and looks_like(field, e.text) and not label_with_value(e.text)]
        if field == "name":
            fitting = [e for e in fitting if not self._signs(e)]
        if not fitting:
            return None
        if field not in ("name", "material", "number"):
            return _Found(fitting[0].text, (fitting[0],))
        tall = max(e.height for e in fitting)
        large = sorted(
            (e for e in fitting if e.height > 0.6 * tall), key=lambda e: (round(e.middle / (0.7 * tall)), e.left)
        )
        return _Found(" ".join(e.text for e in large), tuple(large))

    def _signs(self, entry: Entry) -> bool:
        """Is it the name of who drew or checked, in the cell behind DRAWN under a column NAME?"""
        authors = (e for e in self.entries if e.label and e.label[0] == "author" and e.cell)
        return entry.cell is not None and any(
            entry.cell in self.cells.beside(e.cell, 1, 0)[:1] for e in authors if e.cell
        )

    def _filler(self, field: str) -> _Found | None:
        """A dash or dots in the label's cell."""
        for label in (e for e in self.entries if e.label and e.label[0] == field and self._near_block(e)):
            if label.cell and len(self._inside(label.cell)) == 1:
                filler = filler_in(self.image, label.cell, [self.lines[label.index].quad])
                if filler:
                    return _Found(filler, (label,))
        return None

    def _drop_strays(self, said: dict[str, list[_Found]]) -> None:
        """A weight in a table of properties is not the title block's, nor is the scale of a detail."""
        for field in [f for f in self.found if f != "revision"]:
            near = [found for found in said[field] if self._near_block(found.entries[0], but=field)]
            if near:
                self.found[field] = near[0]
            else:
                del self.found[field]

    def _near_block(self, entry: Entry, *, but: str = "") -> bool:
        """Is an entry near the other fields? Of fewer than three nobody can say which is astray."""
        middles = [f.entries[0].middle for name, f in self.found.items() if name not in ("revision", but)]
        reach = _NEAR * self.image.shape[0]
        return len(middles) < 3 or abs(entry.middle - float(np.median(middles))) < reach

    # ---- fields without ----------------------------------------------------------------------------------------

    def _date_of_author(self) -> _Found | None:
        """The date on the row of who drew it."""
        for author in (e for e in self.entries if e.label and e.label[0] == "author"):
            row = [
                e
                for e in self.entries
                if abs(e.middle - author.middle) < author.height
                and 0 < e.left - author.right < 30 * author.height
                and looks_like("date", e.text)
            ]
            if row:
                first = min(row, key=lambda e: e.left)
                return _Found(first.text, (first,))
        return None

    def _unlabelled(self) -> None:
        """Forms that give the number no label write it below the name; GB/T 10609.1 labels neither name nor number
        nor material: the first two stand right of scale and weight, the number lowest, the material above them."""
        if "name" in self.found and "number" not in self.found:
            cell = self.found["name"].entries[0].cell
            self._take("number", [cell] if cell is None else self.cells.beside(cell, 0, 1))
        scale = self._cell_of("scale")
        if scale is None or "name" in self.found or not any(is_gb_label(e.text) for e in self.entries):
            return
        if "material" not in self.found:
            for label in (e for e in self.entries if e.label and e.label[0] in ("scale", "weight")):
                if label.cell and "material" not in self.found:
                    self._take("material", self.cells.beside(label.cell, 0, -1))
        column = self._column_right_of(scale)
        for place, cell in enumerate(column):
            if "number" not in self.found and self._take("number", [cell]):
                self._take("name", [c for c in column[place + 1 :] if self._inside(c)][:1])
        if "number" in self.found and "name" not in self.found:
            self._take("name", [c for c in column if self._inside(c) and self._cell_of("number") != c][:1])

    def _column_right_of(self, cell: Cell) -> list[Cell]:
        """Cells without a label right of a cell, from below."""
        beyond = {
            e.cell.number: e.cell
            for e in self.entries
            if e.cell
            and e.cell.left >= cell.right - 6
            and e.cell.left - cell.right < 0.3 * e.cell.width
            and abs(e.cell.bottom - cell.bottom) < 8 * cell.height
            and not any(other.label for other in self._inside(e.cell))
        }
        return sorted(beyond.values(), key=lambda c: -c.bottom)

    def _take(self, field: str, cells: Sequence[Cell | None]) -> bool:
        for cell in cells:
            if cell and (found := self._value(field, self._inside(cell))):
                self.found[field] = found
                return True
        return False

    def _cell_of(self, field: str) -> Cell | None:
        return self.found[field].entries[0].cell if field in self.found else None

    # ---- what else stands in it ---------------------------------------------------------------------------------

    def _members(self) -> frozenset[int]:
        """The fields' lines, and the others in cells between them; a table of changes elsewhere does not count."""
        own = {e.index for found in self.found.values() for e in found.entries}
        core = [e.cell or e for f, found in self.found.items() if f != "revision" for e in found.entries]
        if not core:
            return frozenset(own)
        left, top = min(c.left for c in core), min(c.top for c in core)
        right, bottom = max(c.right for c in core), max(c.bottom for c in core)
        table = self._table([c for c in core if isinstance(c, Cell)])
        between = {
            e.index
            for e in self.entries
            if e.cell
            and (e.cell.number in table or left <= (e.left + e.right) / 2 <= right and top <= e.middle <= bottom)
        }
        return frozenset(own | between)

    def _table(self, cells: list[Cell]) -> set[int]:
        """Numbers of the cells that hang together with these: quantities and tolerances of the form beside its fields."""
        found = {cell.number for cell in cells}
        while cells and len(found) < _MOST_CELLS:
            cell = cells.pop()
            for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                fresh = [c for c in self.cells.beside(cell, dx, dy) if c.number not in found]
                found |= {c.number for c in fresh}
                cells += fresh
        return found
