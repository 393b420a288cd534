"""The grounding world: CLEVR's objects and vehicles, and which of them is meant."""

from reasonrft.worlds.grounding.grounding_world import GroundingWorld

__all__ = ["GroundingWorld"]
