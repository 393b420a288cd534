"""DRO's Reasoning Reflection Reward, R3 (2506.13351): does a chain make the true answer likely?

    r_i     = sum over j of   w_j log pi(y_j | prompt, c_i, y_<j)
    w_j     = sigma_j / (sum over k of sigma_k)
    sigma_j = standard deviation of log pi(y_j | prompt, c_i, y_<j) over the group's chains c_i

Tokens of the answer that are as likely after any chain weigh nothing.

G completions of a prompt, K tokens that are given, T tokens of the answer.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from reasonrft.errors import BadInput
from reasonrft.rewards.policy_reward import Continuation, PolicyReward, PolicyScorer
from reasonrft.tasks.tags import END_THINK, chain_end

if TYPE_CHECKING:
    from reasonrft.policy.encoder import Encoder
    from reasonrft.rollout.engine import Rollout

ANSWER = "{answer}"
NO_DEVIATION = 1e-6
"""Log-probs that deviate less in all differ by rounding only."""


class ReasoningReflectionReward(PolicyReward):
    """The log-prob of the true answer after a completion's chain, its tokens weighted (R3).

    The completion's own answer is taken off and the true one put in its place. What closes no
    thought is all chain up to its answer block, and is closed for it.
    """

    def __init__(
        self,
        template: str = "\n<answer>\n{answer}\n</answer>",
        min_deviation: float = 0.0,
        weight: float = 1.0,
    ) -> None:
        """
        Args:
            template: What follows a chain, with {answer} for the true answer; log-probs count from
                the answer on.
            min_deviation: A group in which no token's log-prob deviates as much over the chains is
                rewarded alike (the paper's filter of prompts).
            weight: Factor in the sum of rewards.
        """
        super().__init__(weight)
        if ANSWER not in template:
            raise BadInput(f"the template {template!r} has no {ANSWER} for the true answer")
        if not 0 <= min_deviation < math.inf:
            raise BadInput(f"min_deviation must be a number of at least 0, not {min_deviation}")
        self.template, self.min_deviation = template, min_deviation

    def reward_rollout(
        self, rollout: "Rollout", scorer: PolicyScorer, step: int
    ) -> Sequence[Tensor]:
        continuations = [
            self.continuations(scorer.encoder, problem.answer, [c.content for c in group], texts)
            for problem, group, texts in zip(
                rollout.problems, rollout.completions, rollout.texts, strict=True
            )
        ]
        groups = scorer.log_probs(rollout.batch, continuations)
        return [
            reflection_rewards(torch.stack(log_probs), self.min_deviation) for log_probs in groups
        ]

    def continuations(
        self, encoder: "Encoder", answer: str, completions: Sequence[Tensor], texts: Sequence[str]
    ) -> list[Continuation]:
        """Each chain of a group with the true answer after it, in the same tokens for all."""
        lead, _, end = self.template.partition(ANSWER)
        led, whole = (encoder.text_ids(END_THINK + text) for text in (lead, f"{lead}{answer}{end}"))
        shared = next(
            (at for at, pair in enumerate(zip(led, whole, strict=False)) if pair[0] != pair[1]),
            min(len(led), len(whole)),
        )
        asked = torch.tensor(whole[shared:])
        # A tokenizer may join the lead's last letters to the answer.
        return [
            Continuation(_given(encoder, ids, text, lead, len(led) - shared), asked)
            for ids, text in zip(completions, texts, strict=True)
        ]


def _given(encoder: "Encoder", ids: Tensor, text: str, lead: str, joined: int) -> Tensor:  # (K,)
    """A completion's own tokens to the end of its chain, and what leads to the answer."""
    end = chain_end(text)
    kept = _tokens_within(encoder, ids, text, end)
    written = text[len(encoder.decode(ids[:kept])) : end]  # of a token that goes beyond the chain
    rest = encoder.text_ids(written + _closing(text[:end]) + lead)
    return torch.cat([ids[:kept], torch.tensor(rest[: len(rest) - joined], dtype=torch.long)])


def _closing(chain: str) -> str:
    if chain.lower().endswith(END_THINK):
        return ""
    return END_THINK if chain.endswith("\n") else f"\n{END_THINK}"


def _tokens_within(encoder: "Encoder", ids: Tensor, text: str, end: int) -> int:
    """How many of the first tokens spell no more than so many characters of their text."""

    def characters(count: int) -> int:
        return len(encoder.decode(ids[:count]))

    count = bisect_right(range(len(ids) + 1), end, key=characters) - 1
    while not text.startswith(encoder.decode(ids[:count])):  # a character in several tokens
        count -= 1
    return count


def reflection_rewards(log_probs: Tensor, min_deviation: float = 0.0) -> Tensor:  # (G, T) -> (G,)
    """Mean log-probs, in which a token weighs as its log-prob deviates over the chains."""
    log_probs = log_probs.double()
    deviations = log_probs.std(0, correction=0)  # (T,)
    if deviations.sum() < NO_DEVIATION:
        deviations = torch.ones_like(deviations)
    rewards = log_probs @ (deviations / deviations.sum())
    if log_probs.std(0, correction=0).max() < min_deviation:
        rewards = rewards.mean().expand(len(rewards))
    return rewards.float()
