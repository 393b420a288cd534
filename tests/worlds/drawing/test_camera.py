"""Cameras: where points are seen."""

import json
import random

import numpy as np
import pytest

from reasonrft.worlds.drawing.camera import (
    CLEVR,
    CLEVR_LAMPS,
    TRANCE_CENTER,
    TRANCE_LEFT,
    TRANCE_RIGHT,
    Camera,
)

CAMERAS = CLEVR, TRANCE_CENTER, TRANCE_LEFT, TRANCE_RIGHT


@pytest.mark.parametrize("camera", CAMERAS)
def test_the_target_is_seen_in_the_middle(camera: Camera) -> None:
    u, v, depth = camera.project((0, 0, 0), 240, 160)
    assert (u, v) == pytest.approx((120, 80))
    assert depth == pytest.approx(sum(value**2 for value in camera.position) ** 0.5)


def test_a_metre_at_ten_metres_is_a_tenth_of_the_focal_length() -> None:
    camera = Camera((10, 0, 0))
    # 35 / 32 x 320 = 350 pixels of focal length; +y is to the right of a camera on the x axis.
    assert camera.project((0, 1, 0), 320, 240) == pytest.approx((160 + 35, 120, 10))
    assert camera.project((0, 0, 1), 320, 240) == pytest.approx((160, 120 - 35, 10))


@pytest.mark.parametrize("camera", CAMERAS)
def test_rays_run_back_along_the_projection(camera: Camera) -> None:
    x, y, z = camera.rays(48, 32)
    for row, column in ((0, 0), (31, 47), (11, 30)):
        step = x[row, column], y[row, column], z[row, column]
        point = tuple(p + 7 * float(s) for p, s in zip(camera.position, step, strict=True))
        u, v, depth = camera.project(point, 48, 32)
        assert (u, v, depth) == pytest.approx((column + 0.5, row + 0.5, 7), abs=1e-4)


def test_ground_directions_are_those_of_the_image() -> None:
    for camera in CAMERAS:
        middle = camera.project((0, 0, 0), 240, 160)
        seen = {
            name: camera.project((x, y, 0), 240, 160)
            for name, (x, y) in camera.directions().items()
        }
        assert seen["left"][0] < middle[0] < seen["right"][0]
        assert seen["front"][1] > middle[1] > seen["behind"][1]
        assert seen["front"][2] < middle[2] < seen["behind"][2]


def test_front_of_the_centre_camera_is_towards_it() -> None:
    assert TRANCE_CENTER.directions()["front"] == pytest.approx((1, 0))
    assert TRANCE_CENTER.directions()["right"] == pytest.approx((0, 1))


def test_jitter_stays_within_its_amount_and_follows_the_seed() -> None:
    for seed in range(50):
        moved = CLEVR.jittered(random.Random(seed))
        gaps = [abs(a - b) for a, b in zip(moved.position, CLEVR.position, strict=True)]
        assert 0 < max(gaps) <= 0.5
        assert moved == CLEVR.jittered(random.Random(seed))
        lamps = CLEVR_LAMPS.jittered(random.Random(seed))
        assert max(abs(a - b) for a, b in zip(lamps.key, CLEVR_LAMPS.key, strict=True)) <= 1
        assert lamps.key != lamps.fill


def test_objects_of_real_clevr_scenes_are_seen_where_they_are(real) -> None:
    scenes = json.loads((real / "clevr" / "scenes.json").read_text())["scenes"]
    misses = [
        np.subtract(CLEVR.project(tuple(item["3d_coords"]), 480, 320), item["pixel_coords"])
        for scene in scenes
        for item in scene["objects"]
    ]
    u, v, depth = np.mean(misses, axis=0)
    # The cameras of the scenes stand up to 0.5 elsewhere, which the mean takes out.
    assert abs(u) < 1 and abs(v) < 1 and abs(depth) < 0.1
