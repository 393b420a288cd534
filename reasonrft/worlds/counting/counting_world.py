"""Visual counting: how many objects are left after an imagined addition or subtraction.

Training, validation and the test "id" show CLEVR's scenes with CLEVR-Math's questions. Two tests
each change one thing: "ood-domain" asks the same families of questions about vehicles, and
"ood-operation" asks families that are held out of all other splits about CLEVR's scenes. By default
these are the additions: with them, trained on subtractions alone, answers drop to nearly nothing.
For the tiny model, which then answers hardly any, the preset holds out the multihop questions.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from reasonrft.errors import BadInput
from reasonrft.problems import Problem
from reasonrft.worlds.base import World, belongs, fingerprint
from reasonrft.worlds.counting.clevr_blocks import Blocks
from reasonrft.worlds.counting.counting_chains import write_chain
from reasonrft.worlds.counting.counting_scenes import Domain, draw_scene, framed, render_scene
from reasonrft.worlds.counting.drafts import Draft, Question, Source, fill
from reasonrft.worlds.counting.questions import MOST, TEMPLATES, Family, find_families
from reasonrft.worlds.counting.vehicles import MOST_DISTRACTORS, Vehicles
from reasonrft.worlds.counting.wordings import WORDINGS, Style
from reasonrft.worlds.counting.words import ATTRIBUTES, Description
from reasonrft.worlds.drawing.light import Effect, apply
from reasonrft.worlds.drawing.png import encode_png
from reasonrft.worlds.drawing.scene import COLORS

RESTARTS = 200
"""How often a scene is begun again, with other attributes, before its question is given up."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A question, its answer, a scene, and a seed for what does not matter: wording and light."""

    question: Question
    answer: int
    scene: Mapping[str, Any]
    seed: int

    def randomness(self, use: str) -> random.Random:
        """A source of its own for each use, so that none changes with another's arguments."""
        return random.Random(f"{self.seed}/{use}")


class CountingWorld(World):
    """Counting in CLEVR's scenes, and among vehicles.

    Families take turns, and so do the answers that can come out within each family.
    """

    task = "counting"
    splits = ("train", "val", "id", "ood-domain", "ood-operation")
    evidence_keys = ("scene",)
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "tiny": {
            "width": 144,
            "height": 96,
            "objects": (3, 6),
            "style": "compact",
            "held_out": ("subtraction-multihop",),
            "clear": 0.15,
            "distractors": 0,
            "distance": 0.75,
        }
    }
    levels: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"objects": (2, 3), "sizes": ("large",), "colors": ("red", "blue", "green", "yellow")},
        {"objects": (2, 4), "sizes": ("large",)},
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
        shapes: Sequence[str] = Blocks.shapes,
        families: Sequence[str] = TEMPLATES,
        held_out: Sequence[str] = ("addition",),
        style: Style = "words",
        brief: float = 0.0,
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
            shapes: Shapes of CLEVR's objects; two at least.
            families: Questions asked, by template (addition) or template and number (addition-0).
            held_out: Those of the families that only ood-operation asks.
            style: Chains of thought in natural sentences, or in few distinct words.
            brief: Share of chains that state the tally without going through the objects.
            light: Effects applied to each image, in this order.
            clear: Share of a grid cell's side that objects' middles keep from its borders.
            distractors: Most parts of a vehicle that have another colour.
            distance: From where vehicles are seen, in distances of CLEVR's camera.
        """
        super().__init__(seed)
        self.width, self.height, self.antialias = width, height, antialias
        least, most = objects
        self.objects = least, most
        if not 1 <= least <= most <= MOST:
            raise ValueError(f"objects must be two numbers from 1 to {MOST}, the smaller one first")
        self.values = attribute_values(sizes, colors, materials)
        self.values["shape"] = _subset("shapes", shapes, Blocks.shapes, 2)
        asked = [family for family in find_families(families) if family.answers(*self.objects)]
        held = find_families(held_out)
        self.held_out = [family for family in asked if family in held]
        self.trained = [family for family in asked if family not in held]
        if style not in WORDINGS:
            raise ValueError(f"style is {' or '.join(WORDINGS)}, not {style!r}")
        if not 0 <= brief <= 1:
            raise ValueError(f"brief must be from 0 to 1, not {brief}")
        self.style, self.brief, self.light = style, brief, tuple(light)
        self.domains = make_domains(clear, distractors, distance)

    def problem(self, split: str, index: int) -> Problem:
        family, _ = self.plan(split, index)
        drawn = self.draw(split, index)
        scene = framed(drawn.scene, self.width, self.height)
        rendering = render_scene(scene, self.domain(split), self.width, self.height, self.antialias)
        brief = drawn.randomness("length").random() < self.brief
        words = drawn.randomness("words")
        return Problem(
            id=f"{self.task}-{split}-{index:06d}",
            task=self.task,
            images=(encode_png(apply(self.light, rendering.pixels, drawn.randomness("light"))),),
            question=drawn.question.text,
            answer=str(drawn.answer),
            cot=write_chain(drawn.question, scene, self.style, words, brief),
            meta={
                "split": split,
                "template": family.template,
                "family": family.number,
                "scene": scene,
            },
        )

    def domain(self, split: str) -> Domain:
        """What a split's images show."""
        return self.domains["vehicles" if split == "ood-domain" else "blocks"]

    def plan(self, split: str, index: int) -> tuple[Family, int]:
        """The family of a problem and its answer: decks of both are dealt in turn."""
        families = self.held_out if split == "ood-operation" else self.trained
        if not families:
            raise BadInput(f"no family of questions is left for {split}")
        turn, place = divmod(index, len(families))
        family = families[place]
        answers = list(family.answers(*self.objects))
        block, place = divmod(turn, len(answers))
        random.Random(f"{self.seed}/{split}/{family.name}/{block}").shuffle(answers)
        return family, answers[place]

    def draw(self, split: str, index: int) -> Drawn:
        """The question and the scene of a problem, without its image."""
        family, answer = self.plan(split, index)
        domain = self.domain(split)
        values = self.values
        if domain is self.domains["vehicles"]:
            values = values | {"shape": domain.shapes}
        for rng in self.attempts(split, index):
            source = Source(rng, values, self.objects)
            draft = family.draw(source, answer)
            scene = _draw_scene(source, draft, domain, split)
            if scene is not None:
                return Drawn(draft.question, answer, scene, rng.getrandbits(64))
        raise AssertionError("attempts raise when they run out")

    def evidence(self, problem: Problem, image_files: list[str]) -> dict[str, Any]:
        """The scene graph, as CLEVR writes it."""
        return {"image_filename": image_files[0], **problem.meta["scene"]}


def make_domains(clear: float, distractors: int, distance: float) -> dict[str, Domain]:
    """CLEVR's objects and vehicles, placed, painted and seen like this."""
    if not 0 <= clear < 0.4:
        raise ValueError(f"clear must be from 0 to less than 0.4, not {clear}")
    if not 0 <= distractors <= MOST_DISTRACTORS:
        raise ValueError(f"distractors must be from 0 to {MOST_DISTRACTORS}, not {distractors}")
    if not 0.5 <= distance <= 1:
        raise ValueError(f"distance must be from 0.5 to 1, not {distance}")
    return {"blocks": Blocks(clear), "vehicles": Vehicles(clear, distractors, distance)}


def _draw_scene(source: Source, draft: Draft, domain: Domain, split: str) -> dict[str, Any] | None:
    """A scene for a question; what costs most comes last."""
    for _ in range(RESTARTS):
        things = fill(source, draft)
        if things is None or not belongs(content_mark(things, draft.question.text), split):
            continue
        scene = draw_scene(source.rng, domain, things)
        if scene is not None:
            return scene
    return None


def content_mark(things: Sequence[Description], question: str) -> int:
    """The fingerprint of what a scene holds, wherever it stands, and of the question."""
    held = sorted(tuple(thing[key] for key in ATTRIBUTES) for thing in things)
    return fingerprint("counting", held, question)


def attribute_values(
    sizes: Sequence[str], colors: Sequence[str], materials: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """What the attributes may be, but for the shape, which depends on the domain."""
    return {
        "size": _subset("sizes", sizes, ("large", "small"), 1),
        "color": _subset("colors", colors, tuple(COLORS), 2),
        "material": _subset("materials", materials, ("rubber", "metal"), 1),
    }


def _subset(name: str, given: Sequence[str], known: Sequence[str], least: int) -> tuple[str, ...]:
    """The given ones of the known values of an attribute, if they are enough."""
    if strange := [value for value in given if value not in known]:
        raise ValueError(f"{name} are {', '.join(known)}, not {strange[0]!r}")
    if len(set(given)) < least:
        raise ValueError(f"at least {least} {name} are needed")
    return tuple(value for value in known if value in given)
