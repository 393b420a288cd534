"""Each format: what a small real record of it becomes."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from reasonrft.problems import Problem
from reasonrft.readers import FORMATS, DataError, Fault, RecordFault, load_problems, read_problems
from reasonrft.readers.base import RecordContext
from tests.readers.writing import write_image, write_lines, write_records


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_image(tmp_path / "a.png")
    write_image(tmp_path / "b.png", "blue")
    return tmp_path


def read(folder: Path, record: object, **options: object) -> Problem:
    [found] = read_all(folder, [record], **options)
    assert isinstance(found, Problem), found
    return found


def read_all(folder: Path, records: object, **options: object) -> list[Problem | Fault]:
    return list(read_problems(write_records(folder / "data.json", records), **options))


def test_release(folder):
    record = {
        "id": "clevr-math-1",
        "image": "a.png",
        "problem": "Subtract all spheres. How many objects are left?",
        "answer": "3",
        "cot": "Five, less two.",
        "template": "subtraction",
    }
    found = read(folder, record)
    assert found == Problem(
        id="clevr-math-1",
        task="counting",
        images=(folder / "a.png",),
        question=record["problem"],
        answer="3",
        cot="Five, less two.",
        meta={"template": "subtraction"},
    )


def test_pairs(folder):
    record = {"question": "How many?", "image": "a.png", "chosen": "Three.", "rejected": "Two."}
    found = read(folder, record | {"answer": "3", "source": "x"})
    assert (found.question, found.answer, found.images) == ("How many?", "3", (folder / "a.png",))
    assert found.meta == {"chosen": "Three.", "rejected": "Two.", "source": "x"}
    assert read(folder, record).answer == ""  # nothing states one
    stated = record | {"chosen": "<think>t</think>\n<answer>3</answer>"}
    assert (read(folder, stated).answer, read(folder, stated).cot) == ("3", "")


def test_pairs_in_conversations(folder):
    question = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Why?"}]}
    sides = {
        "chosen": [{"role": "assistant", "content": "So."}],
        "rejected": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "No."}],
    }
    found = read(folder, {"prompt": [question], "images": ["a.png"], **sides})
    assert (found.question, found.images) == ("Why?", (folder / "a.png",))
    assert found.meta == {"chosen": "So.", "rejected": "No."}


@pytest.mark.parametrize(
    ("sides", "said"),
    [
        ({"chosen": "a", "rejected": "a"}, "'rejected': is the same as chosen"),
        ({"chosen": "a", "rejected": 3}, "'rejected': must be text, not 3"),
        ({"chosen": " ", "rejected": "a"}, "'chosen': is empty"),
        ({"chosen": [{"role": "user", "content": "?"}] * 3, "rejected": "a"}, "'chosen': turns"),
    ],
)
def test_pairs_that_are_none(folder, sides, said):
    (fault,) = read_all(folder, [{"question": "How many?", "answer": "3", **sides}])
    assert said in str(fault)


def test_release_for_reinforcement(folder):
    record = {"id": "geomath-1", "image": "a.png", "problem": "Find x.", "solution": "B"}
    assert read(folder, record).answer == "B"
    assert read(folder, record).task == "structure"
    both = read(folder, record | {"answer": "B"})
    assert (both.answer, both.meta) == ("B", {})
    worked = read(folder, record | {"solution": "As x = 2 we choose B.", "answer": "B"})
    assert worked.meta == {"solution": "As x = 2 we choose B."}


def test_a_whole_completion_as_cot_gives_its_thought(folder):
    cot = "<think>\nFive less two.\n</think>\n<answer>\n3\n</answer>"
    assert read(folder, {"problem": "?", "answer": 3, "cot": cot}).cot == "Five less two."


def test_options_of_transformations(folder):
    record = {
        "id": "t",
        "image": ["a.png", "b.png"],
        "problem": "Objects: ...",
        "answer": "change_position(0, left), change_color(1, red)",
        "position_options": [[0, ["left", "left", "front"]], [1, ["red"]]],
    }
    found = read(folder, record)
    assert found.task == "transformation"
    assert found.meta == {"options": [[0, ["left", "front"]]]}
    written = [{"step": 0, "values": ["left", "front"]}]
    again = {key: value for key, value in record.items() if key != "position_options"}
    assert read(folder, again | {"options": written}).meta == found.meta


def test_sharegpt_messages(folder):
    record = {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "<image>Who?"},
            {"role": "assistant", "content": "Ann."},
            {"role": "user", "content": "And here?<image>"},
            {"role": "assistant", "content": "<think>a beard</think><answer>Bob</answer>"},
        ],
        "images": ["a.png", "b.png"],
    }
    found = read(folder, record)
    assert (found.question, found.answer, found.cot) == ("And here?<image>", "Bob", "a beard")
    assert found.meta == {"system": "Be brief.", "history": [["<image>Who?", "Ann."]]}
    assert found.images == (folder / "a.png", folder / "b.png")


def test_sharegpt_conversations_without_images(folder):
    turns = [{"from": "human", "value": "2 + 2?"}, {"from": "gpt", "value": "4"}]
    found = read(folder, {"conversations": turns})
    assert (found.question, found.answer, found.images) == ("2 + 2?", "4", ())


def test_dataset_info_maps_keys_and_tags(folder):
    turns = [{"who": "ME", "says": "<image>What?"}, {"who": "IT", "says": "Red."}]
    write_records(folder / "talks.json", [{"talk": turns, "pics": ["a.png"]}])
    info = {
        "file_name": "talks.json",
        "formatting": "sharegpt",
        "columns": {"messages": "talk", "images": "pics"},
        "tags": {
            "role_tag": "who",
            "content_tag": "says",
            "user_tag": "ME",
            "assistant_tag": "IT",
        },
    }
    write_records(folder / "dataset_info.json", {"talks": info})
    [found] = load_problems(folder)
    assert (found.question, found.answer) == ("What?", "Red.")
    assert found.id == "talks-000001"
    assert load_problems(folder / "talks.json") == [found]


def test_dataset_info_faults(folder):
    info = {
        "hub": {"hf_hub_url": "a/b"},
        "alpaca": {"file_name": "x.json"},
        "gone": {"file_name": "gone.json", "formatting": "sharegpt"},
        "out": {"file_name": "../x.json", "formatting": "sharegpt"},
    }
    write_records(folder / "dataset_info.json", info)
    faults = [str(fault) for fault in read_problems(folder)]
    assert len(faults) == 4
    for fault, reason in zip(faults, ("no file", "not of form", "No such", "outside"), strict=True):
        assert reason in fault


def test_vlm_r1_lists_of_files_and_roots(tmp_path):
    for name in ("one", "two"):
        write_image(tmp_path / name / "images" / "a.png")
        turns = [{"from": "human", "value": "<image>How many?"}, {"from": "gpt", "value": "3"}]
        row = {"id": name, "image": "a.png", "conversations": turns}
        write_lines(tmp_path / name / "data.jsonl", [row])
    files = ":".join(str(tmp_path / name / "data.jsonl") for name in ("one", "two"))
    roots = ":".join(str(tmp_path / name / "images") for name in ("one", "two"))
    found = load_problems(files, image_root=roots)
    assert [(one.id, one.images[0].is_file()) for one in found] == [("one", True), ("two", True)]
    with pytest.raises(DataError, match="2 files need one image root or 2, not 3"):
        load_problems(files, image_root=roots + ":.")


def test_vlm_r1_with_several_images(folder):
    turns = [{"from": "human", "value": "<image><image>Same?"}, {"from": "gpt", "value": "no"}]
    found = read(folder, {"id": 7, "image": ["a.png", "b.png"], "conversations": turns})
    assert (found.id, found.question, len(found.images)) == ("7", "Same?", 2)


def test_r1_v(folder):
    record = {"image": "a.png", "problem": "How many items?", "solution": "<answer> 3 </answer>"}
    assert read(folder, record).answer == "3"


def test_easyr1(folder):
    record = {"images": ["a.png"], "problem": "<image>Find x.", "answer": "140°"}
    found = read(folder, record)
    assert (found.question, found.answer) == ("Find x.", "140°")


def test_verl(folder):
    record = {
        "data_source": "hiyouga/geometry3k",
        "prompt": [{"role": "user", "content": "<image>Find x."}],
        "images": [{"path": "a.png"}],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": "48"},
        "extra_info": {"split": "train", "index": 0},
    }
    found = read(folder, record)
    assert (found.question, found.answer, found.meta["split"]) == ("Find x.", "48", "train")
    assert found.meta["data_source"] == "hiyouga/geometry3k"


def test_trl(folder):
    parts = [{"type": "image"}, {"type": "text", "text": "Which colour?"}]
    record = {"prompt": [{"role": "user", "content": parts}], "image": "a.png", "solution": "red"}
    found = read(folder, record)
    assert (found.question, found.answer) == ("Which colour?", "red")
    plain = {"prompt": "Which colour?", "ground_truth": "red"}
    assert read(folder, plain).question == "Which colour?"
    inside = [{"type": "image", "image": "b.png"}, {"type": "text", "text": "And?"}]
    record = {"prompt": [{"role": "user", "content": inside}], "answer": "blue"}
    assert read(folder, record).images == (folder / "b.png",)


def test_clevr_questions(tmp_path):
    write_image(tmp_path / "images" / "val" / "CLEVR_val_000001.png")
    question = {
        "image_filename": "CLEVR_val_000001.png",
        "question": "How many cubes are there?",
        "answer": "2",
        "question_index": 4,
        "split": "val",
        "program": [{"function": "scene", "inputs": []}],
    }
    other = question | {"question": "Is it red?", "answer": "yes", "question_index": 5}
    content = {"info": {"split": "val"}, "questions": [question, other]}
    path = write_records(tmp_path / "questions" / "CLEVR_val_questions.json", content)
    for source in (path, tmp_path):
        first, second = load_problems(source)
        assert first.images[0].is_file()
        assert (first.id, first.task, first.answer) == ("CLEVR_val_000001-4", "counting", "2")
        assert second.task == "general"
        assert "program" not in first.meta


def test_columns_name_other_peoples_keys(folder):
    row = {"question": "Subtract all cubes. How many objects are left?", "label": 4, "pic": "a.png"}
    columns = {"problem": "question", "answer": "label", "image": "pic"}
    found = read(folder, row, columns=columns)
    assert (found.answer, found.task, found.images) == ("4", "counting", (folder / "a.png",))
    [fault] = read_all(folder, [row], columns={**columns, "answer": "labels"})
    assert "key 'labels'" in str(fault) and "question, label, pic" in str(fault)
    with pytest.raises(DataError, match="columns can map question, problem, answer"):
        read_all(folder, [row], columns={"prompt": "question"})


def test_records_by_id(folder):
    content = {"7": {"problem": "What?", "answer": "1"}, "8": {"problem": "Why?", "answer": "2"}}
    assert [one.id for one in read_all(folder, content)] == ["7", "8"]
    assert [one.id for one in read_all(folder, {"version": 1, "data": [content["7"]]})] == [
        "data-000001"
    ]


def test_answers_become_text(folder):
    def answer(value: object) -> str:
        [found] = read_all(folder, [{"problem": "?", "answer": value}])
        return found.answer if isinstance(found, Problem) else found.message

    assert answer(3) == answer(3.0) == answer("3") == answer(" <answer> 3 </answer> ") == "3"
    assert answer(2.5) == "2.5"
    for wrong in (True, {"a": 1}, [3], float("nan")):
        assert "must be text or a number" in answer(wrong)
    assert "null" in answer(None)
    assert "one <answer>" in answer("<answer>1</answer> or <answer>2</answer>")


@pytest.mark.parametrize(
    ("question", "kept"),
    [
        ("<image>\n<image> Compare.", "Compare."),
        ("First <image>, then <image>.", "First <image>, then <image>."),
        ("<image> Compare with <image>.", "<image> Compare with <image>."),
        ("Compare.", "Compare."),
    ],
)
def test_image_tags(folder, question, kept):
    record = {"image": ["a.png", "b.png"], "problem": question, "answer": "1"}
    assert read(folder, record).question == kept


def test_images_in_every_dress(folder):
    data = (folder / "a.png").read_bytes()
    context = RecordContext(folder)
    release = next(format for format in FORMATS if format.name == "reason-rft")

    def images(value: object) -> tuple[Path | bytes, ...]:
        row = {"problem": "?", "answer": "1", "image": value}
        return release.problems(row, context)[0].images

    assert images("a.png") == images(["a.png"]) == images({"path": "a.png"}) == (folder / "a.png",)
    assert images(data) == images([{"bytes": data, "path": "gone.png"}]) == (data,)
    assert images(None) == ()
    [encoded] = images(Image.new("CMYK", (4, 4)))
    assert isinstance(encoded, bytes) and encoded.startswith(b"\x89PNG")
    assert images(str(folder / "a.png")) == (folder / "a.png",)


def test_tasks_of_records(folder):
    def task(**record: object) -> str:
        return read(folder, {"problem": "What?", "answer": "1", **record}).task

    assert task() == "general"
    assert task(id="super-clevr-1") == "counting"
    assert task(id="geoqa_3") == "structure"
    assert task(problem="Which? A. 1 B. 2", answer="A") == "structure"
    assert task(answer="change_color(2, red)") == "transformation"
    assert task(task="counting") == "counting"
    assert task(task="captioning") == "general"
    [fault] = read_all(folder, [{"problem": "What?", "answer": "1", "task": "os.path"}])
    assert "not built in" in str(fault)
    named = {"class_path": "os.system", "init_args": {"command": "true"}}
    [fault] = read_all(folder, [{"question": "What?", "answer": "1", "task": named}])
    assert "key 'task': must be the name of a built-in task, not {'class_path'" in str(fault)
    assert read(folder, {"problem": "What?", "answer": "1"}, task="structure").task == "structure"


def test_bad_usage_is_one_sentence(folder):
    with pytest.raises(DataError, match="no format 'csv': use one of tvr, clevr"):
        read_all(folder, [{}], format="csv")
    with pytest.raises(ValueError, match="no task 'count'"):
        read_all(folder, [{}], task="count")
    with pytest.raises(DataError, match="no such file or folder: nowhere"):
        load_problems("nowhere")
    with pytest.raises(DataError, match="no such folder for images"):
        load_problems(folder / "data.json", image_root=folder / "nowhere")


def test_all_or_nothing(folder):
    path = write_records(folder / "x.json", [{"problem": "?", "answer": "1"}, {"problem": "?"}])
    with pytest.raises(DataError, match="record 2") as caught:
        load_problems(path)
    assert len(caught.value.faults) == 1


_texts = st.sampled_from(
    ["", "<image>", "<answer>", "<answer>3</answer>", "user", "assistant", "position", "color"]
    + ["a.png", "../a.png", "/etc/passwd", "\0", "\ud800", "change_color(1, red)", "left", "image"]
) | st.text(max_size=8)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _texts,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["role", "content", "from", "value", "type", "text", "image", "objects", "images"]
                + ["obj_idx", "attr", "val", "position", "ground_truth", "path", "bytes", "step"]
            )
            | _texts,
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
_keys = sorted(
    {key for format in FORMATS for keys in (*format.needs, format.knows) for key in keys}
)


@settings(max_examples=400, deadline=None)
@given(row=st.dictionaries(st.sampled_from([*_keys, "options", "history"]), _values) | _values)
def test_no_row_breaks_a_reader(row):
    for format in FORMATS:
        try:
            problems = format.problems(row, RecordContext(Path("/nowhere")))
        except RecordFault:
            continue
        assert all(isinstance(problem, Problem) for problem in problems)


@settings(max_examples=200, deadline=None)
@given(
    states=st.lists(
        st.fixed_dictionaries({"objects": st.lists(_values, max_size=3), "images": _values}),
        min_size=2,
        max_size=2,
    ),
    changes=st.lists(_values, max_size=3),
)
def test_no_sample_breaks_the_reader_of_states(states, changes):
    [tvr] = [format for format in FORMATS if format.name == "tvr"]
    try:
        tvr.problems(
            {"states": states, "transformations": changes}, RecordContext(Path("/nowhere"))
        )
    except RecordFault as fault:
        assert json.dumps(fault.message)
