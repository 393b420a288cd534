import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from reasonrft.oracles.state_records import read_sample
from reasonrft.trance_calls import VALUES
from reasonrft.worlds.transformation.transformation_world import TransformationWorld
from tests.worlds.checkers.transformation import check, verify

SMALL = {"width": 16, "height": 12}
KINDS = [*VALUES.values(), ("same", "changed"), ("stayed", "moved"), ("left", "entered")]
WORDS = {word: values for values in reversed(KINDS) for word in values}


def problems(count: int, **world_args) -> list:
    world = TransformationWorld(5, **SMALL, **world_args)
    return [world.problem("train", index) for index in range(count)]


def lies(text: str) -> Iterator[str]:
    """The chain with one word or digit replaced by another of its kind."""
    for found in re.finditer(r"\w+", text):
        word = found.group()
        if word.isdigit():
            others = [str((int(word) + 1) % 10)]
        else:
            others = [other for other in WORDS.get(word, ())[:3] if other != word][:1]
        for other in others:
            yield text[: found.start()] + other + text[found.end() :]


@pytest.mark.parametrize("style", ["words", "compact"])
@pytest.mark.parametrize("moves", ["inner", "full"])
def test_no_lie_goes_unnoticed(style, moves):
    for problem in problems(9, style=style, moves=moves, visible=(1, 4)):
        assert check(problem) is None
        for lie in lies(problem.cot):
            assert check(replace(problem, cot=lie)), lie


@pytest.mark.parametrize("style", ["words", "compact"])
def test_nothing_can_be_left_out(style):
    for problem in problems(6, style=style, moves="full"):
        parts = re.split(r"(\n|; |\. )", problem.cot)
        for at in range(0, len(parts), 2):
            assert check(replace(problem, cot="".join(parts[:at] + parts[at + 1 :])))
    assert check(replace(problem, cot=""))
    assert check(replace(problem, cot=f"answer {problem.answer}"))


def test_other_answers_do_not_follow():
    problem = problems(4)[3]
    assert check(replace(problem, answer="change_color(0, red)")) == "the chain has another answer"
    assert verify(replace(problem, answer="change_color(0, red)"))


def test_wordings_differ():
    firsts = {problem.cot.split("\n")[1].split()[0] for problem in problems(12)}
    lasts = {problem.cot.split("\n")[-1].split("change")[0] for problem in problems(12)}
    assert len(firsts) == len(lasts) == 3


def test_few_distinct_words_in_compact_chains():
    world = TransformationWorld(**{**TransformationWorld.presets["tiny"], **SMALL})
    told = [world.problem("train", index) for index in range(80)]
    words = {word for problem in told for word in re.findall(r"\w+|[^\w ]", problem.cot)}
    assert len(words) < 90


def test_what_a_chain_says():
    told = [one for one in problems(60, visible=(2, 4), style="compact") if "behind" in one.answer]
    sample = read_sample(told[0].meta)
    [change] = [one for one in sample.transformations if one.value.startswith("behind")]
    line = told[0].cot.split("\n")[change.item]
    assert f"{change.value} {change.steps} ;" in line and f"+{change.steps} " in line
    assert f"add change_position({change.item}, {change.value})" in line


def test_verify_sees_what_is_wrong():
    [problem] = [one for one in problems(40, moves="full") if "options" in one.meta][:1]
    assert verify(problem) is None
    meta = dict(problem.meta)
    del meta["options"]
    assert "options" in verify(replace(problem, meta=meta))
    assert "question" in verify(replace(problem, question=problem.question.replace("'0'", "'1'")))
    swapped = {**problem.meta, "states": problem.meta["states"][::-1]}
    assert verify(replace(problem, meta=swapped))
