"""Holds `plan` to the memory that runs take: predicted and measured peaks on a CPU.

    python benchmarks/memory.py [--only sft-full,grpo-lora] [--json]

Each run is `fit` for two steps, in a process of its own, of a Qwen3-VL with random weights on
prompts of some thousand tokens; `plan` gets the same words. Measured is the most memory that the
process had resident (VmHWM of Linux), less what it had when it began, so that nothing that takes
memory is left out: loading, kernels, what the allocator loses. Before that the process trains a
minute model by the same options, after which all libraries are there, and gives back what is free.
The allocator is told to take each larger piece from the system by itself, and to give it back.
"""

import ctypes
import gc
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
from grpo_model import make_config, make_processor
from jsonargparse import ArgumentParser
from PIL import Image
from transformers import Qwen3VLForConditionalGeneration
from transformers.utils import logging

from reasonrft.cli import main as reasonrft

SIDE = 480
"""Pixels along the side of an image, which is 900 tokens."""
VOCABULARY = 32_000
ALLOCATOR = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "MALLOC_TRIM_THRESHOLD_": "65536",
}
COMMON = (
    "--trainer.accelerator=cpu --trainer.max_steps=2 --trainer.limit_val_batches=0 "
    "--trainer.logger=false --trainer.callbacks=[] --trainer.enable_checkpointing=false "
    "--trainer.enable_progress_bar=false --seed_everything=0 "
).split()
SFT = ["--config=sft.yaml", "--data.batch_size=2"]
GRPO = [
    "--config=grpo.yaml",
    "--data.batch_size=2",
    "--model.group_size=4",
    "--model.sampling.max_tokens=32",
    "--model.beta=0.04",
]
EIGHT_BITS = ["--model.optimizer=bitsandbytes.optim.AdamW8bit", "--model.optimizer.lr=1e-4"]
RUNS = {
    "sft-full": SFT,
    "sft-full-checkpointing-8bit": [
        *SFT,
        "--model.policy.activation_checkpointing=true",
        *EIGHT_BITS,
    ],
    "sft-lora": [*SFT, "--config=lora.yaml"],
    "sft-qlora-8bit": [*SFT, "--config=qlora.yaml", *EIGHT_BITS],
    "grpo-full": GRPO,
    "grpo-full-tower-bf16-mixed": [
        *GRPO,
        "--trainer.precision=bf16-mixed",
        "--model.policy.train_parts=[language,projector,tower]",
    ],
    "grpo-lora": [*GRPO, "--config=lora.yaml"],
    "grpo-qlora-8bit": [*GRPO, "--config=qlora.yaml", *EIGHT_BITS],
}


def main() -> None:
    parser = ArgumentParser(description="Compare planned and measured memory of runs on a CPU.")
    parser.add_argument("--only", type=str, default=",".join(RUNS), help="runs, by commas")
    parser.add_argument("--hidden", type=int, default=384, help="width of the model")
    parser.add_argument("--layers", type=int, default=6, help="depth of the model")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        model, minute = (Path(home, name) for name in ("model", "minute"))
        save_model(model, chosen.hidden, chosen.layers)
        save_model(minute, 64, 1)
        problems = save_problems(Path(home))
        print(
            "| run | predicted, MiB | measured, MiB | predicted / measured |\n|---|---:|---:|---:|"
        )
        told = {
            name: compare(name, model, minute, problems, home) for name in chosen.only.split(",")
        }
    if chosen.json:
        print(json.dumps({"runs": told, "worst": max(abs(1 - r["ratio"]) for r in told.values())}))


def save_model(folder: Path, hidden: int, layers: int) -> None:
    processor = make_processor(SIDE**2, SIDE**2)
    config = make_config(
        processor.tokenizer, hidden, layers, 8, 4 if layers > 1 else 1, hidden // 2
    )
    text: Any = config.text_config
    text.vocab_size = VOCABULARY if layers > 1 else len(processor.tokenizer)
    torch.manual_seed(0)
    logging.disable_progress_bar()
    Qwen3VLForConditionalGeneration(config).save_pretrained(folder)
    processor.save_pretrained(folder)


def save_problems(home: Path, count: int = 9) -> Path:
    records = []
    for number in range(count):
        Image.new("RGB", (SIDE, SIDE), (40 * number, 90, 120)).save(home / f"{number}.png")
        words = " ".join(["the red and the blue one"] * 8)
        records.append(
            {"image": f"{number}.png", "question": f"How many? {words}", "answer": str(number)}
            | {"cot": f"I see {number} things, {words}."}
        )
    file = home / "problems.json"
    file.write_text(json.dumps(records))
    return file


def compare(name: str, model: Path, minute: Path, problems: Path, home: str) -> dict[str, Any]:
    options = [*RUNS[name], *COMMON, f"--problems={problems}", f"--trainer.default_root_dir={home}"]
    predicted = plan([*options, f"--policy={model}"])
    measured = measure(options, model, minute)
    ratio = predicted["peak_bytes"] / measured
    sizes = (f"{size / 2**20:,.0f}" for size in (predicted["peak_bytes"], measured))
    print(f"| {name} | {' | '.join(sizes)} | {ratio:.2f} |", flush=True)
    return {"predicted": predicted["peak_bytes"], "measured": measured, "ratio": ratio} | {
        "phase": predicted["peak_phase"]
    }


def plan(options: Sequence[str]) -> dict[str, Any]:
    """What the command says."""
    said = io.StringIO()
    with redirect_stdout(said):
        reasonrft(["plan", *options, "--json"])
    return json.loads(said.getvalue().splitlines()[-1])


def measure(options: Sequence[str], model: Path, minute: Path) -> int:
    """Bytes that a run took in a process of its own."""
    job = json.dumps({"options": list(options), "model": str(model), "minute": str(minute)})
    command = [sys.executable, __file__, "--child", job]
    environment = os.environ | ALLOCATOR | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise SystemExit(f"the run ended early: {done.stderr[-2000:]}")
    return int(done.stdout.splitlines()[-1])


def child(job: dict[str, Any]) -> None:
    """Train the minute model, then the model, and print the bytes that took."""
    with redirect_stdout(sys.stderr):
        reasonrft(["fit", *job["options"], f"--policy={job['minute']}"])
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        before = status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins anew
        reasonrft(["fit", *job["options"], f"--policy={job['model']}"])
    print(status("VmHWM") - before)


def status(name: str) -> int:
    """Bytes in a line of what Linux says of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(json.loads(sys.argv[2]))
    else:
        main()
