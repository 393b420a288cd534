"""Telling of completions as they end, while others are still sampled.

    decode loop ──rows that have ended──> EndedRows ──problem, text, tokens──> a listener

Nothing of it changes what is sampled, and without a listener nothing of it is done.

R completions, T most tokens of one.
"""

from collections.abc import Callable, Collection, Iterable

import torch
from torch import Tensor

from reasonrft.policy.encoder import PromptBatch
from reasonrft.policy.policy import Policy
from reasonrft.rollout.engine import Completion, OnCompletion

OnEnded = Callable[[Iterable[int], Tensor, Tensor], None]
"""Called with rows that have ended, some of them again, and ids and log-probs of all (R, T)."""


def cut(ids: Tensor, log_probs: Tensor, stop_ids: Collection[int]) -> list[Completion]:
    """Completions of rows of tokens (R, T), each up to the first token that ends it."""
    ends = torch.isin(ids, torch.tensor(sorted(stop_ids)))
    ended = ends.any(1)
    lengths = torch.where(ended, ends.int().argmax(1) + 1, ids.shape[1])
    return [
        Completion(row[:length], row_log_probs[:length], end)
        for row, row_log_probs, length, end in zip(
            ids, log_probs, lengths.tolist(), ended.tolist(), strict=True
        )
    ]


class EndedRows:
    """Tells a listener of each row once."""

    def __init__(
        self, policy: Policy, batch: PromptBatch, group_size: int, listener: OnCompletion
    ) -> None:
        self.policy, self.problems, self.group_size = policy, batch.problems, group_size
        self.listener = listener
        self._told: set[int] = set()

    def __call__(self, rows: Iterable[int], ids: Tensor, log_probs: Tensor) -> None:
        for row in sorted(set(rows) - self._told):
            self._told.add(row)
            written = ids[row, None].cpu(), log_probs[row, None].cpu()
            (completion,) = cut(*written, self.policy.stop_ids)
            # Of a family that cannot be decoded so they are no numbers, and all is decoded anew.
            if completion.log_probs.isfinite().all():
                problem = self.problems[row // self.group_size]
                text = self.policy.encoder.decode(completion.content)
                self.listener(problem, text, len(completion.ids))
