"""Stage 2: Group Relative Policy Optimization on checkable rewards.

P prompts, G completions per prompt, N completion tokens in all.
"""

from collections.abc import Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import Tensor

from reasonrft.errors import BadInput
from reasonrft.grpo import KLName, LossName, Scale, group_advantages, policy_loss, token_weights
from reasonrft.modules.base import ReasoningModule
from reasonrft.modules.figures import step_record
from reasonrft.modules.micro_batches import MicroBatch, micro_batches
from reasonrft.modules.ranks import across, gathered, together
from reasonrft.modules.record import StepRecord, Watch
from reasonrft.modules.schedules import Warmup
from reasonrft.modules.trust import doubt, switch_off_dropout
from reasonrft.policy.encoding import PromptBatch
from reasonrft.policy.policy import Policy
from reasonrft.policy.reference import Reference
from reasonrft.policy.rollout import Rollout, roll_out
from reasonrft.policy.sampling import Sampling
from reasonrft.policy.scoring import score
from reasonrft.problems import Problem
from reasonrft.rewards import Reward
from reasonrft.rewards.compute_rewards import (
    Stopped,
    compute_rewards,
    right_completions,
    weighted_sum,
)

DEFAULT_SAMPLING = Sampling()


class GRPOModule(ReasoningModule):
    """Samples a group of completions of each prompt, and makes the better ones likelier."""

    learns_from = "prompts"

    def __init__(
        self,
        policy: Policy,
        rewards: dict[str, Reward],
        group_size: int = 8,
        sampling: Sampling = DEFAULT_SAMPLING,
        loss: LossName = "grpo",
        scale: Scale = "group",
        clip_low: float = 0.2,
        clip_high: float = 0.2,
        beta: float = 0.0,
        kl: KLName = "k3",
        updates: int = 1,
        batch_tokens: int = 16_384,
        count_truncated: bool = True,
        resample: int = 0,
        reward_seconds: float = 120.0,
        max_grad_norm: float = 1.0,
        optimizer: OptimizerCallable = lambda params: torch.optim.AdamW(params, lr=1e-6),
        scheduler: LRSchedulerCallable | None = None,
        answer_tokens: int = 512,
        results: str | None = None,
        seed: int = 0,
    ) -> None:
        """
        Args:
            policy: The model to train or to test.
            rewards: What judges completions, by the names under which scores are logged.
            group_size: Completions of each prompt.
            sampling: How completions are sampled.
            loss: How tokens are weighted, and how far they may go: grpo, dr_grpo, dapo, bnpo, gspo,
                cispo.
            scale: Whose deviation advantages are divided by: group, batch, none.
            clip_low: How much less likely a token may become before it stops counting.
            clip_high: How much likelier a token may become before it stops counting.
            beta: Weight of the divergence from the policy that training began with.
            kl: Estimate of that divergence: k1, k2, k3.
            updates: Optimizer steps on the same completions.
            batch_tokens: Tokens that are scored at the same time; groups stay whole.
            count_truncated: Learn from completions that were cut at the limit of tokens too.
            resample: How often groups whose rewards are all equal are sampled again.
            reward_seconds: How long each reward may take on the completions of a step.
            max_grad_norm: Gradients are reduced to this norm.
            optimizer: Class of the optimizer, and its arguments but the parameters.
            scheduler: Class of the learning rate's schedule, stepped with the optimizer.
            answer_tokens: Most tokens of an answer in evaluation.
            results: Folder for answers and report; if not given, one below the trainer's
                default_root_dir, named after the policy and a hash of its weights.
            seed: Another seed is other completions.
        """
        super().__init__(policy, optimizer, scheduler, answer_tokens, results, seed)
        if group_size < 2 and scale != "none":
            raise BadInput("group_size must be at least 2: completions are compared in groups")
        if not rewards:
            raise BadInput("rewards must name at least one reward")
        if not 0 < reward_seconds < float("inf"):
            raise BadInput(f"reward_seconds must be a positive number, not {reward_seconds}")
        if policy.adapter is not None and policy.adapter.dropout:
            raise BadInput("dropout would score another policy than sampled: set it to 0 for GRPO")
        # Accumulation is over whole groups, and several updates share a rollout.
        self.automatic_optimization = False
        self.rewards, self.group_size, self.sampling = rewards, group_size, sampling
        self.loss, self.scale, self.beta, self.kl = loss, scale, beta, kl
        self.clip_low, self.clip_high = clip_low, clip_high
        self.updates, self.batch_tokens, self.resample = updates, batch_tokens, resample
        self.count_truncated, self.max_grad_norm = count_truncated, max_grad_norm
        self.reward_seconds = reward_seconds
        self.record: StepRecord | None = None
        self._trusted = False

    def configure_model(self) -> None:
        super().configure_model()
        switch_off_dropout(self.policy)
        # Before a checkpoint is restored: a resumed run keeps the reference it began with.
        self.reference = Reference(self.policy) if self.beta else None

    def on_train_start(self) -> None:
        if self.trainer.precision == "16-mixed":
            raise BadInput("16-mixed scales gradients before they are clipped: use bf16-mixed")
        scheduler = self.lr_schedulers()
        if isinstance(scheduler, Warmup):
            # Lightning counts max_steps in updates, and epochs in batches.
            counted = 1 if self.trainer.max_steps > 0 else self.updates
            scheduler.plan(int(self.trainer.estimated_stepping_batches) * counted)

    def training_step(self, batch: PromptBatch, batch_idx: int) -> None:
        self.watch = Watch()
        with together():
            rollout, rewards = self.experience(batch)  # P x G completions, (P, G) of each reward
        total = weighted_sum(rewards, self.rewards)  # (P, G)
        advantages = across(partial(group_advantages, scale=self.scale), total)  # (P, G)
        parts = self.split(batch, rollout, advantages)
        with self.watch.timing("update"):
            self.doubt(parts)
            self.remember(parts)
            for _ in range(self.updates):
                losses = [self.learn(part) for part in parts]
                self.update(parts, losses)
        found = (batch, rollout, rewards, total, advantages)
        right = right_completions(rewards, self.rewards)
        self.tell(step_record(self.batches_done - 1, *found, self.watch, self.updates, right))

    @property
    def batches_done(self) -> int:
        """Batches that were learned from before this one."""
        return self.global_step // self.updates

    def experience(self, batch: PromptBatch) -> tuple[Rollout, dict[str, Tensor]]:
        """Completions and their rewards; groups without signal are sampled again, if asked for."""
        rollout, rewards = self.try_out(batch, 0)
        for attempt in range(1, self.resample + 1):
            advantages = group_advantages(weighted_sum(rewards, self.rewards), self.scale)
            silent = (advantages == 0).all(1).nonzero().flatten().tolist()
            if not silent:
                break
            other, judged = self.try_out(batch.select(silent), attempt)
            rollout = rollout.with_groups(silent, other)
            for name, found in judged.items():
                rewards[name][silent] = found
        return rollout, rewards

    def try_out(self, batch: PromptBatch, attempt: int) -> tuple[Rollout, dict[str, Tensor]]:
        """Completions, a function of seed, attempt and batches before alone, and their rewards."""
        seed, done = f"{self.seed}.{attempt}", self.batches_done
        with self.watch.timing("rollout"):
            rollout = roll_out(self.policy, batch, self.group_size, self.sampling, seed, done)
        with self.watch.timing("reward"):
            return rollout, self.compute_rewards(rollout, batch.problems)

    def compute_rewards(
        self, rollout: Rollout, problems: Sequence[Problem]
    ) -> dict[str, Tensor]:  # each (P, G)
        """Rewards of a rollout; SIGTERM ends the wait for them as it ends training."""
        asked = SimpleNamespace(texts=rollout.texts, lengths=rollout.lengths, problems=problems)
        try:
            return compute_rewards(
                self.rewards,
                asked,
                self.batches_done,
                self.reward_seconds,
                lambda: self.trainer.received_sigterm,
            )
        except Stopped:
            raise SIGTERMException from None

    def split(self, batch: PromptBatch, rollout: Rollout, advantages: Tensor) -> list[MicroBatch]:
        """Groups that can move the policy, in micro-batches, with the weight of each token."""
        limit, counted = self.sampling.max_tokens, rollout.stopped | self.count_truncated
        weigh = partial(token_weights, loss=self.loss, max_tokens=limit)
        weights = across(weigh, rollout.lengths, counted)  # (P, G)
        # Without a penalty, a group whose advantages are all zero has no gradient.
        pulls = weights * ((advantages != 0) | (self.beta > 0))
        learned = pulls.any(1).nonzero().flatten().tolist()
        parts = micro_batches(batch, rollout, advantages, weights, learned, self.batch_tokens)
        # As many on every rank, which wait for each other after each.
        shortest, nothing = int(rollout.lengths.sum(1).argmin()), torch.zeros_like(weights)
        idle = micro_batches(batch, rollout, nothing, nothing, [shortest], self.batch_tokens)
        return parts + idle * (max(gathered(len(parts))) - len(parts))

    def doubt(self, parts: Sequence[MicroBatch]) -> None:
        """Find out, once, whether the policy is what it seems in shared rows."""
        if parts and not self._trusted:
            self._trusted = True
            exact = (self.policy.model.dtype, self.trainer.precision) == (torch.float32, "32-true")
            doubt(self.policy, parts[0].groups, exact)

    def remember(self, parts: Sequence[MicroBatch]) -> None:
        """What the policy that training began with thinks of the completions."""
        if self.reference is None:
            return
        with self.reference.in_place():
            for part in parts:
                scores = score(self.policy, part.groups, self.sampling.scoring_temperature)
                part.reference = scores.log_probs

    def learn(self, part: MicroBatch) -> Tensor:
        """Add the gradient of one micro-batch's part of the loss, which comes back."""
        scores = score(self.policy, part.groups, self.sampling.scoring_temperature)
        tokens = part.tokens(scores.log_probs)
        clip = (self.clip_low, self.clip_high)
        found = policy_loss(tokens, self.loss, *clip, self.beta, self.kl)
        if part.weights.any():  # else it is only there for other ranks
            self.watch.add(part, scores, found)
        # Ranks average their gradients, and the weights are those of a sum.
        self.manual_backward(found.loss * self.trainer.world_size)
        return found.loss.detach()

    def update(self, parts: Sequence[MicroBatch], losses: Sequence[Tensor]) -> None:
        """One step of optimizer and schedule, with finite losses and gradients or not at all."""
        with together():
            for part, loss in zip(parts, losses, strict=True):
                if not loss.isfinite():
                    raise self.stopped_by(f"the loss is {loss.item()}", [part])
        optimizer: Any = self.optimizers()
        scheduler: Any = self.lr_schedulers()
        trained = [value for value in self.policy.parameters() if value.requires_grad]
        for value in trained:
            if value.grad is None:  # as where the gradient is zero: momentum goes on
                value.grad = torch.zeros_like(value)
        norm = torch.nn.utils.clip_grad_norm_(trained, self.max_grad_norm)
        if not norm.isfinite():
            raise self.stopped_by(f"the norm of the gradient is {norm.item()}", parts)
        self.watch.gradient_norm = norm.item()
        optimizer.step()
        optimizer.zero_grad()
        if scheduler is not None:
            scheduler.step()

    def tell(self, record: StepRecord) -> None:
        """Log the step, and leave it for callbacks."""
        shown, size = {"train/reward", "train/completion_length"}, len(record.problems)
        quiet = {name: value for name, value in record.metrics.items() if name not in shown}
        self.log_dict(quiet, batch_size=size)
        self.log_dict({n: record.metrics[n] for n in shown}, batch_size=size, prog_bar=True)
        self.record = record

    def stopped_by(self, what: str, parts: Sequence[MicroBatch]) -> BadInput:
        names = ", ".join(part.names for part in parts)
        return BadInput(
            f"step {self.global_step}: {what} on problems {names}; the policy was not updated, and "
            "the last checkpoint is the one before"
        )
