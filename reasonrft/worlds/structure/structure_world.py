"""Structure perception: problems of geometry, charts, counting and turning, with their figures."""

import random
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

from reasonrft.errors import BadInput
from reasonrft.problems import Problem
from reasonrft.worlds.base import World, belongs, fingerprint
from reasonrft.worlds.drawing.png import encode_png
from reasonrft.worlds.structure.figure_layout import Drawing, lay_out
from reasonrft.worlds.structure.form import Form, as_choice, as_number
from reasonrft.worlds.structure.options import LETTERS
from reasonrft.worlds.structure.painting import render
from reasonrft.worlds.structure.puzzle import Draw, Puzzle, in_turn
from reasonrft.worlds.structure.themes import DRAWN, Theme, coloured
from reasonrft.worlds.structure.topologies import DRAWN_TOPOLOGIES, TOPOLOGIES
from reasonrft.worlds.structure.values import Value

LEAST_WIDTH, LEAST_HEIGHT = 96, 72
ATTEMPTS_PER_TARGET = 60


class Plan(NamedTuple):
    """What the index alone decides."""

    topology: str
    turn: int
    """How many problems of the topology come before."""
    choice: bool
    choices_before: int
    """How many of those list choices."""


class StructureWorld(World):
    """GeoMath-like problems to train on; those of split "ood" are in Geometry3K's manner."""

    task: ClassVar[str] = "structure"
    splits: ClassVar[tuple[str, ...]] = ("train", "val", "id", "ood")
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "tiny": {
            "width": 144,
            "height": 96,
            "topologies": (
                "triangle_sum",
                "exterior_angle",
                "count_triangles",
                "bar_chart",
                "motion",
            ),
            "ood_topologies": ("central_arcs", "midsegment", "chord_angle", "tangent_lengths"),
            "style": "compact",
            "small": True,
        }
    }
    levels: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {
            "topologies": ("triangle_sum", "bar_chart"),
            "ood_topologies": ("labelled_triangle",),
        },
        {
            "topologies": ("triangle_sum", "exterior_angle", "bar_chart"),
            "ood_topologies": ("labelled_triangle", "labelled_exterior"),
        },
        {
            "topologies": ("triangle_sum", "exterior_angle", "bar_chart", "count_triangles"),
            "ood_topologies": (
                "labelled_triangle",
                "labelled_exterior",
                "central_arcs",
                "midsegment",
            ),
        },
        {},
    )

    def __init__(
        self,
        seed: int = 0,
        width: int = 240,
        height: int = 160,
        topologies: Sequence[str] = tuple(TOPOLOGIES),
        ood_topologies: Sequence[str] = tuple(DRAWN_TOPOLOGIES),
        choice_share: float = 0.5,
        style: Literal["words", "compact"] = "words",
        small: bool = False,
    ) -> None:
        """
        Args:
            seed: Another seed is another data set.
            width: Width of images in pixels.
            height: Height of images in pixels.
            topologies: Kinds of problem in train, val and id.
            ood_topologies: Kinds of problem in ood.
            choice_share: Share of problems that list choices, where a number can be asked too.
            style: Chains of thought in sentences, or compact ones for a tiny model.
            small: Keep numbers and figures small.
        """
        super().__init__(seed)
        _refuse_unknown(topologies, tuple(TOPOLOGIES))
        _refuse_unknown(ood_topologies, tuple(DRAWN_TOPOLOGIES))
        if width < LEAST_WIDTH or height < LEAST_HEIGHT:
            raise BadInput(
                f"structure images of {width}x{height} pixels: labels need "
                f"{LEAST_WIDTH}x{LEAST_HEIGHT} at least"
            )
        self.width, self.height = width, height
        self.topologies, self.ood_topologies = tuple(topologies), tuple(ood_topologies)
        self.choice_share, self.style, self.small = choice_share, style, small

    def plan(self, split: str, index: int) -> Plan:
        """Topologies in shuffled rounds, so that each comes equally often; likewise the form."""
        names = self.ood_topologies if split == "ood" else self.topologies
        turn, place = divmod(index, len(names))
        order = random.Random(f"{self.task}/{self.seed}/{split}/round/{turn}")
        topology = order.sample(names, len(names))[place]
        before, after = int(turn * self.choice_share), int((turn + 1) * self.choice_share)
        return Plan(topology, turn, after > before, before)

    def problem(self, split: str, index: int) -> Problem:
        """The problem with this index, with its image as PNG bytes."""
        form, drawing, theme = self.compose(split, index)
        return Problem(
            id=f"structure-{split}-{index:06d}",
            task=self.task,
            images=(encode_png(render(drawing, theme)),),
            question=form.question,
            answer=form.answer,
            choices=form.choices,
            cot=str(form.puzzle.chain),
            meta={
                "split": split,
                "template": self.plan(split, index).topology,
                "form": "choice" if form.choices else "number",
                **_record(form.puzzle),
                "labels": [box.text for box in drawing.boxes],
            },
        )

    def compose(self, split: str, index: int) -> tuple[Form, Drawing, Theme]:
        """A problem before it is painted: its words, and where everything lies in the image."""
        plan = self.plan(split, index)
        ood = split == "ood"
        build = (DRAWN_TOPOLOGIES if ood else TOPOLOGIES)[plan.topology]
        targets = f"{self.task}/{self.seed}/{split}/{plan.topology}"
        for attempt, rng in enumerate(self.attempts(split, index)):
            # A target that this split has no problem for gives way to the next one.
            turn = plan.turn + attempt // ATTEMPTS_PER_TARGET
            draw = Draw(rng, targets, turn, self.small, self.style == "compact")
            puzzle = build(draw)
            if puzzle is None or not belongs(fingerprint(plan.topology, puzzle.scene), split):
                continue
            theme = DRAWN if ood else coloured(rng)
            if drawing := lay_out(puzzle.figure, theme, self.width, self.height):
                number = isinstance(puzzle.answer, Value)
                if number and not plan.choice:
                    return as_number(puzzle, ood), drawing, theme
                before = plan.choices_before if number else plan.turn
                letter = in_turn(LETTERS[: puzzle.options], before, f"{targets}/letter")
                return as_choice(puzzle, letter, ood, rng), drawing, theme
        raise AssertionError("attempts raise when they run out")


def _record(puzzle: Puzzle) -> dict[str, Any]:
    return {
        "value": str(puzzle.answer),
        "facts": [fact.plain() for fact in puzzle.facts],
        "asked": list(puzzle.asked),
        "unknown": puzzle.unknown,
        "points": {name: list(point) for name, point in puzzle.points.items()},
        "state": puzzle.state,
    }


def _refuse_unknown(names: Sequence[str], known: tuple[str, ...]) -> None:
    if not names:
        raise BadInput(f"no structure topology given: use some of {', '.join(known)}")
    for name in names:
        if name not in known:
            raise BadInput(f"no structure topology {name!r}: use some of {', '.join(known)}")
