"""The programs in benchmarks/ run, on little; their figures in docs/ are of whole runs."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SMALL = {
    "perception.py": "--policy tiny --scenes 1 --questions 1",
    "fuzz_rewards.py": "--strings 40 --processes 1",
    "grpo_step.py": "--shape tiny --steps 1 --threads 1",
    "memory_table.py": "--sizes tiny",
    "sync_check.py": "",
    "seeds.py": "--seeds [0] --options {OPTIONS}",
    "paradigms.py": "--tasks [counting] --stage_1 2 --options {OPTIONS}",
}
OPTIONS = json.dumps(
    {
        "trainer.max_steps": 1,
        "trainer.limit_val_batches": 0,
        "trainer.limit_test_batches": 1,
        "data.source.init_args.train": 4,
        "data.source.init_args.val": 0,
        "data.source.init_args.test": 2,
        "data.batch_size": 2,
        "model.answer_tokens": 2,
    },
    separators=(",", ":"),
)


def output(name: str, options: str = "", cwd: Path | None = None) -> str:
    arguments = options.replace("{OPTIONS}", OPTIONS).split()
    command = [sys.executable, str(ROOT / "benchmarks" / name), *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, env=environment, timeout=240
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("name", SMALL)
def test_a_benchmark_runs(name, tmp_path):
    if name == "grpo_step.py" and find_spec("trl") is None:
        pytest.skip("TRL, which a step is compared with, is not installed")
    assert output(name, SMALL[name], tmp_path)


def test_killed_runs_end_as_if_nothing_had_happened():
    report = json.loads(output("faults.py", "--kills 1 --json").splitlines()[-1])
    assert report["kills"] == 1 and report["runs"] >= 1
    assert report["lost_steps"] == report["differing"] == 0, report["cases"]


@pytest.mark.parametrize("name", ["light.py", "light_trance.py"])
def test_a_comparison_with_real_images_runs(name, real):
    assert output(name)


def test_the_step_in_docs_has_the_numbers_of_today():
    printed, page = output("one_step.py"), (ROOT / "docs/method.md").read_text(encoding="utf-8")
    lengths = re.search(r"lengths \(P, G\): \ntensor\(\[(\[.*?\]),\n +(\[.*?\])\]\)", printed)
    assert lengths and all(row in page for row in lengths.groups())
    for name, pattern in {
        "prompt tokens": r"prompt tokens: \[(\d+), (\d+)\]",
        "decoded": r"'decoded_tokens': (\d+), 'row_steps_saved': (\d+)",
        "shared row": r"shared row \(B, S\): \[1, (\d+)\]",
        "log-probs": r"log-probs \(N,\): \[(\d+)\]",
        "gradient": r"norm of the gradient: ([\d.]+)",
    }.items():
        found = re.search(pattern, printed)
        assert found, name
        assert all(number in page for number in found.groups()), name
