"""A scene as pixels: the PDF rendered."""

from pathlib import Path

import numpy as np

from drawops.drawings.model import Image


def render(pdf: bytes, dpi: float = 200.0) -> Image:
    """The first page of a PDF as (H, W, 3) uint8 RGB."""
    import pypdfium2

    document = pypdfium2.PdfDocument(pdf)
    try:
        grey = document[0].render(scale=dpi / 72.0, grayscale=True).to_numpy()
    finally:
        document.close()
    grey = grey.reshape(grey.shape[0], grey.shape[1])
    return np.repeat(grey[:, :, None], 3, axis=2)


def write_png(path: Path, image: Image, dpi: float) -> None:
    """A grey PNG that knows its resolution."""
    from PIL import Image as Pictures

    Pictures.fromarray(image[:, :, 0]).save(path, dpi=(dpi, dpi), compress_level=3)
