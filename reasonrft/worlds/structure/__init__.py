"""Structure perception: coloured figures with their facts in words, and Geometry3K's manner."""

from reasonrft.worlds.structure.verify import verify
from reasonrft.worlds.structure.world import StructureWorld

__all__ = ["StructureWorld", "verify"]
