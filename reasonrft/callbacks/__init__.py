"""Callbacks that log, draw and write what a run does; none of them changes an update."""

from reasonrft.callbacks.before_and_after import BeforeAndAfter
from reasonrft.callbacks.export_policy import ExportPolicy
from reasonrft.callbacks.host_memory import HostMemory
from reasonrft.callbacks.logger_media import log_histogram, log_image, log_text
from reasonrft.callbacks.reasoning_monitor import ReasoningMonitor
from reasonrft.callbacks.sample_gallery import SampleGallery
from reasonrft.callbacks.training_curves import TrainingCurves

__all__ = [
    "BeforeAndAfter",
    "ExportPolicy",
    "HostMemory",
    "ReasoningMonitor",
    "SampleGallery",
    "TrainingCurves",
    "log_histogram",
    "log_image",
    "log_text",
]
