"""The transformation world: TRANCE's scenes, changes and views, comparing chains."""

from reasonrft.worlds.transformation.transformation_world import TransformationWorld

__all__ = ["TransformationWorld"]
