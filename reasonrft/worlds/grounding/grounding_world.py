"""Grounding: the boxes of the objects that a question means.

Scenes are counting's. The renderer says which object each pixel shows: a box is the extent of an
object's pixels, as far as others leave it to be seen. Training, validation and the test "id" name
objects by one attribute. Two tests each change one thing: "ood-domain" shows vehicles, and
"ood-reference" means objects in ways that no other split has: by two attributes of which neither is
enough, or by what they are beside.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reasonrft.problems import Problem
from reasonrft.tasks.box_answers import Box, write_boxes
from reasonrft.worlds.base import World, belongs, fingerprint
from reasonrft.worlds.counting.counting_scenes import Domain, draw_scene, framed, render_scene
from reasonrft.worlds.counting.counting_world import (
    RESTARTS,
    CountingWorld,
    attribute_values,
    make_domains,
)
from reasonrft.worlds.counting.drafts import Source, fill
from reasonrft.worlds.counting.questions import MOST
from reasonrft.worlds.counting.vehicles import MOST_DISTRACTORS
from reasonrft.worlds.counting.wordings import Style
from reasonrft.worlds.counting.words import ATTRIBUTES, described, from_left_to_right
from reasonrft.worlds.drawing.light import Effect, apply
from reasonrft.worlds.drawing.png import encode_png
from reasonrft.worlds.drawing.scene import COLORS
from reasonrft.worlds.grounding.grounding_chains import write_chain
from reasonrft.worlds.grounding.references import FAMILIES, Reference

_TINY = CountingWorld.presets["tiny"]
_SHARED = ("width", "height", "objects", "style", "clear", "distractors", "distance")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A question with the scene that it is asked of, and a seed for what does not matter."""

    reference: Reference
    scene: Mapping[str, Any]
    meant: Sequence[int]
    """Indices of the scene's objects, from left to right in the image."""
    seed: int


class GroundingWorld(World):
    """Boxes in CLEVR's scenes, and among vehicles. Families of references take turns."""

    task = "grounding"
    splits = ("train", "val", "id", "ood-domain", "ood-reference")
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "tiny": {name: _TINY[name] for name in _SHARED} | {"step": 5}
    }
    levels: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {
            "objects": (2, 3),
            "sizes": ("large",),
            "colors": ("red", "blue", "green", "yellow"),
            "families": ("one",),
        },
        {"objects": (2, 4), "sizes": ("large",), "families": ("one",)},
        {"objects": (3, 5)},
        {},
    )

    def __init__(
        self,
        seed: int = 0,
        width: int = 480,
        height: int = 320,
        antialias: int = 1,
        objects: tuple[int, int] = (3, MOST),
        sizes: Sequence[str] = ("large", "small"),
        colors: Sequence[str] = tuple(COLORS),
        materials: Sequence[str] = ("rubber", "metal"),
        families: Sequence[str] = ("one", "all"),
        held_out: Sequence[str] = ("pair", "relation"),
        style: Style = "words",
        step: int = 1,
        light: Sequence[Effect] = (),
        clear: float = 0.0,
        distractors: int = MOST_DISTRACTORS,
        distance: float = 1.0,
    ) -> None:
        """
        Args:
            seed: Another seed is another data set.
            width: Width of the images in pixels.
            height: Height of the images in pixels.
            antialias: Rays per pixel along each side.
            objects: Fewest and most objects of a scene.
            sizes: Sizes of objects: large, small.
            colors: Colours of objects, by CLEVR's names; two at least.
            materials: Materials of objects: rubber, metal.
            families: References asked: one (by an attribute), all (several, or none), pair (by two
                attributes), relation (by what it is beside).
            held_out: Those that only ood-reference asks.
            style: Chains of thought in natural sentences, or in few distinct words.
            step: Pixels to whose multiples the sides of boxes are rounded.
            light: Effects applied to each image, in this order.
            clear: Share of a grid cell's side that objects' middles keep from its borders.
            distractors: Most parts of a vehicle that have another colour.
            distance: From where vehicles are seen, in distances of CLEVR's camera.
        """
        super().__init__(seed)
        self.width, self.height, self.antialias = width, height, antialias
        least, most = objects
        if not 2 <= least <= most <= MOST or most < 3:
            raise ValueError(f"objects must be two numbers from 2 to {MOST}, the second 3 at least")
        self.objects = least, most
        self.values = attribute_values(sizes, colors, materials)
        self.families, self.held_out = _known(families), _known(held_out)
        if not 1 <= step <= min(width, height) // 4:
            raise ValueError(f"step must be from 1 to a fourth of the image's side, not {step}")
        self.style, self.step, self.light = style, step, tuple(light)
        self.domains = make_domains(clear, distractors, distance)

    def problem(self, split: str, index: int) -> Problem:
        family, count = self.plan(split, index)
        drawn = self.draw(split, index)
        rendering = render_scene(
            drawn.scene, self.domain(split), self.width, self.height, self.antialias
        )
        light = random.Random(f"{drawn.seed}/light")
        boxes = [
            self.box(rendering.owners, index, described(drawn.scene["objects"][index])["shape"])
            for index in drawn.meant
        ]
        return Problem(
            id=f"{self.task}-{split}-{index:06d}",
            task=self.task,
            images=(encode_png(apply(self.light, rendering.pixels, light)),),
            question=drawn.reference.draft.question.text,
            answer=write_boxes(boxes),
            cot=write_chain(drawn.reference.plain, drawn.scene, drawn.meant, self.style),
            meta={"split": split, "template": family, "boxes": count},
        )

    def box(self, owners: np.ndarray, owner: int, label: str) -> Box:  # (H, W)
        """The extent of an object's pixels, from edge to edge, in steps."""
        rows, columns = np.nonzero(owners == owner)
        edges = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        x1, y1, x2, y2 = (round(int(edge) / self.step) * self.step for edge in edges)
        return Box((x1, y1, max(x2, x1 + self.step), max(y2, y1 + self.step)), label)

    def domain(self, split: str) -> Domain:
        """What a split's images show."""
        return self.domains["vehicles" if split == "ood-domain" else "blocks"]

    def plan(self, split: str, index: int) -> tuple[str, int]:
        """The family of a problem, and how many objects it means: decks of both are dealt."""
        families = self.held_out if split == "ood-reference" else self.families
        turn, place = divmod(index, len(families))
        family = families[place]
        counts = list(FAMILIES[family][1])
        block, place = divmod(turn, len(counts))
        random.Random(f"{self.seed}/{split}/{family}/{block}").shuffle(counts)
        return family, counts[place]

    def draw(self, split: str, index: int) -> Drawn:
        """The question and the scene of a problem, without its image."""
        family, count = self.plan(split, index)
        domain = self.domain(split)
        values = self.values | {"shape": domain.shapes}
        for rng in self.attempts(split, index):
            source = Source(rng, values, self.objects)
            reference = FAMILIES[family][0](source, count)
            found = self._draw_scene(source, reference, domain, split)
            if found is not None:
                return Drawn(reference, *found, rng.getrandbits(64))
        raise AssertionError("attempts raise when they run out")

    def _draw_scene(
        self, source: Source, reference: Reference, domain: Domain, split: str
    ) -> tuple[dict[str, Any], list[int]] | None:
        """A scene in which it is beyond doubt what is meant, and that; what costs most is last."""
        for _ in range(RESTARTS):
            things = fill(source, reference.draft)
            if things is None:
                continue
            held = sorted(tuple(thing[key] for key in ATTRIBUTES) for thing in things)
            if not belongs(fingerprint(self.task, held, reference.draft.question.text), split):
                continue
            scene = draw_scene(source.rng, domain, things)
            if scene is None:
                continue
            scene = framed(scene, self.width, self.height)
            if (meant := reference.meant(scene)) is not None:
                order = [id(item) for item in from_left_to_right(scene["objects"])]
                return scene, sorted(meant, key=lambda i: order.index(id(scene["objects"][i])))
        return None


def _known(families: Sequence[str]) -> tuple[str, ...]:
    if not families or (strange := [name for name in families if name not in FAMILIES]):
        given = strange[0] if families else "none"
        raise ValueError(f"families are {', '.join(FAMILIES)}, not {given}")
    return tuple(families)
