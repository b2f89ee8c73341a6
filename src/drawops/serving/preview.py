"""A page small enough for a browser."""

import base64

from drawops.drawings.model import Image

PREVIEW_PX = 2000


def preview_uri(image: Image, *, longest_px: int = PREVIEW_PX) -> str:
    """The picture as a JPEG data URI, its longer side at most `longest_px`."""
    import cv2

    factor = longest_px / max(image.shape[:2])
    if factor < 1:
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert done
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
