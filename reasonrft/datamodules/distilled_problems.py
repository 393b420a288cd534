"""Chains or pairs that were distilled from problems, in the place of those to train on."""

from collections.abc import Sequence

from reasonrft.datamodules.problem_sources import ProblemSource
from reasonrft.problems import Problem
from reasonrft.readers import load_problems


class DistilledProblems(ProblemSource):
    """Trains on files that `distill` has written; the other splits are those of a source."""

    def __init__(self, source: ProblemSource, train: str, image_root: str | None = None) -> None:
        """
        Args:
            source: Whose other splits there are: those of the problems that were distilled.
            train: The file of chains or pairs; several with a colon between them.
            image_root: What paths of images are relative to, if not to their file.
        """
        self.source, self.train, self.image_root = source, train, image_root

    @property
    def splits(self) -> tuple[str, ...]:
        return ("train", *(split for split in self.source.splits if split != "train"))

    def prepare(self, splits: Sequence[str]) -> None:
        self.source.prepare([split for split in splits if split != "train"])

    def at_hand(self, split: str) -> bool:
        return split != "train" and self.source.at_hand(split)

    def problems(self, split: str, task: str | None = None) -> Sequence[Problem]:
        if split != "train":
            return self.source.problems(split, task)
        return load_problems(self.train, None, task, self.image_root)
