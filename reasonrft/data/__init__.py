"""Looking after data sets: check them, convert them, look at them, draw new ones."""

from reasonrft.data.build_worlds import build
from reasonrft.data.convert import convert
from reasonrft.data.preview import preview
from reasonrft.data.validate import validate

__all__ = ["build", "convert", "preview", "validate"]
