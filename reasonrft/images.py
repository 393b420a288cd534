"""Opening images that somebody else made: late, within limits, always RGB."""

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy
from PIL import ExifTags, Image, UnidentifiedImageError

T = TypeVar("T")

MAX_PIXELS = 64_000_000

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM")
"""What is decoded, as told by its content; Pillow would hand EPS to Ghostscript."""

# What Pillow's decoders are known to raise on damaged or hostile files.
_DECODER_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, IndexError)

# How to turn an image upright, by its EXIF orientation.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_ITS_SIDE = (5, 6, 7, 8)


class ImageFault(ValueError):
    """An image that cannot be used; the message says why in one clause."""


def open_image(source: Path | bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode a whole image to RGB, upright, transparent parts on white, or raise `ImageFault`."""
    return _read(source, max_pixels, as_rgb)


def image_size(source: Path | bytes, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Width and height of the decoded image, from its header alone, or raise `ImageFault`."""
    return _read(source, max_pixels, _upright_size)


def as_rgb(image: Image.Image) -> Image.Image:
    """An opened image as `open_image` returns it."""
    orientation = _orientation(image)
    image.load()
    rgb = _flattened(image)
    return rgb.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else rgb


def _read(source: Path | bytes, max_pixels: int, read: Callable[[Image.Image], T]) -> T:
    """Open an image, read something of it, and name what is in the way."""
    if isinstance(source, Path) and not source.is_file():
        raise ImageFault(f"no such file: {source}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", "Corrupt EXIF data")
            file = io.BytesIO(source) if isinstance(source, bytes) else source
            with Image.open(file, formats=FORMATS) as image:
                _check_size(image.size, max_pixels)
                return read(image)
    except ImageFault:
        raise
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise ImageFault(_describe(source, error, max_pixels)) from error
    except _DECODER_ERRORS as error:
        raise ImageFault(f"damaged image: {_name(source)} ({error})") from error


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise ImageFault(f"{width}x{height} image is over the limit of {max_pixels:,} pixels")


def _flattened(image: Image.Image) -> Image.Image:
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _from_integers(image)
    if image.mode == "F":
        return _from_floats(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        ground = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _from_integers(image: Image.Image) -> Image.Image:
    """16 bits of grey as 8; Pillow itself would show everything above 255 as white."""
    grey = numpy.asarray(image, numpy.int64)
    low, high = int(grey.min()), int(grey.max())
    if low < 0 or high > 0xFFFF or (image.mode == "I" and image.format == "TIFF"):
        message = f"32-bit integers from {low} to {high}, whose white is not known"
        raise ImageFault(f"{message}: save the image with 8 or 16 bits")
    return Image.fromarray(((grey + 128) // 257).astype(numpy.uint8)).convert("RGB")


def _from_floats(image: Image.Image) -> Image.Image:
    """Floats from 0 for black to 1 for white; of others it is not known what white is."""
    grey = numpy.asarray(image, numpy.float32)
    low, high = float(grey.min()), float(grey.max())
    if not (low >= 0 and high <= 1):  # also where some are not numbers
        message = f"floats from {low:g} to {high:g}, whose white is not known"
        raise ImageFault(f"{message}: save the image with 8 or 16 bits, or with floats from 0 to 1")
    return Image.fromarray(numpy.rint(grey * 255).astype(numpy.uint8)).convert("RGB")


def _upright_size(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    return (height, width) if _orientation(image) in _ON_ITS_SIDE else (width, height)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation that stands in the header; Pillow turns TIFF upright itself."""
    if image.format == "TIFF" or "exif" not in image.info:
        return 1
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # EXIF is untrusted input too, and Pillow parses it with little care
        return 1


def _describe(source: Path | bytes, error: Exception, max_pixels: int) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return f"{_name(source)} is over the limit of {max_pixels:,} pixels"
    return (
        f"not an image: {_name(source)} begins with {_start(source)!r}; "
        "PNG, JPEG, WEBP, GIF, BMP, TIFF and PPM are read"
    )


def _start(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[:16]
    with source.open("rb") as file:
        return file.read(16)


def _name(source: Path | bytes) -> str:
    return f"{len(source)} bytes" if isinstance(source, bytes) else str(source)
