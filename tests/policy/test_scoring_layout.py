import torch

from reasonrft.policy.encoder import Prompt
from reasonrft.policy.scoring import Group, dense_predictors, lay_out, pack
from reasonrft.problems import Problem


def group_of(prompt: int, *completions: int) -> Group:
    problem = Problem("p", "counting", (), "?", "1")
    ids = {"input_ids": torch.arange(prompt)[None]}
    return Group(Prompt(problem, "?", ids), [torch.arange(length) for length in completions])


def test_completions_see_their_prompt_and_themselves():
    layout = lay_out([group_of(2, 1, 2)], [torch.tensor([[0, 1]])], [[0]])
    # p0 p1 | a | b b
    assert layout.mask[0].int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 0, 1, 0],
        [1, 1, 0, 1, 1],
    ]
    assert layout.positions.tolist() == [[[0, 1, 2, 2, 3]]]
    # a and the first b are both predicted where the prompt ends.
    assert layout.predictors.tolist() == [1, 1, 3]


def test_positions_go_on_from_the_greatest_of_the_prompt():
    # A image of 2 x 2 tokens at positions 1 and 2 stands for 4 tokens.
    prompt = torch.tensor([[0, 1, 1, 1, 1, 3], [0, 1, 1, 2, 2, 3], [0, 1, 2, 1, 2, 3]])
    layout = lay_out([group_of(6, 2)], [prompt], [[0]])
    assert layout.positions[:, 0, 6:].tolist() == [[4, 5]] * 3


def test_groups_in_one_row_do_not_see_each_other():
    groups = [group_of(1, 1), group_of(1, 1)]
    layout = lay_out(groups, [torch.tensor([[0]])] * 2, [[0, 1]])
    assert layout.mask[0].int().tolist() == [
        [1, 0, 0, 0],
        [1, 1, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 1, 1],
    ]
    assert layout.positions.tolist() == [[[0, 1, 0, 1]]]
    assert layout.predictors.tolist() == [0, 2]


def test_padding_sees_itself_alone():
    groups = [group_of(1, 2), group_of(1, 1)]
    layout = lay_out(groups, [torch.tensor([[0]])] * 2, [[0], [1]])
    assert layout.mask[1].int().tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert layout.predictors.tolist() == [0, 1, 3]


def test_order_of_predictors_is_that_of_groups_wherever_rows_put_them():
    groups = [group_of(1, 1), group_of(2, 1)]
    layout = lay_out(groups, [torch.tensor([[0]]), torch.tensor([[0, 1]])], [[1, 0]])
    assert layout.predictors.tolist() == [3, 1]


def test_dense_rows_repeat_the_prompt():
    # Two rows of 2 + 2 and 2 + 1 tokens, and one of 1 + 3; the width is 4.
    places = dense_predictors([group_of(2, 2, 1), group_of(1, 3)], width=4)
    assert places.tolist() == [1, 2, 5, 8, 9, 10]


def test_rows_hold_no_more_than_their_budget():
    lengths = [5, 3, 3, 2, 9]
    rows = pack(lengths, budget=8)
    assert sorted(item for row in rows for item in row) == [0, 1, 2, 3, 4]
    assert rows == [[4], [0, 1], [2, 3]]  # 9 is longer than a row and stands alone
    assert pack(lengths, budget=0) == [[4], [0], [1], [2], [3]]
