"""A folder of images with questions and answers, as somebody might have it, in five shapes."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pyarrow.parquet
from PIL import Image, ImageDraw

COUNT = 120
Row = dict[str, str]


def draw_images(folder: Path, count: int = COUNT) -> list[Row]:
    """White images with up to five red squares, and a record for each."""
    folder.mkdir(parents=True)
    return [_draw(folder / f"{number:03}.png", number % 6) for number in range(count)]


def _draw(path: Path, squares: int) -> Row:
    image = Image.new("RGB", (56, 56), "white")
    for left in range(4, 4 + 9 * squares, 9):
        ImageDraw.Draw(image).rectangle((left, 20, left + 6, 30), fill="red")
    image.save(path)
    question = "How many red squares are there?"
    return {"image": f"images/{path.name}", "question": question, "answer": str(squares)}


def write_json(home: Path, count: int = COUNT) -> Path:
    path = home / "train.json"
    path.write_text(json.dumps(draw_images(home / "images", count)))
    return path


def write_jsonl(home: Path, count: int = COUNT) -> Path:
    path = home / "squares.jsonl"
    rows = draw_images(home / "images", count)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_csv(home: Path, count: int = COUNT) -> Path:
    path = home / "squares.csv"
    _save_csv(path, draw_images(home / "images", count))
    return path


def write_parquet(home: Path, count: int = COUNT) -> Path:
    """With the bytes of its images, as data sets on the hub have them."""
    path = home / "squares.parquet"
    rows = draw_images(home / "images", count)
    records = [
        row | {"image": {"bytes": (home / row["image"]).read_bytes(), "path": None}} for row in rows
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(records), path)
    return path


def write_image_folder(home: Path, count: int = COUNT) -> Path:
    """Hugging Face's ImageFolder."""
    folder = home / "squares"
    rows = draw_images(folder, count)
    named = [{"file_name": Path(row.pop("image")).name, **row} for row in rows]
    _save_csv(folder / "metadata.csv", named)
    return folder


def _save_csv(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


SHAPES: dict[str, Callable[..., Path]] = {
    "JSON": write_json,
    "JSONL": write_jsonl,
    "CSV": write_csv,
    "Parquet": write_parquet,
    "ImageFolder": write_image_folder,
}
