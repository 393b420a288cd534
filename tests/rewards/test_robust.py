import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonrft.evaluation import OfficialAccuracy, StrictAccuracy
from reasonrft.rewards import (
    AccuracyReward,
    CaptionFormatReward,
    FormatReward,
    FunctionSequenceReward,
    LengthReward,
    MathematicalReward,
    ReasoningStepsReward,
    Reward,
)
from reasonrft.tasks import find_task
from tests.conftest import problem

QUESTION = "Subtract all cubes. How many objects are left?"
CALLS = "change_color(2, cyan), change_position(2, behind)"
GOLD = {
    "counting": problem("3", "counting", QUESTION),
    "structure": problem("C", "structure", "Opposite 4?\nChoices: A. 1 B. 2 C. 3 D. 6"),
    "transformation": problem(CALLS, "transformation", "What changed?"),
    "general": problem("x^2+2x", "general", "Expand."),
}


def hacks(gold, task) -> list[str]:
    """Ways to an undeserved reward, for a gold answer that they contain."""
    answer = gold.answer
    block = f"<answer>{answer}</answer>"
    every = {
        "counting": " ".join(str(n) for n in range(11)),
        "structure": "A B C D",
        "transformation": ", ".join(
            f"{function}({item}, {value})"
            for item in range(3)
            for function, value in [
                ("change_color", "cyan"),
                ("change_position", "behind"),
                ("change_size", "small"),
            ]
        ),
        "general": "x, x^2, x^2+x, x^2+2x",
    }[task]
    return [
        "",
        "<think></think><answer></answer>",
        "<answer> </answer>",
        f"<answer>{every}</answer>",
        f"<think>{block}</think>",
        f"<think>{block}</think><answer></answer>",
        f"<think>{block}",
        block + block,
        "<answer>other</answer>" + block,
        f"<think>a</think>{block}" * 4,
        f"<answer>{block}</answer>",
        f"<answer>{answer}<answer></answer>",
        f"<think><think>a</think>{block}</think>",
        find_task(task).prompt(gold),
        find_task(task).prompt(gold) + find_task(task).prompt(gold),
        gold.question,
        f"<answer>{answer} or other</answer>",
        f"<answer>not {answer}</answer>",
    ]


@pytest.mark.parametrize("task", GOLD)
def test_hacks_earn_nothing(task):
    gold = GOLD[task]
    rewards = [AccuracyReward(), MathematicalReward(), StrictAccuracy()]
    if task == "transformation":
        rewards += [FunctionSequenceReward("exact"), FunctionSequenceReward("partial")]
    for completion in hacks(gold, task):
        for reward in rewards:
            assert reward.reward(completion, gold) == 0, (type(reward).__name__, completion)


@pytest.mark.parametrize("task", GOLD)
def test_the_right_answer_earns_all(task):
    completion = f"<think>so</think>\n<answer>\n{GOLD[task].answer}\n</answer>\n"
    for reward in (AccuracyReward(), MathematicalReward(), StrictAccuracy(), FormatReward()):
        assert reward.reward(completion, GOLD[task]) == 1


@pytest.mark.parametrize(
    "completion",
    [
        "<think></think><answer>3</answer>",
        "<think>a</think><answer></answer>",
        "<think>a</think><answer>3</answer><answer>3</answer>",
        "<think>a</think><answer>3</answer> tail </answer>",
        "<think>a<think>b</think></think><answer>3</answer>",
        "<answer>3</answer><think>a</think>",
        "<think>a</think> so <answer>3</answer>",
        "3",
    ],
)
def test_robust_format_wants_each_block_once_and_filled(completion):
    assert FormatReward().reward(completion, GOLD["counting"]) == 0


def test_caption_format():
    completion = "<summary>s</summary><caption>c</caption><think>t</think>\n<answer>3</answer>"
    assert CaptionFormatReward().reward(completion, GOLD["counting"]) == 1
    assert CaptionFormatReward().reward("<think>t</think><answer>3</answer>", GOLD["counting"]) == 0


@pytest.mark.parametrize(
    ("answer", "gold", "reward"),
    [
        ("0", "0", 1),
        ("0.0", "0", 1),
        ("1", "0", 0),
        ("10", "10", 1),
        ("10.5", "10", 1),
        ("11.25", "10", 0.5),  # 12.5 % off, half way from 5 % to 20 %
        ("13", "10", 0),
        ("nan", "10", 0),
        ("1e999", "10", 0),
    ],
)
def test_mathematical_reward(answer, gold, reward):
    found = MathematicalReward().reward(f"<answer>{answer}</answer>", problem(gold, "structure"))
    assert found == pytest.approx(reward, abs=1e-12)


def test_mathematical_reward_refuses_crossed_limits():
    with pytest.raises(ValueError, match="near must be less than far"):
        MathematicalReward(near=0.3, far=0.2)


@pytest.mark.parametrize(
    ("credit", "answer", "reward"),
    [
        ("exact", "change_color(2, cyan)", 0.5),
        ("exact", "change_color(2, red), change_position(2, behind)", 0.5),
        ("partial", "change_color(2, red), change_position(2, behind)", 0.75),
        ("partial", "change_color(1, red), change_position(2, behind)", 0.625),
        ("penalised", "change_color(2, red), change_position(2, behind)", 0.375),
        ("partial", "change_color(2, cyan), change_color(2, cyan)", 0),  # repeated
        ("partial", "change_colour(2, cyan)", 0),  # no such function
    ],
)
def test_function_sequences(credit, answer, reward):
    found = FunctionSequenceReward(credit).reward(
        f"<answer>\n{answer}\n</answer>", GOLD["transformation"]
    )
    assert found == reward


def test_length_reward_counts_right_answers_only_and_starts_late():
    group = [
        "<answer>3</answer>",
        "<think>aaaaaaaaaaaaaaaaa</think><answer>3</answer>",
        "<answer>4</answer>",
    ]
    reward = LengthReward(start_step=10, scale=1.0)
    assert reward([group], [GOLD["counting"]], step=9) == [[0.0, 0.0, 0.0]]
    # Lengths 18, 50 and 18: the short right one gains, the short wrong one does not.
    assert reward([group], [GOLD["counting"]], step=10) == [[0.5, -0.5, 0.0]]


def test_profiles_differ_where_they_should():
    near = "<answer>9.8</answer>"
    gold = problem("10", "structure")
    found = [
        AccuracyReward(profile).reward(near, gold) for profile in ("robust", "scripts", "paper")
    ]
    assert found == [0, 0, 1]
    almost = "<answer>change_color(2, red), change_position(2, behind)</answer>"
    found = [
        AccuracyReward(profile).reward(almost, GOLD["transformation"])
        for profile in ("robust", "scripts", "paper")
    ]
    assert found == [0.5, 0.5, 0.75]


def test_rewards_keep_the_shape_of_groups():
    completions = [["3", "4"], ["C", "D"]]
    found = AccuracyReward()(completions, [GOLD["counting"], GOLD["structure"]])
    assert found == [[1, 0], [1, 0]]
    with pytest.raises(ValueError, match="zip"):
        AccuracyReward()(completions, [GOLD["counting"]])


def test_a_reward_without_its_method_says_so():
    with pytest.raises(NotImplementedError, match="what a completion earns"):
        Reward()([["3"]], [GOLD["counting"]])


REWARDS = [
    *(AccuracyReward(profile) for profile in ("robust", "scripts", "paper")),
    *(FormatReward(profile) for profile in ("robust", "scripts")),
    CaptionFormatReward(),
    MathematicalReward(),
    ReasoningStepsReward(),
    LengthReward(start_step=0),
    FunctionSequenceReward("penalised"),
    OfficialAccuracy(),
    OfficialAccuracy(substring=True),
    StrictAccuracy(),
]

TAGS = ["<think>", "</think>", "<answer>", "</answer>", " ", "\n"]
VALUES = ["3", "nan", "1e999", "9**9**9", "change_color(2, cyan)", "change_color(", "A", "(B)"]
MATHEMATICS = [r"\frac{1}{0}", r"\sqrt{", "$", "π", "°", "^"]
pieces = st.lists(
    st.sampled_from(TAGS + VALUES + MATHEMATICS) | st.text(max_size=8), max_size=14
).map("".join)


@settings(deadline=None, max_examples=200)
@given(pieces, pieces, st.sampled_from(["counting", "structure", "transformation", "general"]))
def test_no_reward_raises_or_is_infinite(completion, answer, task):
    asked = problem(answer, task)
    for reward in REWARDS:
        (scores,) = reward([[completion, completion + "x"]], [asked])
        assert all(math.isfinite(score) and -1 <= score <= 1 for score in scores)


@pytest.mark.parametrize(
    "piece",
    [
        "answer: 3. ",
        "The answer is ",
        "answer" + " " * 50,
        "\n",
        "$",
        "\\boxed{3} ",
        "\\boxed{",
        "</s>",
        "<|im_end|>",
        "3\n",
        ". ",
        "**",
        "change_color(2, red) then ",
        "- ",
        "{\\text{",
        "≈",
    ],
)
def test_a_megabyte_of_anything_takes_linear_time(piece):
    text = piece * (1_000_000 // len(piece))
    started = time.process_time()
    for gold in GOLD.values():
        for completion in (text, text + "<answer>3</answer>", f"<answer>{text}</answer>"):
            assert AccuracyReward().reward(completion, gold) in (0, 1)
    # Quadratic patterns take minutes here; this is a bound on hanging, not a measurement.
    assert time.process_time() - started < 60
