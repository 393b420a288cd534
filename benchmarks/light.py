"""Measures the light of real CLEVR images beside ours, drawn from the same scenes.

Cameras are fitted to each scene; lamps hang where they do on average, since scenes do not say.

    python benchmarks/light.py
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from reasonrft.worlds.drawing.camera import CLEVR, CLEVR_LAMPS, Camera
from reasonrft.worlds.drawing.lighting import CLEVR_ROOM
from reasonrft.worlds.drawing.renderer import draw
from reasonrft.worlds.drawing.scene import COLORS, Shape, Solid
from reasonrft.worlds.drawing.shading import Studio

REAL = Path(__file__).resolve().parents[2] / "shared" / "real" / "clevr"
WIDTH, HEIGHT = 480, 320
ROWS, COLUMNS = 4, 6
SHAPES: dict[str, Shape] = {"cube": "box", "sphere": "sphere", "cylinder": "cylinder"}


@dataclass(frozen=True, slots=True)
class Pair:
    """A real image and ours of the same scene."""

    solids: list[Solid]
    real: np.ndarray
    ours: np.ndarray
    owners: np.ndarray
    bare: np.ndarray
    """Our ground if nothing stood on it, in linear light."""


def fitted_camera(objects: list[dict[str, Any]]) -> Camera:
    """The camera that sees the objects where the scene says; Gauss and Newton's method."""
    position = np.array(CLEVR.position)
    for _ in range(8):
        rest = _misses(position, objects)
        steps = [(_misses(position + step, objects) - rest) / 1e-4 for step in np.eye(3) * 1e-4]
        position = position - np.linalg.lstsq(np.stack(steps, 1), rest, rcond=None)[0]
    x, y, z = (float(value) for value in position)
    return Camera((x, y, z))


def _misses(position: np.ndarray, objects: list[dict[str, Any]]) -> np.ndarray:
    camera = Camera((float(position[0]), float(position[1]), float(position[2])))
    rows = []
    for item in objects:
        seen = camera.project(tuple(item["3d_coords"]), WIDTH, HEIGHT)
        u, v, depth = (a - b for a, b in zip(seen, item["pixel_coords"], strict=True))
        # Depths are exact where places are whole pixels.
        rows += [u, v, 100 * depth]
    return np.array(rows)


def solids_of(objects: list[dict[str, Any]]) -> list[Solid]:
    """A CLEVR scene as solids."""
    return [_solid(item, owner) for owner, item in enumerate(objects)]


def _solid(item: dict[str, Any], owner: int) -> Solid:
    extent = 0.7 if item["size"] == "large" else 0.35
    x, y, _ = item["3d_coords"]
    return Solid(
        shape=SHAPES[item["shape"]],
        center=(x, y, extent),
        size=(extent, extent, extent),
        # CLEVR gave its degrees to Blender as radians.
        rotation=math.degrees(item["rotation"]),
        color=item["color"],
        material=item["material"],
        owner=owner,
    )


def read_pair(scene: dict[str, Any]) -> Pair:
    """A scene's real image, and ours."""
    with Image.open(REAL / "images" / f"CLEVR_train_{scene['image_index']:06d}.jpg") as image:
        real = np.asarray(image.convert("RGB")).astype(float)
    camera, solids = fitted_camera(scene["objects"]), solids_of(scene["objects"])
    rendering = draw(solids, camera, CLEVR_LAMPS, WIDTH, HEIGHT, antialias=2)
    x, y, z = camera.rays(WIDTH, HEIGHT)
    far = -camera.position[2] / np.minimum(z, -0.01)
    point = camera.position[0] + x * far, camera.position[1] + y * far, np.zeros_like(far)
    bare = Studio([], camera, CLEVR_LAMPS, CLEVR_ROOM).bare_ground(point)
    return Pair(solids, real, rendering.pixels.astype(float), rendering.owners, np.stack(bare, -1))


def grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    """A mask and what lies within some pixels of it, along rows and columns."""
    for _ in range(pixels):
        wide = np.pad(mask, 1)
        mask = (
            wide[1:-1, 1:-1] | wide[2:, 1:-1] | wide[:-2, 1:-1] | wide[1:-1, 2:] | wide[1:-1, :-2]
        )
    return mask


def linear(pixels: np.ndarray) -> np.ndarray:
    """Light from sRGB bytes."""
    level = pixels / 255
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)


def print_ground(pairs: list[Pair]) -> None:
    """Mean brightness of the ground, away from objects, in zones of the image."""
    print(f"\nGround in {ROWS} x {COLUMNS} zones, mean of red, green and blue: real / ours")
    totals = np.zeros((3, ROWS, COLUMNS))
    for pair in pairs:
        ground = ~grown(pair.owners >= 0, 12)
        channels = ground, ground * pair.real.mean(-1), ground * pair.ours.mean(-1)
        for total, channel in zip(totals, channels, strict=True):
            total += channel.reshape(ROWS, HEIGHT // ROWS, COLUMNS, -1).sum((1, 3))
    real, ours = totals[1] / totals[0], totals[2] / totals[0]
    for row in range(ROWS):
        cells = zip(real[row], ours[row], strict=True)
        print("  " + "  ".join(f"{a:5.1f} /{b:6.1f}" for a, b in cells))
    print(
        f"  mean absolute difference {np.abs(real - ours).mean():.1f}, most "
        f"{np.abs(real - ours).max():.1f}"
    )


def print_colors(pairs: list[Pair]) -> None:
    """Mean colours of objects, two pixels inside their outlines."""
    print("\nObjects: mean red, green, blue")
    print("  color   material  pixels            real             ours  difference")
    gaps = []
    for color in COLORS:
        for material in ("rubber", "metal"):
            real, ours = _inside(pairs, material, color)
            gap = ours.mean(0) - real.mean(0)
            gaps.append(gap)
            cells = "  ".join(
                " ".join(f"{value:{width}.0f}" for value in row)
                for row, width in ((real.mean(0), 5), (ours.mean(0), 5), (gap, 4))
            )
            print(f"  {color:8}{material:8}{len(real):8}  {cells}")
    print(f"  mean absolute difference {np.abs(gaps).mean():.1f}, most {np.abs(gaps).max():.1f}")


def print_highlights(pairs: list[Pair]) -> None:
    """How bright the brightest pixels are, by material."""
    print("\nHighlights: brightest channel of pixels, real / ours")
    print("  material   median       90 %         99 %         99.7 %       share over 200")
    for material in ("rubber", "metal"):
        real, ours = (side.max(-1) for side in _inside(pairs, material))
        cells = [(np.percentile(real, p), np.percentile(ours, p)) for p in (50, 90, 99, 99.7)]
        text = "".join(f"{a:5.0f} /{b:4.0f}  " for a, b in cells)
        print(f"  {material:8} {text}  {(real > 200).mean():.2%} / {(ours > 200).mean():.2%}")


def print_shadows(pairs: list[Pair]) -> None:
    """How dark the darkest twentieth of the ground is, against bare ground, near objects."""
    print("\nGround within 16 pixels of objects, as a share of bare ground: real / ours")
    real: list[np.ndarray] = []
    ours: list[np.ndarray] = []
    for pair in pairs:
        objects = pair.owners >= 0
        near = grown(objects, 16) & ~grown(objects, 2)
        for side, pixels in ((real, pair.real), (ours, pair.ours)):
            side.append((linear(pixels[near]) / pair.bare[near]).mean(-1))
    a, b = np.concatenate(real), np.concatenate(ours)
    for percent in (1, 5, 25, 50, 75):
        print(f"  {percent:2} % {np.percentile(a, percent):.2f} / {np.percentile(b, percent):.2f}")


def _inside(
    pairs: list[Pair], material: str, color: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Real and our pixels of some objects, two pixels inside their outlines."""
    real: list[np.ndarray] = []
    ours: list[np.ndarray] = []
    for pair in pairs:
        for solid in pair.solids:
            if solid.material == material and color in (None, solid.color):
                inside = ~grown(pair.owners != solid.owner, 2)
                real.append(pair.real[inside])
                ours.append(pair.ours[inside])
    return np.concatenate(real), np.concatenate(ours)


def main() -> None:
    if not REAL.is_dir():
        print(f"No real images at {REAL}: there is nothing to measure ours against.")
        return
    scenes = json.loads((REAL / "scenes.json").read_text())["scenes"]
    pairs = [read_pair(scene) for scene in scenes]
    print(f"{len(pairs)} images, {sum(len(pair.solids) for pair in pairs)} objects")
    print_ground(pairs)
    print_colors(pairs)
    print_highlights(pairs)
    print_shadows(pairs)


if __name__ == "__main__":
    main()
