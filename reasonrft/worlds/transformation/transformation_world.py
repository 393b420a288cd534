"""Spatial transformation by TRANCE's rules: what turned one scene into the other."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from reasonrft.oracles.state_records import answer_of, question_of
from reasonrft.problems import Problem
from reasonrft.worlds.base import World, belongs
from reasonrft.worlds.drawing.light import Effect
from reasonrft.worlds.drawing.light import apply as put_light
from reasonrft.worlds.drawing.png import encode_png
from reasonrft.worlds.transformation.rivals import has_rival
from reasonrft.worlds.transformation.schedule import Plan, Schedule
from reasonrft.worlds.transformation.state_sampling import (
    ORDER,
    SIZES,
    draw_sample,
    draw_state,
)
from reasonrft.worlds.transformation.trance_records import facts, scene_mark, tvr_row
from reasonrft.worlds.transformation.trance_scenes import Scene, Shot, draw_scene
from reasonrft.worlds.transformation.transformation_chains import Style, write_chain

Moves = Literal["inner", "full"]
OBJECTS = 10
"""Objects of a scene in TRANCE, whether they are on the stage or not."""
_VIEWS = {"ood-left": "left", "ood-right": "right"}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A scene, and a seed for what does not matter to it: wording and light."""

    scene: Scene
    seed: int

    def randomness(self, use: str) -> random.Random:
        """A source of its own for each use, so that none changes with another's arguments."""
        return random.Random(f"{self.seed}/{use}")


class TransformationWorld(World):
    """One to four changes between an image from the centre and one from the centre or a side.

    The tests show the same scenes from three sides, so that nothing but the view differs.
    """

    task = "transformation"
    splits = ("train", "val", "id", "ood-left", "ood-right")
    evidence_keys = ("states", "transformations")
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "tiny": {
            "width": 128,
            "height": 96,
            "visible": (2, 4),
            "steps": (1, 2),
            "style": "compact",
            "clear": 0.25,
        }
    }
    levels: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {
            "sizes": ("medium", "large"),
            "visible": (2, 2),
            "steps": (1, 1),
            "attributes": ("shape", "size", "color", "material"),
        },
        {
            "sizes": ("medium", "large"),
            "visible": (2, 3),
            "steps": (1, 2),
            "attributes": ("shape", "size", "color", "material"),
        },
        {"sizes": ("medium", "large"), "visible": (2, 3), "steps": (1, 2)},
        {},
    )

    def __init__(
        self,
        seed: int = 0,
        width: int = 320,
        height: int = 240,
        antialias: int = 1,
        visible: tuple[int, int] = (1, 10),
        steps: tuple[int, int] = (1, 4),
        attributes: Sequence[str] = ORDER,
        sizes: Sequence[str] = SIZES,
        moves: Moves = "inner",
        style: Style = "words",
        light: Sequence[Effect] = (),
        clear: float = 0.0,
    ) -> None:
        """
        Args:
            seed: Another seed is another data set.
            width: Width of the images in pixels.
            height: Height of the images in pixels.
            antialias: Rays per pixel along each side.
            visible: Fewest and most objects on the stage at first.
            steps: Fewest and most changes.
            attributes: What may change: position, shape, size, color, material.
            sizes: Sizes that objects have, before and after: small, medium, large; two at least.
            moves: Moves on the stage alone, or TVR's rules in full: ten objects, moves onto the
                stage and off it, attributes that change twice.
            style: Chains of thought in natural sentences, or in few distinct words.
            light: Effects applied to each image, in this order.
            clear: Share of a cell's side that objects keep from the borders of rows and columns.
        """
        super().__init__(seed)
        self.width, self.height, self.antialias = width, height, antialias
        self.visible, self.steps = _range(visible, "visible"), _range(steps, "steps")
        self.attributes, self.full = tuple(attributes), moves == "full"
        self.moves = self.full or "position" in self.attributes
        self.style, self.light, self.clear = style, tuple(light), checked_clear(clear)
        self.sizes = checked_sizes(sizes)
        if strange := [name for name in self.attributes if name not in ORDER]:
            raise ValueError(f"attributes are {', '.join(ORDER)}, not {strange[0]!r}")
        if self.steps[1] > 4 or self.visible[1] > OBJECTS:
            raise ValueError(f"there are at most 4 steps and {OBJECTS} visible objects")
        if self.steps[1] > self.visible[1] or not self.attributes:
            raise ValueError("as many visible objects as steps must be allowed, and an attribute")

    def problem(self, split: str, index: int) -> Problem:
        drawn = self.draw(split, index)
        view = _VIEWS.get(split, "center")
        scene = drawn.scene
        sample, light = scene.sample, drawn.randomness("light")
        return Problem(
            id=f"{self.task}-{split}-{index:06d}",
            task=self.task,
            images=tuple(self._image(shot, light) for shot in (scene.first, scene.last[view])),
            question=question_of(sample.initial),
            answer=answer_of(sample.transformations),
            cot=write_chain(sample, self.style, drawn.randomness("words"), self.moves),
            meta={"split": split, "view": view, **facts(sample)},
        )

    def draw(self, split: str, index: int) -> Drawn:
        """The scene of a problem, which the three tests have in common."""
        shared = "id" if split in _VIEWS else split
        objects = OBJECTS if self.full else 0
        schedule = Schedule(
            self.seed, shared, self.visible, self.steps, self.attributes, objects, self.sizes
        )
        plan = schedule.plan(index)
        for rng in self.attempts(shared, index):
            scene = self._scene(rng, plan, shared)
            if scene is not None:
                return Drawn(scene, rng.getrandbits(64))
        raise AssertionError("attempts raise when they run out")

    def evidence(self, problem: Problem, image_files: list[str]) -> dict[str, Any]:
        return tvr_row(problem, image_files)

    def _scene(self, rng: random.Random, plan: Plan, split: str) -> Scene | None:
        """One attempt, or None if it broke a rule; what costs most comes last."""
        hidden = OBJECTS - plan.visible if self.full else 0
        state = draw_state(rng, plan.visible, hidden, self.clear, self.sizes)
        if state is None or not belongs(scene_mark(state), split):
            return None
        sample = draw_sample(rng, state, plan.aims, self.full)
        if sample is None:
            return None
        if not self.full and has_rival(sample.initial, sample.final, len(sample.transformations)):
            return None
        scene = draw_scene(rng, sample)
        return scene if all(shot.shows_all() for shot in scene.shots()) else None

    def _image(self, shot: Shot, rng: random.Random) -> bytes:
        pixels = shot.draw(self.width, self.height, self.antialias).pixels
        return encode_png(put_light(self.light, pixels, rng))


def checked_clear(clear: float) -> float:
    """The share, if objects find room with it."""
    if not 0 <= clear <= 0.4:
        raise ValueError(f"clear must be from 0 to 0.4, not {clear}")
    return clear


def checked_sizes(sizes: Sequence[str]) -> tuple[str, ...]:
    """The sizes in their order, if there are two of them at least to change between."""
    if len(set(sizes)) < 2 or not set(sizes) <= set(SIZES):
        raise ValueError(f"sizes must be two at least of {', '.join(SIZES)}")
    return tuple(size for size in SIZES if size in sizes)


def _range(bounds: Sequence[int], name: str) -> tuple[int, int]:
    low, high = bounds
    if not 1 <= low <= high:
        raise ValueError(f"{name} must be two whole numbers from 1 up, the smaller one first")
    return low, high
