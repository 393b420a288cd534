"""The transformation world: TRANCE's scenes, changes and views, comparing chains."""

from reasonrft.worlds.transformation.check import verify
from reasonrft.worlds.transformation.world import TransformationWorld

__all__ = ["TransformationWorld", "verify"]
