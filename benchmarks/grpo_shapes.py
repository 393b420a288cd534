"""What a step of the benchmarks is made of: a model, problems, and how long completions become.

P prompts in a step, G completions of each, L tokens of a prompt, T most of a completion.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from grpo_model import make_config, make_model, make_processor
from qwen2_vl import make_qwen2_vl

from reasonrft.policy.encoder import Encoder
from reasonrft.problems import Problem
from reasonrft.worlds import make_world

Lengths = Literal["equal", "natural"]
Device = Literal["auto", "cpu", "cuda"]
MIDDLE, SPREAD = 0.5, 0.5
"""Natural lengths are log-normal: the median as a share of T, and the deviation of its logarithm;
one in twelve would be longer than T, and is cut there."""


@dataclass(frozen=True)
class Small:
    """A Qwen3-VL of any size; images have a token for 16x16 pixels."""

    hidden: int
    layers: int
    depth: int
    vision_hidden: int
    heads: int = 4

    def make(self, pixels: tuple[int, int]) -> tuple[Any, Any]:
        processor = make_processor(*pixels)
        language, tower = (self.hidden, self.layers, self.heads), (self.depth, self.vision_hidden)
        return make_config(processor.tokenizer, *language, *tower), processor


@dataclass(frozen=True)
class Qwen2VL:
    """One as memory_table.py has it; images have a token for 28x28 pixels."""

    size: str

    def make(self, pixels: tuple[int, int]) -> tuple[Any, Any]:
        return make_qwen2_vl(self.size, *pixels)


@dataclass(frozen=True)
class Shape:
    """The size of a step and its model."""

    task: str
    prompts: int
    completion_tokens: int
    pixels: tuple[int, int]
    """The fewest and the most of an image."""
    model: Small | Qwen2VL
    group_size: int = 8
    parts: int = 1
    """Micro-batches of TRL's update: its activations do not fit at once."""


SHAPES = {
    "counting": Shape("counting", 2, 80, (80_000, 105_000), Small(320, 4, 4, 192)),
    "structure": Shape("structure", 2, 100, (124_000, 140_000), Small(320, 4, 4, 192)),
    "transformation": Shape("transformation", 1, 100, (190_000, 200_000), Small(256, 3, 3, 128)),
    "2b": Shape("transformation", 2, 256, (300_000, 307_200), Qwen2VL("2b"), parts=4),
    # To see that they run.
    "tiny": Shape("transformation", 2, 6, (4_000, 10_000), Small(64, 2, 2, 32), group_size=4),
    "mini": Shape("transformation", 2, 6, (4_000, 10_000), Qwen2VL("mini"), 4, parts=2),
}


def chosen_device(name: Device) -> str:
    found = torch.cuda.is_available()
    if name == "cuda" and not found:
        raise SystemExit("no CUDA device is here: --device cpu")
    return name if name != "auto" else "cuda" if found else "cpu"


def chosen_dtype(name: str | None, device: str) -> str:
    return name or ("bfloat16" if device == "cuda" else "float32")


def draw(shape: Shape, count: int) -> list[Problem]:
    world = make_world(shape.task)
    return [world.problem("train", index) for index in range(count)]


def make_start(shape: Shape, folder: str) -> tuple[Any, Encoder]:
    """Write config.json and the processor that all start from; the model has no weights yet."""
    config, processor = shape.model.make(shape.pixels)
    config.architectures = [
        f"{type(config).__name__.removesuffix('Config')}ForConditionalGeneration"
    ]
    config.save_pretrained(folder)
    processor.save_pretrained(folder)
    return make_model(folder, "float32", "meta"), Encoder(processor)


def drawn_lengths(problem: str, count: int, most: int) -> list[int]:
    """Tokens after which each completion of a problem ends; one of `most` does not end itself."""
    rng = random.Random(problem)
    drawn = (most * rng.lognormvariate(math.log(MIDDLE), SPREAD) for _ in range(count))
    return [min(most, max(1, round(length))) for length in drawn]


def lengths_of(
    problems: Sequence[str], count: int, most: int, kind: Lengths
) -> list[list[int]]:  # (P, G)
    if kind == "equal":
        return [[most] * count for _ in problems]
    return [drawn_lengths(problem, count, most) for problem in problems]
