"""Perception: what pictures show, in the words of the tasks' chains, and never their questions."""

from reasonrft.worlds.perception.counting import CountingPerception
from reasonrft.worlds.perception.structure import StructurePerception
from reasonrft.worlds.perception.transformation import TransformationPerception

__all__ = ["CountingPerception", "StructurePerception", "TransformationPerception"]
