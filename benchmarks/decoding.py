"""Prints what a token takes in each decode loop of the local engine, over 1 to 128 rows.

    python benchmarks/decoding.py
    python benchmarks/decoding.py --shape 2b --device cuda --tokens 256

Rows are groups of eight completions of one prompt; one and four rows are one group. No completion
ends by itself. Every rollout is measured twice: first, with images encoded and all that a first
time takes, and settled, with all of that done. Milliseconds a token are those of a settled rollout
without its prefill, which a rollout of one token takes. The floor is the time in which a token's
bytes are read: all weights of the language model, the keys and values of each prompt once, and of
each completion (grpo_floor.py). It is a GPU's; on a CPU caches keep a small model, and no share is
printed. On a GPU loops that are not captured, which are slow there, write a quarter of the tokens.
"""

import json
import tempfile
import time
from collections.abc import Callable
from typing import Any, Literal

import torch
from grpo_floor import Rates, decoding_bytes, measure_rates, synchronize
from grpo_model import make_policy
from grpo_shapes import SHAPES, Device, chosen_device, chosen_dtype, draw, make_start
from jsonargparse import ArgumentParser

from reasonrft.policy import Policy
from reasonrft.policy.encoder import PromptBatch
from reasonrft.rollout import LocalEngine, Rollout, Sampling
from reasonrft.rollout.local import Loop, Prompts
from reasonrft.tasks import find_task

GROUP = 8
LOOPS: dict[str, tuple[Loop, Prompts]] = {
    "eager": ("eager", "auto"),
    "static-shared": ("static", "shared"),
    "static-repeated": ("static", "repeated"),
    "captured-shared": ("captured", "shared"),
    "captured-repeated": ("captured", "repeated"),
}
SLOW_SHARE = 4
LoopNames: Any = list[Literal[tuple(LOOPS)]]  # type: ignore[misc]
COLUMNS = (
    "rows",
    "loop",
    "ms a token",
    "tokens/s",
    "share of the floor",
    "rollout, s",
    "first, s",
    "prefill, s",
    "graphs",
    "GiB",
)
Figures = dict[str, Any]


def main() -> None:
    parser = ArgumentParser(description="Measure the decode loops of the local engine.")
    add = parser.add_argument
    add("--shape", type=Literal[tuple(SHAPES)], default="mini", help="model and problems")
    add("--device", type=Device, default="auto", help="what decodes")
    add("--rows", type=list[int], default=[1, 4, 16, 64, 128], help="rows that decode together")
    add("--tokens", type=int, default=64, help="tokens of a completion")
    add("--loops", type=LoopNames, default=None, help="which loops")
    add("--dtype", type=Literal["float32", "bfloat16"], default=None, help="of all weights")
    add("--json", action="store_true", help="print one JSON object last")
    chosen = parser.parse_args()
    device = chosen_device(chosen.device)
    dtype = chosen_dtype(chosen.dtype, device)
    rates = measure_rates(dtype, device)
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    print(f"{chosen.shape}, {dtype}, {name}, {chosen.tokens} tokens\n")
    print(f"| {' | '.join(COLUMNS)} |\n|---:|---|{'---:|' * (len(COLUMNS) - 2)}")
    loops = chosen.loops or [*loops_of(device)]
    told = []
    with tempfile.TemporaryDirectory() as folder:
        policy, batches = prepare(chosen.shape, folder, dtype, device, chosen.rows)
        for rows, (batch, group) in batches.items():
            for loop in loops:
                tokens = max(2, chosen.tokens // (SLOW_SHARE if is_slow(loop, device) else 1))
                engine = LocalEngine(*LOOPS[loop])
                found = measure(engine, policy, batch, group, tokens, rates, device)
                told.append({"rows": rows, "loop": loop, **found})
                print_row(told[-1])
    if chosen.json:
        print(json.dumps({"shape": chosen.shape, "dtype": dtype, "device": name, "loops": told}))


def loops_of(device: str) -> list[str]:
    """On a CPU nothing is captured."""
    return [loop for loop in LOOPS if device == "cuda" or not loop.startswith("captured")]


def is_slow(loop: str, device: str) -> bool:
    return device == "cuda" and not loop.startswith("captured")


def prepare(
    name: str, folder: str, dtype: str, device: str, rows: list[int]
) -> tuple[Policy, dict[int, tuple[PromptBatch, int]]]:
    """The policy, and for each count of rows its prompts and completions of each."""
    shape = SHAPES[name]
    make_start(shape, folder)
    policy = make_policy(folder, dtype, device)
    policy.stop_ids = frozenset({-1})
    problems = draw(shape, max(1, max(rows) // GROUP))
    texts = [find_task(problem.task).prompt(problem) for problem in problems]
    batch = policy.encoder.prompts(problems, texts)
    batches = {}
    for count in rows:
        group = min(count, GROUP)
        batches[count] = batch.select(list(range(count // group))), group
    return policy, batches


def measure(
    engine: LocalEngine,
    policy: Policy,
    batch: PromptBatch,
    group: int,
    tokens: int,
    rates: Rates,
    device: str,
) -> Figures:
    """Seconds and memory of one kind of rollout."""
    engine.sync(policy, 0)

    def roll_out(most: int) -> Rollout:
        return engine.generate(batch, group, Sampling(max_tokens=most))

    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    first, _ = seconds_of(lambda: roll_out(tokens), device)
    settled, rollout = seconds_of(lambda: roll_out(tokens), device)
    prefill, _ = seconds_of(lambda: roll_out(1), device)
    lengths = [[tokens] * group for _ in batch.prompts]
    size = policy.model.dtype.itemsize
    moved = decoding_bytes(policy.model, [p.length for p in batch.prompts], lengths, size)
    return {
        "tokens": tokens,
        "first": first,
        "settled": settled,
        "prefill": prefill,
        **rates_of(settled, prefill, tokens, len(lengths) * group, moved, rates.bytes_moved),
        "gib": torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else 0.0,
        "work": dict(rollout.work),
    }


def rates_of(
    settled: float, prefill: float, tokens: int, rows: int, moved: float, bandwidth: float
) -> Figures:
    """Of the tokens after the first, which the prefill brings."""
    decoding = settled - prefill
    return {
        "ms_token": 1e3 * decoding / (tokens - 1),
        "tokens_second": rows * (tokens - 1) / decoding,
        "floor_share": moved / bandwidth / decoding if bandwidth else 0.0,
    }


def seconds_of(work: Callable[[], Rollout], device: str) -> tuple[float, Rollout]:
    synchronize(device)
    start = time.perf_counter()
    rollout = work()
    synchronize(device)
    return time.perf_counter() - start, rollout


def print_row(told: Figures) -> None:
    share = f"{100 * told['floor_share']:.0f} %" if told["floor_share"] else ""
    work = told["work"]
    graphs = f"{work['graphs_captured']:.0f}" if "graphs_captured" in work else ""
    gib = f"{told['gib']:.1f}" if told["gib"] else ""
    print(
        f"| {told['rows']} | {told['loop']} | {told['ms_token']:.2f} | "
        f"{told['tokens_second']:,.0f} | {share} | {told['settled']:.3f} | {told['first']:.3f} | "
        f"{told['prefill']:.3f} | {graphs} | {gib} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
