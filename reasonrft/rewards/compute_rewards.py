"""What rewards say of completions.

P prompts, G completions per prompt.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from reasonrft.errors import BadInput
from reasonrft.problems import Problem
from reasonrft.rewards import Reward

Rewards = Mapping[str, Reward]
Texts = Sequence[Sequence[str]]


def judge(
    rewards: Rewards, texts: Texts, problems: Sequence[Problem], step: int
) -> dict[str, Tensor]:  # each (P, G)
    """Each reward's scores, unweighted; rewards do not wait for each other."""
    with ThreadPoolExecutor(len(rewards)) as pool:
        judged = {
            name: pool.submit(reward, texts, problems, step) for name, reward in rewards.items()
        }
        return {
            name: torch.stack(
                [_scores(name, *one) for one in zip(found.result(), texts, problems, strict=True)]
            )
            for name, found in judged.items()
        }


def _scores(
    name: str, given: Sequence[float], group: Sequence[str], problem: Problem
) -> Tensor:  # (G,)
    """What a reward, which may be anybody's, gives a group: a finite number for each completion."""
    try:
        scores = torch.tensor(given, dtype=torch.float32)
    except (TypeError, ValueError, OverflowError):  # such as None
        scores = torch.tensor([torch.nan])
    if not scores.isfinite().all():
        raise BadInput(f"reward {name!r} is no finite number on problem {problem.id!r}")
    if scores.shape != (len(group),):
        raise BadInput(
            f"reward {name!r} gives {len(group)} completions of problem {problem.id!r} scores of "
            f"shape {list(scores.shape)}"
        )
    return scores


def weighted(scores: Mapping[str, Tensor], rewards: Rewards) -> Tensor:  # (P, G)
    """The sum of rewards with their weights."""
    return torch.stack([rewards[name].weight * found for name, found in scores.items()]).sum(0)
