"""EasyR1's rows: {images: [...], problem with <image> tags, answer}."""

from reasonrft.readers import release
from reasonrft.readers.base import Format
from reasonrft.readers.record import KNOWN

FORMAT = Format("easyr1", (("images",), ("problem",), ("answer",)), KNOWN, release.read)
