"""Files in, pages out: PDF, DXF, TIFF, PNG and JPEG drawings as pixels with the text the file itself knows."""

from drawops.drawings.model import Image, Page, Point, Quad, TextLine, quad_angle
from drawops.drawings.opening import NO_DRAWINGS, SUFFIXES, Drawing, find_files, limited, open_drawing

__all__ = [
    "NO_DRAWINGS",
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
