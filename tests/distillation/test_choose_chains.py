import pytest

from reasonrft.distillation.choose_chains import (
    Choice,
    Sample,
    Sampled,
    is_right,
    similarity,
    thought_of,
)
from reasonrft.distillation.distill_report import histogram, make_report
from reasonrft.errors import BadInput
from tests.conftest import problem

THREE = problem("3", "counting", "How many?")


def sample(thought: str, answer: str = "3", tokens: int = 10, stopped: bool = True) -> Sample:
    return Sample(f"<think>{thought}</think><answer>{answer}</answer>", tokens, stopped)


def sampled(*samples: Sample, blind: str | None = None) -> Sampled:
    """Blind answers as letters: r for right, w for wrong."""
    right = [is_right(THREE, each) for each in samples]
    return Sampled(THREE, samples, right, None if blind is None else [c == "r" for c in blind])


def test_right_is_what_strict_accuracy_says_of_an_answer_that_ended():
    assert is_right(THREE, sample("a"))
    assert not is_right(THREE, sample("a", "4"))
    assert not is_right(THREE, sample("a", stopped=False))
    assert not is_right(THREE, Sample("It is 3. The answer is 4.", 9, True))


def test_the_shorter_half_is_kept_and_of_near_duplicates_the_shorter_one():
    one = sampled(
        sample("a b c d e f g h i j", tokens=40),
        sample("one two three four five", tokens=20),
        sample("one two three four six", tokens=10),  # 2 of 4 runs in common with the one before
        sample("z y x", "7", tokens=1),
        sample("u v w", tokens=30),
    )
    assert Choice(keep=9, similar=0.4).chains(one) == [2]
    assert Choice(keep=9, similar=0.6).chains(one) == [2, 1]
    assert Choice(keep=1, similar=0.6).chains(one) == [2]
    assert Choice(keep=9, shortest=1).chains(one) == [2, 1, 4, 0]
    assert Choice(keep=9, shortest=1, longest=30).chains(one) == [2, 1, 4]
    assert Choice(keep=9, shortest=0.01).chains(one) == [2]  # one at least
    assert Choice(longest=9).chains(one) == []


def test_similarity_by_hand():
    # abc, bcd against bcd, cde: one of three.
    assert similarity(frozenset({"abc", "bcd"}), frozenset({"bcd", "cde"})) == 1 / 3
    assert similarity(frozenset({"a"}), frozenset({"a"})) == 1


def test_what_has_no_chain_is_right_and_not_kept():
    bare = Sample("3", 1, True)
    nested = sample("so <answer>3</answer> it is")
    assert is_right(THREE, bare)
    assert [thought_of(each) for each in (bare, nested, sample(" a "))] == ["", "", "a"]
    assert Choice(shortest=1).chains(sampled(bare, sample("a", tokens=5))) == [1]


def test_a_pair_is_a_kept_answer_and_the_wrong_one_nearest_in_length():
    wrong = [sample("x", "1", 50), sample("y", "2", 12), sample("x", "1", 50)]
    cut = sample("z", "9", 11, stopped=False)
    one = sampled(*wrong, cut, sample("a b c", tokens=10), sample("d e f", tokens=14))
    # Both want the one of 12 tokens; the first one gets it. The second of equal ones is none.
    assert Choice(keep=9, shortest=1).pairs(one) == [(4, 1), (5, 0)]
    assert Choice(keep=1).pairs(one) == [(4, 1)]
    assert Choice().pairs(sampled(sample("a"))) == []


def test_by_luck_is_right_without_images_as_often():
    right, wrong = sample("a"), sample("a", "4")
    lucky = sampled(right, wrong, blind="rw")
    seen = sampled(right, right, blind="rw")
    unasked, never = sampled(right, wrong), sampled(wrong, wrong, blind="rr")
    assert [each.lucky for each in (lucky, seen, unasked, never)] == [True, False, False, False]
    assert Choice().chains(lucky) == [0]
    assert Choice(lucky="as-often").chains(lucky) == []
    assert Choice(lucky="as-often").chains(seen) == [0]
    assert Choice(lucky="any").chains(seen) == []
    assert Choice(lucky="any").chains(unasked) == [0]
    report = make_report([lucky, seen, unasked, never], Choice(lucky="any"), 5, {"seed": 0})
    assert report["blind"] == {
        "problems": 3,
        "right": 4,
        "problems_right": 3,
        "by_luck": 1,
        "left_out": 2,
    }
    counts = ("problems", "samples", "right", "problems_right", "kept", "problems_kept", "pairs")
    assert [report[name] for name in counts] == [4, 8, 4, 3, 1, 1, 5]


def test_pass_rates_are_counted_between_edges():
    assert histogram([0, 0.1, 0.25, 0.3, 0.75, 0.8, 1, 1]) == {
        "0": 1,
        "to 0.25": 2,
        "to 0.5": 1,
        "to 0.75": 1,
        "below 1": 1,
        "1": 2,
    }


@pytest.mark.parametrize("options", [{"keep": 0}, {"shortest": 0}, {"similar": 1.5}])
def test_choices_out_of_range_are_refused(options):
    with pytest.raises(BadInput, match=next(iter(options))):
        Choice(**options)
