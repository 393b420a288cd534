"""Structure perception: one figure, a letter or a number."""

from reasonrft.datamodules.base import TaskDataModule


class StructureDataModule(TaskDataModule):
    """Problems of structure perception: GeoMath, Geometry3K, or the structure world."""

    task_name = "structure"
    pictures = 1
