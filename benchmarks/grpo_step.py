"""Measures a step of GRPO beside TRL's, and beside what no step can avoid, on a CPU.

    pip install "trl==1.16.*"
    python benchmarks/grpo_step.py --shape transformation

Both sides train the same small model of random weights on the same problems, with the same
optimizer: ours in Lightning's Trainer, TRL's GRPOTrainer with transformers' own generation. Each
has a process of its own, so that its memory can be told, and they take steps by turns, ours
first; the first step of each is not counted. No completion ends by itself: all are equally long,
and rows that finish early, which only we drop, play no part. Neither side computes activations
twice. On a CPU, TRL scores all positions in its head, and not only those of completions.
"Other" is reading data, preparing images (of TRL's, twice for every completion) and logging.

The floor: prompts and completions pass the language model once in the rollout, once in the
reference, and once forward and backward (which counts three times) in the update, each prompt
once, each token seeing only what it must; images pass the tower once if it is frozen. That is
divided by the rate at which this machine multiplies large matrices.

P prompts in a step, G completions of each, L tokens of a prompt, T of a completion.
"""

import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from statistics import mean, median
from typing import Any, Literal

import psutil
import torch
from grpo_model import make_config, make_processor
from grpo_sides import PHASES, Job, Step, run
from jsonargparse import ArgumentParser
from transformers import Qwen3VLForConditionalGeneration
from transformers.utils import logging

from reasonrft.policy.encoder import Encoder, Prompt
from reasonrft.problems import Problem
from reasonrft.tasks import find_task
from reasonrft.worlds import make_world

TRL = "1.16"
LOOK = 0.02
"""Seconds between two looks at a process's memory."""


@dataclass(frozen=True)
class Shape:
    """The size of a step and of its model; images have a token for 16x16 pixels."""

    task: str
    prompts: int
    completion_tokens: int
    pixels: tuple[int, int]
    """The fewest and the most of a image."""
    hidden: int
    layers: int
    depth: int
    vision_hidden: int
    group_size: int = 8
    heads: int = 4


SHAPES = {
    "counting": Shape("counting", 2, 80, (80_000, 105_000), 320, 4, 4, 192),
    "structure": Shape("structure", 2, 100, (124_000, 140_000), 320, 4, 4, 192),
    "transformation": Shape("transformation", 1, 100, (190_000, 200_000), 256, 3, 3, 128),
    # To see that it runs.
    "tiny": Shape("transformation", 2, 6, (4_000, 10_000), 64, 2, 2, 32, group_size=4),
}
Figures = dict[str, float]


def main() -> None:
    parser = ArgumentParser(description="Measure a step of GRPO beside TRL's, on a CPU.")
    add = parser.add_argument
    add("--shape", type=Literal[tuple(SHAPES)], default="counting", help="what a step is made of")
    add("--steps", type=int, default=3, help="steps of each side that are counted")
    add("--dtype", type=Literal["float32", "bfloat16"], default="float32", help="of all weights")
    add("--threads", type=int, default=torch.get_num_threads(), help="of each side")
    add("--train-tower", action="store_true", help="train tower and projector as well")
    add("--json", action="store_true", help="print one JSON object last")
    chosen = parser.parse_args()
    check_version()
    told = measure(chosen.shape, chosen.steps, chosen.dtype, chosen.threads, chosen.train_tower)
    print_table(told)
    if chosen.json:
        print(json.dumps(told))


def check_version() -> None:
    try:
        found = version("trl")
    except PackageNotFoundError:
        found = "no TRL"
    if not found.startswith(f"{TRL}."):
        raise SystemExit(f'compared is TRL {TRL}, and here is {found}: pip install "trl=={TRL}.*"')


def measure(name: str, steps: int, dtype: str, threads: int, train_tower: bool) -> dict[str, Any]:
    """What both sides took, and the floor."""
    shape = SHAPES[name]
    torch.set_num_threads(threads)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # of the processes that are to begin
    # One step is not counted, and loaders read the one after the last.
    problems = draw(shape, shape.prompts * (steps + 2))
    with tempfile.TemporaryDirectory() as folder:
        start = make_start(shape, folder)
        operations = floor(shape, start, problems, train_tower)
        rate = matrix_rate(getattr(torch, dtype))
        size = (shape.prompts, shape.group_size, shape.completion_tokens, steps + 1)
        sides = by_turns(Job(folder, problems, *size, dtype, train_tower, threads))
    least = operations / rate
    ours, theirs = (figures(side, least) for side in sides)
    return {
        "trl_version": version("trl"),
        "shape": name,
        "dtype": dtype,
        "threads": threads,
        "train_tower": train_tower,
        "steps": steps,
        "group_size": shape.group_size,
        "images": shape.prompts * mean(len(problem.images) for problem in problems),
        "prompt_tokens": mean(step.prompt_tokens for step in sides[0].counted),
        "tokens": sides[0].counted[0].completion_tokens,
        "ratio": median(ratios(sides)),
        "ratio_range": [min(ratios(sides)), max(ratios(sides))],
        "ours_seconds": ours["seconds"],
        "trl_seconds": theirs["seconds"],
        "images_encoded": {"ours": ours["images encoded"], "trl": theirs["images encoded"]},
        "ours": ours,
        "trl": theirs,
        "floor_operations": operations,
        "operations_per_second": rate,
        "floor_seconds": least,
    }


def draw(shape: Shape, count: int) -> list[Problem]:
    world = make_world(shape.task)
    return [world.problem("train", index) for index in range(count)]


def make_start(shape: Shape, folder: str) -> tuple[Any, Encoder]:
    """Write the model that both sides start from."""
    processor = make_processor(*shape.pixels)
    language, tower = (shape.hidden, shape.layers, shape.heads), (shape.depth, shape.vision_hidden)
    torch.manual_seed(0)
    model = Qwen3VLForConditionalGeneration(make_config(processor.tokenizer, *language, *tower))
    logging.disable_progress_bar()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return model, Encoder(processor)


class Side:
    """A process that trains on one side, a step at a time."""

    def __init__(self, name: str, job: Job) -> None:
        context = multiprocessing.get_context("spawn")
        self.name = name
        self.line, other = context.Pipe()
        self.process = context.Process(target=run, args=(name, job, other), daemon=True)
        self.process.start()
        other.close()
        self.taken: list[Step] = []
        self.resident: list[int] = []

    def step(self) -> None:
        """Let it take one, and watch how much memory it holds."""
        try:
            self.line.recv()
            self.look()
            self.line.send("go")
            while not self.line.poll(LOOK):
                self.look()
            self.taken.append(self.line.recv())
        except (EOFError, ConnectionError, psutil.Error):
            raise SystemExit(f"{self.name} ended early; why stands above") from None

    def look(self) -> None:
        self.resident.append(psutil.Process(self.process.pid).memory_info().rss)

    @property
    def counted(self) -> list[Step]:
        return self.taken[1:]


def by_turns(job: Job) -> tuple[Side, Side]:
    """Both sides when they are done: ours, TRL's."""
    ours, theirs = Side("ours", job), Side("TRL", job)
    for _ in range(job.steps):
        ours.step()
        theirs.step()
        check_equal(ours.taken[-1], theirs.taken[-1])
    for side in (ours, theirs):
        side.process.join()
    return ours, theirs


def check_equal(ours: Step, theirs: Step) -> None:
    """Both must have read and written equally many tokens on the same problems."""
    first, second = (
        (sorted(one.problems), one.prompt_tokens, one.completion_tokens) for one in (ours, theirs)
    )
    if first != second:
        raise SystemExit(f"the sides did not do the same: ours {first}, TRL {second}")


def ratios(sides: Sequence[Side]) -> list[float]:
    """How much longer TRL took, step by step."""
    pairs = zip(*(side.counted for side in sides), strict=True)
    return [theirs.seconds / ours.seconds for ours, theirs in pairs]


def figures(side: Side, least: float) -> Figures:
    """Medians of one side's steps, in the order of the table, given the seconds of the floor."""
    steps, most = side.counted, max(side.resident)
    seconds = median(step.seconds for step in steps)
    return {
        "seconds": seconds,
        "fewest seconds": min(step.seconds for step in steps),
        "most seconds": max(step.seconds for step in steps),
        **{name: median(step.phases[name] for step in steps) for name in PHASES},
        "other": median(step.seconds - sum(step.phases.values()) for step in steps),
        "images encoded": median(step.images for step in steps),
        "positions in the language model": median(step.positions for step in steps),
        "positions a second": median(step.positions / step.seconds for step in steps),
        "completion tokens a second": steps[0].completion_tokens / seconds,
        "resident MiB, the most seen": most / 2**20,
        "resident MiB, added since the first step began": (most - side.resident[0]) / 2**20,
        "times the floor": seconds / least,
    }


def matrix_rate(dtype: torch.dtype, size: int = 2048) -> float:
    """Operations a second in a product of large matrices, the best of several."""
    left, right = (torch.randn(size, size).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(8):
        start = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def floor(
    shape: Shape, start: tuple[Any, Encoder], problems: Sequence[Problem], train_tower: bool
) -> float:
    """Operations of a step that cannot be avoided, as it is on average over these problems."""
    model, encoder = start
    texts = [find_task(problem.task).prompt(problem) for problem in problems]
    prompts = encoder.prompts(problems, texts).prompts
    rows = mean(row_operations(model, prompt.length, shape) for prompt in prompts)
    looks = mean(look_operations(model, prompt) for prompt in prompts)
    # Rollout, reference, and three in the update; a frozen tower sees the same in all of them.
    return shape.prompts * (5 * rows + looks * (5 if train_tower else 1))


def row_operations(model: Any, length: int, shape: Shape) -> float:
    """One pass over a prompt and its completions; a product and its sum are two operations."""
    config = model.config.text_config
    count, written = shape.group_size, shape.completion_tokens - 1  # the last predicts nothing
    tokens, predictors = length + count * written, 1 + count * written
    seen = length * (length + 1) / 2 + count * written * (length + (written + 1) / 2)
    attention = 2 * seen * config.num_attention_heads * config.head_dim * config.num_hidden_layers
    head = model.get_output_embeddings().weight.numel()
    return 2 * (_weights(model.get_decoder().layers) * tokens + head * predictors + attention)


def look_operations(model: Any, prompt: Prompt) -> float:
    """A prompt's images through the tower, whose mergers see each group of patches once."""
    tower, config = model.get_encoder("image"), model.config.vision_config
    each = _weights(tower.patch_embed) + _weights(tower.blocks)
    group = _weights(tower.merger) + _weights(tower.deepstack_merger_list)
    total = 0.0
    for patches in prompt.inputs["image_grid_thw"].prod(-1).tolist():
        attention = 2 * patches**2 * config.hidden_size * config.depth
        total += 2 * (each * patches + group * patches / config.spatial_merge_size**2 + attention)
    return total


def _weights(module: torch.nn.Module) -> int:
    """Weights of matrices: each takes a product and a sum for every token."""
    return sum(weight.numel() for weight in module.parameters() if weight.ndim > 1)


def print_table(told: dict[str, Any]) -> None:
    """Markdown."""
    print(
        f"{told['shape']}: {told['prompt_tokens']:,.0f} prompt tokens, {told['images']:g} "
        f"images and {told['tokens']:,} completion tokens a step, G = {told['group_size']}, "
        f"{told['dtype']}, {told['threads']} threads, {told['steps']} steps, tower "
        f"{'trained' if told['train_tower'] else 'frozen'}\n"
    )
    ours, theirs = told["ours"], told["trl"]
    print(
        f"| a step | TRL {told['trl_version']} | reasonrft | TRL / reasonrft |\n|---|---|---|---|"
    )
    for name in ours:
        ratio = f"{theirs[name] / ours[name]:.2f}" if ours[name] else ""
        print(f"| {name} | {_shown(theirs[name])} | {_shown(ours[name])} | {ratio} |")
    low, high = told["ratio_range"]
    print(
        f"\nStep by step, TRL takes {told['ratio']:.2f} times as long ({low:.2f} to {high:.2f}). "
        f"The floor: {told['floor_operations'] / 1e9:,.0f} GFLOP at "
        f"{told['operations_per_second'] / 1e9:,.0f} GFLOP/s, {told['floor_seconds']:.2f} s."
    )


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"


if __name__ == "__main__":
    main()
