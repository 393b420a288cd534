"""Scoring: log-probs of given completions, with each prompt computed once for its whole group.

P prompts, G completions per prompt, N completion tokens in all, B rows of S tokens, L tokens of the
longest prompt, T tokens of the longest completion, C coordinates of a position (3 with multimodal
RoPE, else 1), H hidden width, V vocabulary, K heads of keys, N query heads of each, D head width.

A group is one span of a row, and groups may share a row:

    tokens     [ p0 p1 p2 | a0 a1 | b0 b1 b2 ]      prompt p, completions a and b
    positions    0  1  2    3  4    3  4  5         each completion goes on where the prompt ends
    predictors   p2 -> a0, a0 -> a1, p2 -> b0, ...  only these hidden states meet the LM head

             p0 p1 p2 a0 a1 b0 b1 b2
    p0..p2    \\\\\\                                causal
    a0..a1    xxxxxxxx \\\\                         the whole prompt, and their own past
    b0..b2    xxxxxxxx       \\\\\\                 but not each other

`Layout.mask` is this diagram as a mask. `SharedPrefixAttention` (prefix_attention.py) computes the
same without a mask over the row, which would hide most of what it lets be computed.

`score` with `shared=False` is the plain way, one row for each completion with its prompt. Tests
hold the two together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from reasonrft.policy.collate import ROW_PER_PROMPT, TEXT_KEYS, extend, stack, to_device
from reasonrft.policy.encoder import Prompt
from reasonrft.policy.prefix_attention import plan_attention

if TYPE_CHECKING:
    from reasonrft.policy.policy import Policy

Head = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Group:
    """A prompt and its completions."""

    prompt: Prompt
    completions: list[Tensor]  # of (T,)

    @property
    def length(self) -> int:
        """Tokens of the group in a shared row, where the prompt stands once."""
        return self.prompt.length + sum(map(len, self.completions))

    @property
    def begins(self) -> list[int]:
        """Where each completion begins, from the start of the group."""
        return list(accumulate(map(len, self.completions[:-1]), initial=self.prompt.length))


@dataclass(frozen=True)
class Scores:
    """What a policy assigns to given completions, token after token, group after group."""

    log_probs: Tensor  # (N,)
    entropy: Tensor  # (N,)


def score(
    policy: "Policy",
    groups: Sequence[Group],
    temperature: float = 1.0,
    shared: bool = True,
    row_tokens: int = 0,
    as_sampled: bool = True,
    wanted: Tensor | None = None,  # (N,) bool
) -> Scores:
    """Score all completions, in the order of groups.

    Args:
        policy: The model.
        groups: Prompts with their completions.
        temperature: That of the sampling.
        shared: Compute a prompt once for its completions, in families where that is exact.
        row_tokens: Put several groups into one row of at most this many tokens.
        as_sampled: Leave out the tokens that sampling leaves out: image placeholders.
        wanted: Completion tokens to be scored, where that is not all of them.
    """
    shared = shared and policy.supports_shared_prefix
    targets = torch.cat([ids for group in groups for ids in group.completions])
    targets = to_device({"targets": targets}, policy.device)["targets"]
    hidden = _shared(policy, groups, row_tokens) if shared else _dense(policy, groups)  # (N, H)
    if wanted is not None:
        places = to_device({"places": wanted.nonzero().flatten()}, policy.device)["places"]
        targets, hidden = targets[places], hidden[places]
    return Scores(*policy.token_log_probs(hidden, targets, temperature, as_sampled))


def _dense(policy: "Policy", groups: Sequence[Group]) -> Tensor:  # (N, H)
    """One row for each completion, with its prompt: the plain way."""
    rows = [extend(group.prompt.inputs, ids) for group in groups for ids in group.completions]
    features = policy.encode_images([group.prompt for group in groups for _ in group.completions])
    inputs = policy.collate(rows, "right", features)
    # Padding on the right comes after all that could see it.
    del inputs["attention_mask"]
    hidden = policy(**inputs, use_cache=False).last_hidden_state  # (B, S, H)
    return hidden.flatten(0, 1)[dense_predictors(groups, hidden.shape[1]).to(hidden.device)]


def _shared(policy: "Policy", groups: Sequence[Group], row_tokens: int) -> Tensor:  # (N, H)
    """One row for each group, or for several, in which each prompt stands once."""
    split = policy.scores_in_parts
    lengths = [group.length for group in groups]
    # With split attention no group needs a row of its own, nor padding.
    rows = pack(lengths, row_tokens or (sum(lengths) if split else 0))
    layout = lay_out(groups, [policy.positions(group.prompt) for group in groups], rows)
    features = policy.encode_images([groups[item].prompt for row in rows for item in row])
    row_tensors = [row_inputs([groups[item] for item in row]) for row in rows]
    inputs = policy.collate(row_tensors, "right", features)
    inputs |= _split_inputs(policy, groups, layout) if split else _mask_inputs(policy, layout)
    places = {"positions": layout.positions, "predictors": layout.predictors}
    places = to_device(places, policy.device)
    positions = places["positions"]  # (C, B, S)
    inputs["position_ids"] = positions if len(positions) > 1 else positions[0]
    hidden = policy(**inputs, use_cache=False).last_hidden_state  # (B, S, H)
    return hidden.flatten(0, 1).index_select(0, places["predictors"])


def _split_inputs(policy: "Policy", groups: Sequence[Group], layout: "Layout") -> dict[str, Any]:
    attention = plan_attention(
        [group.prompt.length for group in groups],
        [list(map(len, group.completions)) for group in groups],
        layout.starts,
        layout.completions.shape,
    )
    # A family makes no mask where it is given one. NaN shows if anything used this one.
    unused = torch.full((1, 1, 1, 1), torch.nan, dtype=policy.model.dtype, device=policy.device)
    return {"sharing": attention.to(policy.device), "attention_mask": unused}


def _mask_inputs(policy: "Policy", layout: "Layout") -> dict[str, Any]:
    visible = layout.mask[:, None].to(policy.device)  # (B, 1, S, S)
    return {"attention_mask": additive_mask(visible, policy.model.dtype)}


# Where tokens stand.


@dataclass(frozen=True)
class Layout:
    """Rows in which each prompt stands once, before its completions."""

    groups: Tensor  # (B, S) the group that a token belongs to, -1 in padding
    completions: Tensor  # (B, S) the completion within it, -1 in prompts and padding
    positions: Tensor  # (C, B, S)
    predictors: Tensor  # (N,) in the flattened rows: where each completion token is predicted
    starts: list[int]
    """Where each group begins in the flattened rows."""

    @property
    def mask(self) -> Tensor:  # (B, S, S) bool
        """Whether a token sees another: those before it in its own prompt and own completion."""
        part = self.completions
        earlier = torch.ones(part.shape[1], part.shape[1], dtype=torch.bool).tril()
        group = self.groups[:, :, None]
        same_group = (group == self.groups[:, None, :]) & (group >= 0)
        visible = (part[:, :, None] == part[:, None, :]) | (part < 0)[:, None, :]
        # Rows of the mask that are all False give NaN on some backends: padding sees itself.
        itself = torch.eye(part.shape[1], dtype=torch.bool)
        return (earlier & same_group & visible) | itself


def pack(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Which items share a row of at most this many tokens; an item longer than that is alone."""
    rows: list[list[int]] = []
    room: list[int] = []
    for item in sorted(range(len(lengths)), key=lambda at: -lengths[at]):
        row = next((at for at, left in enumerate(room) if left >= lengths[item]), len(rows))
        if row == len(rows):
            rows.append([])
            room.append(budget)
        rows[row].append(item)
        room[row] -= lengths[item]
    return rows


def lay_out(
    groups: Sequence[Group], positions: Sequence[Tensor], rows: Sequence[Sequence[int]]
) -> Layout:
    """The shared layout of groups, given the positions (C, L) of each prompt's own tokens."""
    width = max(sum(groups[item].length for item in row) for row in rows)
    group_of = torch.full((len(rows), width), -1)
    completion_of = torch.full((len(rows), width), -1)
    position_of = torch.zeros(positions[0].shape[0], len(rows), width, dtype=torch.long)
    starts = [0] * len(groups)
    for at, row in enumerate(rows):
        column = 0
        for item in row:
            starts[item] = at * width + column
            group, end = groups[item], column + groups[item].length
            group_of[at, column:end] = item
            completion_of[at, column:end] = _completion_numbers(group)
            position_of[:, at, column:end] = _positions(group, positions[item])
            column = end
    return Layout(group_of, completion_of, position_of, _predictors(groups, starts), starts)


def additive_mask(visible: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask of what is visible, in the form that is added to attention logits of this type."""
    zeros = torch.zeros(visible.shape, dtype=dtype, device=visible.device)
    return zeros.masked_fill(~visible, torch.finfo(dtype).min)


def row_inputs(groups: Sequence[Group]) -> dict[str, Tensor]:
    """The model's inputs for one row: every prompt followed by its completions."""
    spans = [extend(group.prompt.inputs, torch.cat(group.completions)) for group in groups]
    names = dict.fromkeys(name for span in spans for name in span)
    row_per_prompt = any(name in names for name in ROW_PER_PROMPT)
    row = {}
    for name in names:
        columns = [span[name] for span in spans if name in span]
        along_tokens = row_per_prompt or name in TEXT_KEYS
        row[name] = torch.cat(columns, dim=1) if along_tokens else stack(columns)
    return row


def _completion_numbers(group: Group) -> Tensor:
    spans = [torch.full((group.prompt.length,), -1)]
    spans += [torch.full((len(ids),), at) for at, ids in enumerate(group.completions)]
    return torch.cat(spans)


def _positions(group: Group, prompt: Tensor) -> Tensor:
    """Every completion goes on from the greatest position of the prompt, not from its length."""
    origin = prompt.max() + 1
    spans = [prompt]
    for ids in group.completions:
        spans.append((origin + torch.arange(len(ids))).expand(prompt.shape[0], -1))
    return torch.cat(spans, dim=1)


def _predictors(groups: Sequence[Group], starts: Sequence[int]) -> Tensor:
    """The first token of every completion is predicted where its prompt ends."""
    places = []
    for group, start in zip(groups, starts, strict=True):
        prompt_end = start + group.prompt.length - 1
        for begin, ids in zip(group.begins, group.completions, strict=True):
            first = start + begin
            places.append(torch.tensor([prompt_end, *range(first, first + len(ids) - 1)]))
    return torch.cat(places).long()


def dense_predictors(groups: Sequence[Group], width: int) -> Tensor:  # (N,)
    """The same for one row per completion, each with its prompt, padded on the right."""
    places, row = [], 0
    for group in groups:
        for ids in group.completions:
            start = row * width + group.prompt.length - 1
            places.append(torch.arange(start, start + len(ids)))
            row += 1
    return torch.cat(places)


# From hidden states to log-probs.


def token_log_probs(
    hidden: Tensor,  # (N, H)
    targets: Tensor,  # (N,)
    head: Head,
    temperature: float = 1.0,
    excluded: Tensor | None = None,  # (V,) bool
    chunk: int = 1024,
    recompute: bool = True,
) -> tuple[Tensor, Tensor]:  # (N,), (N,)
    """Log-prob of each target and the entropy at its place, in float32.

    Logits exist for one chunk of positions at a time, in the backward pass too, which computes them
    again; not so without `recompute`, which is quicker where all of them are few.
    """
    recompute = recompute and torch.is_grad_enabled()
    chunks = []
    for states, wanted in zip(hidden.split(chunk), targets.split(chunk), strict=True):
        args = (states, wanted, head, temperature, excluded)
        chunks.append(
            checkpoint(_score_chunk, *args, use_reentrant=False)
            if recompute
            else _score_chunk(*args)
        )
    return torch.cat([logp for logp, _ in chunks]), torch.cat([entropy for _, entropy in chunks])


def _score_chunk(
    hidden: Tensor, targets: Tensor, head: Head, temperature: float, excluded: Tensor | None
) -> tuple[Tensor, Tensor]:
    chosen, entropy = _TargetLogProbs.apply(head(hidden), targets, temperature, excluded)
    return chosen, entropy


class _TargetLogProbs(torch.autograd.Function):
    """log softmax(z)_target and the entropy; keeps logits as they came, and no softmax."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, targets: Tensor, temperature: float, excluded: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        scaled = scaled_logits(logits, temperature, excluded)  # (N, V)
        lse = scaled.logsumexp(-1)
        chosen = scaled.gather(-1, targets[:, None]).squeeze(-1) - lse
        probabilities = scaled.sub_(lse[:, None]).exp_()
        # With logits that exclude nothing: minus infinity by probability 0 is not a number.
        mean = torch.linalg.vecdot(probabilities, logits.float()) / temperature
        ctx.save_for_backward(logits, targets, lse, excluded)
        ctx.temperature = temperature
        entropy = lse - mean
        ctx.mark_non_differentiable(entropy)
        return chosen, entropy

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Of z: gradient x (one at the target - softmax(z)), by temperature."""
        logits, targets, lse, excluded = ctx.saved_tensors
        scale = gradients[0] / ctx.temperature
        total = scaled_logits(logits, ctx.temperature, excluded).sub_(lse[:, None]).exp_()
        total.mul_(-scale[:, None])
        scale = scale if excluded is None else scale.masked_fill(excluded[targets], 0.0)
        total.scatter_add_(-1, targets[:, None], scale[:, None])
        return total.to(logits.dtype), None, None, None


def scaled_logits(logits: Tensor, temperature: float, excluded: Tensor | None) -> Tensor:
    """Logits as sampling and scoring alike use them: float32, by temperature, none excluded."""
    logits = logits.float() / temperature
    return logits if excluded is None else logits.masked_fill(excluded, -torch.inf)
