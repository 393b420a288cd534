"""Whether a counting problem is right, judged from the problem alone."""

import math
from collections.abc import Mapping
from itertools import combinations
from typing import Any

from reasonrft.oracles.count_questions import CATEGORIES, derive_count
from reasonrft.problems import Problem
from reasonrft.worlds.counting.clevr_blocks import MARGIN, MIN_DISTANCE, RADII, Blocks
from reasonrft.worlds.counting.counting_scenes import SEEN_PIXELS, Domain, scene_camera, seen_pixels
from reasonrft.worlds.counting.vehicles import Vehicles
from tests.worlds.checkers.counting_chain import check_chain

_ROUNDING = 1e-6


def verify(problem: Problem) -> str | None:
    """What is wrong with a problem, in one clause, or None.

    Its question must be answered alike by whoever reads it without knowing how it was made, its
    chain must entail the answer, and its scene must keep the rules of placement and visibility.
    """
    scene = problem.meta["scene"]
    if (count := derive_count(problem.question, scene["objects"])) is None:
        return "the question cannot be answered from the scene"
    if str(count) != problem.answer:
        return f"the scene gives {count}, the answer is {problem.answer}"
    return check_chain(problem) or _sight_fault(scene) or _placement_fault(scene)


def _domain(scene: Mapping[str, Any]) -> Domain:
    vehicles = any(item["shape"] in CATEGORIES for item in scene["objects"])
    return Vehicles() if vehicles else Blocks()


def _sight_fault(scene: Mapping[str, Any]) -> str | None:
    """Whether all objects are seen, and where the scene says."""
    camera = scene_camera(scene)
    for item in scene["objects"]:
        place = camera.project(item["3d_coords"], scene["width"], scene["height"])
        if math.dist(place, item["pixel_coords"]) > 0.01:
            return f"a {item['shape']} is not seen where the scene says"
    seen = seen_pixels(_domain(scene).solids(scene["objects"]), camera)
    return None if min(seen) >= SEEN_PIXELS else f"an object shows {min(seen)} pixels only"


def _placement_fault(scene: Mapping[str, Any]) -> str | None:
    """Whether CLEVR's objects keep their distances."""
    directions = scene_camera(scene).directions()
    for one, two in combinations(scene["objects"], 2):
        if one["shape"] in CATEGORIES:
            continue
        dx, dy = (one["3d_coords"][i] - two["3d_coords"][i] for i in (0, 1))
        apart = MIN_DISTANCE + RADII[one["size"]] + RADII[two["size"]]
        if math.hypot(dx, dy) < apart - _ROUNDING:
            return "two objects are too near to each other"
        if any(abs(dx * x + dy * y) < MARGIN - _ROUNDING for x, y in directions.values()):
            return "two objects are not clearly beside or behind each other"
    return None
