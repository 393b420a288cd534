"""EasyR1's rows: {images: [...], problem with <image> tags, answer}."""

from reasonrft.readers import reason_rft
from reasonrft.readers.base import Format
from reasonrft.readers.make_problem import KNOWN

FORMAT = Format("easyr1", (("images",), ("problem",), ("answer",)), KNOWN, reason_rft.read)
