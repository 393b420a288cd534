"""Decoding in static buffers: a step is the same operations on the same memory, token by token.

P prompts, R unfinished rows, L prompt tokens, T completion tokens, V vocabulary.

    prefill              once per prompt                                    prefill.py
    StaticRows.sample    chooses a token in each row                        sampling.py
    StaticRows.step      computes one more token in each row, and samples   static_attention.py
    StaticRows.resize    drops finished rows, makes room for more tokens

What a step reads and where it writes stands in tensors that the step itself moves on; no number
of Python's changes from one token to the next. So a step can be captured as one CUDA graph, which
takes a GPU a fifth of the time (`captured_step.py`), and is captured again after `resize`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from reasonrft.policy.policy import Policy
from reasonrft.policy.scoring import scaled_logits
from reasonrft.rollout.captured_step import CapturedStep
from reasonrft.rollout.ended_rows import OnEnded
from reasonrft.rollout.prefill import CACHE_NAME, Prefilled
from reasonrft.rollout.sampling import Sampling, choose
from reasonrft.rollout.static_attention import StaticAttention

OnToken = Callable[[Tensor, Tensor], None]


@dataclass(frozen=True)
class Pace:
    """How often the loop leaves its buffers."""

    look: int
    """Tokens between two looks at which rows have ended, each of which waits for the device."""
    room: int
    """Tokens for which buffers make room at a time."""
    keep_above: float
    """Finished rows are dropped when at most this share is unfinished."""
    halves: bool
    """Some finished rows stay, so that their number is halved, once or several times."""

    def kept(self, ended: list[bool]) -> list[int]:
        """The rows to keep, given which have ended: all unfinished ones, some others."""
        unfinished = [row for row, end in enumerate(ended) if not end]
        size = len(ended)
        if len(unfinished) > self.keep_above * size:
            return list(range(size))
        if not self.halves:
            return unfinished
        while size // 2 >= max(1, len(unfinished)):
            size //= 2
        finished = [row for row, end in enumerate(ended) if end]
        return sorted(unfinished + finished[: size - len(unfinished)])


ON_CPU = Pace(look=1, room=64, keep_above=7 / 8, halves=False)
# Time depends little on the number of rows, and libraries make a plan for each that is new.
ON_GPU = Pace(look=8, room=256, keep_above=1 / 2, halves=True)


class StaticRows:
    """The unfinished rows of a rollout, and the step that computes a token in each."""

    def __init__(
        self,
        policy: Policy,
        prefilled: Prefilled,
        group_size: int,
        uniform: Tensor,  # (R, T)
        sampling: Sampling,
        shared: bool,
        merged: bool,
    ) -> None:
        device = policy.device
        self.policy, self.sampling = policy, sampling
        prompts = len(prefilled.position)
        self.prompt_of = [prompt for prompt in range(prompts) for _ in range(group_size)]
        of_rows = torch.tensor(self.prompt_of, device=device)
        self.attention = StaticAttention(prefilled.cache, prefilled.mask, shared, merged)
        self.rows = torch.arange(len(of_rows), device=device)  # (R,) the completion of each row
        self.position = prefilled.position[of_rows]  # (R,) of the token to compute
        self.tokens = torch.zeros_like(self.rows)  # (R,) the tokens to compute
        self.ended = torch.zeros_like(self.rows, dtype=torch.bool)
        self.uniform = uniform
        self.turn = self.rows.new_zeros(1)  # tokens sampled so far
        self.ids = self.rows.new_zeros(uniform.shape)  # of all completions
        self.log_probs = prefilled.log_probs.new_zeros(uniform.shape)
        self.excluded = policy.placeholder_mask()
        self.stops = torch.tensor(sorted(policy.stop_ids), device=device)
        # A family makes no mask where it is given one. NaN shows if anything used this one.
        self.no_mask = torch.full((1, 1, 1, 1), torch.nan, dtype=policy.model.dtype, device=device)
        self.attention.resize(of_rows, self.prompt_of, 0)
        self.sample(prefilled.log_probs[of_rows])

    def step(self) -> None:
        """Compute the last token of each row, and sample the next."""
        self.attention.begin()
        position = self.position[:, None]  # (R, 1)
        output = self.policy(
            input_ids=self.tokens[:, None],
            position_ids=position.expand(3, -1, -1) if self.policy.uses_mrope else position,
            use_cache=True,
            sharing=self.attention,
            attention_mask=self.no_mask,
            **{CACHE_NAME: self.attention.cache},
        )
        self.attention.end()
        self.position.add_(1)
        logits = self.policy.head(output.last_hidden_state[:, -1])
        temperature = self.sampling.scoring_temperature
        self.sample(scaled_logits(logits, temperature, self.excluded).log_softmax(-1))

    def sample(self, log_probs: Tensor) -> None:  # (R, V)
        """Choose a token in each row, and write it down."""
        chosen = choose(log_probs, self.uniform.index_select(1, self.turn)[:, 0], self.sampling)
        place = self.rows, self.turn.expand_as(self.rows)
        self.ids.index_put_(place, chosen)
        self.log_probs.index_put_(place, log_probs.gather(-1, chosen[:, None])[:, 0])
        # `torch.isin` sorts where there are many, and waits for the device.
        self.ended.logical_or_((chosen[:, None] == self.stops).any(1))
        self.tokens.copy_(chosen)
        self.turn.add_(1)

    def resize(self, kept: list[int], room: int) -> None:
        """Keep these rows, with room for so many completion tokens."""
        rows = torch.tensor(kept, device=self.rows.device)
        self.prompt_of = [self.prompt_of[row] for row in kept]
        self.attention.resize(rows, self.prompt_of, room)
        self.rows, self.position, self.tokens, self.ended, self.uniform = (
            held[rows] for held in (self.rows, self.position, self.tokens, self.ended, self.uniform)
        )


def decode_static(
    rows: StaticRows,
    pace: Pace,
    captured: bool,
    on_token: OnToken | None = None,
    on_ended: OnEnded | None = None,
) -> dict[str, float]:
    """Sample until all rows have ended or are as long as they may be; says what that took.

    Args:
        rows: The rows, with their first token sampled.
        pace: How often to look which have ended, and to resize.
        captured: Replay a CUDA graph.
        on_token: Called after every token with the rows (R,) and their new tokens (R,).
        on_ended: Called with rows that have ended, while others go on.
    """
    (total, limit), look = rows.ids.shape, 1 if on_token else pace.look
    graph = CapturedStep(rows.step) if captured else None
    step: Callable[[], None] = graph or rows.step
    room = computed = turn = 0
    while True:
        turn += 1  # tokens that each row has
        if on_token:
            on_token(rows.rows, rows.tokens)
        if turn == limit:
            break
        if turn % look == 0 or turn > room:
            ended = rows.ended.tolist()
            if all(ended):
                break
            if on_ended:
                held = zip(rows.rows.tolist(), ended, strict=True)
                on_ended([row for row, end in held if end], rows.ids, rows.log_probs)
            kept = pace.kept(ended)
            if turn > room or len(kept) < len(ended):
                room = max(room, min(turn + pace.room, limit) - 1)
                rows.resize(kept, room)
                if graph:
                    graph.forget()
        step()
        computed += len(rows.rows)
    work: dict[str, float] = {
        "row_steps": computed,
        "row_steps_saved": total * (turn - 1) - computed,
    }
    return work | ({"graphs_captured": graph.graphs} if graph else {})
