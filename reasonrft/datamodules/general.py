"""Anybody's checkable questions, about any number of pictures, of any task."""

from reasonrft.datamodules.base import TaskDataModule


class GeneralDataModule(TaskDataModule):
    """Problems of any kind, each asked and judged by its own task unless a task is given."""
