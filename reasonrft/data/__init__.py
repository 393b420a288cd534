"""Looking after data sets: check them, convert them, look at them."""

from reasonrft.data.convert import convert
from reasonrft.data.preview import preview
from reasonrft.data.validate import validate

__all__ = ["convert", "preview", "validate"]
