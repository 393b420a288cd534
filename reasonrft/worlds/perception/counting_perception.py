"""Seeing for counting: each object's place in the grid and its attributes, from left to right."""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, pairwise, permutations
from typing import Any, ClassVar

import numpy as np

from reasonrft.worlds.counting.counting_scenes import draw_scene, framed, render_scene
from reasonrft.worlds.counting.counting_world import (
    CountingWorld,
    attribute_values,
    make_domains,
)
from reasonrft.worlds.counting.questions import MOST
from reasonrft.worlds.counting.vehicles import MOST_DISTRACTORS
from reasonrft.worlds.counting.words import (
    ATTRIBUTES,
    SIDES,
    SYNONYMS,
    Description,
    clear_distance,
    described,
    fits,
    from_left_to_right,
    grid_place,
    plain_plural,
    plural_phrase,
)
from reasonrft.worlds.drawing.light import Effect
from reasonrft.worlds.drawing.scene import COLORS
from reasonrft.worlds.perception.cells import Cells, object_cells
from reasonrft.worlds.perception.perception_world import (
    TINY_PHOTOS,
    Ask,
    CaptionedImages,
    PerceptionWorld,
    shared,
)

_TINY = CountingWorld.presets["tiny"]
_SHARED = (
    "width",
    "height",
    "objects",
    "sizes",
    "colors",
    "materials",
    "clear",
    "distractors",
    "distance",
)
"""Arguments of the task's world: the scenes must look alike."""
MOST_VEHICLES = 7
"""More of them find no room."""

Values = Mapping[str, Sequence[str]]
"""What each attribute may be."""

_TWO_KINDS = 0.3
"""Share of searches for things of either of two kinds."""


class CountingPerception(PerceptionWorld):
    """CLEVR's objects and vehicles."""

    task = "perception-counting"
    looks = ("blocks", "vehicles")
    splits = ("train", "val", *looks)
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "tiny": shared(_TINY, _SHARED) | TINY_PHOTOS,
    }
    levels = tuple(shared(level, _SHARED) for level in CountingWorld.levels)

    def __init__(
        self,
        seed: int = 0,
        width: int = 480,
        height: int = 320,
        antialias: Sequence[int] = (1,),
        objects: tuple[int, int] = (3, MOST),
        sizes: Sequence[str] = ("large", "small"),
        colors: Sequence[str] = tuple(COLORS),
        materials: Sequence[str] = ("rubber", "metal"),
        light: Sequence[Effect] = (),
        plain: float = 0.2,
        whole: float = 0.8,
        text_only: bool = False,
        clear: float = 0.0,
        distractors: int = MOST_DISTRACTORS,
        distance: float = 1.0,
        mixed: Sequence[str] = (),
    ) -> None:
        """
        Args:
            seed: Another seed is another data set.
            width: Width of the images in pixels.
            height: Height of the images in pixels.
            antialias: Rays per pixel along each side, drawn for each image; the first in tests.
            objects: Fewest and most objects of a scene.
            sizes: Sizes of objects: large, small.
            colors: Colours of objects, by CLEVR's names; two at least.
            materials: Materials of objects: rubber, metal.
            light: Effects applied to images of train and val, in this order.
            plain: Share of images of train and val that get no effects.
            whole: Share of chains that describe the whole image, not only what is asked for.
            text_only: Give no images: questions say in words what they would show.
            clear: Share of a grid cell's side that objects' middles keep from its borders.
            distractors: Most parts of a vehicle that have another colour.
            distance: From where vehicles are seen, in distances of CLEVR's camera.
            mixed: Looks that train and val mix; all if none is named.
        """
        super().__init__(seed, light, plain, whole, mixed)
        self.width, self.height, self.antialias = width, height, tuple(antialias)
        self.text_only = text_only
        self.domains = make_domains(clear, distractors, distance)
        # Words are learned from words, which cost less.
        self.often = {"all": 25, "sum": 8} if text_only else {"all": 5, "sum": 2}
        self.values = attribute_values(sizes, colors, materials)
        self.least, self.most = objects
        if not 1 <= self.least <= self.most <= MOST:
            raise ValueError(f"objects must be two numbers from 1 to {MOST}, the smaller one first")

    def draw_images(self, rng: random.Random, look: str, split: str) -> CaptionedImages | None:
        domain = self.domains[look]
        most = max(self.least, min(self.most, MOST_VEHICLES if look == "vehicles" else MOST))
        values = self.values | {"shape": domain.shapes}
        things = [_thing(rng, values) for _ in range(rng.randint(self.least, most))]
        scene = draw_scene(rng, domain, things)
        if scene is None:
            return None
        scene = framed(scene, self.width, self.height)
        images: tuple[np.ndarray, ...] = ()
        cells: tuple[Cells, ...] = ()
        if not self.text_only:
            rays = self.antialias[0] if split in self.looks else rng.choice(self.antialias)
            rendering = render_scene(scene, domain, self.width, self.height, rays)
            sentences = [_sentence(item, scene) for item in scene["objects"]]
            images, cells = (rendering.pixels,), (object_cells(rendering.owners, sentences),)
        items = from_left_to_right(scene["objects"])
        return CaptionedImages(images, caption_of(scene), _asks(items, scene, values, rng), cells)


def caption_of(scene: Mapping[str, Any]) -> tuple[str, ...]:
    """A scene's objects as compact chains name them."""
    return tuple(_sentence(item, scene) for item in from_left_to_right(scene["objects"]))


def _sentence(item: Mapping[str, Any], scene: Mapping[str, Any]) -> str:
    return f"{_place(item, scene)} {_name(described(item))}"


def _thing(rng: random.Random, values: Values) -> Description:
    return {key: rng.choice(values[key]) for key in ATTRIBUTES}


def _place(item: Mapping[str, Any], scene: Mapping[str, Any]) -> str:
    return grid_place(item["pixel_coords"], scene["width"], scene["height"])


def _name(thing: Description) -> str:
    return " ".join(thing[key] for key in ATTRIBUTES)


def _asks(
    items: Sequence[Mapping[str, Any]],
    scene: Mapping[str, Any],
    values: Values,
    rng: random.Random,
) -> dict[str, list[Ask]]:
    """Questions for a number first, then for words."""
    things = [described(item) for item in items]
    places = [_place(item, scene) for item in items]
    known = {i: phrase for i in range(len(items)) if (phrase := _phrase(things, i, (), rng))}
    asks: dict[str, list[Ask]] = {
        "all": list(_searches(things, places, values, rng)),
        "sum": list(_sums(things, rng)),
        "column": [
            Ask(f"In which column is the {phrase}?", places[i][1], (i,), "counting")
            for i, phrase in known.items()
        ],
        "row": [
            Ask(f"In which row is the {phrase}?", places[i][4], (i,), "counting")
            for i, phrase in known.items()
        ],
        "place": [
            Ask(f"What is at {place}?", _name(things[i]), (i,))
            for i, place in enumerate(places)
            if places.count(place) == 1
        ],
        "next": [
            Ask(f"What comes next to the right of the {known[i]}?", _name(things[j]), (i, j))
            for i, j in pairwise(range(len(items)))
            if i in known
        ],
        "relation": list(_relations(items, known, scene["width"])),
    }
    for key in ATTRIBUTES:
        asks[key] = [
            Ask(f"What {key} is the {phrase}?", things[i][key], (i,))
            for i in range(len(items))
            if (phrase := _phrase(things, i, (key,), rng))
        ]
    return asks


def _phrase(
    things: Sequence[Description], index: int, without: Sequence[str], rng: random.Random
) -> str | None:
    """A noun phrase that fits one thing alone, as short as may be or longer."""
    keys = [key for key in ATTRIBUTES if key not in without]
    ways = [
        chosen
        for number in range(1, len(keys) + 1)
        for chosen in combinations(keys, number)
        if sum(fits(thing, {key: things[index][key] for key in chosen}) for thing in things) == 1
    ]
    if not ways:
        return None
    chosen = rng.choice(ways)
    words = [things[index][key] for key in ATTRIBUTES[:-1] if key in chosen]
    words.append(things[index]["shape"] if "shape" in chosen else "object")
    return " ".join(rng.choice(SYNONYMS.get(word, (word,))) for word in words)


def _searches(
    things: Sequence[Description], places: Sequence[str], values: Values, rng: random.Random
) -> Iterator[Ask]:
    """Where all things of one or two kinds are; thoughts say the kinds in plain words first."""
    values = {**values, "shape": [thing["shape"] for thing in things]}
    for thing in (*things, _thing(rng, values)):
        kinds = [_kind(rng, thing)]
        if rng.random() < _TWO_KINDS:
            kinds.append(_kind(rng, rng.choice((*things, _thing(rng, values)))))
        meant = [any(fits(other, kind) for kind in kinds) for other in things]
        about = tuple(i for i, is_meant in enumerate(meant) if is_meant)
        yield Ask(
            f"Where are all {' and all '.join(plural_phrase(rng, kind) for kind in kinds)}?",
            ", ".join(places[i] for i in about) or "none",
            about,
            first=" or ".join(plain_plural(kind) for kind in kinds),
            marks=tuple("yes" if is_meant else "no" for is_meant in meant),
        )


def _kind(rng: random.Random, thing: Description) -> Description:
    """Some of a thing's attributes, mostly one or two."""
    chosen = rng.sample(ATTRIBUTES, rng.choice((0, 1, 1, 1, 2, 2, 2, 3, 4)))
    return {key: thing[key] for key in ATTRIBUTES if key in chosen}


def _sums(things: Sequence[Description], rng: random.Random) -> Iterator[Ask]:
    """What "add" and "subtract" mean, of numbers that are given: a language model knows it."""
    for thing in things:
        phrase = plural_phrase(rng, {key: thing[key] for key in ("color", "shape")})
        more = rng.randint(0, MOST)
        less = rng.randint(0, more)
        first, verb, sign, second = rng.choice(
            [(less, "Add", "+", more - less), (more, "Subtract", "-", less)]
        )
        result = first + second if sign == "+" else first - second
        question = f"{first} {phrase} exist. {verb} {second} {phrase}. How many {phrase} exist?"
        yield Ask(question, str(result), (), "counting", last=f"{first} {sign} {second} = {result}")


def _relations(
    items: Sequence[Mapping[str, Any]], known: Mapping[int, str], width: int
) -> Iterator[Ask]:
    for i, j in permutations(known, 2):
        for side, (axis, way) in SIDES.items():
            apart = way * (items[i]["pixel_coords"][axis] - items[j]["pixel_coords"][axis])
            if abs(apart) >= clear_distance(axis, width):
                about = (min(i, j), max(i, j))
                answer = "yes" if apart > 0 else "no"
                yield Ask(f"Is the {known[i]} {side} the {known[j]}?", answer, about)
