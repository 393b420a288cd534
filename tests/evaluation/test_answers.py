import json

import pytest

from reasonrft.errors import BadInput
from reasonrft.evaluation.answers import AnswerFile, Answers, prompt_key, write_lines
from reasonrft.evaluation.identity import policy_name
from reasonrft.problems import Problem


def lines(*keys):
    problems = [Problem(f"p{key}", "counting", (), "How many?", "3") for key in keys]
    answers = Answers([f"text {key}" for key in keys], [2] * len(keys), [False] * len(keys))
    return write_lines("counting/id", problems, keys, answers)


def test_lines_come_back(tmp_path):
    file = AnswerFile(tmp_path / "new" / "folder", "answers", "tiny-1")
    assert file.known == {}
    file.add(lines("a"))
    file.add(lines("a", "b"))
    assert [json.loads(line)["id"] for line in file.path.read_text().splitlines()] == ["pa", "pb"]
    again = AnswerFile(file.path.parent, "answers", "tiny-1")
    assert again.known == file.known
    assert again.known["b"] == {
        "policy": "tiny-1",
        "key": "b",
        "id": "pb",
        "task": "counting",
        "split": "counting/id",
        "problem": "How many?",
        "solution": "3",
        "answer": "3",
        "completion": "text b",
        "tokens": 2,
        "truncated": False,
    }


def test_half_a_line_is_dropped_wherever_it_was_cut(tmp_path):
    file = AnswerFile(tmp_path, "answers", "tiny-1")
    file.add(lines("a", "b"))
    whole = file.path.read_bytes()
    end_of_first = whole.index(b"\n") + 1
    for cut in range(len(whole) + 1):
        file.path.write_bytes(whole[:cut])
        again = AnswerFile(tmp_path, "answers", "tiny-1")
        kept = (cut >= end_of_first) + (cut >= len(whole))
        assert list(again.known) == ["a", "b"][:kept]
        again.add(lines("a", "b"))
        assert file.path.read_bytes() == whole


def test_ranks_read_each_other_and_write_their_own(tmp_path):
    first = AnswerFile(tmp_path, "answers", "tiny-1", rank=0)
    second = AnswerFile(tmp_path, "answers", "tiny-1", rank=1)
    first.add(lines("a"))
    second.add(lines("b"))
    assert {path.name for path in tmp_path.iterdir()} == {"answers.jsonl", "answers.rank1.jsonl"}
    assert list(first.read_all()) == ["a", "b"]
    # Another rank may be in the middle of a line; it is not ours to cut.
    with second.path.open("ab") as other:
        other.write(b'{"key": "c", "po')
    alone = AnswerFile(tmp_path, "answers", "tiny-1", rank=0)
    assert list(alone.known) == ["a", "b"]
    assert second.path.read_bytes().endswith(b'"po')


def test_another_policys_answers_are_refused(tmp_path):
    AnswerFile(tmp_path, "answers", "tiny-1").add(lines("a"))
    with pytest.raises(BadInput, match=r"answers\.jsonl holds answers of tiny-1, not of tiny-2"):
        AnswerFile(tmp_path, "answers", "tiny-2")


@pytest.mark.parametrize("text", ["", "{", "3", "null", '{"key": "a"}', "\x00\x00"])
def test_a_damaged_line_is_named(tmp_path, text):
    file = AnswerFile(tmp_path, "answers", "tiny-1")
    file.add(lines("a"))
    with file.path.open("a") as more:
        more.write(text + "\n")
    with pytest.raises(BadInput, match=r"answers\.jsonl, line 2 is not an answer"):
        AnswerFile(tmp_path, "answers", "tiny-1")


def test_a_key_stands_for_all_that_is_asked(tmp_path):
    place = tmp_path / "a.png"
    place.write_bytes(b"one")

    def key(split="id", name="p", images=(b"one",), text="How many?", tokens=9, mode="own"):
        return prompt_key(split, Problem(name, "counting", images, "", "3"), text, tokens, mode)

    assert key() == key(images=(place,))
    others = [
        key(split="ood"),
        key(name="q"),
        key(images=(b"two",)),
        key(images=(b"one", b"one")),
        key(text="What?"),
        key(tokens=8),
        key(mode="blind"),
        key(mode="swapped"),
    ]
    assert len({key(), *others}) == 9
    with pytest.raises(BadInput, match=r"problem 'p': cannot read .*none\.png"):
        key(images=(tmp_path / "none.png",))


def test_names_of_policies_are_theirs_alone_and_name_folders():
    names = [
        policy_name({"policy": path, "weights": weights})
        for path in ("Qwen/Qwen2-VL-2B", "outputs/my policy/", "../..")
        for weights in ("a", "b")
    ]
    assert len(set(names)) == 6
    assert names[0].startswith("Qwen2-VL-2B-") and names[2].startswith("my-policy-")
    assert not any("/" in name for name in names)
