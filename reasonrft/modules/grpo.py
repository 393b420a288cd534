"""Stage 2: Group Relative Policy Optimization (arXiv 2402.03300) on checkable rewards.

P prompts, G completions per prompt, N completion tokens of a micro-batch.

`GRPOModule.training_step` is the method. What it calls is in four more files:

    rollout/local.py             completions, sampled with a shared prefix
    rewards/compute_rewards.py   rewards of completions
    losses/                      advantages, token weights, ratio, clip, KL
    policy/scoring.py            log-probs of completions, scored with a shared prefix
"""

import math
from collections import Counter
from contextlib import AbstractContextManager
from functools import partial

import torch
from jsonargparse import lazy_instance
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor

from reasonrft.distributed.ranks import (
    all_gather,
    over_all_ranks,
    print_once,
    raise_on_all_ranks,
)
from reasonrft.errors import BadInput, check_at_least
from reasonrft.losses import (
    GRPOLoss,
    LossOutput,
    PerceptionLoss,
    PolicyLoss,
    Scale,
    group_advantages,
)
from reasonrft.modules.base import ReasoningModule
from reasonrft.modules.micro_batches import MicroBatch, altered, groups_of, idle, split
from reasonrft.modules.policy_checks import check_shared_prefix, switch_off_dropout
from reasonrft.modules.policy_rewards import (
    Scorer,
    blind_rewards,
    check_when_rewarded,
    compute_policy_rewards,
    seen_by,
    sees_policy,
)
from reasonrft.modules.rollout_ahead import (
    RolloutAhead,
    Sampled,
    check_runs_ahead,
    upcoming_batch,
)
from reasonrft.modules.schedules import Warmup
from reasonrft.modules.step_metrics import (
    TRAINED,
    StepMetrics,
    Stopwatch,
    added,
    make_record,
)
from reasonrft.modules.step_record import StepRecord
from reasonrft.policy.encoder import PromptBatch
from reasonrft.policy.policy import Policy
from reasonrft.policy.reference_policy import ReferencePolicy
from reasonrft.policy.scoring import Scores, score
from reasonrft.problems import Problem
from reasonrft.rewards import Reward
from reasonrft.rewards.compute_rewards import (
    begin_early,
    compute_rewards,
    right_completions,
    take_work,
    weighted_sum,
)
from reasonrft.rollout import NoisyRollout, Rollout, RolloutEngine, Sampling
from reasonrft.teachers import PolicyTeacher, Teacher

DEFAULT_SAMPLING = Sampling()
DEFAULT_LOSS = lazy_instance(GRPOLoss)


class GRPOModule(ReasoningModule):
    """Samples a group of completions of each prompt, and makes the better ones likelier."""

    learns_from = "prompts"
    step_record: StepRecord | None = None
    """The last step, for callbacks."""
    _prefix_checked: bool = False
    rewards_given_up: bool = False
    """Set from outside: the wait for rewards ends, and with it the run."""

    def training_step(self, batch: PromptBatch, batch_idx: int) -> None:
        self.step_metrics = StepMetrics()
        rollout, rewards = self.sample(batch, batch_idx)  # P x G completions; name -> (P, G)
        total = weighted_sum(rewards, self.rewards)  # (P, G)
        advantages = over_all_ranks(self.advantages, total)  # (P, G)
        micro_batches = self.split(rollout, advantages, self.token_weights(rollout))
        self.check_policy(rollout)
        if self.reference is not None:
            self.add_reference_log_probs(self.reference, micro_batches)
        if self.teacher is not None:
            self.add_teacher_log_probs(self.teacher, micro_batches)
        if self.perception is not None:
            self.add_masked_log_probs(self.perception, micro_batches)
        for _ in range(self.updates):
            losses = []
            for micro_batch in micro_batches:
                scores = score(self.policy, micro_batch.groups, self.temperature)  # log-probs (N,)
                loss = self.loss(micro_batch.inputs(scores.log_probs), self.beta)
                if self.perception is not None:
                    loss = self.add_perception(self.perception, loss, micro_batch, scores)
                # Ranks average their gradients, and token weights are those of a sum.
                self.manual_backward(loss.total * self.trainer.world_size)
                self.step_metrics.add(micro_batch, scores, loss)
                losses.append(loss.total.detach())
            self.step_optimizer(micro_batches, losses)
        self.log_step(rollout, rewards, total, advantages)

    def sample(self, batch: PromptBatch, batch_idx: int) -> tuple[Rollout, dict[str, Tensor]]:
        """A rollout and its rewards: of now, or sampled during the step before."""
        sampled = self.take_rollout(batch) if self.async_steps else None
        if sampled is None:
            ready = self.engine.ready(self.policy, self.global_step)
            with ready, seen_by(self.rewards, self.policy), raise_on_all_ranks():
                sampled = self.sample_groups(batch, self.batches_done, self.step_metrics)
        if self.async_steps and sees_policy(self.rewards):
            self.step_metrics.phase("reward")
            with seen_by(self.rewards, self.policy), raise_on_all_ranks():
                sampled.rewards.update(self.policy_rewards(sampled.rollout, self.batches_done))
        if self.noisy_rollout is not None:
            self.step_metrics.distortion = self.noisy_rollout.strength(self.batches_done)
        self.step_metrics.of_rewards = sampled.work
        self.reward_work.update(sampled.work)
        self.report_pass_rates(sampled)
        if self.corrects_sampler:
            self.step_metrics.staleness = self.global_step - sampled.rollout.policy_version
        if self.async_steps:
            self.begin_rollout(batch_idx)
        return sampled.rollout, sampled.rewards

    def report_pass_rates(self, sampled: Sampled) -> None:
        """Tell the datamodule, whose curriculum may open a level before the next batch is read."""
        note = getattr(getattr(self.trainer, "datamodule", None), "note_pass_rates", None)
        self.step_metrics.of_data = note(sampled.tried) if note is not None else {}
        if self.dynamic_sampling:
            self.step_metrics.sampled_groups = len(sampled.tried)

    def take_rollout(self, batch: PromptBatch) -> Sampled | None:
        """What was sampled for this batch during the step before; the first step has nothing."""
        self.step_metrics.phase("wait")
        with raise_on_all_ranks():
            sampled = self.ahead.take(batch)
        if sampled is not None:
            self.step_metrics.seconds.update(sampled.clock.seconds)
        return sampled

    def begin_rollout(self, batch_idx: int) -> None:
        """Sample for the next step while this one updates, with the weights of now."""
        self.step_metrics.phase("sync")
        with raise_on_all_ranks():
            batch = upcoming_batch(self.trainer, batch_idx, self.updates)
        if batch is not None:
            ready = self.engine.ready(self.policy, self.global_step)
            sample = partial(self.sample_groups, batch, self.batches_done + 1, Stopwatch())
            self.ahead.begin(ready, batch, sample)

    def sample_groups(self, batch: PromptBatch, step: int, clock: Stopwatch) -> Sampled:
        """A rollout and its rewards; groups without signal are sampled again, or replaced."""
        clock.phase("rollout")
        rollout = self.generate(batch, step)
        clock.phase("reward")
        rewards = self.compute_rewards(rollout, step)
        tried = self.pass_rates(rollout, rewards)
        for attempt in range(1, max(self.resample, self.dynamic_sampling) + 1):
            advantages = self.advantages(weighted_sum(rewards, self.rewards))
            silent = (advantages == 0).all(1).nonzero().flatten().tolist()
            if not silent:
                break
            clock.phase("rollout")
            rows, prompts = self.prompts_for(silent, batch, attempt)
            if not rows:  # all problems have been tried
                break
            again = self.generate(prompts, step, attempt)
            rollout = rollout.with_groups(rows, again)
            clock.phase("reward")
            again_rewards = self.compute_rewards(again, step)
            for name, values in again_rewards.items():
                rewards[name][rows] = values
            if self.dynamic_sampling:  # of the same problem, again would count what has no signal
                tried += self.pass_rates(again, again_rewards)
        return Sampled(rollout, rewards, clock, tried, take_work(self.rewards))

    def prompts_for(
        self, silent: list[int], batch: PromptBatch, attempt: int
    ) -> tuple[list[int], PromptBatch]:
        """Prompts to sample instead of groups without signal: the same ones, or others."""
        if not self.dynamic_sampling:
            return silent, batch.select(silent)
        if batch.others is None:
            raise BadInput(
                "dynamic_sampling needs other prompts, and the training loader has none: take a "
                "datamodule of reasonrft, or a loader like its ResumableLoader"
            )
        return batch.others(silent, attempt)

    def pass_rates(
        self, rollout: Rollout, rewards: dict[str, Tensor]
    ) -> list[tuple[Problem, float]]:
        """Each problem with the share of its completions that are right, nan if no reward tells."""
        right = right_completions(rewards, self.rewards)
        if right is None:
            return [(problem, math.nan) for problem in rollout.problems]
        return list(zip(rollout.problems, right.double().mean(1).tolist(), strict=True))

    def generate(self, batch: PromptBatch, step: int, attempt: int = 0) -> Rollout:
        """G completions of each prompt: a function of seed, attempt and batches before."""
        seed = f"{self.seed}.{attempt}"

        def sample(prompts: PromptBatch, group_size: int) -> Rollout:
            return self.engine.generate(prompts, group_size, self.sampling, seed, step=step)

        with self.engine.telling(begin_early(self.rewards)):
            if self.noisy_rollout is None:
                return sample(batch, self.group_size)
            encoder = self.policy.encoder
            return self.noisy_rollout.generate(sample, encoder, batch, self.group_size, seed, step)

    def compute_rewards(self, rollout: Rollout, step: int) -> dict[str, Tensor]:
        """Each reward of each completion, unweighted: name -> (P, G)."""
        if not rollout.problems:  # another rank has them
            return {name: torch.zeros(0, 0) for name in self.rewards}
        blind = blind_rewards(self.rewards)
        rewards = compute_rewards(blind, rollout, step, self.should_stop, self.reward_seconds)
        if self.async_steps:  # a thread's, while the policy is updated: the others come later
            return rewards
        return rewards | self.policy_rewards(rollout, step)

    def policy_rewards(self, rollout: Rollout, step: int) -> dict[str, Tensor]:
        """Rewards that see the policy of now: name -> (P, G)."""
        scorer = Scorer(self.policy, self.temperature, self.micro_batch_tokens)
        rewards = compute_policy_rewards(self.rewards, rollout, scorer, step)
        self.step_metrics.compute_tokens += scorer.tokens
        return rewards

    def advantages(self, rewards: Tensor) -> Tensor:  # (P, G)
        return group_advantages(rewards, self.scale)

    def token_weights(self, rollout: Rollout) -> Tensor:  # (P, G)
        """The weight of each token of a completion: the loss's denominator, over all ranks."""
        counted = rollout.stopped | self.count_truncated
        weights = partial(self.loss.token_weights, max_tokens=self.sampling.max_tokens)
        return over_all_ranks(weights, rollout.lengths, counted)

    def split(self, rollout: Rollout, advantages: Tensor, weights: Tensor) -> list[MicroBatch]:
        """The groups that can change the policy, in micro-batches; as many on every rank."""
        self.step_metrics.phase("update")
        # Without a KL divergence, a group whose advantages are all zero has no gradient.
        always = self.beta > 0 or self.perception is not None or self.teacher is not None
        matters = weights * ((advantages != 0) | always)
        chosen = matters.any(1).nonzero().flatten().tolist()
        budget = self.micro_batch_tokens
        micro_batches = split(rollout, advantages, weights, chosen, budget, self.corrects_sampler)
        # Ranks wait for each other in each: one with fewer scores something with weight zero.
        missing = max(all_gather(len(micro_batches))) - len(micro_batches)
        return micro_batches + [idle(self.policy.encoder)] * missing

    def check_policy(self, rollout: Rollout) -> None:
        """Before the first update: scored as sampled, and not blind to its images."""
        groups = groups_of(rollout)
        if not self._prefix_checked:
            self._prefix_checked = True
            check_shared_prefix(self.policy, groups, self.trainer.precision)
            if isinstance(self.teacher, PolicyTeacher):
                asked = self.teacher.asked(groups)
                check_shared_prefix(self.teacher.policy, asked, self.trainer.precision)
        self.check_images(groups)

    def add_reference_log_probs(
        self, reference: ReferencePolicy, micro_batches: list[MicroBatch]
    ) -> None:
        """Score all completions with the policy that training began with."""
        with reference.swapped_in():
            for micro_batch in micro_batches:
                scores = score(self.policy, micro_batch.groups, self.temperature)
                micro_batch.reference_log_probs = scores.log_probs
                self.step_metrics.compute_tokens += micro_batch.tokens

    def add_teacher_log_probs(self, teacher: Teacher, micro_batches: list[MicroBatch]) -> None:
        """Score all completions with the teacher: each token's advantage is to have its part."""
        own = [micro_batch for micro_batch in micro_batches if not micro_batch.idle]
        with raise_on_all_ranks():
            scored = teacher.log_probs([micro_batch.groups for micro_batch in own])
        for micro_batch, log_probs in zip(own, scored, strict=True):
            micro_batch.teacher_log_probs, micro_batch.teacher_weight = log_probs, teacher.weight
            if teacher.computes_here:
                self.step_metrics.compute_tokens += micro_batch.tokens

    def add_masked_log_probs(
        self, perception: PerceptionLoss, micro_batches: list[MicroBatch]
    ) -> None:
        """Mask the images of all groups, and score them so if no gradient is wanted of that."""
        seed = f"mask/{self.seed}/{self.batches_done}"
        with raise_on_all_ranks():
            for micro_batch in micro_batches:
                micro_batch.masked_groups = [
                    altered(self.policy.encoder, group, perception.mask, seed)
                    for group in micro_batch.groups
                ]
        if perception.gradient == "image":
            with torch.no_grad():
                for micro_batch in micro_batches:
                    scores = score(self.policy, micro_batch.masked_groups, self.temperature)
                    micro_batch.masked_log_probs = scores.log_probs
                    self.step_metrics.compute_tokens += micro_batch.tokens

    def add_perception(
        self,
        perception: PerceptionLoss,
        loss: LossOutput,
        micro_batch: MicroBatch,
        scores: Scores,
    ) -> LossOutput:
        """The loss, less the divergence from the policy that sees masked images."""
        masked = micro_batch.masked_log_probs
        if masked is None:
            masked = score(self.policy, micro_batch.masked_groups, self.temperature).log_probs
            self.step_metrics.compute_tokens += TRAINED * micro_batch.tokens
        return perception(loss, scores.log_probs, masked, micro_batch.weights)

    def step_optimizer(self, micro_batches: list[MicroBatch], losses: list[Tensor]) -> None:
        """One step of optimizer and schedule, with finite loss and gradient or not at all."""
        ids = [micro_batch.problem_ids for micro_batch in micro_batches]
        self.step_metrics.gradient_norm = self.take_step(losses, ids, self.max_grad_norm)

    def log_step(
        self, rollout: Rollout, rewards: dict[str, Tensor], total: Tensor, advantages: Tensor
    ) -> None:
        """Log the step's metrics, and leave its record for callbacks."""
        step, right = self.batches_done - 1, right_completions(rewards, self.rewards)
        record = make_record(
            step, rollout, rewards, total, advantages, self.step_metrics, self.updates, right
        )
        in_bar = {"train/reward", "train/completion_length"}
        size = max(1, len(rollout.problems))
        for shown in (False, True):
            metrics = {n: v for n, v in record.metrics.items() if (n in in_bar) == shown}
            self.log_dict(metrics, batch_size=size, prog_bar=shown)
        self.step_record = record

    def on_train_end(self) -> None:
        """Say what rewards have done that count it."""
        if not self.reward_work:
            return
        total = added(all_gather(self.reward_work))
        for name, reward in self.rewards.items():
            prefix = f"{name}/"
            done = {key.removeprefix(prefix): total[key] for key in total if key.startswith(prefix)}
            if done:
                print_once(f"{name}: {reward.describe_work(done)}")

    @property
    def batches_done(self) -> int:
        """Batches that were learned from before this one."""
        return self.global_step // self.updates

    @property
    def reports_pass_rates(self) -> bool:
        """Whether a reward tells right completions, for a curriculum to open levels by them."""
        return any(reward.marks_right for reward in self.rewards.values())

    @property
    def corrects_sampler(self) -> bool:
        """Whether rollout log-probs are not the old ones: another engine's, or older weights'."""
        return not self.engine.is_scorer or self.async_steps > 0

    @property
    def temperature(self) -> float:
        return self.sampling.scoring_temperature

    def should_stop(self) -> bool:
        """Whether the process was asked to end, while rewards are waited for."""
        return self.rewards_given_up or self.trainer.received_sigterm

    def __init__(
        self,
        policy: Policy,
        rewards: dict[str, Reward],
        group_size: int = 8,
        sampling: Sampling = DEFAULT_SAMPLING,
        noisy_rollout: NoisyRollout | None = None,
        loss: PolicyLoss = DEFAULT_LOSS,
        scale: Scale = "group",
        beta: float = 0.0,
        teacher: Teacher | None = None,
        perception: PerceptionLoss | None = None,
        updates: int = 1,
        async_steps: int = 0,
        micro_batch_tokens: int = 16_384,
        count_truncated: bool = True,
        resample: int = 0,
        dynamic_sampling: int = 0,
        reward_seconds: float = 120.0,
        max_grad_norm: float = 1.0,
        optimizer: OptimizerCallable = lambda params: torch.optim.AdamW(params, lr=1e-6),
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
            rewards: Rewards of completions, by the names under which they are logged.
            group_size: Completions of each prompt.
            sampling: How completions are sampled.
            noisy_rollout: Sample part of each group from a distorted image.
            loss: The policy loss: GRPOLoss, DrGRPOLoss, DAPOLoss, BNPOLoss, GSPOLoss, CISPOLoss, or
                a class of one's own.
            scale: Whose standard deviation advantages are divided by: group, batch, none.
            beta: Weight of the KL divergence from the reference policy, which is the policy that
                training began with.
            teacher: Learn also from a teacher's log-probs of the sampled tokens (on-policy
                distillation); with rewards of weight 0, from these alone.
            perception: Keep the policy away from itself with masked images (PAPO).
            updates: Optimizer steps on the same completions.
            async_steps: Steps by which rollouts run ahead of the policy: 0, or 1, where the next
                one is sampled while the policy updates, by an engine that runs apart.
            micro_batch_tokens: Tokens that are scored at the same time; groups stay whole.
            count_truncated: Learn also from completions that ended at the limit of tokens.
            resample: How often groups whose rewards are all equal are sampled again.
            dynamic_sampling: How often those that are left are replaced by groups of other prompts,
                until all have signal (arXiv 2503.14476).
            reward_seconds: How long each reward may take on the completions of a step.
            max_grad_norm: Gradients are scaled down to this norm.
            optimizer: Class of the optimizer, and its arguments but the parameters.
            scheduler: Class of the learning rate's schedule, stepped with the optimizer.
            master_weights: Update float32 copies of weights that are held in bfloat16.
            engine: The rollout engine, which samples completions and answers evaluation; the local
                one if not given.
            answer_tokens: Most tokens of an answer in evaluation.
            results: Folder for answers and report; if not given, one below the trainer's
                default_root_dir, named after the policy and a hash of its weights.
            seed: Another seed is other completions.
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
        check_at_least(1, group_size=group_size, updates=updates)
        check_at_least(1, micro_batch_tokens=micro_batch_tokens)
        check_at_least(0, beta=beta, resample=resample, dynamic_sampling=dynamic_sampling)
        if resample and dynamic_sampling:
            raise BadInput(
                "resample samples the same prompts again and dynamic_sampling others: set one to 0"
            )
        check_runs_ahead(self.engine, async_steps)
        check_when_rewarded(rewards, async_steps, bool(resample or dynamic_sampling))
        if group_size < 2 and scale != "none" and teacher is None:
            raise BadInput("group_size must be at least 2: completions are compared in groups")
        if teacher is not None:
            teacher.check_loss(loss)
        if not max_grad_norm > 0:
            raise BadInput(f"max_grad_norm must be positive, not {max_grad_norm}")
        if not 0 < reward_seconds < float("inf"):
            raise BadInput(f"reward_seconds must be a positive number, not {reward_seconds}")
        if not rewards:
            raise BadInput("rewards must name at least one reward")
        if policy.adapter is not None and policy.adapter.dropout:
            raise BadInput("dropout would score another policy than sampled: set it to 0 for GRPO")
        # Accumulation is over whole groups, and several updates share a rollout.
        self.automatic_optimization = False
        self.rewards, self.group_size, self.sampling = rewards, group_size, sampling
        self.noisy_rollout = noisy_rollout
        if noisy_rollout is not None:
            noisy_rollout.distorted(group_size)  # refuses a group that is too small
        self.loss, self.scale, self.beta, self.perception = loss, scale, beta, perception
        self.teacher = teacher
        self.updates, self.async_steps = updates, async_steps
        self.resample, self.dynamic_sampling = resample, dynamic_sampling
        self.ahead = RolloutAhead()
        self.micro_batch_tokens, self.count_truncated = micro_batch_tokens, count_truncated
        self.max_grad_norm, self.reward_seconds = max_grad_norm, reward_seconds
        self.reward_work: Counter[str] = Counter()
        """What rewards have done in this run, on this rank."""

    def answering(self) -> AbstractContextManager[None]:
        self.ahead.wait()  # it keeps the weights that it began with
        return super().answering()

    def configure_model(self) -> None:
        super().configure_model()
        switch_off_dropout(self.policy)
        # Before a checkpoint is restored: a resumed run keeps the reference it began with.
        self.reference = ReferencePolicy(self.policy) if self.beta else None

    def on_train_start(self) -> None:
        super().on_train_start()
        self.ahead.discard()  # of a training that was broken off
        self.engine.should_stop = self.should_stop  # type: ignore[method-assign]
        if self.teacher is not None:
            self.teacher.should_stop = self.should_stop  # type: ignore[method-assign]
            with raise_on_all_ranks():
                self.teacher.prepare(self.policy, self.temperature)
        scheduler = self.lr_schedulers()
        if isinstance(scheduler, Warmup):
            # Lightning counts max_steps in updates, and epochs in batches.
            counted = 1 if self.trainer.max_steps > 0 else self.updates
            scheduler.plan(int(self.trainer.estimated_stepping_batches) * counted)
