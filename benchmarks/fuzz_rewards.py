"""Hostile strings against every parser, reward and scorer; prints faults and cost.

    python benchmarks/fuzz_rewards.py --strings 1000000

A fault is an exception, a score that is not a finite number in [-1, 1], or one string that costs
more than the time limit of symbolic checks. Exits 1 if there is any.
"""

import argparse
import json
import math
import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Callable

from tqdm import tqdm

from reasonrft.evaluation import OfficialAccuracy, StrictAccuracy
from reasonrft.problems import Problem
from reasonrft.rewards import (
    AccuracyReward,
    CaptionFormatReward,
    Completion,
    FormatReward,
    FunctionSequenceReward,
    LengthReward,
    MathematicalReward,
    ReasoningStepsReward,
    Reward,
)
from reasonrft.symbolic import VERIFIER, batch_limit
from reasonrft.tasks.choices import choices_in, read_choice
from reasonrft.tasks.numbers import read_number
from reasonrft.tasks.tags import read_response
from reasonrft.trance_calls import read_calls

TAGS = [
    "<think>",
    "</think>",
    "<answer>",
    "</answer>",
    "<ANSWER>",
    "<answer",
    "answer>",
    "<summary>",
]
NUMBERS = ["3", "-7", "0", "1,000", "1e999", "nan", "inf", "1/0", "9**9**9", "0.1", "٣", "½", "1_0"]
LATEX = [
    r"\frac{",
    r"\sqrt{",
    r"\boxed{",
    "}",
    "{",
    "$",
    "$$",
    r"\pi",
    "^{",
    "_",
    r"\(",
    r"\left(",
    "\\",
]
CALLS = ["change_color(2, cyan)", "change_position(", "change_size(0,", ")", "front_left", "'"]
WORDS = [
    "A",
    "(B)",
    "C.",
    "Choices: A. 1 B. 2",
    "objects",
    "or",
    "First,",
    "Step 1:",
    "\n-",
    "x^2+2x",
]
STRANGE = [
    "\0",
    "\ud800",
    "\u202e",
    "\U0001f600",
    "\x1b[2J",
    "\r\n",
    "\u2028",
    "%s",
    "{0}",
    "a" * 200,
]
PIECES = TAGS * 3 + NUMBERS + LATEX + CALLS + WORDS + STRANGE

GOLDS = [
    Problem("a", "counting", (), "How many objects are left?", "3"),
    Problem("b", "structure", (), "Which? Choices: A. 1 B. 2 C. 3 D. 6", "C"),
    Problem("c", "structure", (), "Find x.", "14 π"),
    Problem("d", "transformation", (), "What changed?", "change_color(2, cyan)"),
    Problem("e", "general", (), "Expand.", "x^2+2x"),
    Problem("f", "counting", (), "How many objects are left?", "0"),
]
REWARDS: list[Reward] = [
    *(AccuracyReward(profile) for profile in ("robust", "scripts", "paper")),
    *(FormatReward(profile) for profile in ("robust", "scripts")),
    CaptionFormatReward(),
    MathematicalReward(),
    ReasoningStepsReward(),
    LengthReward(start_step=0),
    *(FunctionSequenceReward(credit) for credit in ("exact", "partial", "penalised")),
    OfficialAccuracy(),
    OfficialAccuracy(substring=True, single_line=False),
    StrictAccuracy(),
]
PARSERS: list[Callable[[str], object]] = [
    read_response,
    read_number,
    read_choice,
    read_calls,
    choices_in,
]


def hostile(rng: random.Random) -> str:
    """A string made to hurt: pieces of syntax, some of them many times over."""
    pieces = rng.choices(PIECES, k=rng.randint(0, 12))
    if rng.random() < 0.01:
        pieces.append(rng.choice(PIECES) * rng.choice([100, 1_000, 10_000]))
    if rng.random() < 0.3:
        pieces = ["<think>", *pieces[: len(pieces) // 2], "</think><answer>", *pieces, "</answer>"]
    if rng.random() < 0.2:
        pieces.insert(0, "".join(chr(rng.randrange(1, 0x3000)) for _ in range(rng.randint(1, 20))))
    return "".join(pieces)


def faults_of(text: str, gold: Problem) -> list[str]:
    """Names of what a string breaks."""
    found = []
    for parser in PARSERS:
        try:
            parser(text)
        except Exception as error:
            found.append(f"{parser.__name__}: {type(error).__name__}")
    with batch_limit():
        for reward in REWARDS:
            try:
                scores = reward.reward_group([Completion(text), Completion("3")], gold, 0)
                if not all(math.isfinite(score) and -1 <= score <= 1 for score in scores):
                    found.append(f"{type(reward).__name__}: {scores}")
            except Exception as error:
                found.append(f"{type(reward).__name__}: {type(error).__name__}")
    return found


def fuzz(share: tuple[int, int]) -> tuple[Counter[str], list[str], float, float]:
    """Faults, examples, seconds of the slowest string and in all, for one share of the strings."""
    seed, count = share
    rng = random.Random(seed)
    faults: Counter[str] = Counter()
    examples: list[str] = []
    slowest = total = 0.0
    VERIFIER.agree("$1$", "$1$")
    for _ in range(count):
        text, gold = hostile(rng), rng.choice(GOLDS)
        started = time.perf_counter()
        found = faults_of(text, gold)
        seconds = time.perf_counter() - started
        if seconds > VERIFIER.limit + 1:
            found.append("over the time limit")
        slowest, total = max(slowest, seconds), total + seconds
        faults.update(found)
        examples.extend(f"{name}: {text[:200]!r}" for name in found[: max(0, 5 - len(examples))])
    return faults, examples, slowest, total


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--strings", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    size = 2_000
    shares = [
        (options.seed * 1_000_003 + start, min(size, options.strings - start))
        for start in range(0, options.strings, size)
    ]
    faults: Counter[str] = Counter()
    slowest = total = 0.0
    bar = tqdm(total=options.strings, unit=" strings", mininterval=5)
    with bar, multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for found, examples, worst, seconds in pool.imap_unordered(fuzz, shares):
            faults += found
            slowest, total = max(slowest, worst), total + seconds
            print("\n".join(examples), end="\n" if examples else "", flush=True)
            bar.update(size)
    report = {
        "strings": options.strings,
        "checks_per_string": len(PARSERS) + len(REWARDS),
        "faults": faults.total(),
        "milliseconds_per_string": round(1000 * total / options.strings, 3),
        "slowest_seconds": round(slowest, 2),
        "by_name": dict(faults),
    }
    print(json.dumps(report))
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    main()
