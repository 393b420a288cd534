"""Stage 1: supervised fine-tuning on the assistant's turns.

N response tokens.
"""

import math
import time
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor
from torch.optim import Optimizer

from reasonrft.distributed.ranks import all_gather
from reasonrft.distributed.sharded_state import spread_like
from reasonrft.errors import check_at_least
from reasonrft.modules.base import ReasoningModule
from reasonrft.modules.micro_batches import as_group, idle_example
from reasonrft.modules.step_metrics import TRAINED
from reasonrft.policy.encoder import Example
from reasonrft.policy.policy import Policy
from reasonrft.policy.scoring import score
from reasonrft.policy.sharding import gather
from reasonrft.policy.shared_prefix import unsupported_reason
from reasonrft.rollout import RolloutEngine


@dataclass
class Step:
    """What one process has added up since the last optimizer step."""

    loss: Tensor | float = 0.0
    tokens: int = 0
    """Of responses."""
    read: int = 0
    """Tokens of prompts and responses."""
    of_sources: dict[str, tuple[Tensor | float, int]] = field(default_factory=dict)
    """Loss and tokens of each source, where the data has several."""
    ids: list[str] = field(default_factory=list)
    since: float = field(default_factory=time.perf_counter)

    def add(self, loss: Tensor, examples: list[Example]) -> None:
        self.loss = self.loss + loss.detach().sum()
        self.tokens += len(loss)
        self.read += sum(example.length for example in examples)
        self.ids += [example.prompt.problem.id for example in examples]
        if self.of_sources:
            parts = loss.detach().split([len(example.response) for example in examples])
            for part, example in zip(parts, examples, strict=True):
                before, tokens = self.of_sources[example.prompt.problem.source]
                self.of_sources[example.prompt.problem.source] = (
                    before + part.sum(),
                    tokens + len(part),
                )

    def counts(self) -> list[float]:
        of_sources = [float(number) for pair in self.of_sources.values() for number in pair]
        return [float(self.loss), float(self.tokens), float(self.read), *of_sources]


class SFTModule(ReasoningModule):
    """Maximises the likelihood of responses, token by token.

    The loss is the mean over all response tokens of an optimizer step, however they are spread
    over accumulated batches and processes: gradients of sums are added up, and divided once.
    """

    learns_from = "examples"

    def __init__(
        self,
        policy: Policy,
        optimizer: OptimizerCallable = lambda params: torch.optim.AdamW(params, lr=1e-5),
        scheduler: LRSchedulerCallable | None = None,
        master_weights: bool = False,
        row_tokens: int | None = None,
        engine: RolloutEngine | None = None,
        answer_tokens: int = 512,
        results: str | None = None,
        seed: int = 0,
        blind: bool = False,
        swap: bool = False,
    ) -> None:
        """
        Args:
            policy: The model to train or to test.
            optimizer: Class of the optimizer, and its arguments but the parameters.
            scheduler: Class of the learning rate's schedule, stepped with the optimizer.
            master_weights: Update float32 copies of weights that are held in bfloat16.
            row_tokens: Pack examples into rows of so many tokens; each in a row if not given.
            engine: The rollout engine that answers in evaluation; the local one if not given.
            answer_tokens: Most tokens of an answer.
            results: Folder for answers and report; if not given, one below the trainer's
                default_root_dir, named after the policy and a hash of its weights.
            seed: Another seed is other randomness in training, such as dropout.
            blind: Let `test` also ask every question without its images.
            swap: Let `test` also ask every question with another problem's images.
        """
        super().__init__(
            policy,
            optimizer,
            scheduler,
            master_weights,
            engine,
            answer_tokens,
            results,
            seed,
            blind,
            swap,
        )
        if row_tokens is not None:
            check_at_least(1, row_tokens=row_tokens)
        self.row_tokens = row_tokens
        self._sources: tuple[str, ...] = ()
        self._step = Step()
        self._accumulated: dict[str, Any] | None = None

    def configure_model(self) -> None:
        super().configure_model()
        reason = unsupported_reason(self.policy.model) if self.row_tokens is not None else None
        if reason:
            rank_zero_warn(f"{self.policy.path} takes each example in a row of its own: {reason}")
            self.row_tokens = None

    def training_step(self, batch: list[Example], batch_idx: int) -> Tensor:
        self.check_images([as_group(example) for example in batch])
        if not batch:  # another rank has examples, and waits for this one
            return self.negative_log_likelihood([idle_example(self.encoder)]).sum() * 0
        loss = self.negative_log_likelihood(batch)  # (N,)
        self._step.add(loss, batch)
        return loss.sum()

    def negative_log_likelihood(self, examples: list[Example]) -> Tensor:  # (N,)
        """Of each token of the responses, the end of the turn included."""
        groups = [as_group(example) for example in examples]
        scores = score(
            self.policy,
            groups,
            shared=self.row_tokens is not None,
            row_tokens=self.row_tokens or 0,
            as_sampled=False,
        )
        return -scores.log_probs

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Turn the gradient of the sum into that of the mean over all tokens of this step."""
        mine = torch.tensor(self._step.counts(), device=self.device)
        summed = self.trainer.strategy.reduce(mine, reduce_op="sum").tolist()
        loss, tokens, read, *of_sources = summed
        if not math.isfinite(loss):
            raise self.stopped_by(f"the loss is {loss}", self._step.ids)
        # Lightning has divided by accumulated batches, and averaged over processes.
        undone = self.trainer.accumulate_grad_batches * self.trainer.world_size
        gradients = [value.grad for value in self.fill_gradients() if value.grad is not None]
        torch._foreach_mul_(gradients, undone / tokens)
        norm = gather(torch.nn.utils.get_total_norm(gradients))
        if not norm.isfinite():
            raise self.stopped_by(f"the norm of the gradient is {norm.item()}", self._step.ids)
        self.log("train/loss", loss / tokens, prog_bar=True)
        self.log("train/tokens", tokens)
        self.log("perf/tokens_per_second", read / (time.perf_counter() - self._step.since))
        self.log("perf/compute_tokens", TRAINED * read)
        for place, name in enumerate(self._step.of_sources):
            if of_source := of_sources[2 * place + 1]:
                self.log(f"train/source/{name}/loss", of_sources[2 * place] / of_source)
                self.log(f"train/source/{name}/share", of_source / tokens)
        self._step = self._new_step()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep half of an accumulation too, where gradients are whole or spread over ranks.

        With DDP each rank has a half of its own.
        """
        super().on_save_checkpoint(checkpoint)
        counts = all_gather(self._step.counts())
        if sum(tokens for _, tokens, *_ in counts) and self._has_all_gradients:
            named = self.policy.named_parameters()
            gradients = {name: value.grad for name, value in named if value.grad is not None}
            checkpoint["accumulated"] = {"counts": counts, "gradients": gradients}

    @property
    def _has_all_gradients(self) -> bool:
        return self.trainer.world_size == 1 or self.device_mesh is not None

    def _new_step(self) -> Step:
        return Step(of_sources=dict.fromkeys(self._sources, (0.0, 0)))

    def discard_step(self) -> None:
        super().discard_step()
        self._step = self._new_step()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self._accumulated = checkpoint.get("accumulated")

    def on_train_start(self) -> None:
        super().on_train_start()
        data: Any = getattr(self.trainer, "datamodule", None)
        self._sources = getattr(data, "train_sources", ())
        self._step = self._new_step()
        if self._accumulated:
            counts = self._accumulated["counts"]
            self._step = self._share_of(counts)
            # Ranks average their gradients, and may be more or fewer now.
            scale = len(counts) / self.trainer.world_size
            named = dict(self.policy.named_parameters())
            for name, gradient in self._accumulated["gradients"].items():
                named[name].grad = spread_like(named[name], gradient) * scale
            self._accumulated = None

    def _share_of(self, counts: list[list[float]]) -> Step:
        """What this rank had added up; the first one has all where there were more or fewer."""
        if len(counts) != self.trainer.world_size:
            total = [sum(values) for values in zip(*counts, strict=True)]
            counts = [total] + [[0.0] * len(total)] * (self.trainer.world_size - 1)
        loss, tokens, read, *of_sources = counts[self.global_rank]
        step = Step(loss, int(tokens), int(read), self._new_step().of_sources)
        pairs = zip(of_sources[::2], map(int, of_sources[1::2]), strict=True)
        # A checkpoint of before there were sources has none.
        step.of_sources |= dict(zip(self._sources, pairs, strict=False))
        return step

    def on_validation_end(self) -> None:
        self._step.since = time.perf_counter()
