import numpy as np
import pytest
from lightning.pytorch.loggers import CSVLogger
from PIL import Image

from reasonrft.callbacks.curve_chart import (
    COLUMNS,
    HEIGHT,
    WIDTH,
    Curve,
    Panel,
    draw_chart,
    smooth,
    ticks,
)
from reasonrft.callbacks.training_curves import find_panels, read_rows

pytestmark = pytest.mark.filterwarnings("ignore")


def panels(home, version: int) -> dict[str, dict[str, list[int]]]:
    """The steps that the curves of each panel have points at."""
    found = find_panels(read_rows(CSVLogger(home, "csv", version=version), interval=1))
    return {
        one.title: {c.name: [step for step, _ in c.points] for c in one.curves} for one in found
    }


def test_curves_go_back_to_the_start_of_a_run_that_was_resumed(finished):
    found = panels(finished.home, 1)
    every = [0, 1, 2, 3, 4]
    assert found["Reward"] == {"all rewards, weighted": every}
    assert found["Length in tokens"] == {"completion": every, "reasoning": every}
    assert found["Validation accuracy"] == {"id": [1, 3], "ood-domain": [1, 3]}
    assert found.keys() >= {"Accuracy reward", "Entropy"}
    assert "Divergence from the start" not in found  # no penalty, no reference
    assert panels(finished.home, 0)["Reward"] == {"all rewards, weighted": [0, 1, 2]}


def test_half_a_line_of_a_killed_run_is_left_out(tmp_path):
    place = tmp_path / "csv" / "version_0" / "metrics.csv"
    place.parent.mkdir(parents=True)
    place.write_text("epoch,step,train/reward\n0,0,0.25\n0,1,nan\n0,2,\n0,3,0.75\n0,4,0.")
    (panel,) = find_panels(read_rows(CSVLogger(tmp_path, "csv", version=0), interval=1))
    assert panel.curves[0].points == [(0, 0.25), (3, 0.75)]


def test_a_run_leaves_its_curves_as_a_picture(finished):
    with Image.open(finished.home / "curves.png") as picture:
        count = len(panels(finished.home, 1))
        assert picture.size == (COLUMNS * WIDTH, -(-count // COLUMNS) * HEIGHT)
        pixels = np.asarray(picture.convert("RGB"))
    for place in range(count):
        top, left = place // COLUMNS * HEIGHT, place % COLUMNS * WIDTH
        panel = pixels[top : top + HEIGHT, left : left + WIDTH].reshape(-1, 3)
        # Okabe and Ito's blue, which every first curve has.
        assert (panel == (0x00, 0x72, 0xB2)).all(1).any()


@pytest.mark.parametrize("points", [[(0, 1.0)], [(7, 0.0), (8, 0.0)], [(0, -1e9), (99, 1e9)]])
def test_any_curve_can_be_drawn(points):
    assert draw_chart([Panel("t", [Curve("c", points)])]).startswith(b"\x89PNG")


def test_the_mean_follows_the_curve():
    level = [(step, 2.0) for step in range(40)]
    assert [value for _, value in smooth(level)] == pytest.approx([2.0] * 40)
    # The first point is itself; the second weighs more than the first.
    first, second = smooth([(0, 0.0), (1, 1.0)])
    assert first == (0, 0.0) and 0.5 < second[1] < 1


def test_marks_are_round():
    assert ticks(0, 149, 8) == [0, 20, 40, 60, 80, 100, 120, 140]
    assert ticks(0.52, 0.91) == pytest.approx([0.6, 0.7, 0.8, 0.9])
