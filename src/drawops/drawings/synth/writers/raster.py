"""A scene as pixels: the PDF rendered."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def render(pdf: bytes, dpi: float = 200.0) -> NDArray[np.uint8]:
    """The first page of a PDF as (H, W) uint8 grey."""
    import pypdfium2

    document = pypdfium2.PdfDocument(pdf)
    try:
        grey = document[0].render(scale=dpi / 72.0, grayscale=True).to_numpy()
    finally:
        document.close()
    return np.array(grey.reshape(grey.shape[0], grey.shape[1]), dtype=np.uint8)


def write_png(path: Path, image: NDArray[np.uint8], dpi: float) -> None:
    """(H, W) uint8 as a grey PNG that knows its resolution."""
    from PIL import Image as Pictures

    Pictures.fromarray(image).save(path, dpi=(dpi, dpi), compress_level=3)
