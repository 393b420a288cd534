"""The reference profiles against scores that the reference's own functions gave."""

import json
import math
import time

import pytest

from reasonrft.rewards import LengthReward
from reasonrft.rewards import reference as ref
from reasonrft.rewards.base import Reward
from reasonrft.scoring import reward_named
from tests.conftest import problem

# Rows that differ on purpose. All are crash semantics: the reference returns NaN for a completion
# that says "nan", which would make every advantage of its group NaN; here it earns nothing.
EXCEPTIONS = {
    ("math_accuracy", "<answer>nan</answer>", "-10"): 0.0,
    ("math_accuracy", "<answer>nan</answer>", "1e-3"): 0.0,
}


def score(reward: Reward, completion: str, solution: str) -> float:
    asked = problem(solution, meta={"solution": solution})
    return reward([[completion]], [asked])[0][0]


def test_golden_rows(real):
    rows = json.loads((real / "reward_golden" / "golden.json").read_text())["rows"]
    rewards = {name: reward_named(name) for name in {row["fn"] for row in rows}}
    wrong = []
    for row in rows:
        key = (row["fn"], row["completion"], row.get("solution", ""))
        found = score(rewards[row["fn"]], row["completion"], row.get("solution", ""))
        if not math.isclose(found, EXCEPTIONS.get(key, row["score"]), abs_tol=1e-12):
            wrong.append((row, found))
    assert not wrong
    assert sum(row["score"] == "nan" for row in rows) == len(EXCEPTIONS)


def test_golden_length_groups(real):
    groups = json.loads((real / "reward_golden" / "golden.json").read_text())["len_groups"]
    for group in groups:
        asked = problem(group["solution"])
        found = LengthReward(profile="scripts")(
            [group["completions"]], [asked], group["current_step"]
        )
        assert found[0] == pytest.approx(group["scores"])


@pytest.mark.parametrize(
    ("given", "gold", "reward"),
    [
        (100.0, 100, 1),
        (104.9, 100, 1),
        (112.5, 100, 0.5),  # half way between 5 % and 20 %
        (120.1, 100, 0),
        (0.0, 0, 0),  # the reference divides by zero here
        (math.inf, 100, 0),
        (math.nan, 100, 0),
    ],
)
def test_closeness(given, gold, reward):
    assert ref.closeness(given, gold) == pytest.approx(reward)


def test_stages_of_function_credit():
    gold = "change_color(2, cyan), change_position(2, behind)"
    # Object right, value wrong: 1/2. Function right alone: 1/4. Over two calls.
    assert ref.function_accuracy("change_color(2, red), change_position(1, left)", gold) == 0.375
    # The same call twice: half of what is said is said again.
    assert ref.function_accuracy("change_color(2, cyan), change_color(2, cyan)", gold) == 0.25
    assert ref.exact_function_accuracy("change_color(2, red)", gold) == 0
    assert ref.penalised_function_accuracy("change_color(2, red)", gold) == -0.125


@pytest.mark.parametrize(
    "text",
    [
        "<answer>" * 120_000,
        "</answer>" * 120_000,
        "<think>" * 150_000,
        "a" * 1_000_000,
        "a(" * 500_000,
        "a(b," + " " * 1_000_000,
        "<think>" + "</think> " * 100_000 + "</answer>",
        "\n-" * 500_000,
    ],
    ids=lambda text: text[:12],
)
def test_a_megabyte_takes_linear_time(text):
    started = time.process_time()
    for function in (ref.accuracy, ref.mathematical_accuracy, ref.function_accuracy):
        assert math.isfinite(function(text, "3"))
    for function in (ref.think_answer_format, ref.caption_format, ref.reasoning_steps):
        assert math.isfinite(function(text))
    # Quadratic patterns take minutes here; this is a bound on hanging, not a measurement.
    assert time.process_time() - started < 30
