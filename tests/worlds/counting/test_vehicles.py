from collections import Counter
from dataclasses import replace

import pytest

from reasonrft.oracles.count_questions import CATEGORIES
from reasonrft.worlds.counting.counting_scenes import scene_camera, seen_pixels
from reasonrft.worlds.counting.counting_world import CountingWorld
from reasonrft.worlds.counting.vehicle_models import MODELS
from reasonrft.worlds.counting.vehicles import LENGTHS, Footprint, Vehicles
from reasonrft.worlds.drawing.camera import CLEVR
from reasonrft.worlds.drawing.scene import COLORS

SMALL = {"width": 24, "height": 16}


def vehicle(kind, size="large", parts=None):
    return {
        "shape": kind,
        "size": size,
        "color": "cyan",
        "material": "metal",
        "rotation": 30.0,
        "3d_coords": [0.5, -0.5, 0.3],
        "parts": parts or {},
    }


def test_there_is_a_model_of_every_kind():
    assert MODELS.keys() == CATEGORIES.keys()
    for kind, model in MODELS.items():
        assert 3 <= len(model) <= 11, kind
        assert any(not part.paint for part in model)


@pytest.mark.parametrize("kind", MODELS)
def test_models_stand_on_the_ground_and_are_a_unit_long(kind):
    solids = Vehicles().solids([vehicle(kind)])
    low = min(s.center[2] - (s.size[2] if s.axis == "z" else s.size[0]) for s in solids)
    assert -0.01 <= low < 0.2
    ends = [part.center[0] + part.size[0] for part in MODELS[kind] if part.shape == "box"]
    assert 0.3 < max(ends) < 0.6
    assert min(seen_pixels(solids, CLEVR)) > 300


def test_parts_have_colours_of_their_own():
    parts = {"roof": {"color": "red", "material": "rubber"}}
    solids = Vehicles().solids([vehicle("sedan", parts=parts)])
    looks = Counter((solid.color, solid.material) for solid in solids)
    assert looks["red", "rubber"] == 1 and looks["cyan", "metal"] >= 3
    small = Vehicles().solids([vehicle("sedan", "small")])
    ratio = LENGTHS["small"] / LENGTHS["large"]
    assert [s.size[0] * ratio for s in solids] == pytest.approx([s.size[0] for s in small])


def test_scenes_hold_all_categories_and_few_distractors():
    world, kinds, recolored = CountingWorld(7, **SMALL), Counter(), 0
    for index in range(45):
        for item in world.draw("ood-domain", index).scene["objects"]:
            kinds[CATEGORIES[item["shape"]]] += 1
            assert len(item["parts"]) <= 3
            recolored += len(item["parts"])
            for part in item["parts"].values():
                assert part["color"] in COLORS and part["color"] != item["color"]
    assert len(kinds) == 5 and min(kinds.values()) > 0.08 * kinds.total()
    assert 0.2 < recolored / kinds.total() < 2


def test_the_own_colour_is_seen_most():
    world = CountingWorld(8, **SMALL)
    for index in range(5):
        scene = world.draw("ood-domain", index).scene
        solids = Vehicles().solids(scene["objects"])
        owners = [solid.owner for solid in solids]
        apart = [replace(solid, owner=number) for number, solid in enumerate(solids)]
        pixels = seen_pixels(apart, scene_camera(scene))
        for owner, item in enumerate(scene["objects"]):
            shown = Counter()
            for solid, count, mine in zip(solids, pixels, owners, strict=True):
                if mine == owner:
                    shown[solid.color] += count
            named = {color: shown[color] for color in COLORS if color in shown}
            assert max(named, key=named.get) == item["color"]


def test_footprints():
    one = Footprint(0, 0, (1.0, 0.0), 1.0, 0.3)
    assert not one.apart(Footprint(1.9, 0, (1.0, 0.0), 1.0, 0.3))
    assert one.apart(Footprint(2.15, 0, (1.0, 0.0), 1.0, 0.3))
    assert one.apart(Footprint(0, 0.75, (-1.0, 0.0), 1.0, 0.3))
    # Turned by a right angle, 1 + 0.3 + 0.1 apart
    assert one.apart(Footprint(1.45, 0, (0.0, 1.0), 1.0, 0.3))
    assert not one.apart(Footprint(1.35, 0, (0.0, 1.0), 1.0, 0.3))
    assert one.framed(CLEVR) and not Footprint(8, 8, (1.0, 0.0), 1.0, 0.3).framed(CLEVR)
