import pytest

from reasonrft.errors import BadInput
from reasonrft.iteration.iteration_config import Iteration, check
from reasonrft.iteration.stages import Stage, command, policy_of, prepare, stages_of

SMALL = {"data.source.train": 8, "data.source.val": 2, "data.limit": 4, "model.answer_tokens": 8}


SOURCE = {"class_path": "DrawnProblems", "init_args": {"task": "counting"}}


def commands(**fields) -> dict[str, str]:
    """Of the last round, by the names of its stages."""
    iteration = Iteration(name="small", options=SMALL, **fields)
    check(iteration)
    stages = [stage for stage in stages_of(iteration) if stage.round == iteration.rounds]
    return {stage.name: " ".join(command(iteration, stage, SOURCE)) for stage in stages}


def test_each_stage_begins_with_what_the_one_before_has_left():
    last = commands(dpo={"model.beta": 0.2}, distill={"drop_lucky": True, "blind": False})
    assert list(last) == ["distill", "sft", "dpo", "grpo", "validate"]
    assert "--policy=outputs/iterate/small/round-1/grpo/policy" in last["distill"]
    assert "--drop-lucky --no-blind" in last["distill"] and "--seed=2" in last["distill"]
    assert "--policy=tiny-counting" in last["sft"]  # the base
    assert "--policy=outputs/iterate/small/round-2/sft/policy" in last["dpo"]
    assert "--model.beta=0.2" in last["dpo"]
    assert "--policy=outputs/iterate/small/round-2/dpo/policy" in last["grpo"]
    assert "--policy=outputs/iterate/small/round-2/grpo/policy" in last["validate"]
    # On the chains and pairs of both rounds; limits are those of the problems, and not of chains.
    assert last["sft"].count("chains.jsonl") == 2 == last["dpo"].count("pairs.jsonl")
    assert "data.limit" not in last["sft"] and "--data.limit=4" in last["grpo"]


def test_stages_may_be_left_out_and_fine_tuning_may_go_on():
    last = commands(grpo=None, chains="last", start="last")
    assert list(last) == ["distill", "sft", "validate"]
    assert last["sft"].count("chains.jsonl") == 1
    assert "--policy=outputs/iterate/small/round-1/sft/policy" in last["sft"]


def test_without_fine_tuning_reinforcement_goes_on_from_the_round_before():
    assert "--policy=outputs/iterate/small/round-1/grpo/policy" in commands(sft=None)["grpo"]


def test_a_mistake_in_the_last_stage_is_found_before_the_first():
    with pytest.raises(
        BadInput, match=r"^grpo: there is no option 'trainer.max_stepz'; did you mean trainer.max"
    ):
        iteration = Iteration(name="small", options=SMALL, sft=None, grpo={"trainer.max_stepz": 3})
        prepare(iteration, stages_of(iteration))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"sft": None, "grpo": None}, "sft, dpo and grpo are all null"),
        ({"rounds": 0}, "rounds must be at least 1"),
        ({"distill": {"seed": 3}}, "distill names seed, which the iteration itself says"),
    ],
)
def test_what_cannot_be_run_is_refused(fields, said):
    with pytest.raises(BadInput, match=said):
        check(Iteration(name="small", **fields))


def test_the_base_is_what_there_is_before_the_first_round():
    assert policy_of(Iteration(name="small", policy="tiny"), 0) == "tiny"
    assert Stage(2, "sft").title == "round 2, sft"
