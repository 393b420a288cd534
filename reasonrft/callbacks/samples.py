"""Prompts with all their completions and what these earned, ready to be shown.

P prompts, G completions per prompt.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image

from reasonrft.box_drawing import with_boxes
from reasonrft.modules.step_record import StepRecord
from reasonrft.problems import Problem

LARGEST = 512
"""Longest side of an image that is shown."""


@dataclass(frozen=True)
class Completion:
    """One of a group."""

    text: str
    tokens: int
    truncated: bool
    rewards: Mapping[str, float]
    total: float
    advantage: float


@dataclass(frozen=True)
class Sample:
    """One prompt of a step."""

    step: int
    problem: Problem
    images: list[Image.Image]
    completions: list[Completion]


def take_samples(record: StepRecord, count: int) -> list[Sample]:
    """A step's first prompts: their order is random already."""
    return [_take(record, prompt) for prompt in range(min(count, len(record.problems)))]


def _take(record: StepRecord, prompt: int) -> Sample:
    problem, texts = record.problems[prompt], record.texts[prompt]
    completions = [
        Completion(
            text=text,
            tokens=int(record.lengths[prompt, row]),
            truncated=not bool(record.stopped[prompt, row]),
            rewards={name: value[prompt, row].item() for name, value in record.rewards.items()},
            total=record.total[prompt, row].item(),
            advantage=record.advantages[prompt, row].item(),
        )
        for row, text in enumerate(texts)
    ]
    images = problem.open_images()
    for image in images:
        image.thumbnail((LARGEST, LARGEST))
    return Sample(record.step, problem, with_boxes(problem, images, texts), completions)


def caption(sample: Sample) -> dict[str, str]:
    """What all completions of a sample answer."""
    problem = sample.problem
    return {"id": problem.id, "question": problem.question, "answer": problem.answer}


def columns(sample: Sample) -> list[str]:
    """Names of the cells of `row`."""
    figures = ["total", "advantage", "tokens", "truncated", "completion"]
    return [*sample.completions[0].rewards, *figures]


def row(completion: Completion) -> list[str | float]:
    return [
        *completion.rewards.values(),
        completion.total,
        completion.advantage,
        completion.tokens,
        "yes" if completion.truncated else "no",
        completion.text,
    ]
