"""Putting the file's own text and what was read from the picture together."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np
from rapidfuzz.distance import Levenshtein

from drawops.datasets.text import normalise
from drawops.drawings.crops import crop_line
from drawops.drawings.model import Image, TextLine
from drawops.drawings.symbols import PARTIAL
from drawops.ocr.boxes import Box, box_of_quad, overlap

SAME_PLACE = 0.5  # share of the smaller box from which a read and a vector line are the same text
UNLIKE = 0.3  # below this similarity the file's text is not what the picture shows
CONVINCING = 0.8  # score from which a reading may contradict the file
ALONE = 0.7  # score from which a reading stands that the file knows nothing of

_MOST = 0.75  # share of the file's text that a reading which contradicts it covers
_MISREAD = 8  # the reading of a text may be wrong in one of so many characters
_SYMBOLS = "⌀□◇⌴⌵↧∠⊥∥⏥◎⌖⌯○⌭⌒⌓⌰⌳∨√"
_ONLY_SYMBOLS = re.compile(rf"[{_SYMBOLS}×±°\s]+")
_NUMBERING = re.compile(r"\(?\d{1,2}\s*[.、)]\s*")  # of a note


def combine(vector: Sequence[TextLine], read: Sequence[TextLine], image: Image) -> list[TextLine]:
    """The file's lines where the picture shows them, and what only the picture shows.

    * A vector line is taken as the file has it (source "vector", score 1.0).
    * A symbol in front of it that the file draws as lines and the reader saw is put before it.
    * Pieces between which the picture shows more (3× 5.5 for 3×⌀5.5, 6 0.1 for 6±0.1, the cells of a GD&T frame) become one
      line, with what only the reading has: a file may draw a sign as lines, or not say which one it is.
    * Vector lines that are nothing like the picture (a font without a proper encoding) give way to the reading.
    * A vector line without any ink on the page is left out.
    * A read line that no vector line covers stays.
    """
    boxes = [box_of_quad(line.quad) for line in vector]
    seen = [box_of_quad(line.quad) for line in read]
    shares = [[overlap(s, b) / max(1e-9, min(s.area, b.area)) for b in boxes] for s in seen]
    known = [max(row, default=0.0) > SAME_PLACE for row in shares]
    combined: list[TextLine] = []
    replaced: dict[int, TextLine] = {}
    gone: set[int] = set()
    for i, whole in enumerate(read):
        covered = [j for j, share in enumerate(shares[i]) if share > SAME_PLACE]
        parts = _in_order(whole, [vector[j] for j in covered])
        if completed := _completed(whole, parts):
            replaced[i] = completed
        elif parts and _reaches_over(seen[i], [boxes[j] for j in covered]) and _is_wrong(parts, whole):
            replaced[i] = whole
        else:
            continue
        gone.update(covered)
    for j, line in enumerate(vector):
        mine = [i for i in range(len(read)) if shares[i][j] > SAME_PLACE]
        if j in gone or (not mine and (_is_unreadable(line.text) or not _has_ink(image, line))):
            continue
        alone = len(mine) == 1 and sum(share > SAME_PLACE for share in shares[mine[0]]) == 1
        combined.append(_with_diameter(line, read[mine[0]]) if alone else line)
    extra = [replaced.get(i, r) for i, r in enumerate(read) if i in replaced or (not known[i] and r.score >= ALONE)]
    return combined + extra


def _in_order(whole: TextLine, parts: Sequence[TextLine]) -> list[TextLine]:
    """The parts of a line in its direction."""
    along = np.subtract(whole.quad[1], whole.quad[0])
    return sorted(parts, key=lambda part: float(np.dot(part.quad[0], along)))


def _reaches_over(read: Box, parts: Sequence[Box]) -> bool:
    """Is most of the parts inside a reading? One of a piece of them does not tell what the whole says."""
    return sum(overlap(read, part) for part in parts) > _MOST * sum(part.area for part in parts)


def _plain(text: str) -> str:
    return re.sub(r"\s+", "", normalise(text)).casefold()


def _is_wrong(own: Sequence[TextLine], read: TextLine) -> bool:
    """Does the picture show another text than the file says?"""
    texts, seen = [_plain(line.text) for line in own], _plain(read.text)
    if all(_is_unreadable(line.text) for line in own):
        return bool(seen)
    if any(len(text) < 3 for text in texts) or len(seen) < 3 or read.score < CONVINCING:
        return False
    return Levenshtein.normalized_similarity("".join(texts), seen) < UNLIKE


def _completed(read: TextLine, parts: Sequence[TextLine]) -> TextLine | None:
    """One line of the parts with what only the reading has; None where it has nothing, or says something else.

    Between parts anything may stand: the file parts its text where something is drawn. Before and behind them symbols, the
    number of a note, and characters where something of the size of one is drawn.
    """
    if not parts:
        return None
    texts = [normalise(part.text) for part in parts]
    own, other = "".join(texts), normalise(read.text)
    before = {0: None, **dict(zip(accumulate(map(len, texts)), parts, strict=True))}  # by where a part ends
    behind = dict(zip([0, *accumulate(map(len, texts))], [*parts, None], strict=True))
    added, misread = "", 0
    pieces: list[str] = []
    for change in Levenshtein.opcodes(own, other):
        at, more = change.src_start, other[change.dest_start : change.dest_end]
        if change.tag != "insert":
            misread += 0 if change.tag == "equal" else max(change.src_end - at, len(more))
            pieces.append(own[at : change.src_end])
        elif at in before and _stands_between(before[at], more, behind[at]):
            added += more
            pieces.append(more)
        else:
            misread += len(more.strip(" |_"))
    doubtful = read.score < CONVINCING and (misread or not _ONLY_SYMBOLS.fullmatch(added))
    if not added.strip() or doubtful or misread * _MISREAD > len(own):
        return None
    whole = parts[0] if len(parts) == 1 else read
    return replace(whole, text=normalise("".join(pieces)), quad=read.quad, score=read.score)


def _stands_between(last: TextLine | None, more: str, following: TextLine | None) -> bool:
    """May a reading be right that has more between two texts of the file, before its first or behind its last?"""
    if last and following:
        height = float(np.linalg.norm(np.subtract(last.quad[3], last.quad[0])))
        gap = float(np.linalg.norm(np.subtract(following.quad[0], last.quad[1])))
        return more.isspace() or (bool(more.strip(" |_")) and gap < (len(more) + 1) * height)
    if last:
        return last.kind == PARTIAL
    assert following
    if more == "0" and following.text[:1].isdigit():
        return False  # untrained readers take ⌀ for 0
    symbol = _ONLY_SYMBOLS.fullmatch(more) and following.text[:1] not in _SYMBOLS
    return bool(symbol or _NUMBERING.fullmatch(more) or following.kind == PARTIAL)


def _is_unreadable(text: str) -> bool:
    """Private-use, unassigned and replacement characters are glyph numbers, not text."""
    odd = sum(unicodedata.category(c) in ("Co", "Cn", "Cc") or c == "\ufffd" for c in text)
    return odd > 0.3 * len(text)


def _with_diameter(line: TextLine, read: TextLine) -> TextLine:
    """Untrained readers take ⌀ for 0; the file says where the number begins."""
    own = normalise(line.text)
    if own[:1].isdigit() and own[:1] != "0" and _plain(read.text) == "0" + _plain(own):
        return replace(line, text="⌀" + own, quad=read.quad, score=read.score)
    return line


def _has_ink(image: Image, line: TextLine) -> bool:
    crop = crop_line(image, line.quad)
    return int(np.ptp(crop.max(axis=2))) > 40 or int(np.ptp(crop.min(axis=2))) > 40
