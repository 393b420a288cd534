import pytest

from reasonrft.errors import BadInput
from reasonrft.study.study_config import check
from tests.study.studies import study


def test_options_of_both_win_over_those_of_one():
    given = study(
        options={"a": 0, "b": 0, "c": 0, "d": 0},
        paradigms={"rft": {"b": 1, "c": 1, "d": 1, "stage-1": {"b": 5}}, "cot-sft": {"b": 9}},
        tasks={"counting": {"c": 2, "d": 2, "rft": {"d": 3}, "stage-1": {"d": 6}}, "structure": {}},
    )
    assert given.options_of("counting", "rft") == {"a": 0, "b": 1, "c": 2, "d": 3}
    assert given.options_of("structure", "rft") == {"a": 0, "b": 1, "c": 1, "d": 1}
    # Stage 1 has none of those of stage 2.
    assert given.options_of("counting", "stage-1") == {"a": 0, "b": 5, "c": 2, "d": 6}


def test_matched_compute_is_otherwise_the_same():
    given = study(
        paradigms={"rft": {}, "cot-sft": {"a": 1, "b": 1}, "cot-sft-compute": {"b": 2}},
        tasks={"counting": {"cot-sft": {"c": 3}}},
    )
    assert given.options_of("counting", "cot-sft-compute") == {"a": 1, "b": 2, "c": 3}
    assert given.options_of("counting", "cot-sft") == {"a": 1, "b": 1, "c": 3}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tasks": {"geometry": {}}}, "tasks names 'geometry': use counting, structure"),
        ({"tasks": {}}, "tasks is empty: name at least one of counting"),
        ({"paradigms": {"sft": {}}}, "paradigms names 'sft': use zero-shot, ans-sft"),
        ({"seeds": []}, "name at least one, and none twice"),
        ({"seeds": [1, 1]}, "name at least one, and none twice"),
        ({"chains": 1.0}, "chains is 1.0: it is a share of the problems"),
        ({"shares": ["2/3"]}, "shares names 2/3: use 1/2, 1/4 and so on"),
        ({"shares": ["1/0"]}, "shares names 1/0"),
        (
            {"shares": ["1/64"]},
            "problems is 100 for counting: of a share of 1/64, the share of 0.2",
        ),
        ({"problems": {"counting": 9}, "shares": []}, "problems says no number for structure"),
        ({"shared": ["ans-sft"]}, "shared names 'ans-sft': use zero-shot, cot-sft"),
        (
            {"paradigms": {"rft": {}, "cot-sft-compute": {}}},
            "cot-sft-compute needs the figures of cot-sft: name it in paradigms",
        ),
        ({"validations": 0}, "validations must be at least 1"),
    ],
)
def test_what_no_study_can_be_made_of_is_refused(changes, said):
    check(study())
    with pytest.raises(BadInput, match=said):
        check(study(**changes))
