"""One training step of a module, phase by phase, on a policy without contents.

P prompts, G completions per prompt, T completion tokens, V vocabulary. What is called is what
training calls; only what asks for contents is left out (which tokens are sampled, what rewards
say), and decoding, which begins with its last tokens: a cache as long as it gets.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from reasonrft.distributed.local_optimizer import fuse, make_optimizer
from reasonrft.distributed.master_weights import MasterWeights
from reasonrft.losses import LossInputs, LossOutput, PerceptionLoss
from reasonrft.modules import GRPOModule, ReasoningModule, SFTModule
from reasonrft.modules.base import weight_decay_groups
from reasonrft.modules.policy_checks import switch_off_dropout
from reasonrft.planning.hollow_policy import hollow, scales_of
from reasonrft.planning.longest_batch import Longest
from reasonrft.planning.memory_trace import MemoryTrace, Parts
from reasonrft.policy.encoder import Example, Prompt, PromptBatch
from reasonrft.policy.parts import parts_of
from reasonrft.policy.policy import Policy
from reasonrft.policy.reference_policy import ReferencePolicy
from reasonrft.policy.scoring import Group, Scores, score
from reasonrft.rollout import LocalEngine, Sampling
from reasonrft.rollout.eager_decoding import repeat
from reasonrft.rollout.local import is_static
from reasonrft.rollout.prefill import Prefilled, prefill
from reasonrft.rollout.sampling import choose
from reasonrft.rollout.static_decoding import StaticRows


@dataclass(frozen=True)
class Step:
    """How large a training step is."""

    batch_size: int
    eval_batch_size: int
    """Problems that are answered together in validation; 0 for no validation."""
    micro_batch: int
    """Groups, or examples, that are scored at the same time."""
    micro_batches: int
    """How many of them an optimizer step has."""
    precision: str


class HollowStep:
    """A module's policy, optimizer and reference as in training, and the trace that sees them."""

    def __init__(self, module: ReasoningModule, fake: FakeTensorMode, on_gpu: bool) -> None:
        self.module, self.policy, self.fake = module, module.policy, fake
        hollow(self.policy, fake)
        if isinstance(module, GRPOModule):
            switch_off_dropout(self.policy)
        self.on_gpu = on_gpu
        self.trace = MemoryTrace(fake, self.policy.head.weight.shape[0], on_gpu)
        self.trace.watch(self.policy.model)
        self.trace.belongs(scales_of(self.policy.model), "weights in 4 bits")
        _mark_tower(self.policy, self.trace)
        _mark_features(self.policy, self.trace)
        self.reference: ReferencePolicy | None = None

    def run(self, longest: Longest, step: Step) -> dict[str, Parts]:
        """The bytes by part at the peak of each phase, in the step after the first."""
        self.policy.train()
        with self.trace:
            if isinstance(self.module, GRPOModule) and self.module.beta:
                with self.trace.part("reference"):
                    self.reference = ReferencePolicy(self.policy)
            self.optimizer = self._optimizer()
            if step.eval_batch_size:
                with self.trace.phase("evaluation"), _autocast(step.precision):
                    sampling = Sampling(temperature=0.0, max_tokens=self.module.answer_tokens)
                    self._decode(longest.take(step.eval_batch_size), 1, sampling)
            if isinstance(self.module, GRPOModule):
                # Lightning's autocast is over all of a step, which does its own backward.
                with _autocast(step.precision):
                    self._reinforce(self.module, longest.take(step.batch_size), step)
                    self._update()
            elif isinstance(self.module, SFTModule):
                self._fine_tune(self.module, longest, step)
                self._update()
        return dict(self.trace.phases)

    def _update(self) -> None:
        with self.trace.phase("optimizer"):
            self._take_gradients()
            self.optimizer.step()

    def _fine_tune(self, module: SFTModule, longest: Longest, step: Step) -> None:
        lengths = [longest.responses[at % len(longest.responses)] for at in range(step.micro_batch)]
        examples = [
            Example(prompt, torch.zeros(length, dtype=torch.long))
            for prompt, length in zip(longest.take(step.micro_batch), lengths, strict=True)
        ]
        with self.trace.phase("update"):
            # Lightning drops the gradients of the step before only after this step's forward.
            self._fill_gradients()
            with _autocast(step.precision):
                loss = module.negative_log_likelihood(examples).sum()
            if step.micro_batches == 1:
                self.policy.zero_grad()
            loss.backward()
            self._fill_gradients()

    def _reinforce(self, module: GRPOModule, prompts: list[Prompt], step: Step) -> None:
        ids = torch.zeros(module.sampling.max_tokens, dtype=torch.long)
        groups = [Group(prompt, [ids] * module.group_size) for prompt in prompts]
        if isinstance(module.engine, LocalEngine):
            with self.trace.phase("rollout"):
                self._decode(*_asked(module, prompts), module.sampling)
        if self.policy.supports_shared_prefix:
            with self.trace.phase("check"), torch.no_grad():
                score(self.policy, groups[:1], 1.0, shared=False)
        at_once = groups[: step.micro_batch]
        reference = None
        if self.reference is not None:
            with self.trace.phase("reference"), self.reference.swapped_in():
                reference = score(self.policy, at_once, module.temperature).log_probs
        if step.micro_batches > 1:
            self._fill_gradients()  # of the micro-batches before
        with self.trace.phase("update"):
            scores = score(self.policy, at_once, module.temperature)
            loss = module.loss(_inputs(scores.log_probs, reference), module.beta)
            if module.perception is not None:
                loss = self._with_perception(module, module.perception, loss, scores, at_once)
            loss.total.backward()
            del scores, loss
            self._fill_gradients()
            torch.nn.utils.clip_grad_norm_(self._take_gradients(), module.max_grad_norm)

    def _with_perception(
        self,
        module: GRPOModule,
        perception: PerceptionLoss,
        loss: LossOutput,
        scores: Scores,
        groups: list[Group],
    ) -> LossOutput:
        """The loss, with what a pass with masked images keeps until the backward pass."""
        masked = torch.zeros_like(scores.log_probs)
        if perception.gradient == "both":
            masked = score(self.policy, groups, module.temperature).log_probs
        return perception(loss, scores.log_probs, masked, torch.ones_like(masked))

    def _fill_gradients(self) -> None:
        for value in self.policy.parameters():
            if value.requires_grad and value.grad is None:
                with self.trace.part("gradients"):
                    value.grad = torch.zeros_like(value)

    def _take_gradients(self) -> list[nn.Parameter]:
        """What the optimizer updates: trained weights, or their master weights."""
        if isinstance(self.optimizer, MasterWeights):
            with self.trace.part("gradients"):
                return self.optimizer.take_gradients()
        return [value for value in self.policy.parameters() if value.requires_grad]

    def _optimizer(self) -> Any:
        """The optimizer after a first step, which makes its state."""
        groups = weight_decay_groups(self.module)
        optimizer: Any = make_optimizer(self.module.optimizer, groups, self.module.master_weights)
        if self.on_gpu:  # where the weights are not, here
            fuse(optimizer, self.policy.device.type)
        for group in optimizer.param_groups:
            # On a GPU it takes all weights at once.
            if self.on_gpu and group.get("foreach", False) is None and not group.get("fused"):
                group["foreach"] = True
        self._fill_gradients()
        with self.trace.part("optimizer"):
            optimizer.step()
        self.trace.belongs(list(optimizer.state.values()), "optimizer")
        if isinstance(optimizer, MasterWeights):
            self.trace.belongs([master for _, master in optimizer.pairs], "optimizer")
        optimizer.zero_grad()
        return optimizer

    @torch.no_grad()
    def _decode(self, prompts: Sequence[Prompt], group_size: int, sampling: Sampling) -> None:
        """Prefill, and a token of completions that are as long as they may be."""
        self.policy.eval()
        engine = self.module.engine
        plain = engine if isinstance(engine, LocalEngine) else LocalEngine()
        prefilled = prefill(self.policy, PromptBatch([*prompts]), sampling.scoring_temperature)
        for layer in prefilled.cache.layers:
            self.trace.belongs([layer.keys, layer.values], "cache")
        uniform = torch.zeros(len(prompts) * group_size, sampling.max_tokens, dtype=torch.float64)
        if plain.loop == "eager" or not is_static(self.policy, prefilled):
            self._decode_eager(prefilled, group_size, uniform, sampling)
        else:
            with self.trace.part("cache"):
                rows = LongestRows(
                    self.policy,
                    prefilled,
                    group_size,
                    uniform,
                    sampling,
                    shared=plain.shares(prefilled.mask, group_size, self.on_gpu),
                    merged=self.on_gpu,
                )
                del prefilled
                rows.resize(list(range(len(uniform))), sampling.max_tokens - 1)
            if sampling.max_tokens > 1:
                rows.step()
        self.policy.train()

    def _decode_eager(
        self, prefilled: Prefilled, group_size: int, uniform: Tensor, sampling: Sampling
    ) -> None:
        temperature = sampling.scoring_temperature
        rows, log_probs = repeat(self.policy, prefilled, group_size, temperature)
        for layer in rows.cache.layers:
            self.trace.belongs([layer.keys, layer.values], "cache")
        written = max(0, sampling.max_tokens - 2)
        _write(rows.cache, len(log_probs), written, self.trace)
        rows.mask = nn.functional.pad(rows.mask, (0, written), value=1)
        for turn in range(min(2, sampling.max_tokens)):
            tokens = choose(log_probs, uniform[:, turn], sampling)
            if turn:
                log_probs = rows.step(tokens)


def _asked(module: GRPOModule, prompts: list[Prompt]) -> tuple[list[Prompt], int]:
    """Prompts of a rollout, and completions of each: with distorted images, each is asked twice."""
    noisy, size = module.noisy_rollout, module.group_size
    if noisy is None:
        return prompts, size
    distorted = noisy.distorted(size)
    # Kinds of different sizes are decoded one after the other.
    return (
        (prompts * 2, distorted)
        if 2 * distorted == size
        else (prompts, max(distorted, size - distorted))
    )


class LongestRows(StaticRows):
    """Rows that nobody asks which tokens they have."""

    def sample(self, log_probs: Tensor) -> None:
        choose(log_probs, self.uniform[:, 0], self.sampling)


def _write(cache: Any, rows: int, count: int, trace: MemoryTrace) -> None:
    """Let a cache hold so many more tokens in each row."""
    for layer in cache.layers:
        with trace.part("cache"):
            layer.update(*(_states(values, rows, count) for values in (layer.keys, layer.values)))


def _states(like: Tensor, rows: int, count: int) -> Tensor:
    """States of tokens, which take no memory until they are written."""
    heads, width = like.shape[1:-2], like.shape[-1]
    return like.new_empty(1).expand(rows, *heads, count, width)


def _inputs(log_probs: Tensor, reference: Tensor | None) -> LossInputs:
    """A loss's inputs, as a micro-batch has them on the first update."""
    old = log_probs.detach()
    numbers = torch.zeros(log_probs.shape, dtype=torch.long)
    weights = torch.ones_like(old)
    return LossInputs(log_probs, old, weights, weights, numbers, reference)


def _autocast(precision: str) -> AbstractContextManager[Any]:
    """As Lightning does; it keeps no casts of weights but those that backward needs."""
    dtype = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(precision)
    return torch.autocast("cpu", dtype, cache_enabled=False) if dtype else nullcontext()


def _mark_tower(policy: Policy, trace: MemoryTrace) -> None:
    """What the vision tower makes is its own."""
    open_parts: list[Any] = []

    def enter(*rest: Any) -> None:
        open_parts.append(trace.part("vision tower"))
        open_parts[-1].__enter__()

    def leave(*rest: Any) -> None:
        open_parts.pop().__exit__(None, None, None)

    tower = policy.model.get_submodule(parts_of(policy.model).tower)
    tower.register_forward_pre_hook(enter)
    tower.register_forward_hook(leave)


def _mark_features(policy: Policy, trace: MemoryTrace) -> None:
    """What is kept of images."""
    cache: Any = policy.image_features
    keep = cache._put

    def put(key: bytes, features: Any) -> None:
        trace.belongs([features.pooled, features.deep], "image features")
        keep(key, features)

    cache._put = put
