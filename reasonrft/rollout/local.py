"""The local engine: samples with the policy itself, in the process that trains it.

P prompts, G completions per prompt, R = P x G completions, T most tokens of one.

    encode images     once per prompt, or per run if the tower is frozen   policy/image_features.py
    prefill           once per prompt                                      prefill.py
    decode            one token in each row, until all have ended
      static          in buffers that stay; on a GPU as one CUDA graph     static_decoding.py
      eager           as transformers does it, for families that need it   eager_decoding.py
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

import torch
from torch import Tensor

from reasonrft.errors import BadInput
from reasonrft.policy.encoder import PromptBatch
from reasonrft.policy.policy import Policy
from reasonrft.policy.sharding import gathered
from reasonrft.rollout.eager_decoding import decode_eager, is_full_cache, repeat
from reasonrft.rollout.ended_rows import EndedRows, OnEnded, cut
from reasonrft.rollout.engine import Rollout, RolloutEngine
from reasonrft.rollout.few_rows import products_of_few_rows
from reasonrft.rollout.prefill import Prefilled, prefill
from reasonrft.rollout.sampling import Sampling, uniforms
from reasonrft.rollout.static_attention import SHARED_ABOVE
from reasonrft.rollout.static_decoding import ON_CPU, ON_GPU, OnToken, StaticRows, decode_static

Loop = Literal["auto", "eager", "static", "captured"]
Prompts = Literal["auto", "shared", "repeated"]
Decoded = tuple[Tensor, Tensor, dict[str, float]]
"""Ids and log-probs of all completions (R, T), and what it took."""


class LocalEngine(RolloutEngine):
    """Decodes with the policy's own weights; the same seed and step give the same completions."""

    is_scorer = True

    def __init__(self, loop: Loop = "auto", prompts: Prompts = "auto") -> None:
        """
        Args:
            loop: How tokens are decoded: captured (as one CUDA graph), static (the same without a
                graph), eager (as transformers does it); auto takes the first that the policy and
                its device allow.
            prompts: Where a prompt is remembered: shared (once for its group), repeated (in every
                row, which takes more memory); auto takes the faster.
        """
        for name, value, kinds in (("loop", loop, Loop), ("prompts", prompts, Prompts)):
            if value not in (accepted := get_args(kinds)):
                raise BadInput(f"{name} must be one of {', '.join(accepted)}, not {value}")
        self.loop, self.prompts = loop, prompts
        self.policy: Policy | None = None
        self.version = 0
        self._warned = False

    def sync(self, policy: Policy, version: int) -> None:
        """Nothing is copied: the engine uses the policy itself."""
        self.policy, self.version = policy, version

    @contextmanager
    def ready(self, policy: Policy, version: int) -> Iterator[None]:
        """Weights that are spread over ranks are gathered once; then each rank decodes alone."""
        with super().ready(policy, version), gathered(policy):
            yield

    @torch.no_grad()
    def generate(
        self,
        batch: PromptBatch,
        group_size: int,
        sampling: Sampling,
        seed: int | str = 0,
        step: int = 0,
        on_token: OnToken | None = None,
    ) -> Rollout:
        """Sample a group of completions of each prompt.

        Args:
            batch: The prompts.
            group_size: Completions of each prompt.
            sampling: How tokens are chosen.
            seed: Another seed is other completions.
            step: Another step is other completions.
            on_token: Called after every decode step with the rows (R,) and their new tokens (R,).
        """
        if self.policy is None:
            raise BadInput("the engine has no policy yet: call sync first")
        if not batch.prompts:
            return Rollout(batch, [], [], self.version)
        policy, training = self.policy, self.policy.training
        encoded = policy.images_encoded
        listener = self.on_completion
        ended = EndedRows(policy, batch, group_size, listener) if listener else None
        # In training mode activation checkpointing switches the cache off.
        policy.eval()
        try:
            uniform = _uniforms(policy, batch, group_size, sampling, seed, step)
            given = policy, batch, group_size, uniform, sampling, on_token, ended
            decoded = self._decode(*given)
            if self.loop != "eager" and decoded[1].isnan().any():
                # Attention that does not take a `sharing` has used the mask in its place, of NaN.
                self.loop = "eager"
                warnings.warn(
                    f"{policy.path} is decoded as transformers does it, because in static buffers "
                    "its log-probs are no numbers",
                    stacklevel=2,
                )
                decoded = self._decode(*given)
        finally:
            policy.train(training)
        ids, log_probs, work = decoded
        completions = cut(ids.cpu(), log_probs.cpu(), policy.stop_ids)
        texts = [policy.encoder.decode(completion.content) for completion in completions]
        work = {
            **work,
            "images_encoded": policy.images_encoded - encoded,
            "prompt_tokens": sum(prompt.length for prompt in batch.prompts),
            "decoded_tokens": sum(len(completion.ids) for completion in completions),
        }
        groups = _grouped(completions, group_size), _grouped(texts, group_size)
        return Rollout(batch, *groups, self.version, work)

    def _decode(
        self,
        policy: Policy,
        batch: PromptBatch,
        group_size: int,
        uniform: Tensor,
        sampling: Sampling,
        on_token: OnToken | None,
        on_ended: OnEnded | None,
    ) -> Decoded:
        prefilled = prefill(policy, batch, sampling.scoring_temperature)
        loop = self._loop(policy, prefilled)
        if loop == "eager":
            rows, log_probs = repeat(policy, prefilled, group_size, sampling.scoring_temperature)
            stop_ids = policy.stop_ids
            return decode_eager(rows, log_probs, uniform, sampling, stop_ids, on_token, on_ended)
        on_gpu = policy.device.type == "cuda"
        shared = self.shares(prefilled.mask, group_size, on_gpu)
        start = StaticRows(policy, prefilled, group_size, uniform, sampling, shared, on_gpu)
        pace = ON_GPU if on_gpu else ON_CPU
        with products_of_few_rows(policy.model):
            work = decode_static(start, pace, loop == "captured", on_token, on_ended)
        return start.ids, start.log_probs, work

    def shares(self, mask: Tensor, group_size: int, on_gpu: bool) -> bool:
        """Whether prompts (P, L) are remembered once for their groups."""
        if self.prompts == "auto":
            many = not on_gpu or mask.numel() * group_size > SHARED_ABOVE
            return group_size > 1 and many
        return self.prompts == "shared"

    def _loop(self, policy: Policy, prefilled: Prefilled) -> Loop:
        """The loop that was asked for, where the policy allows it."""
        on_gpu = policy.device.type == "cuda"
        if self.loop == "eager" or not is_static(policy, prefilled):
            if on_gpu and self.loop != "eager" and not self._warned:
                self._warned = True
                warnings.warn(
                    f"{policy.path} decodes token by token, several times slower than as a CUDA "
                    "graph, because its attention or its cache is not of the plain kind",
                    stacklevel=2,
                )
            return "eager"
        return "static" if self.loop == "static" or not on_gpu else "captured"


def is_static(policy: Policy, prefilled: Prefilled) -> bool:
    """Whether attention can be told which tokens are whose, and every token is remembered."""
    plain = all(map(is_full_cache, prefilled.cache.layers))
    return policy.splits_attention and plain and not prefilled.extras


def _grouped(items: list, size: int) -> list[list]:
    return [items[at : at + size] for at in range(0, len(items), size)]


def _uniforms(
    policy: Policy,
    batch: PromptBatch,
    group_size: int,
    sampling: Sampling,
    seed: int | str,
    step: int,
) -> Tensor:  # (R, max_tokens)
    """The random numbers of each completion."""
    numbers = [
        uniforms(seed, step, problem.id, number, sampling.max_tokens)
        for problem in batch.problems
        for number in range(group_size)
    ]
    return torch.stack(numbers).to(policy.device)
