"""Seeing for transformation: what stands in which cell of the stage, in both images.

The images show two states that have nothing to do with each other, so that there is nothing to
compare. Objects of the first image have numbers, as a task's questions list them.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from reasonrft.oracles.state_changes import Item, State
from reasonrft.oracles.state_records import Sample, question_of
from reasonrft.trance_calls import VALUES
from reasonrft.worlds.base import belongs
from reasonrft.worlds.drawing.light import Effect
from reasonrft.worlds.drawing.renderer import Rendering
from reasonrft.worlds.perception.cells import object_cells
from reasonrft.worlds.perception.perception_world import (
    TINY_PHOTOS,
    Ask,
    CaptionedImages,
    PerceptionWorld,
    shared,
)
from reasonrft.worlds.transformation.state_sampling import SIZES, draw_state
from reasonrft.worlds.transformation.trance_records import scene_mark
from reasonrft.worlds.transformation.trance_scenes import Shot, draw_scene
from reasonrft.worlds.transformation.transformation_chains import SEEN, cell, name_of
from reasonrft.worlds.transformation.transformation_world import (
    TransformationWorld,
    checked_clear,
    checked_sizes,
)

_TINY = TransformationWorld.presets["tiny"]
_SHARED = ("width", "height", "clear", "sizes")
"""Arguments of the task's world: the scenes must look alike."""
_DIRECTIONS = (
    ("front_left", "front", "front_right"),
    ("left", "", "right"),
    ("behind_left", "behind", "behind_right"),
)
"""From the middle of the stage, where front is away from the viewer."""


class TransformationPerception(PerceptionWorld):
    """TRANCE's stage from the centre, and from the centre or a side."""

    task = "perception-transformation"
    looks = ("center", "left", "right")
    splits = ("train", "val", *looks)
    separator, stop = "\n", ""
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "tiny": shared(_TINY, _SHARED) | TINY_PHOTOS | {"visible": (2, 5)},
    }
    levels = tuple(shared(level, (*_SHARED, "visible")) for level in TransformationWorld.levels)

    def __init__(
        self,
        seed: int = 0,
        width: int = 320,
        height: int = 240,
        antialias: Sequence[int] = (1,),
        visible: tuple[int, int] = (1, 10),
        light: Sequence[Effect] = (),
        plain: float = 0.2,
        whole: float = 0.8,
        clear: float = 0.0,
        sizes: Sequence[str] = SIZES,
        listed: float = 0.25,
        mixed: Sequence[str] = (),
        words: float = 0.0,
    ) -> None:
        """
        Args:
            seed: Another seed is another data set.
            width: Width of the images in pixels.
            height: Height of the images in pixels.
            antialias: Rays per pixel along each side, drawn for each image; the first in tests.
            visible: Fewest and most objects on the stage.
            light: Effects applied to images of train and val, in this order.
            plain: Share of images of train and val that get no effects.
            whole: Share of chains that describe the whole image, not only what is asked for.
            clear: Share of a cell's side that objects keep from the borders of rows and columns.
            sizes: Sizes of objects: small, medium, large; two at least.
            listed: Share of problems that list the first image's objects, as the task's own do.
            mixed: Looks that train and val mix; all if none is named.
            words: Share of questions that say in words what became of an object, to be compared.
        """
        super().__init__(seed, light, plain, whole, mixed, words)
        self.width, self.height, self.antialias = width, height, tuple(antialias)
        self.visible, self.clear, self.listed = visible, checked_clear(clear), listed
        self.sizes = checked_sizes(sizes)
        if not 1 <= visible[0] <= visible[1] <= 10:
            raise ValueError("visible must be two numbers from 1 to 10, the smaller one first")
        if not 0 <= listed <= 1:
            raise ValueError("listed is a share, from 0 to 1")

    def draw_images(self, rng: random.Random, look: str, split: str) -> CaptionedImages | None:
        states = [
            draw_state(rng, rng.randint(*self.visible), 0, self.clear, self.sizes) for _ in range(2)
        ]
        first, second = states
        home = split if split in ("train", "val") else "id"
        if first is None or second is None or not belongs(scene_mark(first), home):
            return None
        shots = (_shot(rng, first, "center"), _shot(rng, second, look))
        if not all(shot.shows_all() for shot in shots):
            return None
        renderings = [self._draw(shot, split, rng) for shot in shots]
        listed = rng.random() < self.listed
        before, after = _scanned(first), _scanned(second)
        if listed:
            begin = [f"{i} {name_of(item)} {_place(item)}" for i, item in enumerate(first)]
        else:
            begin = [f"{_place(item)} {name_of(item)}" for item in before]
        caption = [
            "first",
            *begin,
            "second",
            *(f"{_place(item)} {name_of(item)}" for item in after),
        ]
        if listed:
            asks = _listed_asks(first)
        else:
            asks = _asks(before, "first", 1) | _asks(after, "second", len(begin) + 2)
        cells = tuple(
            object_cells(
                rendering.owners, [f"{_place(item)} {name_of(item)}" for item in shot.state]
            )
            for rendering, shot in zip(renderings, shots, strict=True)
        )
        return CaptionedImages(
            tuple(rendering.pixels for rendering in renderings),
            tuple(caption),
            asks,
            cells,
            tuple(_comparisons(first, self.sizes, rng)) if self.words else (),
        )

    def _draw(self, shot: Shot, split: str, rng: random.Random) -> Rendering:
        rays = self.antialias[0] if split in self.looks else rng.choice(self.antialias)
        return shot.draw(self.width, self.height, rays)


def _shot(rng: random.Random, state: State, view: str) -> Shot:
    """A photograph of a state: a sample in which nothing happens."""
    return draw_scene(rng, Sample(state, state, ())).last[view]


def _scanned(state: State) -> list[Item]:
    """From far to near, then from left to right."""
    return sorted(state, key=lambda item: (*cell(item), item.position))


def _place(item: Item) -> str:
    return "r{} c{}".format(*cell(item))


def _asks(items: Sequence[Item], image: str, start: int) -> dict[str, list[Ask]]:
    """Questions about one image for words and numbers; its sentences start here."""
    names, places = [name_of(item) for item in items], [_place(item) for item in items]
    asks: dict[str, list[Ask]] = {
        f"{image} place": [
            Ask(f"What is at {place} in the {image} picture?", names[i], (start + i,))
            for i, place in enumerate(places)
            if places.count(place) == 1
        ]
    }
    for at, axis in enumerate(("row", "column")):
        asks[f"{image} {axis}"] = [
            Ask(
                f"In which {axis} of the {image} picture is the {name}?",
                str(cell(items[i])[at]),
                (start + i,),
            )
            for i, name in enumerate(names)
        ]
    for key in SEEN:
        asks[f"{image} {key}"] = [
            Ask(
                f"What {key} is the object at {place} in the {image} picture?",
                getattr(items[i], key),
                (start + i,),
            )
            for i, place in enumerate(places)
            if places.count(place) == 1
        ]
    return asks


def _listed_asks(state: State) -> dict[str, list[Ask]]:
    """Questions about listed objects, whose answers are written as a task's answers are."""
    intro = question_of(state)
    asks: dict[str, list[Ask]] = {
        "row": [
            Ask(f"{intro} In which row is object {i}?", str(cell(item)[0]), (1 + i,))
            for i, item in enumerate(state)
        ],
        "side": [
            Ask(
                f"{intro} Where on the stage is object {i}? Write it as a call.",
                f"change_position({i}, {side})",
                (1 + i,),
                "transformation",
            )
            for i, item in enumerate(state)
            if (side := _side(item))
        ],
        "call": [
            Ask(
                f"{intro} Which {key} has object {i}? Write it as a call.",
                f"change_{key}({i}, {getattr(item, key)})",
                (1 + i,),
                "transformation",
            )
            for i, item in enumerate(state)
            for key in SEEN
        ],
    }
    return asks


def _comparisons(state: State, sizes: Sequence[str], rng: random.Random) -> Iterator[Ask]:
    """What became of each listed object, in words, and which calls that is."""
    intro = question_of(state)
    for number, item in enumerate(state):
        changed = rng.sample(SEEN, rng.choice((0, 1, 1, 1, 2)))
        values: dict[str, Any] = {
            key: rng.choice([value for value in _values(key, sizes) if value != getattr(item, key)])
            for key in SEEN
            if key in changed
        }
        after = replace(item, **values)
        said = " ".join(f"{key} {values.get(key, 'same')}" for key in SEEN)
        calls = ", ".join(f"change_{key}({number}, {value})" for key, value in values.items())
        yield Ask(
            f"{intro} Object {number} is now {name_of(after)}. What is that? Write it as a call.",
            calls or "none",
            (),
            "transformation" if calls else "general",
            first=f"{name_of(item)} ; {name_of(after)}",
            last=f"{said} ; add {calls or 'none'}",
        )


def _values(key: str, sizes: Sequence[str]) -> Sequence[str]:
    return sizes if key == "size" else VALUES[f"change_{key}"]


def _side(item: Item) -> str:
    row, column = cell(item)
    return _DIRECTIONS[(row > 1) + (row > 2)][(column > 1) + (column > 2)]
