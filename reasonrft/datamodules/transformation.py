"""Spatial transformation: a picture before, a picture after, and what was done."""

from reasonrft.datamodules.base import TaskDataModule


class TransformationDataModule(TaskDataModule):
    """Problems of spatial transformation: TRANCE, or the transformation world."""

    task_name = "transformation"
    pictures = 2
