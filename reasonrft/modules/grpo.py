"""Stage 2: Group Relative Policy Optimization on checkable rewards.

P prompts, G completions per prompt, N completion tokens in all, W ranks.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from reasonrft.errors import BadInput
from reasonrft.grpo import (
    KLName,
    LossName,
    Scale,
    group_advantages,
    policy_loss,
    token_weights,
)
from reasonrft.modules.base import ReasoningModule
from reasonrft.modules.micro_batches import MicroBatch, micro_batches
from reasonrft.modules.record import StepRecord, Watch
from reasonrft.modules.schedules import WarmupCosine
from reasonrft.policy.encoding import PromptBatch
from reasonrft.policy.policy import Policy
from reasonrft.policy.reference import Reference
from reasonrft.policy.rollout import Rollout, roll_out
from reasonrft.policy.sampling import Sampling
from reasonrft.policy.scoring import Scores, score
from reasonrft.problems import Problem
from reasonrft.rewards import Reward

DEFAULT_SAMPLING = Sampling()

Texts = Sequence[Sequence[str]]


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
        if policy.adapter is not None and policy.adapter.dropout:
            raise BadInput("dropout would score another policy than sampled: set it to 0 for GRPO")
        # Accumulation is over whole groups, and several updates share a rollout.
        self.automatic_optimization = False
        self.rewards, self.group_size, self.sampling = rewards, group_size, sampling
        self.loss, self.scale, self.beta, self.kl = loss, scale, beta, kl
        self.clip_low, self.clip_high = clip_low, clip_high
        self.updates, self.batch_tokens, self.resample = updates, batch_tokens, resample
        self.count_truncated, self.max_grad_norm = count_truncated, max_grad_norm
        self.record: StepRecord | None = None
        self._trusted = False

    def configure_model(self) -> None:
        super().configure_model()
        # Before a checkpoint is restored: a resumed run keeps the reference it began with.
        self.reference = Reference(self.policy) if self.beta else None

    def on_train_start(self) -> None:
        scheduler = self.lr_schedulers()
        if isinstance(scheduler, WarmupCosine):
            # Lightning counts max_steps in updates, and epochs in batches.
            counted = 1 if self.trainer.max_steps > 0 else self.updates
            scheduler.plan(int(self.trainer.estimated_stepping_batches) * counted)

    def training_step(self, batch: PromptBatch, batch_idx: int) -> None:
        self.watch = Watch()
        rollout, rewards = self.experience(batch)  # P x G completions, (P, G) of each reward
        total = weighted(rewards, self.rewards)  # (P, G)
        advantages = self.mine(group_advantages(self.everybodys(total), self.scale))  # (P, G)
        parts = self.split(batch, rollout, advantages)
        with self.watch.timing("update"):
            self.remember(parts)
            for _ in range(self.updates):
                for part in parts:
                    self.manual_backward(self.part_loss(part))
                self.update(parts)
        self.tell(batch, rollout, rewards, total, advantages)

    def everybodys(self, value: Tensor) -> Tensor:  # (W * P, G)
        """What all ranks have, rank by rank."""
        if self.trainer.world_size == 1:
            return value
        gathered: Any = self.all_gather(value.to(self.device))  # (W, P, G)
        return gathered.flatten(0, 1).cpu()

    def mine(self, value: Tensor) -> Tensor:  # (P, G)
        """This rank's part of what all ranks have."""
        return value.chunk(self.trainer.world_size)[self.global_rank]

    def experience(self, batch: PromptBatch) -> tuple[Rollout, dict[str, Tensor]]:
        """Completions and their rewards; groups without signal are sampled again, if asked for."""
        rollout, rewards = self.try_out(batch, 0)
        for attempt in range(1, self.resample + 1):
            advantages = group_advantages(weighted(rewards, self.rewards), self.scale)
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
        done = self.global_step // self.updates
        with self.watch.timing("rollout"):
            rollout = roll_out(
                self.policy, batch, self.group_size, self.sampling, f"{self.seed}.{attempt}", done
            )
        with self.watch.timing("reward"):
            return rollout, self.judge(rollout.texts, batch.problems)

    def judge(self, texts: Texts, problems: Sequence[Problem]) -> dict[str, Tensor]:
        """Each reward's scores, unweighted; rewards do not wait for each other."""
        done = self.global_step // self.updates
        with ThreadPoolExecutor(len(self.rewards)) as pool:
            judged = {
                name: pool.submit(reward, texts, problems, done)
                for name, reward in self.rewards.items()
            }
            scores = {name: torch.tensor(found.result()) for name, found in judged.items()}
        for name, found in scores.items():
            if not found.isfinite().all():
                worst = problems[int((~found.isfinite()).any(1).nonzero()[0])].id
                raise BadInput(f"reward {name!r} is no finite number on problem {worst!r}")
        return scores

    def split(self, batch: PromptBatch, rollout: Rollout, advantages: Tensor) -> list[MicroBatch]:
        """Groups that can move the policy, in micro-batches, with the weight of each token."""
        lengths = self.everybodys(rollout.lengths)
        counted = self.everybodys(rollout.stopped) | self.count_truncated
        weights = self.mine(token_weights(lengths, counted, self.loss, self.sampling.max_tokens))
        # Ranks average their gradients, and the weights are those of a sum.
        weights = weights * self.trainer.world_size
        # Without a penalty, a group whose advantages are all zero has no gradient.
        moves = (advantages != 0).any(1) | (self.beta > 0)
        learned = moves.nonzero().flatten().tolist()
        parts = micro_batches(batch, rollout, advantages, weights, learned, self.batch_tokens)
        return self.even(parts, batch, rollout)

    def even(
        self, parts: list[MicroBatch], batch: PromptBatch, rollout: Rollout
    ) -> list[MicroBatch]:
        """As many micro-batches on every rank: they wait for each other after each."""
        if self.trainer.world_size == 1:
            return parts
        most = int(self.everybodys(torch.tensor([[len(parts)]])).max())
        nothing = torch.zeros(rollout.lengths.shape)
        idle = micro_batches(batch, rollout, nothing, nothing, [0], self.batch_tokens)
        return parts + idle * (most - len(parts))

    def remember(self, parts: Sequence[MicroBatch]) -> None:
        """What the policy that training began with thinks of the completions."""
        if self.reference is None:
            return
        with self.reference.in_place():
            for part in parts:
                part.reference = self.log_probs(part).log_probs

    def log_probs(self, part: MicroBatch) -> Scores:
        temperature = self.sampling.scoring_temperature
        self.doubt(part)
        return score(self.policy, part.groups, temperature)

    def doubt(self, part: MicroBatch) -> None:
        """Once, hold the shared row of a group to the plain way; leave it where they differ."""
        if self._trusted or not self.policy.shares_rows:
            return
        self._trusted = True
        shortest = [min(part.groups, key=lambda group: group.length)]
        with torch.no_grad():
            shared, plain = (score(self.policy, shortest, 1.0, way) for way in (True, False))
        difference = (shared.log_probs - plain.log_probs).abs().mean().item()
        exact = self.policy.model.dtype == torch.float32 and self.trainer.precision == "32-true"
        if not difference < (1e-4 if exact else 0.05):
            self.policy.shares_rows = False
            rank_zero_warn(
                f"{self.policy.path} takes a row for every completion: in shared rows its "
                f"log-probabilities differ by {difference:.2g} on average"
            )

    def part_loss(self, part: MicroBatch) -> Tensor:
        """The part of the loss that one micro-batch adds."""
        scores = self.log_probs(part)
        found = policy_loss(
            part.tokens(scores.log_probs),
            self.loss,
            self.clip_low,
            self.clip_high,
            self.beta,
            self.kl,
        )
        if not found.loss.isfinite():
            raise self.stopped_by(f"the loss is {found.loss.item()}", [part])
        self.watch.add(part, scores, found)
        return found.loss

    def update(self, parts: Sequence[MicroBatch]) -> None:
        """One step of optimizer and schedule, with finite gradients or not at all."""
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

    def tell(
        self,
        batch: PromptBatch,
        rollout: Rollout,
        rewards: Mapping[str, Tensor],
        total: Tensor,
        advantages: Tensor,
    ) -> None:
        """Log the step, and leave it for callbacks."""
        counters = rollout.counters
        metrics = {
            "train/reward": total.mean().item(),
            **{f"train/reward/{name}": found.mean().item() for name, found in rewards.items()},
            "train/reward_deviation": total.std(1).mean().item(),
            "train/zero_advantage_groups": (advantages == 0).all(1).float().mean().item(),
            "train/completion_length": rollout.lengths.float().mean().item(),
            "train/truncated": (~rollout.stopped).float().mean().item(),
            "perf/images_encoded": counters.images_encoded,
            "perf/prompt_tokens": counters.prompt_tokens,
            "perf/decoded_tokens": counters.decoded_tokens,
            "perf/row_steps_saved": counters.row_steps_saved,
            **self.watch.metrics(self.updates),
        }
        shown = {"train/reward", "train/completion_length"}
        self.log_dict({n: v for n, v in metrics.items() if n not in shown}, batch_size=len(batch))
        self.log_dict({n: metrics[n] for n in shown}, batch_size=len(batch), prog_bar=True)
        self.record = StepRecord(
            self.global_step // self.updates - 1,
            batch.problems,
            rollout.texts,
            rollout.lengths,
            rollout.stopped,
            rewards,
            total,
            advantages,
            counters,
            metrics,
        )

    def stopped_by(self, what: str, parts: Sequence[MicroBatch]) -> BadInput:
        names = ", ".join(part.names for part in parts)
        return BadInput(
            f"step {self.global_step}: {what} on problems {names}; the policy was not updated, and "
            "the last checkpoint is the one before"
        )


def weighted(scores: Mapping[str, Tensor], rewards: Mapping[str, Reward]) -> Tensor:  # (P, G)
    """The sum of rewards with their weights."""
    return torch.stack([rewards[name].weight * found for name, found in scores.items()]).sum(0)
