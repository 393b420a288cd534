"""Problems without their images, or with another problem's: how much is seen, how much guessed."""

import hashlib
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from reasonrft.errors import BadInput
from reasonrft.problems import IMAGE_TAG, Problem

ImageMode = Literal["own", "blind", "swapped"]
"""Problems as they are, without any image, or with as many images of another problem."""
ALTERED: tuple[ImageMode, ...] = ("blind", "swapped")


def in_image_mode(problems: Sequence[Problem], mode: ImageMode, seed: int) -> Sequence[Problem]:
    """Problems in a mode, in their order; those that have no images to alter are left out."""
    if mode == "own":
        return problems
    shown = [problem for problem in problems if problem.images]
    return [without_images(p) for p in shown] if mode == "blind" else swap_images(shown, seed)


def without_images(problem: Problem) -> Problem:
    """The same words without images and their tags."""
    meta = dict(problem.meta)
    if "history" in meta:
        meta["history"] = [[_without_tags(asked), answer] for asked, answer in meta["history"]]
    return replace(
        problem,
        images=(),
        question=_without_tags(problem.question),
        choices=tuple(map(_without_tags, problem.choices)),
        meta=meta,
    )


def _without_tags(text: str) -> str:
    return text.replace(IMAGE_TAG, "")


def swap_images(problems: Sequence[Problem], seed: int) -> list[Problem]:
    """Each problem with the images of another one that has as many, and none in common with it.

    Problems are put into a random order; each takes from the next one that fits. Several questions
    about one image are common, so images are compared by their content.
    """
    order = random.Random(f"{seed}/swap").sample(range(len(problems)), len(problems))
    groups: dict[int, list[int]] = defaultdict(list)
    for index in order:
        groups[len(problems[index].images)].append(index)
    digests = [frozenset(image_digests(problem)) for problem in problems]
    partners: dict[int, int] = {}
    for group in groups.values():
        for position, index in enumerate(group):
            others = group[position + 1 :] + group[:position]
            fitting = (other for other in others if digests[index].isdisjoint(digests[other]))
            if (partner := next(fitting, None)) is not None:
                partners[index] = partner
    return [replace(problems[i], images=problems[partners[i]].images) for i in sorted(partners)]


def image_digests(problem: Problem) -> list[bytes]:
    """A hash of each image's file; `BadInput` about one that cannot be read."""
    return [hashlib.sha256(_content(image, problem)).digest() for image in problem.images]


def _content(image: Path | bytes, problem: Problem) -> bytes:
    if isinstance(image, bytes):
        return image
    try:
        return image.read_bytes()
    except OSError as error:
        raise BadInput(f"problem {problem.id!r}: cannot read {image} ({error.strerror})") from error


def left_out_of(mode: ImageMode, split: str, count: int, kept: int) -> str | None:
    """What is said of problems that a mode leaves out, or nothing."""
    if kept == count:
        return None
    reason = "they have no images"
    if mode == "swapped":
        reason = "no other problem has as many images, all different from theirs"
    number = "all" if kept == 0 else f"{count - kept:,} of {count:,}"
    return f"{mode}: {number} problems of split {split} are left out, for {reason}"
