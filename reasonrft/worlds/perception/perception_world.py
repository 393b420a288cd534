"""What the perception worlds have in common: a caption, and a question that it answers.

Train and val mix all looks of a task's images, those of its tests out of domain too; each test
shows one look, as the task's world draws it. Scenes are drawn anew: none is a task's.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reasonrft.problems import Problem
from reasonrft.worlds.base import World
from reasonrft.worlds.drawing.light import Effect, apply
from reasonrft.worlds.drawing.png import encode_png
from reasonrft.worlds.perception.cells import Cells

PHOTO_EFFECTS: tuple[Mapping[str, Any], ...] = (
    {"class_path": "RandomLight"},
    {"class_path": "Blur", "init_args": {"radius": (0.0, 0.8)}},
    {"class_path": "SensorNoise", "init_args": {"amount": (0.0, 0.02)}},
    {"class_path": "Compression", "init_args": {"quality": (50, 95)}},
)
"""What takes drawings closer to photographs."""
TINY_PHOTOS: dict[str, Any] = {
    "light": PHOTO_EFFECTS,
    "plain": 0.7,
    "antialias": (1, 1, 1, 2),
}
"""How images of solids are taken in the presets "tiny"."""


def shared(arguments: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Those of a task's arguments that make its images: perception's must look alike."""
    return {name: arguments[name] for name in names if name in arguments}


@dataclass(frozen=True, slots=True)
class Ask:
    """A question that looking answers, and the sentences of the caption that it is about."""

    question: str
    answer: str
    about: tuple[int, ...]
    task: str = "general"
    """Whose prompt asks it: a task's own where the answer looks like that task's answers."""
    choices: tuple[str, ...] = ()
    first: str = ""
    last: str = ""
    """What thoughts say before and after what is seen."""
    marks: tuple[str, ...] = ()
    """What thoughts say of each sentence of the caption, where there is something to say."""


@dataclass(frozen=True, slots=True)
class CaptionedImages:
    """Images, all that is seen in them sentence by sentence, and what may be asked of it."""

    images: tuple[np.ndarray, ...]
    """Empty where the question is to tell what they would show."""
    caption: tuple[str, ...]
    asks: Mapping[str, Sequence[Ask]]
    """By kind of question."""
    cells: tuple[Cells, ...]
    """What the cells of each image show."""
    in_words: Sequence[Ask] = ()
    """Questions that give in words all that they need: what reasoning is made of."""


class PerceptionWorld(World):
    """Images of a task's world with captions for thoughts and perception for questions."""

    looks: ClassVar[tuple[str, ...]]
    """The kinds of images; the tests are called by them."""
    separator: ClassVar[str] = " "
    stop: ClassVar[str] = "."

    def __init__(
        self,
        seed: int,
        light: Sequence[Effect],
        plain: float,
        whole: float,
        mixed: Sequence[str],
        words: float = 0.0,
    ) -> None:
        super().__init__(seed)
        self.mixed = tuple(mixed) or self.looks
        self.light, self.plain, self.whole = tuple(light), plain, whole
        self.words = words
        self.often: Mapping[str, int] = {}
        """Kinds of questions that come up more often than others, and how many times as often."""
        if not all(0 <= share <= 1 for share in (plain, whole, words)):
            raise ValueError("plain, whole and words are shares, from 0 to 1")
        if not set(self.mixed) <= set(self.looks):
            raise ValueError(f"mixed must be looks of {self.task}: {', '.join(self.looks)}")

    def problem(self, split: str, index: int) -> Problem:
        look = split if split in self.looks else self.mixed[index % len(self.mixed)]
        for rng in self.attempts(split, index):
            drawn = self.draw_images(rng, look, split)
            if drawn is not None:
                return self._asked(drawn, look, split, index, rng)
        raise AssertionError("attempts raise when they run out")

    def draw_images(self, rng: random.Random, look: str, split: str) -> CaptionedImages | None:
        """Something to be seen, or None if this attempt did not suit."""
        raise NotImplementedError(f"{type(self).__name__} does not say what there is to see")

    def _asked(
        self, drawn: CaptionedImages, look: str, split: str, index: int, rng: random.Random
    ) -> Problem:
        asks = drawn.asks
        if self.words and drawn.in_words and rng.random() < self.words:
            asks = {"words": drawn.in_words}
        kinds = sorted(kind for kind, some in asks.items() if some)
        (kind,) = rng.choices(kinds, [self.often.get(kind, 1) for kind in kinds])
        ask = rng.choice(asks[kind])
        whole = rng.random() < self.whole or not (ask.about or ask.first or ask.last)
        caption = drawn.caption
        if ask.marks:
            caption = tuple(map(" ".join, zip(caption, ask.marks, strict=True)))
        seen = caption if whole else [caption[i] for i in ask.about]
        sentences = [sentence for sentence in (ask.first, *seen, ask.last) if sentence]
        question = ask.question if drawn.images else f"{self._text(drawn.caption)} {ask.question}"
        return Problem(
            id=f"{self.task}-{split}-{index:06d}",
            task=ask.task,
            images=tuple(
                encode_png(self._with_effects(image, split, rng)) for image in drawn.images
            ),
            question=question,
            answer=ask.answer,
            choices=ask.choices,
            cot=self._text(sentences),
            meta={
                "split": split,
                "look": look,
                "template": kind,
                "whole": whole,
                "cells": drawn.cells,
            },
        )

    def _text(self, sentences: Sequence[str]) -> str:
        return self.separator.join(f"{sentence}{self.stop}" for sentence in sentences)

    def _with_effects(self, image: np.ndarray, split: str, rng: random.Random) -> np.ndarray:
        """An image as it may have been photographed; tests show it as it was drawn."""
        if split in self.looks or rng.random() < self.plain:
            return image
        return apply(self.light, image, rng)
