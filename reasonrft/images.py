"""Opening images that somebody else made: late, within limits, always RGB."""

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from PIL import Image, UnidentifiedImageError

T = TypeVar("T")

MAX_PIXELS = 64_000_000

# What Pillow's decoders are known to raise on damaged or hostile files.
_DECODER_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, IndexError)


class ImageFault(ValueError):
    """An image that cannot be used; the message says why in one clause."""


def open_image(source: Path | bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode a whole image to RGB, transparent parts on white, or raise `ImageFault`."""
    return _read(source, max_pixels, _decode)


def image_size(source: Path | bytes, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Width and height of an image, from its header alone, or raise `ImageFault`."""
    return _read(source, max_pixels, lambda image: image.size)


def _read(source: Path | bytes, max_pixels: int, look: Callable[[Image.Image], T]) -> T:
    """Open an image, and name what keeps it from being looked at."""
    if isinstance(source, Path) and not source.is_file():
        raise ImageFault(f"no such file: {source}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            file = io.BytesIO(source) if isinstance(source, bytes) else source
            with Image.open(file) as image:
                _check_size(image.size, max_pixels)
                return look(image)
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


def _decode(image: Image.Image) -> Image.Image:
    image.load()
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        ground = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _describe(source: Path | bytes, error: Exception, max_pixels: int) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return f"{_name(source)} is over the limit of {max_pixels:,} pixels"
    return f"not an image: {_name(source)} begins with {_start(source)!r}"


def _start(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[:16]
    with source.open("rb") as file:
        return file.read(16)


def _name(source: Path | bytes) -> str:
    return f"{len(source)} bytes" if isinstance(source, bytes) else str(source)
