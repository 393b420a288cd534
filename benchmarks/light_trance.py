"""Measures the light of real TRANCE images beside ours, drawn from the same states.

Cameras and lamps stand where they do on average, and objects are turned at random, since states
do not say more.

    python benchmarks/light_trance.py
"""

import json
import math
import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from light import SHAPES, grown
from PIL import Image

from reasonrft.worlds.drawing.camera import (
    TRANCE_CENTER,
    TRANCE_LAMPS,
    TRANCE_LEFT,
    TRANCE_RIGHT,
    Camera,
)
from reasonrft.worlds.drawing.renderer import draw
from reasonrft.worlds.drawing.scene import Solid

REAL = Path(__file__).resolve().parents[2] / "shared" / "real" / "trance"
CAMERAS = {
    "Camera_Center": TRANCE_CENTER,
    "Camera_Left": TRANCE_LEFT,
    "Camera_Right": TRANCE_RIGHT,
}
SIZES = {"large": 0.9, "medium": 0.6, "small": 0.3}
UNIT, STAGE = 0.15, 20
WIDTH, HEIGHT = 160, 120
ROWS, COLUMNS = 3, 4

View = tuple[str, list[Solid], np.ndarray]
"""A camera's name, what is on the stage, and the real image."""


def views() -> Iterator[View]:
    """Every real image."""
    for sample in json.loads((REAL / "states.json").read_text()):
        for state in sample["states"]:
            rng = random.Random(sample["idx"])
            solids = [_solid(item, i, rng) for i, item in enumerate(state["objects"])]
            stage = [solid for solid in solids if max(map(abs, solid.center[:2])) <= STAGE * UNIT]
            for camera, name in state["images"].items():
                with Image.open(REAL / "images" / name) as image:
                    yield camera, stage, np.asarray(image.convert("RGB")).astype(float)


def _solid(item: dict[str, Any], owner: int, rng: random.Random) -> Solid:
    extent = SIZES[item["size"]] / (math.sqrt(2) if item["shape"] == "cube" else 1)
    x, y = item["position"]
    return Solid(
        shape=SHAPES[item["shape"]],
        center=(UNIT * x, UNIT * y, extent),
        size=(extent, extent, extent),
        rotation=rng.uniform(0, 360),
        color=item["color"],
        material=item["material"],
        owner=owner,
    )


def _drawn(camera: Camera, solids: list[Solid]) -> tuple[np.ndarray, np.ndarray]:
    rendering = draw(solids, camera, TRANCE_LAMPS, WIDTH, HEIGHT, antialias=2, ground="trance")
    return rendering.pixels.astype(float), rendering.owners


def main() -> None:
    if not REAL.is_dir():
        print(f"No real images at {REAL}: there is nothing to measure ours against.")
        return
    ground = {name: np.zeros((3, ROWS, COLUMNS)) for name in CAMERAS}
    gaps: defaultdict[tuple[str, str], list[np.ndarray]] = defaultdict(list)
    for camera, solids, real in views():
        ours, owners = _drawn(CAMERAS[camera], solids)
        open_ground = ~grown(owners >= 0, 9)
        for total, channel in zip(ground[camera], (1, real.mean(-1), ours.mean(-1)), strict=True):
            total += (open_ground * channel).reshape(ROWS, HEIGHT // ROWS, COLUMNS, -1).sum((1, 3))
        for solid in solids:
            inside = ~grown(owners != solid.owner, 2)
            if inside.sum() >= 10:
                pair = np.stack([real[inside].mean(0), ours[inside].mean(0)])
                gaps[solid.material, solid.shape].append(pair)
    for name, (count, real, ours) in ground.items():
        print(f"\nGround from {name} in {ROWS} x {COLUMNS} zones: real / ours")
        for row in zip(real / count, ours / count, strict=True):
            print("  " + "  ".join(f"{a:5.1f} /{b:6.1f}" for a, b in zip(*row, strict=True)))
    print("\nObjects: mean of red, green and blue; mean difference of one object's channels")
    for (material, shape), pairs in sorted(gaps.items()):
        real, ours = np.mean(pairs, axis=(0, 2))
        difference = np.abs(np.diff(np.array(pairs), axis=1)).mean()
        print(
            f"  {material:7} {shape:9} {len(pairs):3}  {real:5.1f} / {ours:5.1f}  {difference:4.1f}"
        )


if __name__ == "__main__":
    main()
