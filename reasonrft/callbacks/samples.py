"""Prompts with all that was answered to them and what that earned, ready to be shown.

P prompts, G completions per prompt.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from PIL import Image

from reasonrft.modules.step_record import StepRecord
from reasonrft.problems import Problem

LARGEST = 512
"""Longest side of a picture that is shown."""


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
    pictures: list[Image.Image]
    completions: list[Completion]


def take_samples(record: StepRecord, count: int) -> list[Sample]:
    """A step's first prompts: which these are, chance has decided."""
    return [_take(record, place) for place in range(min(count, len(record.problems)))]


def _take(record: StepRecord, place: int) -> Sample:
    problem, texts = record.problems[place], record.texts[place]
    completions = [
        Completion(
            text=text,
            tokens=int(record.lengths[place, at]),
            truncated=not bool(record.stopped[place, at]),
            rewards={name: found[place, at].item() for name, found in record.rewards.items()},
            total=record.total[place, at].item(),
            advantage=record.advantages[place, at].item(),
        )
        for at, text in enumerate(texts)
    ]
    pictures = problem.open_images()
    for picture in pictures:
        picture.thumbnail((LARGEST, LARGEST))
    return Sample(record.step, problem, pictures, completions)


def as_markdown(sample: Sample) -> str:
    """A sample as TensorBoard shows texts, with a row for each completion."""
    names = [*sample.completions[0].rewards, "total", "advantage", "tokens", "completion"]
    lines = [
        f"**{literal(sample.problem.id)}**: {literal(sample.problem.question)}",
        "",
        f"Answer: {literal(sample.problem.answer)}",
        "",
        _row(map(literal, names)),
        _row(["---"] * len(names)),
        *(_row(_cells(completion)) for completion in sample.completions),
    ]
    return "\n".join(lines)


def _cells(one: Completion) -> list[str]:
    figures = [f"{value:.2f}" for value in (*one.rewards.values(), one.total)]
    tokens = f"{one.tokens} (truncated)" if one.truncated else str(one.tokens)
    return [*figures, f"{one.advantage:+.2f}", tokens, literal(one.text)]


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def literal(text: str) -> str:
    """Text that neither Markdown nor HTML reads anything into."""
    return "".join(map(_plain, text)).replace("\n", "<br>")


def _plain(char: str) -> str:
    return char if char.isalnum() or char in " \n" else f"&#{ord(char)};"
