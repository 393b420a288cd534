"""The reference profiles against scores that the reference's own functions gave."""

import importlib
import json
import math
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonrft.reward_command import class_for
from reasonrft.rewards import LengthReward
from reasonrft.rewards.base import Reward
from reasonrft.tasks import reference_functions as ref
from reasonrft.tasks.official_rules import official_calls_text
from reasonrft.tasks.tags import first_answer_block
from reasonrft.trance_calls import Call
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


def reference_reward(name: str) -> Reward:
    """What `score --with reference.NAME` runs."""
    chosen = class_for(f"reference.{name}")
    module, _, attribute = chosen["class_path"].rpartition(".")
    return getattr(importlib.import_module(module), attribute)(**chosen["init_args"])


def test_golden_rows(real):
    rows = json.loads((real / "reward_golden" / "golden.json").read_text())["rows"]
    rewards = {name: reference_reward(name) for name in {row["fn"] for row in rows}}
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


PIECES = ["<think>", "</think>", "<answer>", "</answer>", "<summary>", "</summary>", "<caption>"]
PIECES += ["</caption>", " ", "\n", "a", "f(", "(", "1", ",", "'", ")", "f(1, a)", "é", "</thin"]
soup = st.lists(st.sampled_from(PIECES), max_size=24).map("".join)


@settings(max_examples=500)
@given(soup)
def test_linear_searches_find_what_the_lazy_patterns_find(text):
    block = re.search(r"<answer>(.*?)</answer>", text, re.DOTALL)
    assert first_answer_block(text) == (block[1].strip() if block else None)
    line = re.search(r"<answer>(.*?)</answer>", text)
    assert official_calls_text(text) == (line[1].strip() if line else text)
    calls = re.findall(r"(\w+)\((\w+),\s*'?(\w+)'?\)", text)
    assert [tuple(call) for call in ref.find_calls(text)] == calls
    for function, names in [
        (ref.think_answer_format, ("think", "answer")),
        (ref.caption_format, ("summary", "caption", "think", "answer")),
    ]:
        pattern = r"\s*".join(f"<{name}>.*?</{name}>" for name in names)
        assert function(text) == float(bool(re.fullmatch(pattern, text, re.DOTALL)))


@given(soup.map(lambda text: f"<think>{text}</answer>"))
def test_linear_formats_agree_where_the_ends_fit(text):
    pattern = r"<think>.*?</think>\s*<answer>.*?</answer>"
    assert ref.think_answer_format(text) == float(bool(re.fullmatch(pattern, text, re.DOTALL)))


calls = st.builds(Call, st.sampled_from("fg"), st.sampled_from("012"), st.sampled_from("abc"))


def pairwise_credit(given, gold, near, function_only):
    """Stage by stage, every pair in order, while both of its calls are left."""
    credit, given, gold = 0.0, list(given), list(gold)
    keys = [(0, 1, 2), (0, 1), (0, 2), (0,)]
    for key, worth in zip(keys, (1.0, near, near, function_only), strict=True):
        same = [(p, s) for p in given for s in gold if all(p[i] == s[i] for i in key)]
        for p, s in same:
            if p in given and s in gold:
                given.remove(p)
                gold.remove(s)
                credit += worth
    return credit


@given(st.lists(calls, unique=True), st.lists(calls, unique=True))
def test_staged_credit_pairs_as_the_obvious_loop_does(given, gold):
    fast = ref.staged_credit(given, gold, 0.5, 0.25)
    assert fast == pytest.approx(pairwise_credit(given, gold, 0.5, 0.25))


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
