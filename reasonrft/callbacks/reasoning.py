"""How long the policy reasons, when it is right and when it is wrong.

P prompts, G completions per prompt.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from reasonrft.callbacks.trainers import boards, record_of
from reasonrft.distributed.ranks import all_gather as gathered
from reasonrft.errors import BadInput
from reasonrft.modules.grpo import GRPOModule
from reasonrft.modules.step_record import StepRecord
from reasonrft.policy.encoder import Encoder
from reasonrft.tasks.tags import read_response

QUANTILES = {"p10": 0.1, "p50": 0.5, "p90": 0.9}


class ReasoningMonitor(Callback):
    """Logs tokens of thoughts and of completions: mean and quantiles, of all, right and wrong.

    `train/reasoning_length`, `train/reasoning_length/p90`, `train/reasoning_length/right/p90`, and
    the same of `train/completion_length`.
    """

    def __init__(self, right: str = "accuracy", histogram_every: int = 25) -> None:
        """
        Args:
            right: Reward by which answers are right, where it is at least 1.
            histogram_every: Steps between two histograms in TensorBoard.
        """
        self.right, self.histogram_every = right, histogram_every

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if isinstance(pl_module, GRPOModule) and self.right not in pl_module.rewards:
            known = ", ".join(pl_module.rewards)
            raise BadInput(f"ReasoningMonitor: no reward is called {self.right!r}: use {known}")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        record, module = record_of(pl_module), cast(GRPOModule, pl_module)
        if record is None:
            return
        everybodys = gathered(dict(_lengths(record, module.encoder, self.right)))
        names = dict.fromkeys(name for own in everybodys for name in own)
        found = {
            name: torch.cat([own[name] for own in everybodys if name in own]) for name in names
        }
        told = {name: value for part in found.items() for name, value in _figures(*part)}
        # The module logs its own figures, the mean length of completions among them.
        new = {name: value for name, value in told.items() if name not in record.metrics}
        pl_module.log_dict(new, batch_size=len(record.problems))
        if record.step % self.histogram_every == 0:
            for board in boards(trainer):
                _draw(board, found, record.step)


def _lengths(record: StepRecord, encoder: Encoder, right: str) -> Iterator[tuple[str, Tensor]]:
    """Lengths by what they are of; right and wrong answers only where there are any."""
    is_right = record.rewards[right] >= 1  # (P, G)
    measured = {
        "reasoning_length": reasoning_lengths(record, encoder),
        "completion_length": record.lengths,
    }
    for name, lengths in measured.items():
        yield f"train/{name}", lengths.flatten().float()
        for which, chosen in (("right", is_right), ("wrong", ~is_right)):
            if chosen.any():
                yield f"train/{name}/{which}", lengths[chosen].float()


def reasoning_lengths(record: StepRecord, encoder: Encoder) -> Tensor:  # (P, G)
    """Tokens within <think>, also where it was not closed; 0 for a bare answer."""
    thoughts = [read_response(text).thought for group in record.texts for text in group]
    ids = encoder.tokenizer(thoughts, add_special_tokens=False)["input_ids"]
    return torch.tensor([len(one) for one in ids]).view(record.lengths.shape)


def _figures(name: str, lengths: Tensor) -> Iterator[tuple[str, float]]:
    yield name, lengths.mean().item()
    for quantile, share in QUANTILES.items():
        yield f"{name}/{quantile}", lengths.quantile(share).item()


def _draw(board: Any, found: Mapping[str, Tensor], step: int) -> None:
    for name, lengths in found.items():
        # A tag of its own: TensorBoard shows only one kind of thing under each.
        board.add_histogram(f"{name}/histogram", lengths, step)
