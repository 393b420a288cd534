"""The vision-language model: loading, encoding, image features, scoring, export."""

from reasonrft.policy.adapters import Lora
from reasonrft.policy.encoder import Encoder, Example, Prompt, PromptBatch
from reasonrft.policy.policy import Policy
from reasonrft.policy.scoring import Group, Scores, score

__all__ = [
    "Encoder",
    "Example",
    "Group",
    "Lora",
    "Policy",
    "Prompt",
    "PromptBatch",
    "Scores",
    "score",
]
