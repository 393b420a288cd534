"""Rollouts: completions sampled by an engine, with their log-probs."""

from reasonrft.rollout.engine import Completion, Rollout, RolloutEngine
from reasonrft.rollout.local import LocalEngine
from reasonrft.rollout.noisy_rollout import NoisyRollout
from reasonrft.rollout.sampling import Sampling
from reasonrft.rollout.vllm_server import VLLMServerEngine

__all__ = [
    "Completion",
    "LocalEngine",
    "NoisyRollout",
    "Rollout",
    "RolloutEngine",
    "Sampling",
    "VLLMServerEngine",
]
