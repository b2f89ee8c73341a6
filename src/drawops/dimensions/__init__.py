"""Dimension texts as quantities: what a line such as `4×⌀6.5 +0.1/0` says."""

from drawops.dimensions.model import Dimension, Kind
from drawops.dimensions.parser import parse_dimension

__all__ = ["Dimension", "Kind", "parse_dimension"]
