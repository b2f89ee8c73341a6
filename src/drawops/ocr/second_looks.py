"""Second looks at lines that do not read well as the detector found them: larger, another way round, along their ink, with what
stands beside them. Each takes the lines of a page and what was read of them, and gives both back."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from drawops.drawings.model import Image
from drawops.ocr.askew import along_its_ink
from drawops.ocr.boxes import SQUARE, Box, goes_on, joined, touching, wrap
from drawops.ocr.fitting import Fitted, fit, tightened, usual_height
from drawops.ocr.recogniser import MIN_SCORE, SURE, Read, Reading

_LARGEST = 6.0  # of the usual height: a higher box is no text but part of the drawing, and costs as much as forty lines
_ROOMY = 0.7  # of the height of their box characters take less in one that has room for more
_WHOLE = 0.9  # of their extent, at least, have they in a closer one that cuts none
_OVERWHELMING = 8  # how many times smaller the doubt (1 - score) of the other way round must be to win
_UNFINISHED = re.compile(r"(?:^|[\s°×x(])S?[R⌀]$")  # a radius or a diameter without its number
_NUMBER = re.compile(r"\s*\d[\d.,]*")

Which = TypeVar("Which")


def at_full_size(
    image: Image, found: Sequence[Fitted], readings: Sequence[Reading], read: Read
) -> tuple[list[Fitted], list[Reading]]:
    """Where a box was drawn in to what does not read well, the whole of it: a dot of a Chinese character looks like a
    small character among lines."""
    found, readings = list(found), list(readings)
    doubtful = {i: line.shrunk for i, line in enumerate(found) if line.shrunk and readings[i].score < SURE}
    for i, line, reading in _read({i: fit(image, box, shrink=False) for i, box in doubtful.items()}, read):
        if reading.score >= SURE:
            found[i], readings[i] = line, reading
    return found, readings


def close_up(
    image: Image, found: Sequence[Fitted], readings: Sequence[Reading], read: Read
) -> tuple[list[Fitted], list[Reading]]:
    """What does not read well in a box far higher than its characters, without the paper around them: there the network
    takes a 7 for a 1, and may be sure of it."""
    found, readings = list(found), list(readings)
    wide = {
        i: line.box
        for i, line in enumerate(found)
        if line.ink and line.ink[1] < _ROOMY * line.box.height and (readings[i].score < SURE or readings[i].text == "1")
    }
    for i, line, reading in _read({i: fit(image, tightened(image, box)) for i, box in wide.items()}, read):
        whole = line.ink and all(new > _WHOLE * old for new, old in zip(line.ink, found[i].ink or (), strict=True))
        if whole and reading.score >= SURE and len(reading.text) >= len(readings[i].text):
            found[i], readings[i] = line, reading
    return found, readings


def other_ways_round(
    image: Image, found: Sequence[Fitted], readings: Sequence[Reading], read: Read
) -> tuple[list[Fitted], list[Reading]]:
    """Score the other reading direction of doubtful lines and take it where it is overwhelmingly better.

    A drawing is read from the bottom or from the right, so the convention decides and not confidence alone:
    a reader is sure of 09 where ⌀60 stands on its head.
    """
    found, readings = list(found), list(readings)
    boxes = [line.box for line in found]
    lying = {i for i, line in enumerate(found) if _lies_on_its_side(line, readings[i].text)}
    largest = _LARGEST * usual_height(found)
    doubtful = [
        i
        for i, line in enumerate(found)
        if line.ink and boxes[i].height < largest and (i in lying or _is_doubtful(line, readings[i]))
    ]
    turned: set[int] = set()
    for way in (_other_way, _downwards):
        for i, other, reading in _read({i: fit(image, way(boxes[i])) for i in doubtful}, read):
            shorter = len(reading.text.strip()) < len(readings[i].text.strip())
            least = max(MIN_SCORE, readings[i].score) if shorter or i in turned else MIN_SCORE
            stands = i in lying and not _lies_on_its_side(other, reading.text) and reading.score > least
            better = _overwhelms(reading, readings[i]) and not shorter
            if stands or better:
                found[i], readings[i] = other, reading
                turned.add(i)
        doubtful = [i for i in doubtful if i in lying and readings[i].score < SURE]
    return found, readings


def along_their_ink(
    image: Image, found: Sequence[Fitted], readings: Sequence[Reading], read: Read
) -> tuple[list[Fitted], list[Reading]]:
    """Short lines that do not read, the way in which their characters stand side by side."""
    found, readings = list(found), list(readings)
    doubtful = [i for i, reading in enumerate(readings) if reading.score < SURE]
    rows = {i: row for i in doubtful if (row := along_its_ink(image, found[i].shrunk or found[i].box))}
    for i, line, reading in _read({i: fit(image, by_convention(row)) for i, row in rows.items()}, read):
        if _overwhelms(reading, readings[i]):
            found[i], readings[i] = line, reading
    return found, readings


def with_their_numbers(
    image: Image, found: Sequence[Fitted], readings: Sequence[Reading], read: Read
) -> tuple[list[Fitted], list[Reading]]:
    """Lines that end with an R or ⌀ with the number that follows further away than characters do: R  1."""
    found, readings = list(found), list(readings)
    unfinished = {i: found[i].box for i, reading in enumerate(readings) if _UNFINISHED.search(reading.text)}
    longer = {i: box.part(0, 0, box.length + box.height, box.height) for i, box in unfinished.items()}
    for i, line, reading in _read({i: fit(image, box) for i, box in longer.items()}, read):
        before = readings[i].text
        if reading.text.startswith(before) and _NUMBER.fullmatch(reading.text.removeprefix(before)):
            found[i], readings[i] = line, reading
    return found, readings


def in_one_piece(
    image: Image, found: Sequence[Fitted], readings: Sequence[Reading], read: Read
) -> tuple[list[Fitted], list[Reading]]:
    """Boxes in one row, of which one begins where the other ends or both took in what stands between them (⌀1 and 140),
    as the line that they are."""
    near = touching([line.box for line in found])
    rows = ((i, j) for i, others in enumerate(near) for j in others if goes_on(found[i].box, found[j].box))
    whole = {(i, j): _ways_to_join(readings[i].text, readings[j].text) for i, j in rows}
    tried = {(i, j): fit(image, joined(found[i].box, found[j].box)) for i, j in whole}
    found, readings, gone = list(found), list(readings), set[int]()
    for (i, j), line, reading in _read(tried, read):
        if reading.text in whole[i, j] and not gone & {i, j}:
            found[i], readings[i] = line, reading
            gone.add(j)
    kept = [i for i in range(len(found)) if i not in gone]
    return [found[i] for i in kept], [readings[i] for i in kept]


def _read(tried: Mapping[Which, Fitted], read: Read) -> Iterator[tuple[Which, Fitted, Reading]]:
    """What is tried for each line, with what is read of it."""
    yield from zip(tried, tried.values(), read([line.crop for line in tried.values()]), strict=True)


def _ways_to_join(first: str, second: str) -> set[str]:
    """Two texts as one, with what the first ends and the second begins with once."""
    common = (n for n in range(min(len(first), len(second))) if first.endswith(second[:n]))
    return {first + second[n:] for n in common}


def _is_doubtful(line: Fitted, reading: Reading) -> bool:
    """May a line read better the other way round? Which way a square one runs its box does not tell, and figures that
    lie on their side look like other writing."""
    strange = line.box.length < SQUARE * line.box.height and not re.search(r"[0-9A-Za-z]", reading.text)
    return strange or reading.score < SURE


def _overwhelms(reading: Reading, other: Reading) -> bool:
    return (1 - reading.score) * _OVERWHELMING < 1 - other.score


def _lies_on_its_side(line: Fitted, text: str) -> bool:
    """Does the ink of a short text say that it was read across its lines? Two characters are wider than high,
    one is higher than wide."""
    count = len(text.strip())
    return bool(line.ink) and (
        line.stacked or (count >= 2 and line.aspect < 0.9) or (count == 1 and line.aspect > 1.15 and text not in "MWmw")
    )


def by_convention(box: Box) -> Box:
    """Turn a box so that it reads from the bottom or from the right of the sheet: horizontal text is not upside
    down, vertical text reads upwards."""
    if box.length < SQUARE * box.height:
        for turn in (-90.0, 90.0):  # a short text most likely stands upright
            if abs(box.turned(turn).angle) < abs(box.angle):
                return box.turned(turn)
        return box
    return box.turned(180.0) if wrap(box.angle) <= -75.0 else box


def _other_way(box: Box) -> Box:
    """The box read the other way round; a short one along its other side."""
    return box.turned(180.0) if box.length > SQUARE * box.height else _across(box)


def _downwards(box: Box) -> Box:
    """The box read along its other side, against the convention."""
    return _across(box).turned(180.0)


def _across(box: Box) -> Box:
    """The box read along its other side, the way round that the convention allows."""
    turned = box.turned(90.0)
    return turned if -75.0 < turned.angle <= 105.0 else turned.turned(180.0)
