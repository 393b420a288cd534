"""What drawn PNG files show."""

import io

import numpy as np
from PIL import Image


def pixels_of(image: bytes) -> np.ndarray:  # (H, W, 3) uint8
    with Image.open(io.BytesIO(image)) as opened:
        assert (opened.format, opened.mode) == ("PNG", "RGB")
        return np.asarray(opened)
