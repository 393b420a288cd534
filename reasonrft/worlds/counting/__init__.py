"""The counting world: CLEVR scenes and vehicles, CLEVR-Math questions, tallying chains."""

from reasonrft.worlds.counting.verification import verify
from reasonrft.worlds.counting.world import CountingWorld

__all__ = ["CountingWorld", "verify"]
