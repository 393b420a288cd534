"""The local engine: samples with the policy itself, in the process that trains it.

P prompts, G completions per prompt, R unfinished rows, W most rows of one prompt, L prompt tokens,
T completion tokens so far, V vocabulary, K heads of keys, N query heads of each, D head width.

    encode images       once per prompt (once per run, if the tower is frozen)
    prefill             once per prompt:  cache (P, K, L, D)          _prefill
    expand              every prompt becomes G rows                   DecodeState.expand
    decode step         one token in each row, until all have ended   decode, _decode_step
      attention           row r of prompt p attends to                PrefixGroups.attend
                            [ prompt cache of p (shared) | own cache of r (R, K, T, D) ]
      finished rows       are dropped when an eighth of them is done  DecodeState.keep

With a shared prefix, a prompt's keys and values exist once, not G times. The rows of a prompt ask
it together, as one block of W queries. Families whose caches do not allow that repeat the prompt in
every row (`PreallocatedLayer`).
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import Cache, DynamicLayer
from transformers.utils import ModelOutput

from reasonrft.errors import BadInput
from reasonrft.policy.encoder import PromptBatch
from reasonrft.policy.policy import Policy
from reasonrft.policy.sharding import gathered
from reasonrft.rollout.engine import Completion, Rollout, RolloutEngine
from reasonrft.rollout.sampling import Sampling, choose, uniforms

KEEP_ROWS_ABOVE = 7 / 8
"""Finished rows are dropped when at most this share is unfinished: dropping copies the others."""
CACHE_NAME = "cache" if hasattr(ModelOutput, "past_key_values") else "past_key_values"
"""What models call their cache: transformers 5.24 has renamed it, and warns of the old name."""
CACHE_STEP = 64
"""Tokens by which a cache grows."""


class LocalEngine(RolloutEngine):
    """Decodes with the policy's own weights; the same seed and step give the same completions."""

    is_scorer = True

    def __init__(self) -> None:
        self.policy: Policy | None = None
        self.version = 0

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
        on_token: Callable[[Tensor, Tensor], None] | None = None,
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
        # In training mode activation checkpointing switches the cache off.
        policy.eval()
        try:
            state, log_probs = _prefill(policy, batch, group_size, sampling)
            completions, saved = decode(
                lambda state, tokens: _decode_step(policy, state, tokens, sampling),
                state,
                log_probs,
                _uniforms(policy, batch, group_size, sampling, seed, step),
                sampling,
                policy.stop_ids,
                on_token,
            )
        finally:
            policy.train(training)
        texts = [policy.encoder.decode(completion.content) for completion in completions]
        work = {
            "images_encoded": policy.images_encoded - encoded,
            "prompt_tokens": sum(prompt.length for prompt in batch.prompts),
            "decoded_tokens": sum(len(completion.ids) for completion in completions),
            "row_steps_saved": saved,
        }
        groups = _grouped(completions, group_size), _grouped(texts, group_size)
        return Rollout(batch, *groups, self.version, work)


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


def _prefill(
    policy: Policy, batch: PromptBatch, group_size: int, sampling: Sampling
) -> tuple["DecodeState", Tensor]:
    """Compute every prompt once: the state of its rows, and the log-probs of their first token."""
    features = policy.encode_images(batch.prompts)
    inputs = policy.collate([prompt.inputs for prompt in batch.prompts], "left", features)
    mask = inputs["attention_mask"]
    if not policy.uses_mrope:
        inputs["position_ids"] = (mask.cumsum(-1) - 1).clamp_min(0)
    output = policy(**inputs, use_cache=True)
    ends = torch.stack([policy.positions(prompt).max() for prompt in batch.prompts])
    state = DecodeState(
        cache=getattr(output, CACHE_NAME),
        mask=mask,
        position=ends.to(policy.device) + 1,
        rows=torch.arange(len(batch), device=policy.device),
        extras={
            name: value[:, -1:] for name, value in inputs.items() if name == "cross_attention_mask"
        },
    )
    if group_size > 1 and policy.splits_attention and all(map(is_full_cache, state.cache.layers)):
        state.groups = PrefixGroups(state.cache, state.mask)
    else:
        preallocate(state.cache)
    state.expand(group_size)
    last = output.last_hidden_state[:, -1]
    first = policy.next_log_probs(last, sampling.scoring_temperature)  # (P, V)
    return state, first.repeat_interleave(group_size, dim=0)


def _decode_step(
    policy: Policy, state: "DecodeState", tokens: Tensor, sampling: Sampling
) -> Tensor:
    """Compute one token in each row: the log-probs of the token after it (R, V)."""
    state.mask = pad(state.mask, (0, 1), value=1)
    position = state.position[:, None]  # (R, 1)
    visible = {"sharing": state.groups} if state.groups else {"attention_mask": state.mask}
    output = policy(
        input_ids=tokens[:, None],
        position_ids=position.expand(3, -1, -1) if policy.uses_mrope else position,
        use_cache=True,
        **{CACHE_NAME: state.cache},
        **visible,
        **state.extras,
    )
    state.position = state.position + 1
    return policy.next_log_probs(output.last_hidden_state[:, -1], sampling.scoring_temperature)


@dataclass
class DecodeState:
    """The unfinished rows, and what the model keeps of them."""

    cache: Any
    mask: Tensor  # (R, L + T)
    position: Tensor  # (R,) of the next token
    rows: Tensor  # (R,) the completion that each row is
    extras: dict[str, Tensor]
    """What else a family takes with every token."""
    groups: "PrefixGroups | None" = None
    """The shared prefixes, where prompts are not repeated in every row."""

    def expand(self, group_size: int) -> None:
        """Let every row become a group of rows."""
        if self.groups:
            self.groups.expand(group_size)
        self.cache.batch_repeat_interleave(group_size)
        self.mask, self.position = (
            value.repeat_interleave(group_size, dim=0) for value in (self.mask, self.position)
        )
        self.extras = {
            name: value.repeat_interleave(group_size, dim=0) for name, value in self.extras.items()
        }
        self.rows = torch.arange(len(self.mask), device=self.mask.device)

    def keep(self, unfinished: Tensor) -> None:
        """Drop the rows that are finished."""
        if self.groups:
            self.groups.keep(unfinished)
        self.cache.batch_select_indices(unfinished)
        self.mask, self.position = self.mask[unfinished], self.position[unfinished]
        self.rows = self.rows[unfinished]
        self.extras = {name: value[unfinished] for name, value in self.extras.items()}


def decode(
    step: Callable[[DecodeState, Tensor], Tensor],
    state: DecodeState,
    log_probs: Tensor,  # (R, V)
    uniform: Tensor,  # (R, max_tokens)
    sampling: Sampling,
    stop_ids: Collection[int],
    on_token: Callable[[Tensor, Tensor], None] | None = None,
) -> tuple[list[Completion], int]:
    """Sample all completions, token by token, and count the row-steps that were not needed.

    Args:
        step: Computes one more token in each row and returns the log-probs of the next (R, V).
        state: The rows after prefill.
        log_probs: Log-probs of the first token.
        uniform: Random numbers of each completion.
        sampling: How tokens are chosen.
        stop_ids: Tokens that end a completion.
        on_token: Called with the rows and their new tokens.
    """
    total, saved, limit = len(state.rows), 0, sampling.max_tokens
    ids = torch.zeros(total, limit, dtype=torch.long, device=log_probs.device)
    sampled = log_probs.new_zeros(total, limit)
    lengths = torch.full_like(ids[:, 0], limit)
    stopped = torch.zeros_like(lengths, dtype=torch.bool)
    stops = torch.tensor(sorted(stop_ids), device=log_probs.device)
    for turn in range(limit):
        rows = state.rows
        tokens = choose(log_probs, uniform[rows, turn], sampling)  # (R,)
        ids[rows, turn] = tokens
        sampled[rows, turn] = log_probs.gather(-1, tokens[:, None]).squeeze(-1)
        ended = torch.isin(tokens, stops) & ~stopped[rows]
        lengths[rows] = torch.where(ended, turn + 1, lengths[rows])
        stopped[rows] |= ended
        if on_token is not None:
            on_token(rows, tokens)
        unfinished = (~stopped[rows]).nonzero().squeeze(-1)
        if not len(unfinished) or turn + 1 == limit:
            break
        if len(unfinished) <= KEEP_ROWS_ABOVE * len(rows):
            state.keep(unfinished)
            tokens = tokens[unfinished]
        saved += total - len(tokens)
        log_probs = step(state, tokens)
    completions = [
        Completion(row[:length], row_log_probs[:length], end)
        for row, row_log_probs, length, end in zip(
            ids.cpu(), sampled.cpu(), lengths.tolist(), stopped.tolist(), strict=True
        )
    ]
    return completions, saved


# Caches that grow in place.


class PreallocatedLayer(DynamicLayer):
    """Writes a token beside those before it, where the parent copies them all for every token."""

    keys: Any  # the parent's are None before the prefill
    values: Any
    _space: tuple[Tensor, Tensor]

    def __init__(self, layer: DynamicLayer) -> None:
        super().__init__()
        self.keys, self.values = layer.keys, layer.values
        self.dtype, self.device, self.is_initialized = self.keys.dtype, self.keys.device, True
        self._use_all()

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        start, end = self.keys.shape[-2], self.keys.shape[-2] + key_states.shape[-2]
        if end > self._space[0].shape[-2]:
            self._space = _enlarged(self.keys, end), _enlarged(self.values, end)
        for space, states in zip(self._space, (key_states, value_states), strict=True):
            space[..., start:end, :] = states
        self.keys, self.values = (space[..., :end, :] for space in self._space)
        return self.keys, self.values

    def batch_repeat_interleave(self, repeats: int) -> None:
        super().batch_repeat_interleave(repeats)
        self._use_all()

    def batch_select_indices(self, indices: Tensor) -> None:
        super().batch_select_indices(indices)
        self._use_all()

    def _use_all(self) -> None:
        self._space = self.keys, self.values


def _enlarged(states: Tensor, end: int) -> Tensor:
    """The same states (R, K, T, D) at the start of a larger space."""
    space = states.new_empty(*states.shape[:-2], end + CACHE_STEP, states.shape[-1])
    space[..., : states.shape[-2], :] = states
    return space


def is_full_cache(layer: Any) -> bool:
    """Whether a layer of a cache keeps every token, unlike sliding windows and the like."""
    return type(layer) is DynamicLayer and layer.is_initialized


def preallocate(cache: Cache) -> None:
    """Let the layers that keep all tokens grow in place."""
    for number, layer in enumerate(cache.layers):
        if is_full_cache(layer):
            cache.layers[number] = PreallocatedLayer(layer)  # type: ignore[arg-type]


# One cache per prompt, and one per row.


class SharedPrefixLayer(PreallocatedLayer):
    """Keeps the prompts (P, K, L, D) apart from the tokens that each row sampled (R, K, T, D)."""

    prompts: tuple[Tensor, Tensor]

    def __init__(self, layer: DynamicLayer) -> None:
        super().__init__(layer)
        self.prompts = self.keys, self.values
        self.keys, self.values = (states[..., :0, :] for states in self.prompts)
        self._use_all()

    def get_seq_length(self) -> int:
        return self.prompts[0].shape[-2] + self.keys.shape[-2]


class PrefixGroups:
    """Which row belongs to which prompt, and its place in a grid of prompts (P, W).

    For attention to the prompts, rows are put into the grid (`gather`), so that the rows of a
    prompt are one block of queries, and taken out again (`scatter`):

        rows        r0 r1 r2 r3 r4          prompt of each   0 0 0 1 1
        grid        [ r0 r1 r2 ]            of prompt 0
                    [ r3 r4 r0 ]            of prompt 1; the free place holds any row
    """

    def __init__(self, cache: Cache, mask: Tensor) -> None:
        for number, layer in enumerate(cache.layers):
            cache.layers[number] = SharedPrefixLayer(layer)  # type: ignore[arg-type]
        self.cache = cache
        zeros = torch.zeros(mask.shape, device=mask.device)
        self.padding = zeros.masked_fill(mask == 0, -torch.inf)  # (P, L)
        self._arrange(torch.arange(len(mask), device=mask.device))

    def expand(self, group_size: int) -> None:
        self._arrange(self.prompt.repeat_interleave(group_size))

    def keep(self, unfinished: Tensor) -> None:
        self._arrange(self.prompt[unfinished])

    def _arrange(self, prompt: Tensor) -> None:
        """Rows of a prompt stand together, in their order."""
        self.prompt = prompt  # (R,)
        counts = prompt.bincount(minlength=len(self.padding))
        self.width = int(counts.max())
        first = counts.cumsum(0) - counts
        rows = torch.arange(len(prompt), device=prompt.device)
        self.place = prompt * self.width + rows - first[prompt]  # (R,)
        self.row = rows.new_zeros(len(counts) * self.width)  # (P x W,)
        self.row[self.place] = rows
        self.full = len(rows) == len(self.row)

    def gather(self, values: Tensor) -> Tensor:
        """Values of rows (R, K, N, X), as (P, K, W x N, X)."""
        grid = values if self.full else values[self.row]
        return grid.unflatten(0, (-1, self.width)).transpose(1, 2).flatten(2, 3)

    def scatter(self, values: Tensor) -> Tensor:
        """The way back."""
        rows = values.unflatten(2, (self.width, -1)).transpose(1, 2).flatten(0, 1)
        return rows if self.full else rows[self.place]

    def attend(
        self,
        module: Any,
        query: Tensor,  # (R, K x N, 1, D)
        key: Tensor,  # (R, K, T, D)
        value: Tensor,
        scaling: float,
        dropout: float,
    ) -> Tensor:  # (R, 1, K x N, D)
        """Attention of one new token in each row to its prompt and to the row's own tokens."""
        layer: Any = self.cache.layers[module.layer_idx]
        prompt_keys, prompt_values = layer.prompts
        queries = query.squeeze(2).unflatten(1, (key.shape[1], -1)) * scaling  # (R, K, N, D)
        to_prompt = self.gather(queries) @ prompt_keys.mT + self.padding[:, None, None]
        to_own = queries @ key.mT  # (R, K, N, T)
        logits = torch.cat([self.scatter(to_prompt), to_own], -1)
        weights = logits.softmax(-1, dtype=torch.float32).to(value.dtype)
        of_prompt, of_own = weights.tensor_split([prompt_keys.shape[-2]], -1)
        output = self.scatter(self.gather(of_prompt) @ prompt_values) + of_own @ value
        return output.flatten(1, 2)[:, None]
