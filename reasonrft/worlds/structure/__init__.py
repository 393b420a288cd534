"""Structure perception: coloured figures with their facts in words, and Geometry3K's manner."""

from reasonrft.worlds.structure.structure_world import StructureWorld

__all__ = ["StructureWorld"]
