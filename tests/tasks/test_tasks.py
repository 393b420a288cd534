import json

import pytest

from reasonrft.errors import BadInput
from reasonrft.tasks import CountingTask, StructureTask, Task, TransformationTask, find_task
from tests.conftest import problem

MOVES = "change_color(2, cyan), change_position(2, behind)"


@pytest.mark.parametrize(
    ("task", "gold", "answer", "right"),
    [
        ("counting", "3", "3", 1),
        ("counting", "0", "0", 1),
        ("counting", "3", "3.0", 1),
        ("counting", "3", "3 objects", 1),
        ("counting", "3", "4", 0),
        ("counting", "3", "3 or 4", 0),
        ("structure", "14 π", r"14\pi", 1),
        ("structure", "140", "140°", 1),
        ("structure", "B", "(B)", 1),
        ("structure", "B", "C", 0),
        ("general", "Paris", "paris.", 1),
        ("general", "Paris", "London", 0),
        ("general", "x^2+2x", "x(x+2)", 1),
        ("general", "x^2+2x", "x^2+3x", 0),
        ("transformation", MOVES, MOVES, 1),
        ("transformation", MOVES, "change_position(2, behind)\nchange_color(2, cyan)", 1),
        ("transformation", MOVES, "change_color(2, cyan)", 0),
    ],
)
def test_accuracy(task, gold, answer, right):
    completion = f"<think>so</think>\n<answer>\n{answer}\n</answer>"
    assert find_task(task).accuracy(completion, problem(gold, task)) == right


def test_letter_and_text_of_an_option_are_the_same_answer():
    asked = "Opposite 4?\nChoices: A. 1 B. 2 C. 3 D. 6"
    task = StructureTask()
    assert task.agrees("3", problem("C", "structure", asked))
    assert task.agrees("C", problem("3", "structure", asked))
    assert not task.agrees("B", problem("C", "structure", asked))


def test_an_ambiguous_step_admits_its_options():
    task = TransformationTask()
    ambiguous = problem(MOVES, "transformation", meta={"options": [[1, ["behind", "left"]]]})
    assert task.agrees("change_color(2, cyan), change_position(2, left)", ambiguous)
    assert not task.agrees("change_color(2, cyan), change_position(2, right)", ambiguous)
    # One step cannot be answered twice: 2 of 3 given calls are right.
    both = "change_color(2, cyan), change_position(2, left), change_position(2, behind)"
    assert task.credit(both, ambiguous) == pytest.approx(2 / 3)


def test_what_no_image_can_show_is_not_asked():
    gold = problem("change_color(2, red), change_color(2, blue)", "transformation")
    assert TransformationTask().agrees("change_color(2, blue)", gold)


@pytest.mark.parametrize(
    ("task", "gold", "fault"),
    [
        ("counting", "7", None),
        ("counting", "2.5", "not a whole number"),
        ("structure", "", "empty"),
        ("transformation", MOVES, None),
        ("transformation", "nothing", "not a sequence of calls"),
        ("transformation", "change_colour(2, red)", "no such function"),
        ("transformation", "change_color(2, pink)", "not a value of change_color"),
    ],
)
def test_faults_of_gold_answers(task, gold, fault):
    found = find_task(task).fault(problem(gold, task))
    assert found is None if fault is None else fault in found


def test_a_letter_beyond_the_options_is_a_fault():
    asked = "Can we?\nChoices: A. Yes B. No"
    assert "2 options" in StructureTask().fault(problem("D", "structure", asked))


def test_prompts(tmp_path):
    asked = problem("3", "counting", "How many {cubes}?")
    assert "How many {cubes}?" in CountingTask().prompt(asked)
    assert "<answer>" in CountingTask().prompt(asked)
    assert CountingTask().prompt(asked, reasoning=False) == "How many {cubes}?"
    file = tmp_path / "prompt.txt"
    file.write_text("Q: {question} A:")
    assert CountingTask(template=file).prompt(asked) == "Q: How many {cubes}? A:"
    assert CountingTask(template="{question}!").prompt(asked) == "How many {cubes}?!"


def test_structure_asks_for_a_letter_where_there_are_options():
    task = StructureTask()
    assert "letter" in task.prompt(problem("A", "structure", "Ok? Choices: A. Yes B. No"))
    assert "number" in task.prompt(problem("3", "structure", "Find x."))
    task = StructureTask(template="{question} #", choice_template="{question} letter!")
    assert task.prompt(problem("A", "structure", "Ok? Choices: A. Yes B. No")).endswith("letter!")


def test_a_template_without_a_place_for_the_question_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"has no \{question\} and is not a file"):
        CountingTask(template="How many?")
    file = tmp_path / "empty.txt"
    file.write_text("nothing")
    with pytest.raises(BadInput, match=r"has no \{question\}"):
        CountingTask(template=file)


def test_tasks_are_found_by_name_and_class_path():
    assert isinstance(find_task("counting"), CountingTask)
    assert isinstance(find_task("reasonrft.tasks.StructureTask"), StructureTask)
    for name, message in [
        ("chess", "no task 'chess'"),
        ("no.such.Task", "No module named"),
        ("json.loads", "not a subclass"),
    ]:
        with pytest.raises(BadInput, match=message):
            find_task(name)


def test_a_task_without_agrees_says_so():
    with pytest.raises(NotImplementedError, match="when an answer is right"):
        Task().accuracy("3", problem("3"))


def test_gold_answers_of_real_records_are_right(real):
    for name, task in [
        ("clevr", "counting"),
        ("trance", "transformation"),
        ("geometry3k", "structure"),
    ]:
        for row in json.loads((real / name / "records.json").read_text()):
            asked = problem(row["answer"], task, row["problem"])
            assert find_task(task).fault(asked) is None
            assert find_task(task).accuracy(f"<answer>{row['answer']}</answer>", asked) == 1
