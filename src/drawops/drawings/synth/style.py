"""How one office draws: lettering, arrows, number formats, language. Drawn by chance once a drawing."""

from dataclasses import dataclass
from random import Random
from typing import Literal

from drawops.drawings.synth.typeface import OUTLINE_FACES, STROKE_FACES

Language = Literal["en", "zh"]


@dataclass(frozen=True)
class Style:
    """Lengths in mm on the sheet."""

    language: Language
    face: str
    vector_symbols: bool
    text_height: float = 3.5
    wide: float = 0.5
    arrow: float = 3.0
    arrow_slim: float = 0.3
    """Arrow width as a part of its length."""
    arrow_open: bool = False
    spacing: float = 8.0
    """Between dimension lines; the first stands 2 mm further from the outline."""
    text_gap: float = 0.9
    unidirectional: bool = False
    """All dimension texts horizontal, in a break of their line; else along the line and above it."""
    comma: bool = False
    count: str = "{n}×"
    form: str = "short"
    """Title block, see `forms.FORMS`."""
    depth_word: bool = False
    """Depths as a word (深, DEEP) rather than as the sign ↧."""

    def number(self, value: float, digits: int = 3) -> str:
        text = f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"
        text = "0" if text in ("-0", "") else text
        return text.replace(".", ",") if self.comma else text

    def counted(self, n: int, text: str) -> str:
        """`4×⌀6.6`; one of a thing is not counted."""
        return text if n == 1 else self.count.format(n=n) + text

    def say(self, english: str, chinese: str) -> str:
        return chinese if self.language == "zh" else english


def draw_style(rng: Random) -> Style:
    """One office's habits."""
    language: Language = rng.choice(("en", "zh"))
    face = rng.choice((*OUTLINE_FACES, *STROKE_FACES, "hershey-simplex"))
    chinese = language == "zh"
    return Style(
        language=language,
        face=face,
        vector_symbols=rng.random() < 0.35,
        text_height=rng.choice((2.5, 3.0, 3.5, 3.5)),
        wide=rng.choice((0.4, 0.5, 0.5, 0.6, 0.7)),
        arrow=rng.choice((2.5, 3.0, 3.5)),
        arrow_slim=rng.choice((0.25, 0.3, 0.36)),
        arrow_open=rng.random() < 0.1,
        spacing=rng.choice((7.5, 8.0, 9.0)),
        text_gap=rng.choice((0.7, 0.9, 1.1)),
        unidirectional=not chinese and rng.random() < 0.25,
        comma=not chinese and rng.random() < 0.15,
        count=rng.choice(("{n}×", "{n}×", "{n}-") if chinese else ("{n}×", "{n}×", "{n}x ", "{n}× ")),
        form=rng.choice(("gb", "gb", "short") if chinese else ("cad", "cad", "short")),
        depth_word=rng.random() < 0.3,
    )
