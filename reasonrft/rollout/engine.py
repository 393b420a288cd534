"""What a rollout engine is, and what it returns.

P prompts, G completions per prompt, T completion tokens.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from reasonrft.policy.encoder import PromptBatch
from reasonrft.policy.policy import Policy
from reasonrft.problems import Problem
from reasonrft.rollout.sampling import Sampling

OnCompletion = Callable[[Problem, str, int], None]
"""Called with a completion's problem, its text, and its number of tokens."""


@dataclass(frozen=True)
class Completion:
    """One sampled answer: its tokens with the end of turn, and the log-prob of each as sampled."""

    ids: Tensor  # (T,)
    log_probs: Tensor  # (T,)
    stopped: bool
    """Whether it ended by itself, instead of at the limit of tokens."""
    distorted: bool = False
    """Whether it answers a distorted image, whose log-probs these are, and not the prompt's."""

    @property
    def content(self) -> Tensor:
        """Its tokens without the end of turn."""
        return self.ids[:-1] if self.stopped else self.ids


@dataclass(frozen=True)
class Rollout:
    """G completions of each of P prompts."""

    batch: PromptBatch
    completions: Sequence[Sequence[Completion]]
    texts: Sequence[Sequence[str]]
    policy_version: int
    """The version of the policy that sampled."""
    work: Mapping[str, float] = field(default_factory=dict)
    """What the engine did, under names of its own; logged as perf/NAME."""

    @property
    def problems(self) -> Sequence[Problem]:
        return self.batch.problems

    @property
    def lengths(self) -> Tensor:  # (P, G)
        """Tokens of each completion, its end of turn included."""
        return _table([[len(c.ids) for c in group] for group in self.completions], torch.long)

    @property
    def stopped(self) -> Tensor:  # (P, G) bool
        """Which completions ended by themselves."""
        return _table([[c.stopped for c in group] for group in self.completions], torch.bool)

    @property
    def distorted(self) -> Tensor:  # (P, G) bool
        """Which completions answer a distorted image."""
        return _table([[c.distorted for c in group] for group in self.completions], torch.bool)

    def split(self, count: int) -> tuple["Rollout", "Rollout"]:
        """The first prompts, with all of the work, and the others."""
        rows = slice(None, count), slice(count, None)
        batches = [PromptBatch(self.batch.prompts[row]) for row in rows]
        first, other = (
            replace(self, batch=batch, completions=self.completions[row], texts=self.texts[row])
            for batch, row in zip(batches, rows, strict=True)
        )
        return first, replace(other, work={})

    def beside(self, distorted: "Rollout") -> "Rollout":
        """Each group with completions that answer its images distorted, where it has images."""
        groups = [
            [*own, *(replace(c, distorted=bool(problem.images)) for c in others)]
            for problem, own, others in zip(
                self.problems, self.completions, distorted.completions, strict=True
            )
        ]
        texts = [[*own, *others] for own, others in zip(self.texts, distorted.texts, strict=True)]
        names = dict.fromkeys([*self.work, *distorted.work])
        work = {name: self.work.get(name, 0) + distorted.work.get(name, 0) for name in names}
        return replace(self, completions=groups, texts=texts, work=work)

    def with_groups(self, rows: Sequence[int], other: "Rollout") -> "Rollout":
        """This rollout with the prompts and groups of another in these rows."""
        prompts, completions, texts = [*self.batch.prompts], [*self.completions], [*self.texts]
        for place, row in enumerate(rows):
            prompts[row] = other.batch.prompts[place]
            completions[row], texts[row] = other.completions[place], other.texts[place]
        work = {name: self.work.get(name, 0) + value for name, value in other.work.items()}
        batch = PromptBatch(prompts)
        return Rollout(batch, completions, texts, self.policy_version, {**self.work, **work})


def _table(rows: Sequence[Sequence[Any]], dtype: torch.dtype) -> Tensor:
    """Rows as a tensor of two dimensions, also where there is none."""
    return torch.tensor(rows, dtype=dtype) if rows else torch.zeros(0, 0, dtype=dtype)


class RolloutEngine:
    """Samples completions; subclass it, override `sync` and `generate`, name it by class_path.

    All ranks enter `ready` together; within it each calls `generate` as often as it has to.
    """

    is_scorer: ClassVar[bool] = False
    """Whether its log-probs are those of the scorer, so that the loss needs no importance weights.

    That holds for the local engine. Leave it False for any other.
    """
    runs_apart: ClassVar[bool] = False
    """Whether `generate` needs nothing that training changes in this process, such as the policy.

    Then it may run in a thread of its own while the policy learns (GRPOModule's async_steps).
    """

    on_completion: OnCompletion | None = None
    """Who is told of completions while others are still sampled; an engine need not tell.

    Several may be told of from other threads, one after the other, and some not at all.
    """

    def should_stop(self) -> bool:
        """Whether the run was asked to end while it waits; trainers put their own in its place."""
        return False

    def sync(self, policy: Policy, version: int) -> None:
        """Take over the policy's weights of now, which are version `version`; called by all ranks.

        Called before weights are used in `generate`. An engine that holds them already returns at
        once.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define sync")

    @contextmanager
    def ready(self, policy: Policy, version: int) -> Iterator[None]:
        """Within it, `generate` samples with the policy's weights of now."""
        self.sync(policy, version)
        yield

    @contextmanager
    def telling(self, listener: OnCompletion | None) -> Iterator[None]:
        """Within it, `generate` tells this listener."""
        self.on_completion = listener
        try:
            yield
        finally:
            self.on_completion = None

    def generate(
        self,
        batch: PromptBatch,
        group_size: int,
        sampling: Sampling,
        seed: int | str = 0,
        step: int = 0,
    ) -> Rollout:
        """Sample a group of completions of each prompt.

        An engine that can repeats the same completions for the same seed, step, problem and number
        within the group, whatever else is in the batch.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define generate")
