"""What watches a run and writes down what it sees."""

from reasonrft.callbacks.before_and_after import BeforeAndAfter
from reasonrft.callbacks.export_policy import ExportPolicy
from reasonrft.callbacks.host_memory import HostMemory
from reasonrft.callbacks.reasoning_monitor import ReasoningMonitor
from reasonrft.callbacks.sample_gallery import SampleGallery
from reasonrft.callbacks.training_curves import CurvesPicture

__all__ = [
    "BeforeAndAfter",
    "CurvesPicture",
    "ExportPolicy",
    "HostMemory",
    "ReasoningMonitor",
    "SampleGallery",
]
