"""What rewards that see the policy are given: its log-probs, through the shared prefix.

P prompts, G completions per prompt, N completion tokens of a micro-batch.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from reasonrft.errors import BadInput
from reasonrft.modules.micro_batches import group_by_length
from reasonrft.policy.encoder import Encoder, PromptBatch
from reasonrft.policy.policy import Policy
from reasonrft.policy.scoring import Group, score
from reasonrft.policy.sharding import gathered
from reasonrft.rewards import Reward
from reasonrft.rewards.policy_reward import Continuation, PolicyReward
from reasonrft.rollout import Rollout


def blind_rewards(rewards: Mapping[str, Reward]) -> dict[str, Reward]:
    """Those that see completions and problems alone."""
    return {name: own for name, own in rewards.items() if not isinstance(own, PolicyReward)}


def sees_policy(rewards: Mapping[str, Reward]) -> bool:
    return len(blind_rewards(rewards)) < len(rewards)


def seen_by(rewards: Mapping[str, Reward], policy: Policy) -> AbstractContextManager[None]:
    """Whole weights on each rank, which scores what it likes, if rewards see the policy."""
    return gathered(policy) if sees_policy(rewards) else nullcontext()


def check_when_rewarded(rewards: Mapping[str, Reward], async_steps: int, resamples: bool) -> None:
    """Refuse rewards of a policy that is being updated when a rollout needs them."""
    if async_steps and resamples and sees_policy(rewards):
        raise BadInput(
            "resample and dynamic_sampling need all rewards while completions are sampled, and "
            "with async_steps: 1 those that see the policy come later: set either to 0"
        )


def compute_policy_rewards(
    rewards: Mapping[str, Reward], rollout: Rollout, scorer: "Scorer", step: int
) -> dict[str, Tensor]:  # each (P, G)
    """The values, unweighted, of those rewards that see the policy."""
    asking = {name: own for name, own in rewards.items() if isinstance(own, PolicyReward)}
    if not rollout.problems:  # another rank has them
        return {name: torch.zeros(0, 0) for name in asking}
    return {
        name: _checked(name, own.reward_rollout(rollout, scorer, step), rollout)
        for name, own in asking.items()
    }


def _checked(name: str, given: Sequence[Tensor], rollout: Rollout) -> Tensor:  # (P, G)
    """A finite number for each completion, or `BadInput`."""
    for problem, values, texts in zip(rollout.problems, given, rollout.texts, strict=True):
        if values.shape != (len(texts),) or not values.isfinite().all():
            raise BadInput(
                f"reward {name!r} must give each of {len(texts)} completions of problem "
                f"{problem.id!r} a finite number, not {values.tolist()}"
            )
    return torch.stack([values.float().cpu() for values in given])


class Scorer:
    """The policy of now, without gradient; it counts what it scores."""

    def __init__(self, policy: Policy, temperature: float, budget: int) -> None:
        """
        Args:
            policy: The model, whose weights are whole on this rank.
            temperature: That of the sampling.
            budget: Tokens that are scored at the same time; groups stay whole.
        """
        self.policy, self.temperature, self.budget = policy, temperature, budget
        self.tokens = 0
        """Of prompts and continuations, with each prompt once."""

    @property
    def encoder(self) -> Encoder:
        return self.policy.encoder

    @torch.no_grad()
    def log_probs(
        self, batch: PromptBatch, continuations: Sequence[Sequence[Continuation]]
    ) -> list[list[Tensor]]:
        groups = [
            Group(prompt, [torch.cat([one.given, one.asked]) for one in own])
            for prompt, own in zip(batch.prompts, continuations, strict=True)
        ]
        found: dict[int, list[Tensor]] = {}
        for items in group_by_length([group.length for group in groups], self.budget):
            scored = [continuations[item] for item in items]
            wanted = torch.cat(list(_wanted(scored)))
            at_once = [groups[item] for item in items]
            values = score(self.policy, at_once, self.temperature, wanted=wanted).log_probs.cpu()
            pieces = iter(values.split([len(one.asked) for own in scored for one in own]))
            found |= {item: [next(pieces) for _ in continuations[item]] for item in items}
            self.tokens += sum(group.length for group in at_once)
        return [found[item] for item in range(len(groups))]


def _wanted(groups: Sequence[Sequence[Continuation]]) -> Iterator[Tensor]:
    """Which tokens of continuations are asked for."""
    for group in groups:
        for one in group:
            yield torch.zeros(len(one.given), dtype=torch.bool)
            yield torch.ones(len(one.asked), dtype=torch.bool)
