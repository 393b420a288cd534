import pytest

from reasonrft.tasks.tags import chain_end, first_answer_block, read_response, write_response


@pytest.mark.parametrize(
    ("completion", "thought", "answer"),
    [
        ("<think>2 + 1</think>\n<answer> 3 </answer>", "2 + 1", "3"),
        ("<think>a</think><answer>\n3\n</answer>\n", "a", "3"),
        ("3", "", "3"),
        ("<answer>3</answer>", "", "3"),
        ("<think>a</think> 3", "a", "3"),
        # An answer named while thinking is not the answer; the block after it is.
        (
            "<think>say <answer>4</answer>?</think><answer>3</answer>",
            "say <answer>4</answer>?",
            "3",
        ),
        ("<think>a<think>b</think></think><answer>3</answer>", "a<think>b</think>", "3"),
    ],
)
def test_one_answer_is_read(completion, thought, answer):
    response = read_response(completion)
    assert (response.thought, response.answer) == (thought, answer)


@pytest.mark.parametrize(
    "completion",
    [
        "",
        "<answer></answer>",
        "<answer> \n </answer>",
        "<think>a</think>",
        "<think><answer>3</answer></think>",
        "<think>a <answer>3</answer>",
        "<answer>3</answer><answer>3</answer>",
        "<answer><answer>3</answer></answer>",
        "<answer>3</answer></answer>",
        "<answer>3",
        "</answer>3<answer>",
        "<think>a</think><answer>3</answer><think>",
    ],
)
def test_anything_else_is_no_answer(completion):
    assert read_response(completion).answer is None


@pytest.mark.parametrize(
    ("completion", "statements"),
    [
        # What leads into the block in its sentence is part of the statement.
        ("<think>a</think>4 <answer>3</answer>", ("4 3",)),
        ("It is not <answer>3</answer>", ("It is not 3",)),
        ("Five less two. So: <answer>3</answer>.", ("So: 3",)),
        ("The answer is 4. Or <answer>3</answer>", ("Or 3", "4")),
        ("<answer>3</answer> or 4", ("3", "or 4")),
        ("<answer>3</answer><|im_end|>\n</s>", ("3",)),
        ("<ANSWER>3</Answer>", ("3",)),
        ("Five less two, so the answer is \\boxed{3}.", ("so the answer is \\boxed{3}.",)),
        ("Five less two. The answer is 3", ("The answer is 3",)),
        ("The answer is 4. No, the answer is 3", ("the answer is 3", "4")),
        ("Answer: 1. " * 20 + "<answer>3</answer>", ()),
    ],
)
def test_whatever_is_stated_is_told(completion, statements):
    assert read_response(completion).statements == statements


def test_first_block_is_what_the_lazy_pattern_finds():
    assert first_answer_block("x <answer> 1 </answer> <answer>2</answer>") == "1"
    assert first_answer_block("</answer><answer>1") is None
    assert first_answer_block("<answer></answer>") == ""


def test_what_is_written_is_read_back():
    response = read_response(write_response("two and one", "3"))
    assert (response.thought, response.answer) == ("two and one", "3")


@pytest.mark.parametrize(
    ("chain", "rest"),
    [
        ("<think>a</think>", " so <answer>3</answer>"),
        ("<think>a <answer>4</answer></THINK>", "<answer>3</answer>"),
        ("a</think>b</think>", ""),
        ("<think>a ", "<Answer>3</answer>"),
        ("It is 3.", ""),
        ("", "<answer>3"),
    ],
)
def test_a_chain_ends_with_its_thought(chain, rest):
    assert chain_end(chain + rest) == len(chain)
