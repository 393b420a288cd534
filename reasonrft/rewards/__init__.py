"""Pluggable rewards: each a small callable, named by class_path, weighted in a sum."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
from reasonrft.rewards.star_r1 import StarR1Reward
from reasonrft.rewards.steps import ReasoningStepsReward

if TYPE_CHECKING:
    from reasonrft.rewards.policy_reward import PolicyReward
    from reasonrft.rewards.reasoning_reflection import ReasoningReflectionReward

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

_WITH_TORCH = {
    "PolicyReward": "reasonrft.rewards.policy_reward",
    "ReasoningReflectionReward": "reasonrft.rewards.reasoning_reflection",
}


def __getattr__(name: str) -> Any:
    """Rewards that see the policy need torch, which files are scored without."""
    if name in _WITH_TORCH:
        return getattr(import_module(_WITH_TORCH[name]), name)
    raise AttributeError(f"module {__name__} has no attribute {name}")
