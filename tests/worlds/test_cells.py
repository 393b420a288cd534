import re

import numpy as np

from reasonrft.worlds import make_world
from reasonrft.worlds.perception.cells import CELL, owned, written
from reasonrft.worlds.structure.boxes import Box


def test_a_cell_is_that_of_the_object_it_shows_most_of():
    owners = np.full((CELL, 4 * CELL), -1)
    owners[:, :10] = 0  # most of the first cell
    owners[:, 10 : CELL + 1] = 1  # the rest of it, and one column of the second: too little
    owners[:, 2 * CELL : 2 * CELL + 3] = 1  # 3 of 16 columns of the third
    assert owned(owners, ["red", "blue"]) == {"0": "red", "2": "blue"}


def test_a_label_is_in_all_cells_that_it_reaches_into():
    # From 12 to 26 across the edge at 16, and from 3 to 10 within the first row.
    wide = Box("4 x", 12, 26, 3, 10, 10, 7.0, "text")
    # Two pixels in the first column are too few.
    near = Box("B", 14, 20, 20, 27, 27, 7.0, "text")
    cells = written([wide, near], 3 * CELL)
    assert cells == {"0": "40 x2", "1": "40 x2", "4": "B0"}


def test_cells_are_where_the_picture_has_its_objects():
    problem = make_world("perception-counting", "tiny").problem("blocks", 0)
    (cells,) = problem.meta["cells"]
    names = set(re.findall(r"x\d y\d(?: \w+){4}", problem.cot))
    assert names <= set(cells.values()) or not problem.meta["whole"]
    for cell, said in cells.items():
        column, row = int(cell) % 9, int(cell) // 9
        # An object's middle is at most two cells of 16 pixels away from what shows it.
        x, y = (int(word[1]) for word in said.split()[:2])
        assert abs((x + 0.5) * 144 / 8 - (column + 0.5) * CELL) <= 3 * CELL
        assert abs(y - row) <= 2
