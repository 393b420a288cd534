"""PNG files of drawn images."""

import io

import numpy as np
from PIL import Image

_COMPRESS_LEVEL = 6


def encode_png(pixels: np.ndarray) -> bytes:
    """A PNG file of RGB bytes; its bytes depend on the version of zlib, its pixels do not."""
    file = io.BytesIO()  # pixels: (H, W, 3) uint8
    Image.fromarray(pixels).save(file, "PNG", compress_level=_COMPRESS_LEVEL)
    return file.getvalue()
