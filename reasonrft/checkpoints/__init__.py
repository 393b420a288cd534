"""Checkpoints: how they are written and read, what they know, and where a run goes on."""

from reasonrft.checkpoints.checkpoint_io import SafeCheckpointIO

__all__ = ["SafeCheckpointIO"]
