"""Putting the file's own text and what was read from the picture together."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from rapidfuzz.distance import Levenshtein

from drawops.datasets.text import normalise
from drawops.drawings.crops import crop_line
from drawops.drawings.model import Image, TextLine
from drawops.ocr.boxes import box_of_quad, overlap

SAME_PLACE = 0.5  # share of the smaller box from which a read and a vector line are the same text
UNLIKE = 0.3  # below this similarity the file's text is not what the picture shows
CONVINCING = 0.8  # score from which a reading may contradict the file
ALONE = 0.7  # score from which a reading stands that the file knows nothing of

_SYMBOLS = "⌀□◇⌴⌵↧∠⊥∥⏥◎⌖⌯○⌭⌒⌓⌰⌳∨√"
_LEADING_SYMBOLS = re.compile(rf"^[{_SYMBOLS}\s]+")


def combine(vector: Sequence[TextLine], read: Sequence[TextLine], image: Image) -> list[TextLine]:
    """The file's lines where the picture shows them, and what only the picture shows.

    * A vector line is taken as the file has it (source "vector", score 1.0).
    * A symbol in front of it that the file draws as lines and the reader saw is put before it.
    * Pieces between which the picture shows symbols (3× 5.5 for 3×⌀5.5, the cells of a GD&T frame) give way to the reading
      of the whole.
    * A vector line that is nothing like the picture (a font without a proper encoding) gives way to the reading.
    * A vector line without any ink on the page is left out.
    * A read line that no vector line covers stays.
    """
    boxes = [box_of_quad(line.quad) for line in vector]
    seen = [box_of_quad(line.quad) for line in read]
    shares = [[overlap(s, b) / max(1e-9, min(s.area, b.area)) for b in boxes] for s in seen]
    known = [max(row, default=0.0) > SAME_PLACE for row in shares]
    combined: list[TextLine] = []
    replaced: set[int] = set()
    pieces: set[int] = set()
    for i, whole in enumerate(read):
        parts = [j for j, share in enumerate(shares[i]) if share > SAME_PLACE]
        if len(parts) > 1 and _has_more_symbols(whole, [vector[j] for j in parts]):
            replaced.add(i)
            pieces.update(parts)
    for j, line in enumerate(vector):
        if j in pieces:
            continue
        mine = [i for i in range(len(read)) if shares[i][j] > SAME_PLACE]
        if mine and _is_wrong(line, [read[i] for i in mine]):
            replaced.update(mine)
        elif not mine and (_is_unreadable(line.text) or not _has_ink(image, line)):
            continue
        else:
            alone = len(mine) == 1 and sum(share > SAME_PLACE for share in shares[mine[0]]) == 1
            combined.append(_with_symbol(line, read[mine[0]]) if alone else line)
    extra = [r for i, r in enumerate(read) if i in replaced or (not known[i] and r.score >= ALONE)]
    return combined + extra


def _plain(text: str) -> str:
    return re.sub(r"\s+", "", normalise(text)).casefold()


def _is_wrong(line: TextLine, read: Sequence[TextLine]) -> bool:
    """Does the picture show another text than the file says?"""
    text = _plain("".join(r.text for r in read))
    score = min(r.score for r in read)
    if _is_unreadable(line.text):
        return bool(text)
    if len(_plain(line.text)) < 3 or len(text) < 3 or score < CONVINCING:
        return False
    return Levenshtein.normalized_similarity(_plain(line.text), text) < UNLIKE


def _has_more_symbols(read: TextLine, parts: Sequence[TextLine]) -> bool:
    """Is a reading the text of these lines, with symbols that the file draws as lines?"""
    along = np.subtract(read.quad[1], read.quad[0])
    in_order = sorted(parts, key=lambda part: float(np.dot(part.quad[0], along)))
    own, other = _plain("".join(part.text for part in in_order)), _plain(read.text)
    return read.score >= CONVINCING and len(other) > len(own) and _bare(own) == _bare(other)


def _bare(text: str) -> str:
    return "".join(c for c in text if c not in _SYMBOLS)


def _is_unreadable(text: str) -> bool:
    """Private-use, unassigned and replacement characters are glyph numbers, not text."""
    odd = sum(unicodedata.category(c) in ("Co", "Cn", "Cc") or c == "\ufffd" for c in text)
    return odd > 0.3 * len(text)


def _with_symbol(line: TextLine, read: TextLine) -> TextLine:
    """The vector line with the symbol that stands before it only in the picture."""
    own, other = normalise(line.text), normalise(read.text)
    symbols = _LEADING_SYMBOLS.match(other)
    if symbols and own[:1] not in _SYMBOLS and _plain(other[symbols.end() :]) == _plain(own):
        return replace(line, text=symbols.group().strip() + own, quad=read.quad, score=read.score)
    # Untrained readers take ⌀ for 0; the file says where the number begins.
    if own[:1].isdigit() and own[:1] != "0" and _plain(other) == "0" + _plain(own):
        return replace(line, text="⌀" + own, quad=read.quad, score=read.score)
    return line


def _has_ink(image: Image, line: TextLine) -> bool:
    crop = crop_line(image, line.quad)
    return int(np.ptp(crop.max(axis=2))) > 40 or int(np.ptp(crop.min(axis=2))) > 40
