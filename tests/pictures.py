"""Small generated pictures for tests."""

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont


@cache
def font_path(name: str) -> str:
    if name == "chinese":
        import pylopdf_fonts_zh_cn

        return str(next(Path(pylopdf_fonts_zh_cn.__file__).parent.rglob("NotoSansSC-Regular.otf")))
    import matplotlib

    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


def text_picture(text: str, *, size: int = 40, margin: int = 6, font: str = "latin") -> np.ndarray:
    """(H, W, 3) black text on white."""
    face = ImageFont.truetype(font_path(font), size)
    left, top, right, bottom = face.getbbox(text)
    picture = Picture.new("RGB", (int(right - left) + 2 * margin, int(bottom - top) + 2 * margin), "white")
    ImageDraw.Draw(picture).text((margin - left, margin - top), text, font=face, fill="black")
    return np.asarray(picture)
