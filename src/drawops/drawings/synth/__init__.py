"""Synthetic engineering drawings with exact labels."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drawops.drawings.synth.generator import SynthSummary, all_families, generate

__all__ = ["SynthSummary", "all_families", "generate"]


def __getattr__(name: str) -> Any:
    # Lazy: importing the fonts' or the lines' module must not load the whole generator.
    if name in __all__:
        from drawops.drawings.synth import generator

        return getattr(generator, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
