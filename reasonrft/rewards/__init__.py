"""Pluggable rewards: each a small callable, named by class_path, weighted in a sum."""

from reasonrft.rewards.accuracy import AccuracyReward, MathematicalReward, ReferenceReward
from reasonrft.rewards.base import Reward
from reasonrft.rewards.boxes import ClassificationReward, DetectionReward, IoUReward
from reasonrft.rewards.completion import Completion
from reasonrft.rewards.format import CaptionFormatReward, FormatReward
from reasonrft.rewards.function_sequence import FunctionSequenceReward
from reasonrft.rewards.length import LengthReward
from reasonrft.rewards.star_r1 import StarR1Reward
from reasonrft.rewards.steps import ReasoningStepsReward

__all__ = [
    "AccuracyReward",
    "CaptionFormatReward",
    "ClassificationReward",
    "Completion",
    "DetectionReward",
    "FormatReward",
    "FunctionSequenceReward",
    "IoUReward",
    "LengthReward",
    "MathematicalReward",
    "ReasoningStepsReward",
    "ReferenceReward",
    "Reward",
    "StarR1Reward",
]
