"""Prints the memory of GRPO with the paper's settings on each GPU: Qwen2-VL of 2B and 7B.

    python benchmarks/memory_table.py [--sizes 2b,7b] [--json]

Nothing is downloaded: qwen2_vl.py has the shapes. Each row is what `plan` says of

    --config grpo.yaml --config paper/grpo.yaml --config paper/counting.yaml --policy FOLDER
    --data.batch_size 2 --data.eval_batch_size 8 --memory 80GiB

and of lora.yaml or paper/qlora.yaml over that; on several GPUs weights are spread over all of them.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser
from qwen2_vl import config_of

from reasonrft.cli.plan_command import planned
from reasonrft.planning.ranks_share import Ranks

METHODS = {
    "full": [],
    "LoRA": ["--config=lora.yaml", "--model.policy.train_parts=[language]"],
    "QLoRA": ["--config=paper/qlora.yaml"],
}
RANKS = [Ranks(), Ranks(8, 1, "fsdp"), Ranks(8, 2, "fsdp")]
OPTIONS = [
    *(f"--config={name}" for name in ("grpo.yaml", "paper/grpo.yaml", "paper/counting.yaml")),
    "--data.batch_size=2",
    "--data.eval_batch_size=8",
]
MEMORY = 80 * 2**30
ON_H200 = [
    "--config=grpo.yaml",
    "--config=data/transformation.yaml",
    "--data.batch_size=2",
    "--data.max_tokens=2000",
    "--model.group_size=8",
    "--model.sampling.max_tokens=256",
    "--model.beta=0.04",
    "--model.micro_batch_tokens=16384",
    "--model.policy.dtype=bfloat16",
    "--trainer.precision=bf16-mixed",
    "--trainer.limit_val_batches=0",
]
"""The step that was measured on an H200, at the size of 2B: 42.0 to 43.9 GiB."""


def main() -> None:
    parser = ArgumentParser(description="Print the planned memory of the paper's GRPO.")
    parser.add_argument("--sizes", type=str, default="2b,7b", help="sizes, by commas")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--step-only", action="store_true", help="only the step on an H200")
    chosen = parser.parse_args()
    sizes = chosen.sizes.split(",")
    told = {} if chosen.step_only else print_table(sizes)
    for size in sizes:
        told[f"{size}, as on an H200"] = [peak := plan_of(size, ON_H200).peak]
        print(f"{size}, the step that was measured on an H200 at 2b: {peak / 2**30:.1f} GiB")
    if chosen.json:
        print(json.dumps(told))


def print_table(sizes: Sequence[str]) -> dict[str, list[int]]:
    print("| GiB on each GPU (phase of the peak) | 1 GPU | 8 GPUs | 2 x 8 GPUs |")
    print("|---|---:|---:|---:|")
    told: dict[str, list[int]] = {}
    for size in sizes:
        for method, options in METHODS.items():
            plan = plan_of(size, OPTIONS + options)
            plans = [replace(plan, ranks=ranks) for ranks in RANKS]
            cells = [f"{one.peak / 2**30:.1f} ({one.peak_phase})" for one in plans]
            print(f"| {size}, {method} | {' | '.join(cells)} |", flush=True)
            told[f"{size}, {method}"] = [one.peak for one in plans]
    print()
    return told


def plan_of(size: str, options: list[str]) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        config_of(size).save_pretrained(Path(folder))
        return planned([*options, f"--policy={folder}"], MEMORY, worst_case=True)[1]


if __name__ == "__main__":
    main()
