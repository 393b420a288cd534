"""Images: who is seen where, and in what light."""

import hashlib
import random

import numpy as np
import pytest

from reasonrft.worlds.drawing.camera import (
    CLEVR,
    CLEVR_LAMPS,
    TRANCE_CENTER,
    TRANCE_LAMPS,
    Camera,
)
from reasonrft.worlds.drawing.ray_shapes import Body
from reasonrft.worlds.drawing.renderer import draw, visible_pixels
from reasonrft.worlds.drawing.scene import COLORS, Solid, rgb

BALL = Solid("sphere", (0, 0, 0.7), (0.7, 0.7, 0.7), color="red")


def scene(seed: int, count: int = 8) -> list[Solid]:
    """Solids of every kind, some of them parts of one object, anywhere."""
    rng = random.Random(seed)
    solids = []
    for i in range(count):
        size = tuple(rng.uniform(0.15, 0.8) for _ in range(3))
        shape = rng.choice(("sphere", "cylinder", "box"))
        if shape != "box":
            size = (size[0], size[0], size[0] if shape == "sphere" else size[2])
        solids.append(
            Solid(
                shape=shape,
                center=(rng.uniform(-3, 3), rng.uniform(-3, 3), rng.uniform(0.3, 1)),
                size=size,
                rotation=rng.uniform(0, 360),
                color=rng.choice([*COLORS, "#101010"]),
                material=rng.choice(("rubber", "metal", "glass")),
                owner=i // 2,
                axis=rng.choice("xyz") if shape == "cylinder" else "z",
            )
        )
    return solids


@pytest.mark.parametrize("seed", range(6))
def test_counting_pixels_is_drawing_without_light(seed: int) -> None:
    solids = scene(seed)
    camera = CLEVR.jittered(random.Random(seed))
    for width, height in ((120, 80), (61, 47)):
        owners = draw(solids, camera, CLEVR_LAMPS, width, height).owners
        counts = [int((owners == owner).sum()) for owner in range(4)]
        assert visible_pixels(solids, camera, width, height) == counts


def test_a_ball_is_seen_where_rays_pass_its_middle_within_its_radius() -> None:
    owners = draw([BALL], CLEVR, CLEVR_LAMPS, 120, 80).owners
    rays = np.stack(CLEVR.rays(120, 80), -1).astype(float)
    offset = np.array(BALL.center) - CLEVR.position
    along = rays @ offset / (rays**2).sum(-1)
    distance = np.linalg.norm(along[..., None] * rays - offset, axis=-1)
    sure = np.abs(distance - 0.7) > 1e-3
    assert ((owners == 0) == (distance < 0.7))[sure].all()
    assert 0 < (owners == 0).sum() < 2000


def inside(solid: Solid, point: np.ndarray) -> np.ndarray:
    """Whether points lie in a solid, by what the solid is."""
    angle = np.deg2rad(solid.rotation)
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    local = (point - solid.center) @ turn
    if solid.shape == "box":
        return (np.abs(local) < solid.size).all(-1)
    local = np.roll(local, {"x": 2, "y": 1, "z": 0}[solid.axis], axis=-1)
    return (np.hypot(local[..., 0], local[..., 1]) < solid.size[0]) & (
        np.abs(local[..., 2]) < solid.size[2]
    )


@pytest.mark.parametrize("shape", ("box", "cylinder"))
@pytest.mark.parametrize("axis", "xyz")
def test_pillars_are_seen_where_steps_along_the_rays_meet_them(shape: str, axis: str) -> None:
    size = (0.9, 0.5, 0.4) if shape == "box" else (0.6, 0.6, 0.3)
    solid = Solid(shape, (0.3, -0.2, 0.7), size, rotation=25, axis="z" if shape == "box" else axis)
    owners = draw([solid], CLEVR, CLEVR_LAMPS, 60, 40).owners
    rays = np.stack(CLEVR.rays(60, 40), -1).astype(float)
    met = np.zeros(owners.shape, bool)
    for depth in np.arange(9, 13, 0.01):
        met |= inside(solid, np.array(CLEVR.position) + depth * rays)
    # Edges are planed off, and steps may miss a corner.
    assert ((owners == 0) != met).sum() <= 0.06 * met.sum()
    assert met.sum() > 30


def test_the_nearer_solid_hides_the_farther() -> None:
    front, behind = CLEVR.directions()["front"], CLEVR.directions()["behind"]
    near = Solid("box", (front[0], front[1], 0.7), (0.7, 0.7, 0.7), owner=1)
    far = Solid("sphere", (behind[0], behind[1], 0.35), (0.35, 0.35, 0.35), owner=0)
    hidden, seen = visible_pixels([far, near], CLEVR, 120, 80)
    assert hidden < 0.5 * visible_pixels([far], CLEVR, 120, 80)[0]
    assert visible_pixels([near, far], CLEVR, 120, 80) == [hidden, seen]


def test_nothing_but_ground() -> None:
    image = draw([], CLEVR, CLEVR_LAMPS, 60, 40)
    assert (image.owners == -1).all()
    assert image.pixels.shape == (40, 60, 3) and image.pixels.dtype == np.uint8
    assert image.pixels.min() > 80  # Ground everywhere, no black horizon.
    assert visible_pixels([], CLEVR, 60, 40) == []


def test_antialiasing_smooths_pixels_and_leaves_owners() -> None:
    solids = scene(1)
    plain = draw(solids, CLEVR, CLEVR_LAMPS, 60, 40)
    smooth = draw(solids, CLEVR, CLEVR_LAMPS, 60, 40, antialias=3)
    assert (plain.owners == smooth.owners).all()
    assert len(np.unique(smooth.pixels)) > 10
    assert np.abs(plain.pixels.astype(int) - smooth.pixels).mean() < 8


def test_a_shadow_falls_away_from_the_only_lamp_in_sight() -> None:
    bare = draw([], CLEVR, CLEVR_LAMPS, 120, 80).pixels.astype(int)
    image = draw([BALL], CLEVR, CLEVR_LAMPS, 120, 80)
    change = (image.pixels.astype(int) - bare).sum(-1)
    ground = image.owners == -1
    assert change[ground].min() < -100  # Contact and shadow.
    u, v, _ = CLEVR.project((0, 0, 0), 120, 80)
    rows, columns = np.nonzero(ground & (change < -60))
    assert np.abs(columns - u).max() < 40 and np.abs(rows - v).max() < 40


def test_materials_differ_as_materials_do() -> None:
    images = {}
    for material in ("rubber", "metal", "glass"):
        ball = Solid("sphere", BALL.center, BALL.size, 0, "blue", material)
        image = draw([ball], CLEVR, CLEVR_LAMPS, 240, 160)
        images[material] = image.pixels[image.owners == 0].astype(int)
    brightest = {name: pixels.max() for name, pixels in images.items()}
    assert brightest["metal"] > 220 > 200 > brightest["rubber"]
    assert images["glass"].mean() < images["rubber"].mean()
    assert images["metal"].std() > 1.1 * images["rubber"].std()


def test_trance_draws_its_stage_and_clevr_does_not() -> None:
    plain = draw([], TRANCE_CENTER, TRANCE_LAMPS, 320, 240).pixels.astype(int)
    lined = draw([], TRANCE_CENTER, TRANCE_LAMPS, 320, 240, ground="trance").pixels.astype(int)
    for point, bright in (((3, 1, 0), True), ((1, 1, 0), False), ((-1, -3, 0), True)):
        u, v, _ = TRANCE_CENTER.project(point, 320, 240)
        near = lined[int(v) - 1 : int(v) + 2, int(u) - 1 : int(u) + 2].sum(-1)
        assert (near.max() - near.min() > 15) == bright
    assert np.abs(np.diff(plain.sum(-1).astype(int), axis=0)).max() < 30


def test_drawing_never_divides_by_zero() -> None:
    with np.errstate(all="raise", under="ignore"):
        for seed in range(10):
            draw(scene(seed), TRANCE_CENTER, TRANCE_LAMPS, 60, 40, 2, "trance")
        draw([BALL], Camera((0.001, 0, 9)), CLEVR_LAMPS, 32, 32)


def test_colors_are_read_by_name_and_by_number() -> None:
    assert rgb("cyan") == tuple(value / 255 for value in (41, 208, 208))
    assert rgb("#ff8000") == (1, 128 / 255, 0)


PINNED = {
    "clevr": "4b9eb652ee01ad44",
    "trance": "f56e3ae207913302",
}


@pytest.mark.parametrize("ground", PINNED)
def test_pixels_are_the_same_on_every_machine(ground) -> None:
    pixels = draw(scene(3), CLEVR, CLEVR_LAMPS, 120, 80, 2, ground).pixels
    assert hashlib.sha256(pixels.tobytes()).hexdigest()[:16] == PINNED[ground]


def test_bulging_faces_are_straight_in_the_middle_and_lean_outwards() -> None:
    up = np.float32(0.5)
    for shape in ("box", "cylinder"):
        size = (0.4, 0.4, 0.5)
        flat, bent = (Body(Solid(shape, (0, 0, 0.5), size, bulge=bulge)) for bulge in (0, 0.6))
        middle = (np.float32(0), np.float32(0), up)
        assert flat.normal(middle) == pytest.approx((0, 0, 1))
        assert bent.normal(middle) == pytest.approx((0, 0, 1))
        aside = (np.float32(0.3), np.float32(0), up)
        assert flat.normal(aside) == pytest.approx((0, 0, 1))
        # Of 1 + 0.6 upwards, three quarters of 0.6 lean aside.
        x, y, z = bent.normal(aside)
        assert x / z == pytest.approx(0.45 / 1.6, rel=1e-5) and y == 0
