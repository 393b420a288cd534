"""Direct Preference Optimization (arXiv 2305.18290): of two completions, the better one is learned.

P pairs of a micro-batch, N completion tokens.

A pair is one group: [ prompt | chosen | rejected ], whose prompt and images are computed once for
both (policy/scoring.py), by the policy and, without gradient, by the reference policy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from reasonrft.distributed.ranks import all_gather
from reasonrft.errors import BadInput, check_at_least
from reasonrft.losses.preference import FIGURES, PreferenceOutput, preference_loss
from reasonrft.modules.base import ReasoningModule
from reasonrft.modules.micro_batches import group_by_length, idle_example
from reasonrft.modules.policy_checks import check_shared_prefix, switch_off_dropout
from reasonrft.modules.step_metrics import TRAINED
from reasonrft.policy.encoder import Pair
from reasonrft.policy.policy import Policy
from reasonrft.policy.reference_policy import ReferencePolicy
from reasonrft.policy.scoring import Group, score
from reasonrft.problems import Problem
from reasonrft.rollout import RolloutEngine


@dataclass
class PairBatch:
    """Pairs that are scored at the same time."""

    groups: list[Group]
    reference_log_probs: Tensor | None = None  # (P, 2)
    idle: bool = False
    """Whether it is only there for other ranks."""

    @property
    def ids(self) -> str:
        return ", ".join(group.prompt.problem.id for group in self.groups)

    @property
    def tokens(self) -> int:
        """Of prompts and completions, with each prompt once; an idle one has none."""
        return 0 if self.idle else sum(group.length for group in self.groups)


@dataclass
class Sums:
    """What micro-batches add up to."""

    figures: Tensor  # (5,) as PreferenceOutput has them
    pairs: int = 0
    compute_tokens: int = 0

    def add(self, output: PreferenceOutput, micro_batch: PairBatch) -> None:
        if not micro_batch.idle:
            self.figures += output.figures
            self.pairs += len(micro_batch.groups)


class DPOModule(ReasoningModule):
    """Makes the chosen completion likelier than the rejected one, compared with the reference.

    The loss is the mean over the pairs of a batch, over all ranks.
    """

    learns_from = "pairs"
    _prefix_checked: bool = False

    def __init__(
        self,
        policy: Policy,
        beta: float = 0.1,
        label_smoothing: float = 0.0,
        micro_batch_tokens: int = 16_384,
        max_grad_norm: float = 1.0,
        optimizer: OptimizerCallable = lambda params: torch.optim.AdamW(params, lr=5e-7),
        scheduler: LRSchedulerCallable | None = None,
        master_weights: bool = False,
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
            beta: Weight of the log-ratio of policy and reference policy, which is the policy that
                training began with.
            label_smoothing: Share of pairs that are taken to be the wrong way round.
            micro_batch_tokens: Tokens that are scored at the same time; pairs stay whole.
            max_grad_norm: Gradients are scaled down to this norm.
            optimizer: Class of the optimizer, and its arguments but the parameters.
            scheduler: Class of the learning rate's schedule, stepped with the optimizer.
            master_weights: Update float32 copies of weights that are held in bfloat16.
            engine: The rollout engine that answers in evaluation; the local one if not given.
            answer_tokens: Most tokens of an answer.
            results: Folder for answers and report; if not given, one below the trainer's
                default_root_dir, named after the policy and a hash of its weights.
            seed: Another seed is other randomness in training.
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
        check_at_least(1, micro_batch_tokens=micro_batch_tokens)
        for name, value in {"beta": beta, "max_grad_norm": max_grad_norm}.items():
            if not 0 < value < float("inf"):
                raise BadInput(f"{name} must be a positive number, not {value}")
        if not 0 <= label_smoothing < 0.5:
            raise BadInput(f"label_smoothing is at least 0 and below 0.5, not {label_smoothing}")
        if policy.adapter is not None and policy.adapter.dropout:
            raise BadInput("dropout would make the reference another policy: set it to 0 for DPO")
        # Pairs of a batch are scored in micro-batches, and divided by the number of all of them.
        self.automatic_optimization = False
        self.beta, self.label_smoothing = beta, label_smoothing
        self.micro_batch_tokens, self.max_grad_norm = micro_batch_tokens, max_grad_norm
        self._validated: list[tuple[Problem, str]] = []

    def configure_model(self) -> None:
        super().configure_model()
        switch_off_dropout(self.policy)
        # Before a checkpoint is restored: a resumed run keeps the reference it began with.
        self.reference = ReferencePolicy(self.policy)

    def training_step(self, batch: list[Pair], batch_idx: int) -> None:
        micro_batches = self.split(batch)
        self.check_policy([as_pair_group(pair) for pair in batch])
        sums, losses = self.new_sums(), []
        self.add_reference_log_probs(micro_batches, sums)
        pairs = sum(all_gather(len(batch)))
        for micro_batch in micro_batches:
            output = self.compare(micro_batch)
            loss = output.losses.sum() / pairs * (not micro_batch.idle)
            # Ranks average their gradients, and the loss is a mean over all of their pairs.
            self.manual_backward(loss * self.trainer.world_size)
            sums.add(output, micro_batch)
            sums.compute_tokens += TRAINED * micro_batch.tokens
            losses.append(loss.detach())
        norm = self.take_step(losses, [each.ids for each in micro_batches], self.max_grad_norm)
        self.log("train/grad_norm", norm, batch_size=pairs)
        self.log_sums("train", sums)

    def split(self, pairs: Sequence[Pair]) -> list[PairBatch]:
        """Pairs in micro-batches of at most so many tokens; as many on every rank."""
        groups = [as_pair_group(pair) for pair in pairs]
        lengths = [group.length for group in groups]
        micro_batches = [
            PairBatch([groups[item] for item in items])
            for items in group_by_length(lengths, self.micro_batch_tokens)
        ]
        missing = max(all_gather(len(micro_batches))) - len(micro_batches)
        return micro_batches + [self.idle()] * missing

    def idle(self) -> PairBatch:
        """What a rank scores while others have more than it."""
        example = idle_example(self.encoder)
        return PairBatch([Group(example.prompt, [example.response] * 2)], idle=True)

    def check_policy(self, groups: list[Group]) -> None:
        """Before the first update: scored alike in both ways, and not blind to its images."""
        if not self._prefix_checked:
            self._prefix_checked = True
            check_shared_prefix(self.policy, groups, self.trainer.precision)
        self.check_images(groups)

    def add_reference_log_probs(self, micro_batches: list[PairBatch], sums: Sums) -> None:
        """Score all pairs with the policy that training began with."""
        with self.reference.swapped_in():
            for micro_batch in micro_batches:
                micro_batch.reference_log_probs = self.log_probs(micro_batch.groups)
                sums.compute_tokens += micro_batch.tokens

    def compare(self, micro_batch: PairBatch) -> PreferenceOutput:
        assert micro_batch.reference_log_probs is not None
        log_probs = self.log_probs(micro_batch.groups)
        reference = micro_batch.reference_log_probs
        return preference_loss(log_probs, reference, self.beta, self.label_smoothing)

    def log_probs(self, groups: Sequence[Group]) -> Tensor:  # (P, 2)
        """Of whole completions, chosen and rejected, the end of the turn included."""
        tokens = score(self.policy, groups, as_sampled=False).log_probs  # (N,)
        lengths = [len(ids) for group in groups for ids in group.completions]
        return torch.stack([each.sum() for each in tokens.split(lengths)]).view(-1, 2)

    def new_sums(self) -> Sums:
        return Sums(torch.zeros(len(FIGURES), device=self.device))

    def log_sums(self, stage: str, sums: Sums) -> None:
        """Log means over the pairs of all ranks."""
        counts = torch.tensor([sums.pairs, sums.compute_tokens], device=self.device)
        added = torch.cat([sums.figures, counts.to(sums.figures)])
        *figures, pairs, compute = self.trainer.strategy.reduce(added, reduce_op="sum").tolist()
        if not pairs:
            return
        means = {f"{stage}/{n}": v / pairs for n, v in zip(FIGURES, figures, strict=True)}
        if stage == "train":
            self.log("perf/compute_tokens", compute, batch_size=int(pairs))
            self.log("train/loss", means.pop("train/loss"), prog_bar=True, batch_size=int(pairs))
        self.log_dict(means, batch_size=int(pairs))

    def on_validation_epoch_start(self) -> None:
        super().on_validation_epoch_start()
        self._validated = []

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Answer, as every module does; pairs are compared when ranks are together again."""
        super().validation_step(batch, batch_idx, dataloader_idx)
        asked = zip(batch.problems, batch.texts, strict=True)
        self._validated += [pair for pair in asked if "rejected" in pair[0].meta]

    def on_validation_epoch_end(self) -> None:
        super().on_validation_epoch_end()
        # Outside of training the policy is its own reference.
        if self.trainer.state.fn == TrainerFn.FITTING and any(all_gather(bool(self._validated))):
            self.validate_pairs()

    def validate_pairs(self) -> None:
        """Log what training logs, of the pairs among the problems that were answered."""
        pairs = [
            self.encoder.pair(problem, text, problem.meta["chosen"], problem.meta["rejected"])
            for problem, text in self._validated
        ]
        micro_batches, sums = self.split(pairs), self.new_sums()
        self.add_reference_log_probs(micro_batches, sums)
        with torch.no_grad():
            for micro_batch in micro_batches:
                sums.add(self.compare(micro_batch), micro_batch)
        self.log_sums("val", sums)


def as_pair_group(pair: Pair) -> Group:
    """A pair is a prompt with two completions, the better one first."""
    return Group(pair.prompt, [pair.chosen, pair.rejected])
