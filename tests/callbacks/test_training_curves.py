import io

import numpy as np
import pytest
import torch
from PIL import Image

from reasonrft.callbacks import TrainingCurves
from reasonrft.callbacks.curve_chart import COLUMNS, DPI, HEIGHT, WIDTH, Curve, Panel, draw_chart
from reasonrft.callbacks.training_curves import STATE, find_panels
from reasonrft.chart_style import COLOURS, smooth
from reasonrft.errors import BadInput
from tests.callbacks.logged import board
from tests.callbacks.recorded_run import Recorded, run
from tests.modules.fitting import fit, module

pytestmark = pytest.mark.filterwarnings("ignore")


def panels(history) -> dict[str, dict[str, list[int]]]:
    """The steps that the curves of each panel have points at."""
    return {
        panel.title: {c.name: [step for step, _ in c.points] for c in panel.curves}
        for panel in find_panels(history)
    }


def checkpoint(path) -> dict:
    return torch.load(path, weights_only=True)[STATE]


def test_curves_go_back_to_the_start_of_a_run_that_was_resumed(finished):
    every = [0, 1, 2, 3, 4]
    assert panels(checkpoint(finished.home / "end.ckpt")) == {
        "Reward": {"reward": every},
        "Rewards by name": {"accuracy": every, "format": every},
        "Accuracy in validation": {"counting/id": [1, 3], "counting/ood-domain": [1, 3]},
        "Length": {"completion": every, "reasoning": every},
        "Entropy": {"entropy": every},
        # No divergence: without a penalty there is no reference.
    }


def test_curves_are_those_that_loggers_get(finished):
    history = checkpoint(finished.home / "end.ckpt")
    for name in ("train/reward", "train/reasoning_length", "val/counting/id/accuracy"):
        logged = {
            point.step: point.value
            for version in (0, 1)
            for point in board(finished.home, version).Scalars(name)
        }
        assert history[name] == pytest.approx(logged), name


def test_any_module_without_loggers_has_curves_and_keeps_them(tmp_path):
    path = tmp_path / "last.ckpt"
    curves = TrainingCurves()
    run(Recorded(["mine"]), tmp_path, [curves], steps=2)
    assert curves.history["train/reward"] == pytest.approx({0: 0.5, 1: 0.6})
    assert checkpoint(path)["train/reward"] == pytest.approx({0: 0.5, 1: 0.6})
    (tmp_path / "curves.png").unlink()

    resumed = TrainingCurves(every=1)
    run(Recorded(["mine"]), tmp_path, [resumed], steps=4, ckpt_path=str(path))
    assert resumed.history["train/reward"] == pytest.approx({0: 0.5, 1: 0.6, 2: 0.7, 3: 0.8})
    assert panels(resumed.history)["Rewards by name"] == {"mine": [0, 1, 2, 3]}
    assert (tmp_path / "curves.png").exists()


def test_fine_tuning_shows_its_loss(family_folder, tmp_path):
    curves = TrainingCurves()
    fit(module(family_folder("qwen3-vl")), {}, callbacks=[curves], default_root_dir=tmp_path)
    (panel,) = find_panels(curves.history)
    assert panel.title == "Loss" and len(panel.curves[0].points) == 2
    fit(
        module(family_folder("qwen3-vl")),
        {},
        callbacks=[TrainingCurves()],
        default_root_dir=tmp_path / "dry",
        fast_dev_run=1,
    )
    assert not (tmp_path / "dry").exists()


def test_what_is_no_number_is_left_out():
    nan = float("nan")
    history = {
        "train/reward": {3: 0.75, 0: 0.25, 1: nan},
        "train/kl": {0: 0.0},
        "train/loss": {0: 1.0},
    }
    (panel,) = find_panels(history)
    assert panel.curves[0].points == [(0, 0.25), (3, 0.75)]


def test_accuracy_is_in_percent():
    (panel,) = find_panels({"val/own/held-out/accuracy": {9: 0.25}})
    assert (panel.unit, panel.curves) == ("%", [Curve("own/held-out", [(9, 25.0)])])


def colours(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def shows(pixels: np.ndarray, colour: str) -> bool:
    return bool((pixels == [int(colour[at : at + 2], 16) for at in (1, 3, 5)]).all(-1).any())


def test_every_curve_is_in_the_image_of_a_run(finished):
    with Image.open(finished.home / "curves.png") as image:
        assert image.size == (round(COLUMNS * WIDTH * DPI), round(3 * HEIGHT * DPI))  # 5 panels
        pixels = np.asarray(image.convert("RGB"))
    assert (pixels[0, 0] == 255).all()
    rows, columns = int(HEIGHT * DPI), int(WIDTH * DPI)
    for number in range(5):
        top, left = number // COLUMNS * rows, number % COLUMNS * columns
        assert shows(pixels[top : top + rows, left : left + columns], COLOURS[0])
    # Nothing but the note stands in the place of a sixth.
    assert (pixels[2 * rows : 3 * rows - 40, columns + 40 :] == 255).all()


@pytest.mark.parametrize("points", [[(0, 1.0)], [(7, 0.0), (8, 0.0)], [(0, -1e9), (99, 1e9)]])
def test_any_curve_can_be_drawn(points):
    assert draw_chart([Panel("t", "u", [Curve("c", points)])]).startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["_private", "$\\frac{", "a$b$c", "$x^$", "数", "<b>", ""])
def test_any_name_can_be_a_reward(name):
    pixels = colours(draw_chart([Panel("t", "u", [Curve(name, [(0, 1.0), (1, 2.0)])])]))
    assert shows(pixels, COLOURS[0])


def test_a_long_curve_has_its_mean_over_it():
    level = [(step, 2.0) for step in range(40)]
    assert [value for _, value in smooth(level)] == pytest.approx([2.0] * 40)
    steps = [(step, float(step >= 50)) for step in range(100)]
    smoothed = dict(smooth(steps))
    assert smoothed[30] == pytest.approx(0, abs=1e-6) and smoothed[70] == pytest.approx(1)
    # As much of a step is seen before it as after it: the mean lags behind nothing.
    assert smoothed[49] == pytest.approx(1 - smoothed[50]) and 0.3 < smoothed[49] < 0.5

    noise = [Panel("t", "u", [Curve("t", [(step, float(step % 2)) for step in range(100)])])]
    pixels = colours(draw_chart(noise))
    height, width = pixels.shape[:2]
    # The mean of noise crosses the middle; the noise itself is drawn more faintly.
    middle = pixels[height // 2 - 60 : height // 2 + 60, width // 2 - 50 : width // 2 + 50]
    assert shows(middle, COLOURS[0])
    assert not shows(pixels[:70], COLOURS[0])


def test_no_global_state_of_matplotlib_is_touched():
    import matplotlib.pyplot

    before = dict(matplotlib.rcParams), matplotlib.get_backend()
    draw_chart([Panel("t", "u", [Curve("c", [(0, 1.0)])])])
    assert (dict(matplotlib.rcParams), matplotlib.get_backend()) == before
    assert matplotlib.pyplot.get_fignums() == []


def test_an_interval_of_no_steps_is_refused():
    with pytest.raises(BadInput, match="every is 0: it must be at least 1"):
        TrainingCurves(every=0)
