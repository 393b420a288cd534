"""Measures a step of GRPO beside TRL's, and beside what no step can avoid (grpo_floor.py).

    pip install "trl==1.16.*"
    python benchmarks/grpo_step.py --shape transformation
    python benchmarks/grpo_step.py --shape 2b --device cuda --waited 1

Both sides train the same model of random weights, which each makes from one seed, on the same
problems, with the same optimizer: ours in Lightning's Trainer, TRL's GRPOTrainer with transformers'
own generation. Neither computes activations twice. "Other" is reading data, preparing images (of
TRL's, twice for every completion) and logging.

Each side has a process of its own, so that its memory can be told. On a CPU they take steps by
turns, ours first. On a GPU, whose memory may not hold both, ours takes all of its steps, and TRL's
begins when that process has ended. The first steps of each are not counted: one on a CPU; two on a
GPU, where TRL's second still takes longer than those after it. A step ends when the device has done
all of it, and nothing waits for the device within; phases are told by `--waited` steps after the
others, in which each phase waits for the device. On a GPU TRL computes in its default, autocast to
bfloat16, and the 2B in as many micro-batches as its memory needs. On a CPU, TRL scores all
positions in its head, and not only those of completions.

With `--lengths equal` no completion ends by itself: rows that finish early, which only we drop,
play no part. With `--lengths natural` each ends at a length that is drawn for it alone, and both
sides are made to end it there: in TRL's generation all tokens but the end are forbidden in its
place, and ours draws the random number that leads to the end. So both write equally many tokens.

P prompts in a step, G completions of each, T most tokens of a completion.
"""

import json
import os
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from statistics import mean, median
from typing import Any, Literal

import torch
from grpo_floor import Floor, floor_of, measure_rates
from grpo_processes import Side, by_turns, one_by_one
from grpo_shapes import (
    SHAPES,
    Device,
    Lengths,
    Shape,
    chosen_device,
    chosen_dtype,
    draw,
    lengths_of,
    make_start,
)
from grpo_turns import PHASES, Job, Step
from jsonargparse import ArgumentParser, Namespace

from reasonrft.policy.encoder import Encoder
from reasonrft.problems import Problem
from reasonrft.tasks import find_task

TRL = "1.16"
WITH_VLLM = "TRL with vLLM"
Figures = dict[str, float]


def main() -> None:
    parser = ArgumentParser(description="Measure a step of GRPO beside TRL's.")
    add = parser.add_argument
    add("--shape", type=Literal[tuple(SHAPES)], default="counting", help="what a step is made of")
    add("--device", type=Device, default="auto", help="what both sides compute on")
    add("--lengths", type=Lengths, default="equal", help="how long completions become")
    add("--steps", type=int, default=3, help="steps of each side that are counted")
    add("--first", type=int, default=None, help="steps before, by default 1 on a CPU and 2 on CUDA")
    add("--waited", type=int, default=0, help="steps after, whose phases wait for the device")
    add("--dtype", type=Literal["float32", "bfloat16"], default=None, help="of all weights")
    add("--threads", type=int, default=torch.get_num_threads(), help="of each side")
    add("--train-tower", action="store_true", help="train tower and projector as well")
    add("--lora", action="store_true", help="train an adapter instead of the weights")
    add("--trl-vllm", action="store_true", help="measure TRL with vLLM in its process as well")
    add("--json", action="store_true", help="print one JSON object last")
    chosen = parser.parse_args()
    device = chosen_device(chosen.device)
    check_versions(chosen, device)
    told = measure(chosen, device)
    print_table(told)
    if chosen.json:
        print(json.dumps(told))


def check_versions(chosen: Namespace, device: str) -> None:
    try:
        found = version("trl")
    except PackageNotFoundError:
        found = "no TRL"
    if not found.startswith(f"{TRL}."):
        raise SystemExit(f'compared is TRL {TRL}, and here is {found}: pip install "trl=={TRL}.*"')
    if not chosen.trl_vllm:
        return
    if find_spec("vllm") is None:
        raise SystemExit("--trl-vllm needs vLLM, which is not here: pip install vllm")
    if device != "cuda" or chosen.lengths != "equal":
        raise SystemExit("--trl-vllm needs CUDA, and completions that are equally long")


def measure(chosen: Namespace, device: str) -> dict[str, Any]:
    """What all sides took, and the floor."""
    shape, dtype = SHAPES[chosen.shape], chosen_dtype(chosen.dtype, device)
    first = {"cpu": 1, "cuda": 2}[device] if chosen.first is None else chosen.first
    torch.set_num_threads(chosen.threads)
    os.environ["OMP_NUM_THREADS"] = str(chosen.threads)  # of the processes that are to begin
    steps = first + chosen.steps + chosen.waited
    # Loaders read the one after the last.
    problems = draw(shape, shape.prompts * (steps + 1))
    with tempfile.TemporaryDirectory() as folder:
        start = make_start(shape, folder)
        least = mean_floor(shape, start, problems, chosen, device, dtype)
        rates = measure_rates(dtype, device)
        job = Job(
            folder,
            problems,
            shape.prompts,
            shape.group_size,
            shape.completion_tokens,
            steps,
            chosen.waited,
            dtype,
            device,
            chosen.train_tower,
            chosen.lora,
            chosen.lengths,
            shape.parts,
            chosen.threads,
        )
        names = ["ours", "TRL", *([WITH_VLLM] if chosen.trl_vllm else [])]
        sides = (one_by_one if device == "cuda" else by_turns)(names, job)
    ours, theirs, *others = (figures(side, first, least.seconds(rates)) for side in sides)
    by_step = ratios(sides[0].counted(first), sides[1].counted(first))
    return {
        "trl_version": version("trl"),
        "shape": chosen.shape,
        "device": torch.cuda.get_device_name() if device == "cuda" else "CPU",
        "dtype": dtype,
        "threads": chosen.threads,
        "train_tower": chosen.train_tower,
        "lora": chosen.lora,
        "lengths": chosen.lengths,
        "steps": chosen.steps,
        "group_size": shape.group_size,
        "images": shape.prompts * mean(len(problem.images) for problem in problems),
        "prompt_tokens": mean(step.prompt_tokens for step in sides[0].counted(first)),
        "tokens": mean(step.completion_tokens for step in sides[0].counted(first)),
        "ratio": median(by_step),
        "ratio_range": [min(by_step), max(by_step)],
        "ours_seconds": ours["seconds"],
        "trl_seconds": theirs["seconds"],
        "images_encoded": {"ours": ours["images encoded"], "trl": theirs["images encoded"]},
        "every_step": {side.name: [step.seconds for step in side.taken] for side in sides},
        "ours": ours,
        "trl": theirs,
        "trl_vllm": others[0] if others else None,
        "floor_operations": least.operations,
        "operations_per_second": rates.operations,
        "floor_bytes": least.bytes_moved,
        "bytes_per_second": rates.bytes_moved,
        "floor_seconds": least.seconds(rates),
    }


def mean_floor(
    shape: Shape,
    start: tuple[Any, Encoder],
    problems: Sequence[Problem],
    chosen: Namespace,
    device: str,
    dtype: str,
) -> Floor:
    """Of a step, on average over these problems."""
    model, encoder = start
    texts = [find_task(problem.task).prompt(problem) for problem in problems]
    prompts, size = encoder.prompts(problems, texts).prompts, shape.prompts
    names = [problem.id for problem in problems]
    group, most = shape.group_size, shape.completion_tokens
    lengths = lengths_of(names, group, most, chosen.lengths)
    kind = chosen.train_tower, chosen.lora, device == "cuda", getattr(torch, dtype).itemsize
    floors = [
        floor_of(model, prompts[at : at + size], lengths[at : at + size], *kind)
        for at in range(0, len(prompts), size)
    ]
    return Floor(mean(f.operations for f in floors), mean(f.bytes_moved for f in floors))


def ratios(ours: Sequence[Step], theirs: Sequence[Step]) -> list[float]:
    """How much longer TRL took, step by step."""
    return [their.seconds / our.seconds for our, their in zip(ours, theirs, strict=True)]


def figures(side: Side, first: int, least: float) -> Figures:
    """Medians of one side's steps, in the order of the table, given the seconds of the floor."""
    steps, phased = side.counted(first), side.phased(first)
    seconds = median(step.seconds for step in steps)
    waited = {"seconds, phases waited for": median(step.seconds for step in phased)}
    return {
        "seconds": seconds,
        "fewest seconds": min(step.seconds for step in steps),
        "most seconds": max(step.seconds for step in steps),
        **(waited if side.waited else {}),
        **{name: median(step.phases[name] for step in phased) for name in PHASES},
        "other": median(step.seconds - sum(step.phases.values()) for step in phased),
        "images encoded": median(step.images for step in steps),
        "positions in the language model": median(step.positions for step in steps),
        "positions a second": median(step.positions / step.seconds for step in steps),
        "completion tokens a second": sum(s.completion_tokens for s in steps)
        / sum(s.seconds for s in steps),
        **memory(side),
        "times the floor": seconds / least,
    }


def memory(side: Side) -> Figures:
    """Of the GPU, or of the process."""
    if side.taken[-1].reserved:
        return {
            "GiB of tensors, the most": side.taken[-1].allocated / 2**30,
            "GiB reserved, the most": side.taken[-1].reserved / 2**30,
        }
    most = max(side.resident)
    return {
        "resident MiB, the most seen": most / 2**20,
        "resident MiB, added since the first step began": (most - side.resident[0]) / 2**20,
    }


def print_table(told: dict[str, Any]) -> None:
    """Markdown."""
    learns = "an adapter" if told["lora"] else "all weights of the language model"
    print(
        f"{told['shape']}: {told['prompt_tokens']:,.0f} prompt tokens, {told['images']:g} "
        f"images and {told['tokens']:,.0f} completion tokens a step, G = {told['group_size']}, "
        f"{told['dtype']}, {told['device']}, {told['threads']} threads, {told['steps']} steps, "
        f"lengths {told['lengths']}, {learns} trained, tower "
        f"{'trained' if told['train_tower'] else 'frozen'}\n"
    )
    ours, theirs, vllm = told["ours"], told["trl"], told["trl_vllm"]
    heads = [f"TRL {told['trl_version']}", *([WITH_VLLM] if vllm else []), "reasonrft"]
    print(f"| a step | {' | '.join(heads)} | TRL / reasonrft |\n|{'---|' * (len(heads) + 2)}")
    for name in ours:
        cells = [_shown(side[name]) for side in (theirs, vllm, ours) if side]
        ratio = f"{theirs[name] / ours[name]:.2f}" if ours[name] else ""
        print(f"| {name} | {' | '.join(cells)} | {ratio} |")
    low, high = told["ratio_range"]
    moved = (
        f" and {told['floor_bytes'] / 1e9:,.0f} GB at {told['bytes_per_second'] / 1e9:,.0f} GB/s"
        if told["floor_bytes"]
        else ""
    )
    print(
        f"\nStep by step, TRL takes {told['ratio']:.2f} times as long ({low:.2f} to {high:.2f}). "
        f"The floor: {told['floor_operations'] / 1e9:,.0f} GFLOP at "
        f"{told['operations_per_second'] / 1e9:,.0f} GFLOP/s{moved}, {told['floor_seconds']:.2f} s."
    )


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"


if __name__ == "__main__":
    main()
