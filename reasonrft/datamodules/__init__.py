"""Problems on their way to a module: one datamodule for each task."""

from reasonrft.datamodules.base import TaskDataModule
from reasonrft.datamodules.curriculum import Curriculum
from reasonrft.datamodules.distilled_problems import DistilledProblems
from reasonrft.datamodules.own_problems import own_data
from reasonrft.datamodules.problem_sources import (
    DrawnProblems,
    MixedProblems,
    ProblemSource,
    StoredProblems,
)
from reasonrft.datamodules.task_datamodules import (
    CountingDataModule,
    GeneralDataModule,
    GroundingDataModule,
    StructureDataModule,
    TransformationDataModule,
)

__all__ = [
    "CountingDataModule",
    "Curriculum",
    "DistilledProblems",
    "DrawnProblems",
    "GeneralDataModule",
    "GroundingDataModule",
    "MixedProblems",
    "ProblemSource",
    "StoredProblems",
    "StructureDataModule",
    "TaskDataModule",
    "TransformationDataModule",
    "own_data",
]
