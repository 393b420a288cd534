"""One datamodule per task."""

from reasonrft.datamodules.base import TaskDataModule


class CountingDataModule(TaskDataModule):
    """Problems of visual counting: CLEVR-Math, Super-CLEVR, or the counting world."""

    task_name = "counting"
    image_count = 1


class StructureDataModule(TaskDataModule):
    """Problems of structure perception: GeoMath, Geometry3K, or the structure world."""

    task_name = "structure"
    image_count = 1


class TransformationDataModule(TaskDataModule):
    """Problems of spatial transformation: TRANCE, or the transformation world."""

    task_name = "transformation"
    image_count = 2


class GroundingDataModule(TaskDataModule):
    """Problems of grounding: VLM-R1's and Visual-RFT's, or the grounding world."""

    task_name = "grounding"
    image_count = 1


class GeneralDataModule(TaskDataModule):
    """Problems of any kind, each asked and judged by its own task unless a task is given."""
