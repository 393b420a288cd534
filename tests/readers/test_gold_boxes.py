"""Boxes in the files of VLM-R1, of Visual-RFT, and of anybody."""

import json

import pytest

from reasonrft.data import convert, validate
from reasonrft.readers import Fault, load_problems, read_problems
from tests.readers.writing import write_image, write_lines, write_records

REC = "Please provide the bounding box coordinate of the region this sentence describes: the cat."
OVD = (
    "Please carefully check the image and detect the following objects: ['cat', 'dog']. Output the "
    "bbox coordinates of detected objects in JSON format in <answer></answer>. The bbox coordinate "
    'format should be: \n```json\n[{"bbox_2d": [x1, y1, x2, y2], "label": "object name"}]\n```\n. '
    'If no targets are detected in the image, simply respond with "None".'
)
VIRFT = (
    "Detect all objects belonging to the category 'cat' in the image, and provide the bounding "
    "boxes (between 0 and 1000, integer) and confidence (between 0 and 1, with two decimal places)."
    "\nIf no object belonging to the category 'cat' in the image, return 'No Objects'.\nOutput the "
    "thinking process in <think> </think> and final answer in <answer> </answer> tags."
)
CAT = [{"bbox_2d": [1, 2, 30, 20], "label": "cat"}]


def talk(question, answer):
    said = [{"from": "human", "value": f"<image>{question}"}, {"from": "gpt", "value": answer}]
    return {"id": 7, "image": "a.png", "conversations": said}


@pytest.fixture
def folder(tmp_path):
    write_image(tmp_path / "a.png", size=(40, 30))
    return tmp_path


def read(folder, record, **options):
    (found,) = read_problems(write_records(folder / "data.json", [record]), **options)
    return found


@pytest.mark.parametrize(
    ("record", "question", "answer", "frame"),
    [
        (  # VLM-R1's REC annotations
            {
                "height": 30,
                "width": 40,
                "image": "a.png",
                "problem": REC,
                "normal_caption": "the cat",
                "solution": [1.5, 2.0, 30.25, 20.0],
                "normalized_solution": [37, 66, 756, 666],
            },
            REC,
            [{"bbox_2d": [1.5, 2.0, 30.25, 20.0]}],
            None,
        ),
        (talk(REC, "[1, 2, 30, 20]"), REC, [{"bbox_2d": [1, 2, 30, 20]}], None),
        (talk(REC, [1.5, 2, 30, 20]), REC, [{"bbox_2d": [1.5, 2, 30, 20]}], None),
        (talk(REC, "<answer> [1, 2, 30, 20] </answer>"), REC, [{"bbox_2d": [1, 2, 30, 20]}], None),
        (
            talk(OVD, f"```json\n{json.dumps(CAT)}\n```"),
            "Please carefully check the image and detect the following objects: ['cat', 'dog'].",
            CAT,
            None,
        ),
        (
            talk(OVD, "None"),
            "Please carefully check the image and detect the following objects: ['cat', 'dog'].",
            [],
            None,
        ),
        (
            {
                "image": "a.png",
                "problem": VIRFT,
                "solution": "<answer>[{'Position': [1, 366, 344, 657], 'Confidence': 1}]</answer>",
            },
            "Detect all objects belonging to the category 'cat' in the image.",
            [{"bbox_2d": [1, 366, 344, 657]}],
            [1000, 1000],
        ),
        (
            {"image": "a.png", "problem": VIRFT, "solution": "<answer>No Objects</answer>"},
            "Detect all objects belonging to the category 'cat' in the image.",
            [],
            None,
        ),
        ({"image": "a.png", "question": "Cat?", "answer": CAT}, "Cat?", CAT, None),
        ({"image": "a.png", "question": "Cat?", "answer": CAT[0]}, "Cat?", CAT, None),
        ({"image": "a.png", "question": "Cat?", "answer": json.dumps(CAT)}, "Cat?", CAT, None),
        (
            {"image": "a.png", "question": "Cat?", "answer": CAT, "frame": [100, 100]},
            "Cat?",
            CAT,
            [100, 100],
        ),
        (
            {"image": "a.png", "question": "Cat?", "answer": "[]", "task": "grounding"},
            "Cat?",
            [],
            None,
        ),
    ],
)
def test_ways_to_write_gold_boxes(folder, record, question, answer, frame):
    found = read(folder, record)
    assert not isinstance(found, Fault), found
    assert (found.task, found.question) == ("grounding", question)
    assert json.loads(found.answer) == answer
    assert found.meta.get("frame") == frame


def test_a_chain_of_thought_stays(folder):
    said = f"<think>The cat sits.</think><answer>{json.dumps(CAT)}</answer>"
    found = read(folder, talk(REC, said))
    assert (found.cot, json.loads(found.answer)) == ("The cat sits.", CAT)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (
            talk(REC, "[30, 2, 1, 20]"),
            r"key 'conversations': box 1, \[30, 2, 1, 20\], must have its",
        ),
        (talk(REC, "[1, 2, 30]"), "must be four numbers"),
        (talk(OVD, '[{"bbox_2d": [1, 2, 30 20], "label": "cat"}]'), "is no JSON list of boxes"),
        ({"image": "a.png", "question": "Cat?", "answer": [{"bbox_2d": [1, 2]}]}, "four numbers"),
        ({"image": "a.png", "question": "Cat?", "answer": 3, "task": "grounding"}, "must be boxes"),
        (
            {"image": "a.png", "question": "C?", "answer": "left", "task": "grounding"},
            "no JSON list",
        ),
        (
            {"image": "a.png", "question": "Cat?", "answer": ["a"], "task": "general"},
            "must be text",
        ),
    ],
)
def test_a_typo_in_a_box_is_one_sentence(folder, record, message):
    found = read(folder, record)
    assert isinstance(found, Fault)
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(str(found))


def test_numbers_in_a_list_are_no_box_unless_boxes_are_asked_for(folder):
    found = read(folder, {"image": "a.png", "question": "The roots?", "answer": "[1, 2, 3, 4]"})
    assert (found.task, found.answer) == ("general", "[1, 2, 3, 4]")
    named = read(
        folder, {"image": "a.png", "question": "A?", "answer": "[1, 2, 3, 4]"}, task="grounding"
    )
    assert json.loads(named.answer) == [{"bbox_2d": [1, 2, 3, 4]}]


def test_validate_says_which_box_leaves_its_image(folder, capsys):
    rows = [talk(REC, "[1, 2, 30, 20]"), talk(REC, "[1, 2, 300, 20]") | {"id": 8}]
    assert validate(str(write_lines(folder / "rec.jsonl", rows))) == 1
    printed = capsys.readouterr().out
    assert (
        "line 2 (id '8'), key 'answer': box 1, [1, 2, 300, 20], lies outside of 40 x 30" in printed
    )
    assert "records: 2, faults: 1" in printed


def test_converted_boxes_are_read_again(folder):
    record = {
        "image": "a.png",
        "problem": VIRFT,
        "solution": "<answer>[{'Position': [1, 366, 344, 657]}]</answer>",
    }
    source = write_records(folder / "data.json", [record, talk(REC, "[1, 2, 30, 20]")][:1])
    (first,) = load_problems(source)
    for kind in ("rl", "sharegpt"):
        convert(str(source), kind, str(folder / f"{kind}.json"))
        (again,) = load_problems(folder / f"{kind}.json")
        assert (again.task, again.question) == (first.task, first.question)
        assert json.loads(again.answer) == json.loads(first.answer)
        assert again.meta["frame"] == [1000, 1000]
