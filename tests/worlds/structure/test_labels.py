"""Labels in every figure: readable, apart, inside the image. Measured by points, not by boxes."""

import math
from dataclasses import replace

import numpy as np
import pytest

from reasonrft.worlds.structure import StructureWorld
from reasonrft.worlds.structure.boxes import meets_chord, meets_ring
from reasonrft.worlds.structure.figure import Circle
from reasonrft.worlds.structure.figure_layout import Drawing, Mapping
from reasonrft.worlds.structure.painting import render

WORLDS = {
    "plain": StructureWorld(0),
    "tiny": StructureWorld(0, **StructureWorld.presets["tiny"]),
    "large": StructureWorld(0, 480, 320),
    "square": StructureWorld(0, 128, 128, small=True),
}


def inside(box, x: float, y: float) -> bool:
    return box.left < x < box.right and box.top < y < box.bottom


def points_of_lines(drawing: Drawing):
    """Points at most half a pixel apart on every line, arc and circle."""
    for shape in drawing.shapes:
        if shape.filled and shape.role != "mark":
            continue
        if isinstance(shape, Circle):
            (x, y), radius = shape.center, shape.radius
            steps = math.ceil(4 * math.pi * radius)
            for step in range(steps):
                turn = 2 * math.pi * step / steps
                yield x + radius * math.cos(turn), y + radius * math.sin(turn)
            continue
        for (x0, y0), (x1, y1) in zip(shape.points, shape.points[1:], strict=False):
            steps = max(1, math.ceil(2 * math.hypot(x1 - x0, y1 - y0)))
            for step in range(steps + 1):
                yield x0 + (x1 - x0) * step / steps, y0 + (y1 - y0) * step / steps


@pytest.mark.parametrize("split", ["train", "ood"])
@pytest.mark.parametrize("name", WORLDS)
def test_labels_are_clear_of_lines_of_each_other_and_of_the_edge(name, split):
    world = WORLDS[name]
    for index in range(40):
        _, drawing, _ = world.compose(split, index)
        width, height = drawing.size
        for box in drawing.boxes:
            assert 0 <= box.left < box.right <= width and 0 <= box.top < box.bottom <= height
            assert not any(inside(box, x, y) for x, y in points_of_lines(drawing)), box.text
        for number, box in enumerate(drawing.boxes):
            for other in drawing.boxes[:number]:
                apart = (
                    box.left >= other.right
                    or other.left >= box.right
                    or box.top >= other.bottom
                    or other.top >= box.bottom
                )
                assert apart, (box.text, other.text)


def test_a_segment_meets_a_box_only_where_it_passes_through():
    box = (2.0, 2.0, 6.0, 4.0)
    assert meets_chord(box, (0, 0), (8, 6))
    assert meets_chord(box, (3, 3), (3, 3))
    assert meets_chord(box, (0, 2), (8, 2))
    assert not meets_chord(box, (0, 0), (1, 1))
    assert not meets_chord(box, (0, 3), (3, 7))
    assert not meets_chord(box, (7, 0), (7, 9))


def test_a_circle_meets_a_box_only_with_its_outline():
    assert meets_ring((-1, -1, 1, 1), (3, 0), 2.5)
    assert not meets_ring((-1, -1, 1, 1), (0, 0), 5)
    assert not meets_ring((-1, -1, 1, 1), (9, 0), 5)


def test_labels_stand_near_what_they_name():
    world = WORLDS["plain"]
    for index in range(40):
        form, drawing, _ = world.compose("ood", index)
        reach = 4 * drawing.cap
        for label, box in zip(form.puzzle.figure.labels, drawing.boxes, strict=True):
            assert label.text == box.text
            x, y = box.center
            spots = points_of_lines(drawing)
            assert min(math.hypot(x - px, y - py) for px, py in spots) < reach


@pytest.mark.parametrize("split", ["train", "ood"])
def test_nothing_is_painted_over_labels_and_discs(split):
    world = WORLDS["plain"]
    for index in range(40):
        _, drawing, theme = world.compose(split, index)
        pixels = render(drawing, theme).astype(int)
        for box in drawing.boxes:
            area = pixels[box.top : box.bottom, box.left : box.right]
            dark = np.abs(area - theme.color(box.role)).sum(axis=2) < 350
            assert dark.sum() >= 3, box.text
        for shape in drawing.shapes:
            if isinstance(shape, Circle) and shape.role == "text":
                x, y = shape.center
                assert np.abs(pixels[int(y), int(x)] - theme.color("text")).sum() < 60


def test_dice_show_their_pips():
    world = StructureWorld(0, topologies=("opposite_face",))
    found = 0
    for index in range(20):
        form, drawing, _ = world.compose("train", index)
        pips = sum(isinstance(shape, Circle) for shape in drawing.shapes)
        faces = [face for view in form.puzzle.state["views"] for face in view]
        assert pips == (0 if drawing.boxes else sum(faces))
        assert drawing.boxes == () or [box.text for box in drawing.boxes] == list(map(str, faces))
        found += pips > 0
    assert found > 5


@pytest.mark.parametrize("name", ["plain", "tiny"])
def test_no_line_runs_between_an_angle_and_its_label(name):
    for index in range(40):
        form, drawing, _ = WORLDS[name].compose("ood", index)
        lines = [shape for shape in drawing.shapes if shape.role != "mark" and not shape.filled]
        bare = replace(drawing, shapes=tuple(lines))
        place = Mapping(form.puzzle.figure, *drawing.size, drawing.margin)
        for label, box in zip(form.puzzle.figure.labels, drawing.boxes, strict=True):
            if label.kind != "angle":
                continue
            (x, y), (vx, vy) = box.center, place(label.points[1])
            for px, py in points_of_lines(bare):
                along = ((px - x) * (vx - x) + (py - y) * (vy - y)) / math.dist((x, y), (vx, vy))
                across = math.dist((px, py), (x, y)) ** 2 - along**2
                inside = 0 < along < 0.8 * math.dist((x, y), (vx, vy))
                assert not (inside and across < 0.1), label.text
