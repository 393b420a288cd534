"""What a world is, and how it draws at random.

A problem is a pure function of (seed, split, index): no state is kept between problems, and the
same triple gives the same texts and pixels on every machine and with any number of workers (the
bytes of a PNG file also depend on zlib's version). Therefore randomness comes from `random.Random`,
whose streams are the same everywhere. A problem that breaks a rule is drawn again with the seed of
the next attempt.
"""

import hashlib
import random
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from reasonrft.problems import Problem

MAX_ATTEMPTS = 10_000


class World:
    """One task's problems; the arguments of subclasses set their difficulty and size."""

    task: ClassVar[str]
    splits: ClassVar[tuple[str, ...]]
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Named sets of arguments."""
    levels: ClassVar[tuple[Mapping[str, Any], ...]] = ()
    """Arguments over a preset's, from the easiest level to the last, which is the preset itself."""
    evidence_keys: ClassVar[tuple[str, ...]] = ()
    """Keys of meta that `data build` writes to a separate file, as `evidence` returns them."""

    def __init__(self, seed: int = 0) -> None:
        """
        Args:
            seed: Another seed is another data set.
        """
        self.seed = seed

    def problem(self, split: str, index: int) -> Problem:
        """The problem with this index, with its images as PNG bytes."""
        raise NotImplementedError(f"{type(self).__name__} must implement problem")

    def evidence(self, problem: Problem, image_files: list[str]) -> dict[str, Any] | None:
        """A scene graph or states from which `data validate` derives the answer again, or None."""
        return None

    def attempts(self, split: str, index: int) -> Iterator[random.Random]:
        """Random generators for one problem, one per attempt to draw it."""
        for attempt in range(MAX_ATTEMPTS):
            yield random.Random(f"{self.task}/{self.seed}/{split}/{index}/{attempt}")
        raise RuntimeError(
            f"no {split} problem {index} of the {self.task} world in {MAX_ATTEMPTS} attempts: "
            "its arguments leave too little room"
        )


def fingerprint(*parts: object) -> int:
    """A number that identifies a scene and its question, independent of how it is rendered."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big")


def belongs(mark: int, split: str) -> bool:
    """Whether a scene and question with this fingerprint may be in this split.

    Each fingerprint belongs to training, to validation or to the tests, so that they never share a
    problem.
    """
    share = mark % 10
    return share < 7 if split == "train" else share == 7 if split == "val" else share > 7
