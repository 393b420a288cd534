"""Checks an update on a GPU: it never waits for the device, and scores as plain rows do.

    python benchmarks/sync_check.py

A small random model scores groups and learns from them, micro-batch by micro-batch. Prompts without
images come first: there torch raises an error at every operation that waits for the device. With
images transformers itself waits, to compare their number with the placeholders'; where, is printed.
Log-probs and gradients are held to those of one row for each completion, in float32
(memory-efficient attention) and in bfloat16 (flash attention). On a CPU the same runs, and only
the comparison says anything.
"""

import tempfile
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from grpo_model import make_policy
from grpo_shapes import SHAPES, chosen_device, draw, make_start
from torch import Tensor

from reasonrft.losses import GRPOLoss
from reasonrft.modules.micro_batches import MicroBatch, split
from reasonrft.modules.step_metrics import StepMetrics
from reasonrft.policy import Policy, score
from reasonrft.problems import Problem
from reasonrft.rollout import LocalEngine, Sampling
from reasonrft.tasks import find_task

MICRO_BATCHES = 2
TOKENS = 6
TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-2}
"""Of log-probs, in the mean."""


def main() -> None:
    device = chosen_device("auto")
    with tempfile.TemporaryDirectory() as folder:
        make_start(SHAPES["mini"], folder)
        for dtype in TOLERANCE:
            check(make_policy(folder, dtype, device), dtype)


def check(policy: Policy, dtype: str) -> None:
    """All checks with weights of this type; SystemExit where scoring differs."""
    shown = draw(SHAPES["mini"], MICRO_BATCHES)
    with_images = sample(policy, shown)
    without = [replace(problem, images=()) for problem in shown]
    learn(policy, sample(policy, without))  # libraries and memory are set up
    fresh = sample(policy, without)
    waits = "no device to wait for"
    if policy.device.type == "cuda":
        torch.cuda.set_sync_debug_mode("error")
        learn(policy, fresh)
        torch.cuda.set_sync_debug_mode("warn")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            learn(policy, with_images)
        torch.cuda.set_sync_debug_mode("default")
        places = Counter(f"{Path(one.filename).name}:{one.lineno}" for one in caught)
        waits = f"no operation waited; with images, in {2 * MICRO_BATCHES} passes: {dict(places)}"
    shared, plain = (gradients(policy, with_images, way) for way in (True, False))
    gap, between = (shared[0] - plain[0]).abs().mean().item(), (shared[1] - plain[1]).norm()
    print(
        f"{dtype} on {policy.device.type}: {waits}; shared rows against plain ones: log-probs "
        f"differ by {gap:.1e}, gradients by {(between / plain[1].norm()).item():.1e} of their norm"
    )
    if not gap <= TOLERANCE[dtype]:
        raise SystemExit(f"log-probs differ by {gap:.1e}, more than {TOLERANCE[dtype]}")


def sample(policy: Policy, problems: Sequence[Problem]) -> list[MicroBatch]:
    """Micro-batches of one group each, of ragged completions with any advantages."""
    prompts = policy.encoder.prompts(
        problems, [find_task(one.task).prompt(one) for one in problems]
    )
    engine = LocalEngine()
    engine.sync(policy, version=0)
    rollout = engine.generate(prompts, 4, Sampling(max_tokens=TOKENS))
    advantages = torch.tensor([[1.0, -1.0, 0.5, -0.5]]).repeat(len(problems), 1)
    weights = GRPOLoss().token_weights(rollout.lengths, advantages != 0, TOKENS)
    return split(rollout, advantages, weights, range(len(problems)), budget=1)


def learn(policy: Policy, micro_batches: Sequence[MicroBatch]) -> None:
    """What an update does before its optimizer steps."""
    loss, metrics = GRPOLoss(), StepMetrics()
    for micro_batch in micro_batches:
        with torch.no_grad():
            micro_batch.reference_log_probs = score(policy, micro_batch.groups).log_probs
        scores = score(policy, micro_batch.groups)
        output = loss(micro_batch.inputs(scores.log_probs), beta=0.04)
        output.total.backward()
        metrics.add(micro_batch, scores, output)
    policy.zero_grad()


def gradients(
    policy: Policy, micro_batches: Sequence[MicroBatch], shared: bool
) -> tuple[Tensor, Tensor]:
    """Log-probs, and the gradient of a sum in which each token has a weight of its own."""
    groups = [group for micro_batch in micro_batches for group in micro_batch.groups]
    log_probs = score(policy, groups, shared=shared).log_probs
    weights = torch.linspace(-1, 1, len(log_probs), device=log_probs.device)
    (log_probs * weights).sum().backward()
    found = [value.grad.flatten() for value in policy.parameters() if value.grad is not None]
    policy.zero_grad()
    return log_probs.detach().float(), torch.cat(found).float()


if __name__ == "__main__":
    main()
