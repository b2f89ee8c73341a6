"""Files in, pages out: PDF, DXF, TIFF, PNG and JPEG drawings as pixels with the text the file itself knows."""

from drawops.drawings.model import Image, Page, Point, Quad, TextLine, quad_angle
from drawops.drawings.opening import SUFFIXES, Drawing, find_files, limited, open_drawing

__all__ = [
    "SUFFIXES",
    "Drawing",
    "Image",
    "Page",
    "Point",
    "Quad",
    "TextLine",
    "find_files",
    "limited",
    "open_drawing",
    "quad_angle",
]
