import re

import numpy as np

from reasonrft.worlds import make_world
from reasonrft.worlds.perception.cells import COLUMNS, ROWS, label_cells, object_cells, point_cells
from reasonrft.worlds.structure.boxes import Box


def test_a_cell_is_that_of_the_object_it_shows_most_of():
    owners = np.full((96, 144), -1)  # cells of 16 pixels
    owners[:16, :10] = 0  # most of the first cell
    owners[:16, 10:17] = 1  # the rest of it, and one column of the second: too little
    owners[:16, 32:35] = 1  # 3 of 16 columns of the third
    assert object_cells(owners, ["red", "blue"]) == {"0": "red", "2": "blue"}


def test_a_label_is_in_all_cells_that_it_reaches_into():
    # From 12 to 26 across the edge at 16, and from 3 to 10 within the first row.
    wide = Box("4 x", 12, 26, 3, 10, 10, 7.0, "text")
    # Two pixels in the first column are too few.
    near = Box("B", 14, 20, 20, 27, 27, 7.0, "text")
    cells = label_cells([wide, near], 144, 96)
    assert cells == {"0": "x1 y0 40 x2", "1": "x1 y0 40 x2", "10": "x0 y1 B0"}
    more = label_cells([wide, near], 144, 96, {"B": "high3"})
    assert more == cells | {"10": "x0 y1 B0 high3"}


def test_a_thing_is_in_the_cell_of_its_middle():
    things = [((15.9, 0.0), "filled"), ((16.0, 95.9), "empty"), ((3.0, 3.0), "empty")]
    assert point_cells(things, 144, 96) == {"0": "filled empty", "46": "empty"}


def test_cells_are_where_the_image_has_its_objects():
    problem = make_world("perception-counting", "tiny").problem("blocks", 1)
    (cells,) = problem.meta["cells"]
    names = set(re.findall(r"x\d y\d(?: \w+){4}", problem.cot))
    assert set(cells.values()) <= names
    for cell, said in cells.items():
        column, row = int(cell) % COLUMNS, int(cell) // COLUMNS
        # An object's middle is at most two cells of 16 pixels away from what shows it.
        x, y = (int(word[1]) for word in said.split()[:2])
        assert abs((x + 0.5) * 144 / 8 - (column + 0.5) * 16) <= 48
        assert abs(y - row) <= 2


def test_cells_divide_images_of_any_size():
    owners = np.zeros((96, 128), dtype=int)  # columns of 14.2 pixels
    owners[:, 64:] = 1
    cells = object_cells(owners, ["left", "right"])
    assert len(cells) == ROWS * COLUMNS
    assert [cells[str(number)] for number in range(COLUMNS)] == ["left"] * 5 + ["right"] * 4


def test_cells_of_figures_say_kinds_squares_heights_and_parts():
    world = make_world("perception-structure", "tiny", whole=1.0)
    problems = [world.problem("coloured", index) for index in range(40)]
    told = {problem.cot.split(".")[0]: problem for problem in problems}
    for kind in ("two grids", "bar chart", "divided triangle"):
        (cells,) = told[kind].meta["cells"]
        # The image's middle is a corner of this cell.
        assert cells["31"].split()[0] == kind.replace(" ", "-")
        words = " ".join(cells.values()).split()
        caption = told[kind].cot
        if kind == "two grids":
            rows = re.findall(r"[01]{4}", caption)
            assert words.count("filled") == "".join(rows).count("1")
            assert words.count("empty") == "".join(rows).count("0")
            # Left and right grid stand side by side, row by row.
            filled = {
                divmod(int(cell), COLUMNS)
                for cell, said in cells.items()
                if said.startswith("filled")
            }
            places = {
                (row % 4 + 1, column + (0 if row < 4 else 5))
                for row, squares in enumerate(rows)
                for column, square in enumerate(squares)
                if square == "1"
            }
            assert filled == places
            # The upper left squares of either grid.
            assert cells["9"].split()[1:] == ["left", "row0", "column0"]
            assert cells["14"].split()[1:] == ["right", "row0", "column0"]
        else:
            facts = re.findall(r"(\w+) = (\d+)\.", caption)
            said = {
                f"high{value}" if kind == "bar chart" else name + value for name, value in facts
            }
            assert said <= set(words)
