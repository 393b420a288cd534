"""Prints how many images of five objects one core draws in a second.

python benchmarks/worlds.py
"""

import random
import time
from collections.abc import Callable, Sequence

from reasonrft.worlds.drawing.camera import CLEVR, CLEVR_LAMPS
from reasonrft.worlds.drawing.png import encode_png
from reasonrft.worlds.drawing.renderer import draw, visible_pixels
from reasonrft.worlds.drawing.scene import COLORS, Material, Shape, Solid

SIZES = (120, 80), (240, 160), (480, 320)
OBJECTS, SCENES = 5, 20
SHAPES: tuple[Shape, ...] = ("sphere", "cylinder", "box")
MATERIALS: tuple[Material, ...] = ("rubber", "metal")


def random_solids(rng: random.Random) -> list[Solid]:
    """Objects at random places of the stage, apart from each other."""
    solids: list[Solid] = []
    while len(solids) < OBJECTS:
        r, x, y = rng.choice((0.7, 0.35)), rng.uniform(-3, 3), rng.uniform(-3, 3)
        gaps = [
            (x - other.center[0]) ** 2
            + (y - other.center[1]) ** 2
            - (r + other.size[0] + 0.25) ** 2
            for other in solids
        ]
        if all(gap > 0 for gap in gaps):
            shape, material = rng.choice(SHAPES), rng.choice(MATERIALS)
            color = rng.choice(sorted(COLORS))
            turn = rng.uniform(0, 360)
            solids.append(
                Solid(shape, (x, y, r), (r, r, r), turn, color, material, owner=len(solids))
            )
    return solids


def rate(work: Callable[..., object], items: Sequence[object], *others: object) -> float:
    """Items per second of processor time: the best of three rounds."""
    best = 0.0
    for _ in range(3):
        start = time.process_time()
        for item in items:
            work(item, *others)
        best = max(best, len(items) / (time.process_time() - start))
    return best


def main() -> None:
    scenes = [random_solids(random.Random(index)) for index in range(SCENES)]
    print("| size | draw | draw, antialias 2 | visible_pixels | encode_png |")
    print("|---|---|---|---|---|")
    for size in SIZES:
        images = [draw(solids, CLEVR, CLEVR_LAMPS, *size).pixels for solids in scenes]
        rates = (
            rate(draw, scenes, CLEVR, CLEVR_LAMPS, *size),
            rate(draw, scenes, CLEVR, CLEVR_LAMPS, *size, 2),
            rate(visible_pixels, scenes, CLEVR, *size),
            rate(encode_png, images),
        )
        print(f"| {size[0]}x{size[1]} | " + " | ".join(f"{value:.0f}" for value in rates) + " |")


if __name__ == "__main__":
    main()
