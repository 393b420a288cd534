"""Pluggable rewards: each a small callable, named by class_path, weighted in a sum."""

from reasonrft.rewards.accuracy import AccuracyReward, MathematicalReward, ReferenceReward
from reasonrft.rewards.base import Reward
from reasonrft.rewards.boxes import ClassificationReward, DetectionReward, IoUReward
from reasonrft.rewards.captioning import CaptionReward
from reasonrft.rewards.completion import Completion
from reasonrft.rewards.endpoint_reward import EndpointReward
from reasonrft.rewards.format import CaptionFormatReward, FormatReward
from reasonrft.rewards.function_sequence import FunctionSequenceReward
from reasonrft.rewards.judge import JudgeReward
from reasonrft.rewards.length import LengthReward
from reasonrft.rewards.policy_reward import PolicyReward
from reasonrft.rewards.reasoning_reflection import ReasoningReflectionReward
from reasonrft.rewards.star_r1 import StarR1Reward
from reasonrft.rewards.steps import ReasoningStepsReward

__all__ = [
    "AccuracyReward",
    "CaptionFormatReward",
    "CaptionReward",
    "ClassificationReward",
    "Completion",
    "DetectionReward",
    "EndpointReward",
    "FormatReward",
    "FunctionSequenceReward",
    "IoUReward",
    "JudgeReward",
    "LengthReward",
    "MathematicalReward",
    "PolicyReward",
    "ReasoningReflectionReward",
    "ReasoningStepsReward",
    "ReferenceReward",
    "Reward",
    "StarR1Reward",
]
