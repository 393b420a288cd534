"""Seeing for structure: the kind of figure, what is written where, and what it is written of."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from reasonrft.worlds.base import belongs, fingerprint
from reasonrft.worlds.counting.words import grid_place
from reasonrft.worlds.drawing.light import Effect
from reasonrft.worlds.perception.cells import Cells, label_cells, merge_cells, point_cells
from reasonrft.worlds.perception.perception_world import (
    PHOTO_EFFECTS,
    Ask,
    CaptionedImages,
    PerceptionWorld,
    shared,
)
from reasonrft.worlds.structure.figure_layout import Drawing, lay_out
from reasonrft.worlds.structure.figure_layout import Mapping as Placing
from reasonrft.worlds.structure.options import LAYOUTS, LETTERS, listing
from reasonrft.worlds.structure.painting import render
from reasonrft.worlds.structure.plane import Point
from reasonrft.worlds.structure.puzzle import Draw, Puzzle
from reasonrft.worlds.structure.structure_world import StructureWorld
from reasonrft.worlds.structure.themes import DRAWN, coloured
from reasonrft.worlds.structure.topologies import DRAWN_TOPOLOGIES, TOPOLOGIES
from reasonrft.worlds.structure.topologies.grid_shapes import DIRECTIONS, SIDE

_TINY = StructureWorld.presets["tiny"]
_SHARED = ("width", "height", "topologies", "ood_topologies", "small")
"""Arguments of the task's world: the figures must look alike."""
_KINDS = {
    "triangle_sum": "triangle",
    "exterior_angle": "extended triangle",
    "count_triangles": "divided triangle",
    "bar_chart": "bar chart",
    "motion": "two grids",
    "central_arcs": "circle with radii",
    "chord_angle": "circle with chords",
    "tangent_lengths": "circle with tangents",
    "midsegment": "trapezoid",
    "labelled_triangle": "triangle",
    "labelled_exterior": "extended triangle",
}
"""What topologies are called when they are looked at; others by their names."""
_SQUARES = {"0": "empty", "1": "filled"}
_WRITTEN = {"angle", "arc", "length"}
"""Measures whose facts stand in the drawing as labels."""


class StructurePerception(PerceptionWorld):
    """Coloured figures, and those in Geometry3K's manner."""

    task = "perception-structure"
    looks = ("coloured", "drawn")
    splits = ("train", "val", *looks)
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "tiny": shared(_TINY, _SHARED) | {"light": PHOTO_EFFECTS, "plain": 0.6},
    }
    levels = tuple(shared(level, _SHARED) for level in StructureWorld.levels)

    def __init__(
        self,
        seed: int = 0,
        width: int = 240,
        height: int = 160,
        topologies: Sequence[str] = tuple(TOPOLOGIES),
        ood_topologies: Sequence[str] = tuple(DRAWN_TOPOLOGIES),
        small: bool = False,
        light: Sequence[Effect] = (),
        plain: float = 0.2,
        whole: float = 0.8,
        mixed: Sequence[str] = (),
        words: float = 0.0,
        terms: tuple[int, int] = (2, 5),
    ) -> None:
        """
        Args:
            seed: Another seed is another data set.
            width: Width of the images in pixels.
            height: Height of the images in pixels.
            topologies: Kinds of coloured figures.
            ood_topologies: Kinds of figures in Geometry3K's manner.
            small: Keep numbers and figures small.
            light: Effects applied to images of train and val, in this order.
            plain: Share of images of train and val that get no effects.
            whole: Share of chains that describe the whole image, not only what is asked for.
            mixed: Looks that train and val mix; all if none is named.
            words: Share of questions that give all numbers in words: sums of degrees and counts.
            terms: Fewest and most numbers of a sum.
        """
        super().__init__(seed, light, plain, whole, mixed, words)
        # The task's world refuses what cannot be drawn.
        StructureWorld(seed, width, height, topologies, ood_topologies)
        if not 2 <= terms[0] <= terms[1]:
            raise ValueError("terms must be two numbers from 2 on, the smaller one first")
        self.width, self.height, self.small, self.terms = width, height, small, terms
        self.topologies = {"coloured": tuple(topologies), "drawn": tuple(ood_topologies)}

    def draw_images(self, rng: random.Random, look: str, split: str) -> CaptionedImages | None:
        topology = rng.choice(self.topologies[look])
        builds = TOPOLOGIES if look == "coloured" else DRAWN_TOPOLOGIES
        turn = rng.randrange(1_000_000)
        puzzle = builds[topology](Draw(rng, f"{self.task}/{turn}", turn, self.small, True))
        home = split if split in ("train", "val") else "id"
        if puzzle is None or not belongs(fingerprint(topology, puzzle.scene), home):
            return None
        theme = coloured(rng) if look == "coloured" else DRAWN
        drawing = lay_out(puzzle.figure, theme, self.width, self.height)
        if drawing is None:
            return None
        kind = _KINDS.get(topology, topology.replace("_", " "))
        caption = _Caption(kind)
        caption.read(puzzle, drawing, rng)
        cells = _cells(kind, puzzle, drawing)
        return CaptionedImages(
            (render(drawing, theme),),
            tuple(caption.sentences),
            caption.asks,
            (cells,),
            (_sum(rng, rng.randint(*self.terms)),) if self.words else (),
        )


def _sum(rng: random.Random, terms: int) -> Ask:
    """A sum of the kinds that chains make, from left to right: of angles, or of counts."""
    step, most = rng.choice(((1, 20), (5, 36), (5, 36)))
    last = step * rng.choice((most, 72, rng.randint(1, most)) if step == 5 else (most, 10, 5))
    asked, steps = str(last), []
    for _ in range(terms - 1):
        number = step * rng.randint(0, most)
        less = number <= last and (last + number > 2 * most * step or rng.random() < 0.5)
        sign, result = ("-", last - number) if less else ("+", last + number)
        asked += f" {sign} {number}"
        steps.append(f"{last} {sign} {number} = {result}")
        last = result
    return Ask(f"What is {asked}?", str(last), (), "structure", last=". ".join(steps))


def _cells(kind: str, puzzle: Puzzle, drawing: Drawing) -> Cells:
    """In the middle what is drawn, of how many parts; elsewhere squares, and labels with bars."""
    width, height = drawing.size
    words = [kind.replace(" ", "-")]
    squares: list[tuple[Point, str]] = []
    if "before" in puzzle.state:
        place = Placing(puzzle.figure, width, height, drawing.margin)
        squares = [
            (
                place((left + x + 0.5, SIDE - y - 0.5)),
                f"{_SQUARES[square]} {grid} row{y} column{x}",
            )
            for grid, left, rows in _grids(puzzle.state)
            for y, row in enumerate(rows)
            for x, square in enumerate(row)
        ]
    elif not puzzle.figure.labels:
        words += [f"{fact.name}{fact.value}" for fact in puzzle.facts]
    middle = ((width / 2, height / 2), " ".join(words))
    bars = puzzle.facts if "ticks" in puzzle.state else ()
    heights = {bar.name: f"high{bar.value}" for bar in bars}
    return merge_cells(
        point_cells([middle, *squares], width, height),
        label_cells(drawing.boxes, width, height, heights),
    )


def _grids(state: Mapping[str, Any]) -> Iterator[tuple[str, float, list[str]]]:
    """Name, left edge, and rows from the top, of the grids before and after a motion."""
    for grid, left, key in (("left", 0.0, "before"), ("right", SIDE + 2.0, "after")):
        filled = {tuple(cell) for cell in state[key]}
        rows = [
            "".join(str(int((x, y) in filled)) for x in range(SIDE)) for y in reversed(range(SIDE))
        ]
        yield grid, left, rows


class _Caption:
    """Sentences about a figure and the questions that they answer, as they are found."""

    def __init__(self, kind: str) -> None:
        self.sentences = [kind]
        self.asks: dict[str, list[Ask]] = {"kind": [Ask("What is drawn?", kind, ())]}

    def read(self, puzzle: Puzzle, drawing: Drawing, rng: random.Random) -> None:
        if "ticks" in puzzle.state:
            self._chart(puzzle)
        elif "up" in puzzle.state:
            self._motion(puzzle.state)
        elif not puzzle.figure.labels:
            self._parts(puzzle)
        else:
            self._labels(drawing, rng)
            self._written(puzzle)

    def say(self, sentence: str) -> tuple[int, ...]:
        self.sentences.append(sentence)
        return (len(self.sentences) - 1,)

    def ask(
        self, kind: str, question: str, answer: str, about: tuple[int, ...], choices: Any = ()
    ) -> None:
        task = "structure" if answer.isdigit() or choices else "general"
        self.asks.setdefault(kind, []).append(Ask(question, answer, about, task, choices))

    def _chart(self, puzzle: Puzzle) -> None:
        step, ticks = puzzle.state["ticks"]
        axis = [str(step * tick) for tick in range(ticks + 1)]
        about = self.say(f"axis {' '.join(axis)}")
        self.ask("axis", "Which number is at the top of the axis?", axis[-1], about)
        for place, fact in enumerate(puzzle.facts):
            about = self.say(f"{fact.name} = {fact.value}")
            self.ask("height", f"How high is the bar of {fact.name}?", fact.value, about)
            self.ask("name", f"What is the name of bar {place}?", fact.name, about)

    def _motion(self, state: Mapping[str, Any]) -> None:
        if letter := state.get("letter"):
            about = self.say(f"left {letter}")
            top, side = (DIRECTIONS[tuple(state[key])] for key in ("up", "right"))
            about += self.say(f"right {letter}") + self.say(f"top {top}") + self.say(f"side {side}")
            self.ask("letter", "Which letter is in the grids?", letter, about[:1])
            self.ask("top", "Where is the top of the letter in the right grid?", top, about[1:])
            return
        for grid, _, rows in _grids(state):
            about = self.say(f"{grid} {' '.join(rows)}")
            for number, row in enumerate(rows):
                self.ask("cells", f"What does row {number} of the {grid} grid show?", row, about)

    def _parts(self, puzzle: Puzzle) -> None:
        for fact in puzzle.facts:
            about = self.say(f"{fact.name} = {fact.value}")
            self.ask("parts", f"How many {fact.name} does the figure have?", fact.value, about)

    def _labels(self, drawing: Drawing, rng: random.Random) -> None:
        boxes = sorted(drawing.boxes, key=lambda box: (box.center, box.text))
        places = [grid_place(box.center, *drawing.size) for box in boxes]
        texts = [box.text for box in boxes]
        for place, text in zip(places, texts, strict=True):
            about = self.say(f"{place} {text}")
            if places.count(place) == 1:
                self.ask("label", f"What is written at {place}?", _bare(text), about)
                others = sorted({_bare(other) for other in texts} - {_bare(text)})
                rng.shuffle(others)
                self._choose(f"What is written at {place}?", _bare(text), others[:3], about, rng)
            if texts.count(text) == 1:
                self.ask("column", f"In which column is {text}?", place[1], about)
                self.ask("row", f"In which row is {text}?", place[4], about)

    def _choose(
        self,
        question: str,
        answer: str,
        wrong: Sequence[str],
        about: tuple[int, ...],
        rng: random.Random,
    ) -> None:
        texts = [answer, *wrong]
        rng.shuffle(texts)
        listed = listing(texts, rng.choice(LAYOUTS), lines=rng.random() < 0.5)
        letter = LETTERS[texts.index(answer)]
        self.ask("choice", f"{question}\n{listed}", letter, about, tuple(texts))

    def _written(self, puzzle: Puzzle) -> None:
        for name, value in _facts(puzzle):
            about = self.say(f"{name} = {_bare(value)}")
            self.ask("fact", f"What is written for {name}?", _bare(value), about)


def _facts(puzzle: Puzzle) -> Iterator[tuple[str, str]]:
    for fact in puzzle.facts:
        if fact.shown and fact.measure in _WRITTEN:
            yield fact.name, fact.value


def _bare(label: str) -> str:
    """A label without its degree sign, as answers are written."""
    return label.removesuffix("°")
