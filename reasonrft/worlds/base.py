"""What a world is, and how it draws at random.

A problem is a pure function of (seed, split, index): no state is kept between problems, and the
same triple gives the same bytes on every machine and with any number of workers. So randomness
comes from `random.Random`, whose streams are the same everywhere, and a problem that does not suit
is drawn again under the next attempt.
"""

import hashlib
import random
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from reasonrft.problems import Problem

MAX_ATTEMPTS = 10_000


class World:
    """One task's problems; subclasses hold the knobs of difficulty as typed arguments."""

    task: ClassVar[str]
    splits: ClassVar[tuple[str, ...]]
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Named settings of the knobs."""
    evidence_keys: ClassVar[tuple[str, ...]] = ()
    """Keys of meta that `evidence` says in a file of its own."""

    def __init__(self, seed: int = 0) -> None:
        """
        Args:
            seed: Another seed is another data set.
        """
        self.seed = seed

    def problem(self, split: str, index: int) -> Problem:
        """The problem with this index, with its pictures as PNG bytes."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its problems are")

    def evidence(self, problem: Problem, pictures: list[str]) -> dict[str, Any] | None:
        """A scene graph or states that readers derive the answer again from, if there are any."""
        return None

    def attempts(self, split: str, index: int) -> Iterator[random.Random]:
        """Sources of randomness for one problem: one for each attempt to draw it."""
        for attempt in range(MAX_ATTEMPTS):
            yield random.Random(f"{self.task}/{self.seed}/{split}/{index}/{attempt}")
        raise RuntimeError(
            f"no {split} problem {index} of the {self.task} world in {MAX_ATTEMPTS} attempts: "
            "its knobs leave too little room"
        )


def fingerprint(*parts: object) -> int:
    """A number that stands for a scene and a question, whatever the picture looks like."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big")


def belongs(mark: int, split: str) -> bool:
    """Whether a scene and question with this fingerprint may be in this split.

    Each fingerprint belongs to training, to validation or to the tests alone, so that no problem of
    one can be in another.
    """
    share = mark % 10
    return share < 7 if split == "train" else share == 7 if split == "val" else share > 7
