"""Perception: what images show, in the words of the tasks' chains, and never their questions."""

from reasonrft.worlds.perception.counting_perception import CountingPerception
from reasonrft.worlds.perception.structure_perception import StructurePerception
from reasonrft.worlds.perception.transformation_perception import TransformationPerception

__all__ = ["CountingPerception", "StructurePerception", "TransformationPerception"]
