"""How long the policy reasons, in right and in wrong answers.

P prompts, G completions per prompt.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from reasonrft.callbacks.logger_media import log_histogram
from reasonrft.callbacks.run_state import is_dry_run, last_step
from reasonrft.distributed.ranks import all_gather
from reasonrft.errors import BadInput
from reasonrft.modules.step_record import StepRecord
from reasonrft.rewards import AccuracyReward
from reasonrft.tasks.tags import read_response

QUANTILES = {"p10": 0.1, "p50": 0.5, "p90": 0.9}


class ReasoningMonitor(Callback):
    """Logs tokens of reasoning and of completions: mean and quantiles, of all, right and wrong.

    `train/reasoning_length`, `train/reasoning_length/p90`, `train/reasoning_length/right/p90`, and
    the same of `train/completion_length`.
    """

    def __init__(self, right: str | None = None, histogram_every: int = 25) -> None:
        """
        Args:
            right: Reward that is at least 1 where an answer is right; if not given, the one called
                accuracy, or the only `AccuracyReward`.
            histogram_every: Steps between two histograms.
        """
        if histogram_every < 1:
            raise BadInput(
                f"ReasoningMonitor: histogram_every is {histogram_every}: it must be at least 1"
            )
        self.right, self.histogram_every = right, histogram_every
        self._reported: set[str] = set()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # A wrong name is refused before the first step, where the module's rewards are known.
        if rewards := getattr(pl_module, "rewards", None):
            self._check_name(list(rewards))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        record = last_step(pl_module)
        if record is None:
            return
        by_rank = all_gather(dict(self._lengths(record, pl_module)))
        names = dict.fromkeys(name for lengths in by_rank for name in lengths)
        measured = {
            name: torch.cat([lengths[name] for lengths in by_rank if name in lengths])
            for name in names
        }
        figures = {name: value for item in measured.items() for name, value in _figures(*item)}
        # The module logs its own figures, the mean length of completions among them.
        new = {name: value for name, value in figures.items() if name not in record.metrics}
        pl_module.log_dict(new, batch_size=len(record.problems))
        if record.step % self.histogram_every == 0 and not is_dry_run(trainer):
            for name, lengths in measured.items():
                log_histogram(trainer, name, lengths, record.step)

    def _lengths(self, record: StepRecord, module: LightningModule) -> Iterator[tuple[str, Tensor]]:
        """Lengths by what they are of; right and wrong answers only where there are any."""
        right = self._right_reward(record, module)
        lengths = {"completion_length": record.lengths}
        if (tokenizer := self._tokenizer(module)) is not None:
            lengths["reasoning_length"] = reasoning_lengths(record, tokenizer)
        for name, tokens in lengths.items():
            yield f"train/{name}", tokens.flatten().float()
            if right is not None:
                is_right = record.rewards[right] >= 1  # (P, G)
                for which, chosen in (("right", is_right), ("wrong", ~is_right)):
                    if chosen.any():
                        yield f"train/{name}/{which}", tokens[chosen].float()

    def _right_reward(self, record: StepRecord, module: LightningModule) -> str | None:
        """Name of the reward that says which answers are right; None where none can be told."""
        names = list(record.rewards)
        self._check_name(names)
        if self.right is not None or "accuracy" in names:
            return self.right or "accuracy"
        rewards = getattr(module, "rewards", None)
        if isinstance(rewards, Mapping):
            accuracies = [name for name in names if isinstance(rewards.get(name), AccuracyReward)]
            if len(accuracies) == 1:
                return accuracies[0]
        self._report_once(
            "lengths are logged without right and wrong: no reward is called accuracy, so name "
            f"the one to tell them by (right: {' or '.join(names)})"
        )
        return None

    def _check_name(self, names: Sequence[str]) -> None:
        if self.right is not None and self.right not in names:
            known = ", ".join(names)
            raise BadInput(f"ReasoningMonitor: no reward is called {self.right!r}: use {known}")

    def _tokenizer(self, module: LightningModule) -> Any:
        tokenizer = getattr(getattr(module, "encoder", None), "tokenizer", None)
        if tokenizer is None:
            self._report_once(
                f"{type(module).__name__} has no encoder.tokenizer to count tokens of reasoning "
                "with: only lengths of completions are logged"
            )
        return tokenizer

    def _report_once(self, fact: str) -> None:
        if fact not in self._reported:
            self._reported.add(fact)
            rank_zero_warn(f"ReasoningMonitor: {fact}")


def reasoning_lengths(record: StepRecord, tokenizer: Any) -> Tensor:  # (P, G)
    """Tokens within <think>, also where it was not closed; 0 for a bare answer."""
    thoughts = [read_response(text).thought for group in record.texts for text in group]
    ids = tokenizer(thoughts, add_special_tokens=False)["input_ids"]
    return torch.tensor([len(tokens) for tokens in ids]).view(record.lengths.shape)


def _figures(name: str, lengths: Tensor) -> Iterator[tuple[str, float]]:
    yield name, lengths.mean().item()
    for quantile, share in QUANTILES.items():
        yield f"{name}/{quantile}", lengths.quantile(share).item()
