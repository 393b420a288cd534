"""The vision-language model: loading, encoding, rollout and scoring."""

from reasonrft.policy.adapters import Lora
from reasonrft.policy.encoding import Encoder, Example, Prompt, PromptBatch
from reasonrft.policy.layout import Group
from reasonrft.policy.policy import Policy
from reasonrft.policy.rollout import Rollout, roll_out
from reasonrft.policy.sampling import Sampling
from reasonrft.policy.scoring import Scores, score

__all__ = [
    "Encoder",
    "Example",
    "Group",
    "Lora",
    "Policy",
    "Prompt",
    "PromptBatch",
    "Rollout",
    "Sampling",
    "Scores",
    "roll_out",
    "score",
]
