"""Growing the dictionary: new characters become new rows of the head, appended after the last class."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

# Symbols that look or are used alike: where a new row starts from.
_RELATED = {
    "⌖": "◎○⊕+⌀",
    "⌒": "∩◠⌯○",
    "⌓": "⌒∩◠△",
    "⌰": "↗∥",
    "⌴": "⊔□└┘",
    "⌵": "∨∇▽V",
    "⌳": "∠⌭∥",
    "⌲": "▷△",
    "⏤": "—–-",
    "Ⓔ": "ⓂE◎",
    "Ⓕ": "ⓂF◎",
    "Ⓛ": "ⓂL◎",
    "Ⓟ": "ⓂP◎",
    "Ⓢ": "ⓂS◎",
    "Ⓣ": "ⓂT◎",
    "Ⓤ": "ⓂU◎",
}
_SYMBOLS = "⌀⏥⌭⌯◎∠⊥∥"


def new_characters(texts: Iterable[str], charset: Sequence[str], *, min_lines: int) -> tuple[str, dict[str, int]]:
    """Characters outside `charset` and the number of texts that have each.

    Returns:
        Those in at least `min_lines` texts, sorted, to be added; and the others with their counts.
    """
    known = set(charset)
    counts = Counter(c for text in texts for c in set(text) - known)
    added = "".join(sorted(c for c, n in counts.items() if n >= min_lines))
    return added, {c: n for c, n in sorted(counts.items()) if c not in added}


def grow_head(
    weight: NDArray[np.float32], bias: NDArray[np.float32], charset: Sequence[str], added: str, *, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], list[str]]:
    """Append a class for each added character; old classes keep their numbers and values.

    A new row starts at the mean of related symbols' rows plus noise: near enough to be found at once, apart
    enough from the others and from its siblings to be told from them.

    Args:
        weight: (D, C); bias: (C,); charset: C - 1 characters.
    Returns:
        Weight (D, C + n), bias (C + n,) and the longer charset.
    """
    if not added:
        return weight, bias, list(charset)
    class_of = {c: i + 1 for i, c in enumerate(charset)}
    rng = np.random.default_rng([seed, len(charset)])
    columns, offsets = [], []
    for character in added:
        related = [class_of[c] for c in _RELATED.get(character, _SYMBOLS) + _SYMBOLS if c in class_of]
        rows = related or list(range(1, len(charset) + 1))
        columns.append(weight[:, rows].mean(axis=1) + rng.normal(0.0, 0.5 * float(weight.std()), len(weight)))
        offsets.append(bias[rows].mean())
    grown = np.concatenate([weight, np.stack(columns, axis=1)], axis=1).astype(np.float32)
    return grown, np.concatenate([bias, offsets]).astype(np.float32), [*charset, *added]
