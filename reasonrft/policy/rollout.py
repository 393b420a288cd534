"""Completions of prompts: pictures encoded once, prompts read once, finished rows dropped.

P prompts, G completions per prompt, R rows still going, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from reasonrft.policy.cache import CACHE_NAME, keeps_all, make_roomy
from reasonrft.policy.decoding import Completion, State, decode
from reasonrft.policy.encoding import PromptBatch
from reasonrft.policy.groups import Groups
from reasonrft.policy.policy import Policy
from reasonrft.policy.sampling import Sampling, uniforms


@dataclass(frozen=True)
class Counters:
    """What a rollout had to do."""

    images_encoded: int
    """Pictures that were not remembered from before."""
    prompt_tokens: int
    decoded_tokens: int
    row_steps_saved: int
    """Forward passes of single rows that finished early and were dropped."""

    def __add__(self, other: "Counters") -> "Counters":
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Counters(*map(sum, pairs))


@dataclass(frozen=True)
class Rollout:
    """G completions of each of P prompts."""

    completions: list[list[Completion]]
    texts: list[list[str]]
    counters: Counters

    def with_groups(self, rows: Sequence[int], other: "Rollout") -> "Rollout":
        """This rollout with the groups of another in these rows."""
        completions, texts = list(self.completions), list(self.texts)
        for place, row in enumerate(rows):
            completions[row], texts[row] = other.completions[place], other.texts[place]
        return Rollout(completions, texts, self.counters + other.counters)

    @property
    def lengths(self) -> Tensor:  # (P, G)
        """Tokens of each completion, its end of turn included."""
        return torch.tensor([[len(one.ids) for one in group] for group in self.completions])

    @property
    def stopped(self) -> Tensor:  # (P, G) bool
        """Which completions ended by themselves."""
        return torch.tensor([[one.stopped for one in group] for group in self.completions])


@torch.no_grad()
def roll_out(
    policy: Policy,
    batch: PromptBatch,
    group_size: int,
    sampling: Sampling,
    seed: int | str = 0,
    step: int = 0,
) -> Rollout:
    """Sample a group of completions of each prompt; the same seed and step give the same ones."""
    training, seen = policy.training, policy.pictures_seen
    # In training mode activation checkpointing switches the cache off.
    policy.eval()
    try:
        completions, saved = _sample(policy, batch, group_size, sampling, seed, step)
    finally:
        policy.train(training)
    counters = Counters(
        images_encoded=policy.pictures_seen - seen,
        prompt_tokens=sum(prompt.length for prompt in batch.prompts),
        decoded_tokens=sum(len(one.ids) for one in completions),
        row_steps_saved=saved,
    )
    texts = [policy.encoder.decode(one.content) for one in completions]
    return Rollout(_grouped(completions, group_size), _grouped(texts, group_size), counters)


def _grouped(items: list, size: int) -> list[list]:
    return [items[at : at + size] for at in range(0, len(items), size)]


def _sample(
    policy: Policy,
    batch: PromptBatch,
    group_size: int,
    sampling: Sampling,
    seed: int | str,
    step: int,
) -> tuple[list[Completion], int]:
    temperature = sampling.scoring_temperature
    state, log_probs = _read_prompts(policy, batch, temperature)
    if group_size > 1 and policy.shares_attention and all(map(keeps_all, state.cache.layers)):
        state.groups = Groups(state.cache, state.mask)
    else:
        make_roomy(state.cache)
    state.expand(group_size)
    uniform = torch.stack(
        [
            uniforms(seed, step, problem.id, number, sampling.max_tokens)
            for problem in batch.problems
            for number in range(group_size)
        ]
    )
    return decode(
        lambda state, tokens: _read_tokens(policy, state, tokens, temperature),
        state,
        log_probs.repeat_interleave(group_size, dim=0),
        uniform.to(policy.device),
        sampling,
        policy.stop_ids,
    )


def _read_prompts(policy: Policy, batch: PromptBatch, temperature: float) -> tuple[State, Tensor]:
    """Read every prompt once: what the model remembers, and what may come first (P, V)."""
    sights = policy.look(batch.prompts)
    inputs = policy.join([prompt.inputs for prompt in batch.prompts], "left", sights)
    mask = inputs["attention_mask"]
    if not policy.counts_in_3d:
        inputs["position_ids"] = (mask.cumsum(-1) - 1).clamp_min(0)
    output = policy(**inputs, use_cache=True)
    ends = torch.stack([policy.positions(prompt).max() for prompt in batch.prompts])
    state = State(
        cache=getattr(output, CACHE_NAME),
        mask=mask,
        position=ends.to(policy.device) + 1,
        rows=torch.arange(len(batch), device=policy.device),
        extras={
            name: value[:, -1:] for name, value in inputs.items() if name == "cross_attention_mask"
        },
    )
    return state, policy.next_log_probs(output.last_hidden_state[:, -1], temperature)


def _read_tokens(policy: Policy, state: State, tokens: Tensor, temperature: float) -> Tensor:
    """Read one token in each row: what may come next (R, V)."""
    state.mask = pad(state.mask, (0, 1), value=1)
    position = state.position[:, None]  # (R, 1)
    seen = {"sharing": state.groups} if state.groups else {"attention_mask": state.mask}
    output = policy(
        input_ids=tokens[:, None],
        position_ids=position.expand(3, -1, -1) if policy.counts_in_3d else position,
        use_cache=True,
        **{CACHE_NAME: state.cache},
        **seen,
        **state.extras,
    )
    state.position = state.position + 1
    return policy.next_log_probs(output.last_hidden_state[:, -1], temperature)
