"""Visual counting: one picture, a number."""

from reasonrft.datamodules.base import TaskDataModule


class CountingDataModule(TaskDataModule):
    """Problems of visual counting: CLEVR-Math, Super-CLEVR, or the counting world."""

    task_name = "counting"
    pictures = 1
