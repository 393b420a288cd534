"""Which samples of a problem are learned from: right, then short, then unlike each other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reasonrft.errors import BadInput, check_at_least
from reasonrft.problems import Problem
from reasonrft.tasks import Task, find_task
from reasonrft.tasks.tags import ANSWER, END_ANSWER, END_THINK, THINK, read_response

_TAGS = (THINK, END_THINK, ANSWER, END_ANSWER)
_WORDS = 3
"""Words in a row that two chains are compared by."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One sampled answer."""

    text: str
    tokens: int
    stopped: bool
    """Whether it ended by itself, instead of at the limit of tokens."""


@dataclass(frozen=True)
class Sampled:
    """The samples of one problem."""

    problem: Problem
    samples: Sequence[Sample]
    right: Sequence[bool]
    """Which of them are right, as strict accuracy has it."""
    blind: Sequence[bool] | None = None
    """Which of as many answers without the images are right; None where none were sampled."""

    @property
    def pass_rate(self) -> float:
        return sum(self.right) / len(self.right)

    @property
    def lucky(self) -> bool:
        """Whether it is answered rightly, and without its images at least as often."""
        return self.blind is not None and 0 < sum(self.right) <= sum(self.blind)

    @property
    def right_blind(self) -> bool:
        """Whether any answer without the images is right."""
        return any(self.blind or ())


@dataclass(frozen=True)
class Choice:
    """What is kept of the right samples.

    Args:
        keep: Most chains of a problem.
        shortest: The share of a problem's right samples, the shortest ones, to choose from.
        longest: Most tokens of a chain; no limit if None.
        similar: Similarity from which on a chain is as good as the same as one that is kept.
        lucky: What is left out: nothing, problems that are right without their images "as-often",
            or "any" that are at all.
    """

    keep: int = 2
    shortest: float = 0.5
    longest: int | None = None
    similar: float = 0.8
    lucky: str | None = None

    def __post_init__(self) -> None:
        check_at_least(1, keep=self.keep, longest=self.longest)
        for name in ("shortest", "similar"):
            if not 0 < (value := getattr(self, name)) <= 1:
                raise BadInput(f"{name} is a share above 0 and at most 1, not {value}")

    def leaves_out(self, sampled: Sampled) -> bool:
        """Whether a problem is left out because it is right by luck."""
        if self.lucky is None:
            return False
        return sampled.lucky if self.lucky == "as-often" else sampled.right_blind

    def chains(self, sampled: Sampled) -> list[int]:
        """The numbers of the samples that are kept, the shortest first."""
        if self.leaves_out(sampled):
            return []
        kept: list[int] = []
        for number in self._short(sampled):
            words = _runs(thought_of(sampled.samples[number]))
            others = (_runs(thought_of(sampled.samples[other])) for other in kept)
            if all(similarity(words, other) < self.similar for other in others):
                kept.append(number)
        return kept[: self.keep]

    def pairs(self, sampled: Sampled) -> list[tuple[int, int]]:
        """Each kept sample with a wrong one: of those that are left, the one nearest in length.

        What differs in length alone would teach length.
        """
        samples = sampled.samples
        wrong = {
            sample.text: number
            for number, sample in reversed([*enumerate(samples)])
            if not sampled.right[number] and sample.stopped and sample.text.strip()
        }
        left, pairs = sorted(wrong.values()), []
        for number in self.chains(sampled):
            if not left:
                break
            near = min(left, key=lambda other: abs(samples[other].tokens - samples[number].tokens))
            left.remove(near)
            pairs.append((number, near))
        return pairs

    def _short(self, sampled: Sampled) -> list[int]:
        """The shortest of the right samples that hold a chain of thought, at least one of them."""
        samples = sampled.samples
        usable = [number for number, right in enumerate(sampled.right) if right]
        usable = [number for number in usable if thought_of(samples[number])]
        usable.sort(key=lambda number: (samples[number].tokens, number))
        short = usable[: max(1, math.floor(self.shortest * len(usable)))]
        return [n for n in short if self.longest is None or samples[n].tokens <= self.longest]


def thought_of(sample: Sample) -> str:
    """A sample's chain of thought; nothing where there is none that can be learned."""
    response = read_response(sample.text)
    thought = response.thought.strip()
    nested = any(tag in thought.lower() for tag in _TAGS)
    return "" if nested or not sample.stopped else thought


def is_right(problem: Problem, sample: Sample, task: Task | None = None) -> bool:
    """Whether a sample commits to the right answer, and ended by itself."""
    task = task or find_task(problem.task)
    return sample.stopped and task.accuracy(sample.text, problem) == 1


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """The share of runs of words that two chains have in common (Jaccard's index)."""
    return len(one & other) / len(one | other) if one | other else 1.0


def _runs(text: str) -> frozenset[str]:
    """All runs of three words; a shorter text is one run."""
    words = text.lower().split()
    starts = range(max(1, len(words) - _WORDS + 1))
    return frozenset(" ".join(words[start : start + _WORDS]) for start in starts)
