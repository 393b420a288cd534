"""Checks that the local engine's decode loops sample the same: on a GPU, captured against eager.

    python benchmarks/loop_check.py --device cuda

In float32, with the tiny model that ships and with a small Qwen2-VL of random weights, each
completion must have the same ids in every loop, and log-probs within a tolerance; else it ends with
exit code 1. Prompts are ragged, completions end by themselves, and finished rows are dropped.
`--shape 2b` also prints how far apart log-probs in bfloat16 are, up to the first token in which a
completion differs: there rounding may choose another.
"""

import sys
import tempfile
from collections.abc import Iterator
from typing import Literal

from decoding import LOOPS, loops_of
from grpo_model import make_policy
from grpo_shapes import SHAPES, Device, chosen_device, draw, make_start
from jsonargparse import ArgumentParser

from reasonrft.policy import Policy
from reasonrft.policy.hub_paths import SHIPPED
from reasonrft.rollout import Completion, LocalEngine, Rollout, Sampling
from reasonrft.tasks import find_task

TOLERANCE = 2e-4
"""Of log-probs in float32."""
PROBLEMS, GROUP, TOKENS, STOPS = 3, 5, 48, 24
"""Where weights are random, one token in 24 ends a completion."""
Dtype = Literal["float32", "bfloat16"]
SAMPLINGS = {
    "plain": Sampling(max_tokens=TOKENS),
    "truncated": Sampling(0.8, top_p=0.9, top_k=50, min_p=0.01, max_tokens=TOKENS),
    "greedy": Sampling(0.0, max_tokens=TOKENS),
}


def main() -> None:
    parser = ArgumentParser(description="Compare the decode loops of the local engine.")
    add = parser.add_argument
    add("--device", type=Device, default="auto", help="what decodes")
    add("--models", type=list[str], default=["tiny", "mini"], help="in float32")
    add("--shape", type=str, default=None, help="one in bfloat16 as well, which is only printed")
    chosen = parser.parse_args()
    device = chosen_device(chosen.device)
    print("| model | sampling | loop | ended early | same ids | log-probs differ by | graphs |")
    print("|---|---|---|---:|---:|---:|---:|")
    right = [check(name, "float32", device) for name in chosen.models]
    if chosen.shape:
        check(chosen.shape, "bfloat16", device)
    sys.exit(not all(right))


def check(name: str, dtype: Dtype, device: str) -> bool:
    """Whether all loops sample as the eager one does."""
    policy, right = policy_of(name, dtype, device), True
    problems = draw(SHAPES["tiny"], PROBLEMS)
    texts = [find_task(problem.task).prompt(problem) for problem in problems]
    batch = policy.encoder.prompts(problems, texts)
    for kind, sampling in SAMPLINGS.items():
        rollouts: dict[str, Rollout] = {}
        for loop in loops_of(device):
            engine = LocalEngine(*LOOPS[loop])
            engine.sync(policy, 0)
            rollouts[loop] = engine.generate(batch, GROUP, sampling)
        eager = rollouts["eager"]
        for loop, rollout in rollouts.items():
            same, difference = compare(eager, rollout)
            right &= same == 1 and difference <= TOLERANCE
            ended, graphs = int(rollout.stopped.sum()), rollout.work.get("graphs_captured", 0)
            print(
                f"| {name}, {dtype} | {kind} | {loop} | {ended} of {rollout.stopped.numel()} | "
                f"{100 * same:.0f} % | {difference:.1e} | {graphs:.0f} |",
                flush=True,
            )
    return right


def policy_of(name: str, dtype: Dtype, device: str) -> Policy:
    """One that ships, or one of random weights."""
    if name in SHIPPED:
        policy = Policy(name, dtype=dtype)
        policy.load()
        policy.to(device)
        return policy
    with tempfile.TemporaryDirectory() as folder:
        make_start(SHAPES[name], folder)
        policy = make_policy(folder, dtype, device)
    policy.stop_ids = frozenset(range(0, policy.head.weight.shape[0], STOPS))
    return policy


def compare(one: Rollout, other: Rollout) -> tuple[float, float]:
    """Share of completions with the same ids; the most that log-probs differ where ids are one."""
    pairs = list(zip(_all(one), _all(other), strict=True))
    same = sum(left.ids.equal(right.ids) for left, right in pairs)
    return same / len(pairs), max(difference(left, right) for left, right in pairs)


def difference(one: Completion, other: Completion) -> float:
    """Up to the first token in which they differ."""
    count = min(len(one.ids), len(other.ids))
    equal = int((one.ids[:count] == other.ids[:count]).int().cumprod(0).sum())
    gaps = (one.log_probs[:equal] - other.log_probs[:equal]).abs()
    return float(gaps.max()) if equal else 0.0


def _all(rollout: Rollout) -> Iterator[Completion]:
    return (completion for group in rollout.completions for completion in group)


if __name__ == "__main__":
    main()
