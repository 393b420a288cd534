"""Reading where a record's images are: paths, bytes, or images that somebody has opened."""

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from reasonrft.images import as_rgb
from reasonrft.readers.base import RecordFault, Row, short

KEYS = ("images", "image")

_LOOKALIKES = re.compile(
    r"(?:im(?:g|ages?|gae|gaes|aeg|gs)|pictures?)(?:_?(?:paths?|files?|names?))?|imges?", re.I
)


def row_images(row: Row, root: Path) -> tuple[tuple[Path | bytes, ...], str]:
    """A row's images, and the key that holds them."""
    for key in KEYS:
        if row.get(key) is not None:
            return read_images(row[key], key, root), key
    for key in row:
        if isinstance(key, str) and key not in KEYS and _LOOKALIKES.fullmatch(key):
            message = f"images are read from image or images; map it with columns image={key}"
            raise RecordFault(key, message)
    return (), KEYS[0]


def read_images(value: object, key: str, root: Path) -> tuple[Path | bytes, ...]:
    """Images in the order of their tags."""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        return tuple(_image(each, key, root) for each in value)
    return (_image(value, key, root),)


def locate(name: object, key: str, root: Path, folders: Sequence[str]) -> Path:
    """An image by its bare name, in the first of these folders that has it."""
    paths = [resolve(_joined(folder, name, key), key, root) for folder in folders]
    return next((path for path in paths if path.is_file()), paths[0])


def resolve(name: str, key: str, root: Path) -> Path:
    """A path below the image root, wherever links lead."""
    if not name or "\0" in name:
        raise RecordFault(key, f"{short(name)} is not a path")
    if re.match(r"[a-z][a-z0-9+.-]*://|data:", name, re.I):
        raise RecordFault(key, f"{short(name)} is an address; download the image, give its path")
    try:
        path = root / name
        inside = path.resolve().is_relative_to(root)
        path.is_file()
    except OSError as error:  # names that are too long
        raise RecordFault(key, f"{short(name)} is not a path ({error.strerror})") from None
    except (RuntimeError, ValueError) as error:  # loops of links, half characters
        raise RecordFault(key, f"{short(name)} is not a path ({error})") from None
    if not inside:
        mend = "set image_root (--image-root) if images live elsewhere"
        raise RecordFault(key, f"{short(name)} climbs out of the image root {root}; {mend}")
    return path


def _image(value: object, key: str, root: Path) -> Path | bytes:
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path") or value
    if isinstance(value, str | Path):
        return resolve(str(value), key, root)
    if isinstance(value, bytes | bytearray) and value:
        return bytes(value)
    if isinstance(value, Image.Image):
        return _encode(value, key)
    accepted = "a path, bytes, an object with path or bytes, an image, or a list of these"
    raise RecordFault(key, f"must be {accepted}, not {short(value)}")


def _encode(image: Image.Image, key: str) -> bytes:
    file = io.BytesIO()
    try:
        if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
            image = as_rgb(image)
        image.save(file, "PNG")
    except (OSError, ValueError, SyntaxError) as error:  # ImageFault is a ValueError
        raise RecordFault(key, f"cannot be read ({error})") from None
    return file.getvalue()


def _joined(folder: str, name: object, key: str) -> str:
    if not isinstance(name, str) or not name:
        raise RecordFault(key, f"must be the name of an image, not {short(name)}")
    return f"{folder}/{name}" if folder else name
