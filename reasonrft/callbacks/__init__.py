"""What watches a run and writes down what it sees."""

from reasonrft.callbacks.best_checkpoint import BestCheckpoint
from reasonrft.callbacks.curves import CurvesPicture
from reasonrft.callbacks.export import ExportPolicy
from reasonrft.callbacks.gallery import SampleGallery
from reasonrft.callbacks.memory import HostMemory
from reasonrft.callbacks.progress import BeforeAndAfter
from reasonrft.callbacks.reasoning import ReasoningMonitor

__all__ = [
    "BeforeAndAfter",
    "BestCheckpoint",
    "CurvesPicture",
    "ExportPolicy",
    "HostMemory",
    "ReasoningMonitor",
    "SampleGallery",
]
