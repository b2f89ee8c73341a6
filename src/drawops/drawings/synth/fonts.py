"""The fonts in which text is generated, all from PyPI packages with licences for any use.

Outline fonts are files; the Hershey fonts are strokes, like those of CAD systems. `HELD_OUT_FONTS` are kept from
everything that is trained on: they measure how a model reads fonts it has never seen.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from drawops.drawings.synth.symbols import Glyph
from drawops.errors import NotFound, did_you_mean

FontPool = Literal["training", "held_out"]

_FILES = {
    "dejavu-sans": ("matplotlib", "mpl-data/fonts/ttf/DejaVuSans.ttf"),
    "dejavu-sans-oblique": ("matplotlib", "mpl-data/fonts/ttf/DejaVuSans-Oblique.ttf"),
    "dejavu-sans-mono": ("matplotlib", "mpl-data/fonts/ttf/DejaVuSansMono.ttf"),
    "stix": ("matplotlib", "mpl-data/fonts/ttf/STIXGeneral.ttf"),
    "stix-bold": ("matplotlib", "mpl-data/fonts/ttf/STIXGeneralBol.ttf"),
    "stix-italic": ("matplotlib", "mpl-data/fonts/ttf/STIXGeneralItalic.ttf"),
    "noto-sans-sc": ("pylopdf_fonts_zh_cn", "NotoSansSC-Regular.otf"),
    "noto-serif-sc": ("pylopdf_fonts_zh_cn", "NotoSerifSC-Regular.otf"),
    "roboto": ("font_roboto", "files/Roboto-Regular.ttf"),
    "roboto-light": ("font_roboto", "files/Roboto-Light.ttf"),
    "roboto-italic": ("font_roboto", "files/Roboto-Italic.ttf"),
    "source-sans-light": ("font_source_sans_pro", "files/SourceSansPro-ExtraLight.ttf"),
    "source-sans": ("font_source_sans_pro", "files/SourceSansPro-Regular.ttf"),
    "source-serif": ("font_source_serif_pro", "files/SourceSerifPro-Regular.ttf"),
    "lato": ("font_lato", "files/Lato-Regular.ttf"),
    "manrope": ("font_manrope", "files/Manrope-Regular.ttf"),
    "manrope-light": ("font_manrope", "files/Manrope-ExtraLight.ttf"),
    "hanken-grotesk": ("font_hanken_grotesk", "files/HankenGrotesk-Regular.otf"),
    "hanken-grotesk-italic": ("font_hanken_grotesk", "files/HankenGrotesk-LightItalic.otf"),
    "caladea": ("font_caladea", "files/Caladea-Regular.ttf"),
}
_HERSHEY = {
    "hershey-simplex": "futural",
    "hershey-duplex": "futuram",
    "hershey-roman": "rowmans",
    "hershey-complex": "rowmant",
    "hershey-times": "timesr",
}

TRAINING_FONTS: tuple[str, ...] = (
    "dejavu-sans",
    "dejavu-sans-oblique",
    "stix",
    "noto-sans-sc",
    "roboto",
    "roboto-light",
    "roboto-italic",
    "source-sans",
    "source-sans-light",
    "manrope",
    "manrope-light",
    "hanken-grotesk",
    "hanken-grotesk-italic",
    "caladea",
    "hershey-simplex",
    "hershey-duplex",
    "hershey-complex",
)
HELD_OUT_FONTS: tuple[str, ...] = (
    "dejavu-sans-mono",
    "stix-italic",
    "noto-serif-sc",
    "lato",
    "source-serif",
    "hershey-roman",
    "hershey-times",
)


@dataclass(frozen=True)
class Font:
    """One font: `path` for an outline font, None for a stroke font."""

    name: str
    path: Path | None
    characters: frozenset[str]

    @property
    def is_stroke(self) -> bool:
        return self.path is None

    def covers(self, character: str) -> bool:
        return character in self.characters


def pool_names(pool: FontPool) -> tuple[str, ...]:
    return TRAINING_FONTS if pool == "training" else HELD_OUT_FONTS


@cache
def load_font(name: str) -> Font:
    """The font of this name.

    Raises:
        NotFound: no such font, or its package is not installed.
    """
    if name in _HERSHEY:
        return Font(name, None, frozenset(_hershey(_HERSHEY[name])))
    if name not in _FILES:
        raise NotFound(f"No font '{name}'. {did_you_mean(name, [*_FILES, *_HERSHEY])}")
    package, file = _FILES[name]
    spec = find_spec(package)  # located, not imported: matplotlib takes a second
    if spec is None or not spec.submodule_search_locations:
        raise NotFound(f"The font {name} is not installed. Install it with `pip install {package.replace('_', '-')}`.")
    from fontTools.ttLib import TTFont

    path = Path(spec.submodule_search_locations[0]) / file
    with TTFont(path, lazy=True) as font:
        return Font(name, path, frozenset(map(chr, font.getBestCmap())))


@cache
def covering_fonts(character: str, pool: FontPool) -> tuple[str, ...]:
    """The fonts of a pool that have the character."""
    return tuple(name for name in pool_names(pool) if load_font(name).covers(character))


def choose_font(character: str, preferred: str, pool: FontPool, rng: random.Random) -> str | None:
    """`preferred` where it has the character, else one of the pool that has it, else None."""
    if load_font(preferred).covers(character):
        return preferred
    others = covering_fonts(character, pool)
    return rng.choice(others) if others else None


@cache
def stroke_glyph(name: str, character: str) -> Glyph:
    """A character of a stroke font in units of its capital's height, baseline at y = 0, y up."""
    return _hershey(_HERSHEY[name])[character]


@cache
def _hershey(name: str) -> dict[str, Glyph]:
    from HersheyFonts import HersheyFonts

    source = HersheyFonts()
    source.load_default_font(name)
    base, height = 9, 21  # every Hershey font: capitals from y = -12 down to y = 9
    found = {}
    for character, glyph in source.all_glyphs.items():
        if not " " <= character <= "~":
            continue
        strokes = tuple(
            tuple(((x - glyph.left_offset) / height, (base - y) / height) for x, y in stroke)
            for stroke in glyph.strokes
            if len(stroke)
        )
        found[character] = Glyph(strokes, glyph.char_width / height)
    return found


def outline_fonts(names: Sequence[str]) -> list[str]:
    """Those of `names` that are font files, for writers that embed fonts."""
    return [name for name in names if name in _FILES]
