"""All problems of a split, each sampled several times, and as often without its images."""

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from reasonrft.datamodules import TaskDataModule
from reasonrft.datamodules.encode_batch import Asking
from reasonrft.distillation.choose_chains import Sample, Sampled, is_right
from reasonrft.distillation.sample_file import SampleFile, Samples
from reasonrft.distillation.samplers import Sampler
from reasonrft.durations import spoken
from reasonrft.evaluation.answers import prompt_key
from reasonrft.evaluation.image_modes import without_images
from reasonrft.problems import Problem

_SILENCE = 15.0
"""Seconds between two lines on how far it is."""


class ProblemSampler:
    """Samples what is not on file yet, some problems at a time, always the same ones together."""

    def __init__(
        self,
        sampler: Sampler,
        data: TaskDataModule,
        split: str,
        samples: int,
        seed: int,
        blind: bool,
    ) -> None:
        """
        Args:
            sampler: Who samples.
            data: Whose problems are sampled, `batch_size` of them at the same time.
            split: Which of its splits.
            samples: How often each problem is sampled.
            seed: Another seed is other samples.
            blind: Sample as often without the images.
        """
        self.sampler, self.data, self.split = sampler, data, split
        self.samples, self.seed, self.blind = samples, seed, blind
        self.asking = Asking(data.common_task, "cot")
        self.too_long: list[Problem] = []

    @property
    def settings(self) -> dict[str, object]:
        """All that samples depend on but their prompts."""
        given = {"split": self.split, "samples": self.samples, "seed": self.seed}
        # What is sampled together may differ in its last bits from what is sampled alone.
        return self.sampler.identity | given | {"blind": self.blind, "batch": self.data.batch_size}

    def sample_all(self, path: Path) -> list[Sampled]:
        """The samples of all problems, in their order; `path` holds what is sampled by now."""
        problems = self._short_enough(self.data.read_alone(self.split))
        file = SampleFile(path, self.settings)
        size = self.data.batch_size
        batches = [problems[at : at + size] for at in range(0, len(problems), size)]
        keys = [[self._key(problem) for problem in batch] for batch in batches]
        missing = [at for at, own in enumerate(keys) if not file.known.keys() >= set(own)]
        with self.sampler.ready():
            for at in _told(missing, len(batches), len(problems)):
                ids = [problem.id for problem in batches[at]]
                file.add(keys[at], ids, self._sample(batches[at]))
        pairs = zip(batches, keys, strict=True)
        return [
            self._judged(problem, file.known[key])
            for batch, own in pairs
            for problem, key in zip(batch, own, strict=True)
        ]

    def _short_enough(self, problems: Sequence[Problem]) -> list[Problem]:
        """Those whose prompts are within the datamodule's limit; nothing is truncated."""
        fitting: list[Problem] = []
        for problem in problems:
            long = self.sampler.length(problem, self.asking.prompt(problem)) > self.data.max_tokens
            (self.too_long if long else fitting).append(problem)
        return fitting

    def _key(self, problem: Problem) -> str:
        return prompt_key(self.split, problem, self.asking.prompt(problem), self.samples)

    def _sample(self, problems: Sequence[Problem]) -> list[Samples]:
        own = self._ask(problems, str(self.seed))
        results: list[Samples] = [{"own": samples} for samples in own]
        if self.blind:
            seeing = [at for at, problem in enumerate(problems) if problem.images]
            hidden = [without_images(problems[at]) for at in seeing]
            answers = self._ask(hidden, f"{self.seed}/blind") if hidden else []
            for at, samples in zip(seeing, answers, strict=True):
                results[at]["blind"] = samples
        return results

    def _ask(self, problems: Sequence[Problem], seed: str) -> list[list[Sample]]:
        texts = [self.asking.prompt(problem) for problem in problems]
        return self.sampler.sample(problems, texts, self.samples, seed)

    def _judged(self, problem: Problem, samples: Samples) -> Sampled:
        judge = self.data.common_task
        right = [is_right(problem, sample, judge) for sample in samples["own"]]
        if "blind" not in samples:
            return Sampled(problem, samples["own"], right)
        blind = [is_right(problem, sample, judge) for sample in samples["blind"]]
        return Sampled(problem, samples["own"], right, blind)


def _told(missing: Sequence[int], batches: int, problems: int) -> Iterator[int]:
    """The numbers of batches to sample; now and then a line says how far that is."""
    begun = said = time.monotonic()
    if done := batches - len(missing):
        print(f"{done} of {batches} batches are on file", file=sys.stderr, flush=True)
    for number, at in enumerate(missing):
        if number and time.monotonic() - said > _SILENCE:
            said = time.monotonic()
            left = spoken((said - begun) / number * (len(missing) - number))
            share = (done + number) * problems // batches
            told = f"{share:,} of {problems:,} problems are sampled; about {left} left"
            print(told, file=sys.stderr, flush=True)
        yield at
