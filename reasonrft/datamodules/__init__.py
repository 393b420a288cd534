"""Problems on their way to a module: one datamodule for each task."""

from reasonrft.datamodules.base import TaskDataModule
from reasonrft.datamodules.counting import CountingDataModule
from reasonrft.datamodules.general import GeneralDataModule
from reasonrft.datamodules.sources import (
    DrawnProblems,
    MixedProblems,
    ProblemSource,
    StoredProblems,
)
from reasonrft.datamodules.structure import StructureDataModule
from reasonrft.datamodules.transformation import TransformationDataModule

__all__ = [
    "CountingDataModule",
    "DrawnProblems",
    "GeneralDataModule",
    "MixedProblems",
    "ProblemSource",
    "StoredProblems",
    "StructureDataModule",
    "TaskDataModule",
    "TransformationDataModule",
]
