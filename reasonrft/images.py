"""Opening pictures that somebody else made: late, within limits, always RGB."""

import io
import struct
import warnings
import zlib
from pathlib import Path

from PIL import Image, UnidentifiedImageError

MAX_PIXELS = 64_000_000

# What Pillow's decoders are known to raise on damaged or hostile files.
_DECODER_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, IndexError)


class ImageFault(ValueError):
    """A picture that cannot be used; the message says why in one clause."""


def open_image(source: Path | bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode a whole picture to RGB, transparent parts on white, or raise `ImageFault`."""
    if isinstance(source, Path) and not source.is_file():
        raise ImageFault(f"no such file: {source}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return _decode(io.BytesIO(source) if isinstance(source, bytes) else source, max_pixels)
    except ImageFault:
        raise
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise ImageFault(_describe(source, error, max_pixels)) from error
    except _DECODER_ERRORS as error:
        raise ImageFault(f"damaged picture: {_name(source)} ({error})") from error


def _decode(file: io.BytesIO | Path, max_pixels: int) -> Image.Image:
    with Image.open(file) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise ImageFault(f"{width}x{height} picture is over the limit of {max_pixels:,} pixels")
        image.load()
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            ground = Image.new("RGBA", image.size, "white")
            return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")
        return image.convert("RGB")


def _describe(source: Path | bytes, error: Exception, max_pixels: int) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return f"{_name(source)} is over the limit of {max_pixels:,} pixels"
    return f"not a picture: {_name(source)} begins with {_start(source)!r}"


def _start(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[:16]
    with source.open("rb") as file:
        return file.read(16)


def _name(source: Path | bytes) -> str:
    return f"{len(source)} bytes" if isinstance(source, bytes) else str(source)
