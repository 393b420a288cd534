"""The counting world: CLEVR scenes and vehicles, CLEVR-Math questions, tallying chains."""

from reasonrft.worlds.counting.counting_world import CountingWorld

__all__ = ["CountingWorld"]
