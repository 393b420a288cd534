"""What would be run, of the configs that ship."""

import re

import pytest

from reasonrft.cli.fit_options import as_options
from reasonrft.study.cells import Cell
from reasonrft.study.dry_run import Work, matched, training, work_of
from reasonrft.study.recipes import Stage
from reasonrft.study.run_settings import Settings
from reasonrft.study.study_config import Expected
from tests.starting import Started
from tests.study.studies import study

# Prompts of 10 tokens, chains of 5, answers of 1, completions of 4.
EXPECTED = Expected(10, 5, 1, 4, questions=7, val_questions=3, parameters=100, flops=1000)
SFT = Settings(steps=6, batch_size=2)
GRPO = Settings(steps=3, batch_size=2, group_size=5, beta=0.1)


def test_what_is_learned_from_counts_three_times():
    assert training(SFT, EXPECTED) == Work(6 * 2 * 3 * 15)
    answers = Settings(steps=6, batch_size=2, accumulated=4, answers=True)
    assert training(answers, EXPECTED) == Work(24 * 2 * 3 * 11)


def test_reinforcement_reads_decodes_and_scores_groups_with_their_prompt_once():
    # Of each of 6 prompts 20 tokens are decoded, and 30 scored: 3 times, and for the reference.
    assert training(GRPO, EXPECTED) == Work(6 * (10 + 4 * 30), 6 * 20)


def test_validations_and_tests_answer_questions():
    given = study(expected=EXPECTED, validations=2)
    assert work_of(given, Stage("fit", "cot-sft"), SFT) == Work(540 + 2 * 3 * 10, 2 * 3 * 4)
    # In three modes: with the images, blind and swapped.
    assert work_of(given, Stage("test", "ans-sft"), None) == Work(3 * 7 * 10, 3 * 7 * 1)


def test_time_is_two_operations_for_each_weight_and_token():
    expected = Expected(parameters=100, flops=1000, utilisation=0.5, decoding=0.1)
    assert Work(10, 1).seconds(expected) == pytest.approx(2 * 100 * (10 / 0.5 + 1 / 0.1) / 1000)


def test_matched_compute_is_that_of_both_stages_of_rft():
    lengths = {("counting", name): SFT for name in ("stage-1", "cot-sft", "cot-sft-compute")}
    lengths["counting", "rft"] = GRPO
    cell = Cell("counting", "cot-sft-compute", 0)
    # 540 of stage 1 and 900 of stage 2, at 90 a step.
    settings = matched(study(expected=EXPECTED), cell, lengths)
    assert settings is not None and settings.steps == 16
    assert matched(study(), Cell("counting", "cot-sft", 0), lengths) is None


@pytest.mark.parametrize(
    ("name", "paradigm", "runs"),
    [("tiny", "cot-sft", 5), ("qwen2vl_2b", "rft", 10), ("qwen2vl_7b", "rft", 10)],
)
def test_a_study_that_ships_shows_its_runs_and_writes_nothing(name, paradigm, runs, tmp_path):
    fewer = {"paradigms": {"zero-shot": {}, paradigm: {}}, "tasks": {"counting": {}}}
    fewer |= {"shared": [paradigm], "seeds": [0]}
    # A name on the Hub would be asked for again and again where there is no network.
    fewer |= {"policy": "tiny" if name == "tiny" else "./missing"}
    options = as_options(fewer)
    args = ["study", "--config", f"study/{name}.yaml", "--dry-run", *options]
    printed = Started(args, tmp_path).result()
    counts = re.search(r"together: (\d+) runs, .* one after the other", printed)
    assert counts and int(counts[1]) == printed.count("    reasonrft ")
    # Zero-shot's test, and two or three runs on all problems and on each share of them.
    assert int(counts[1]) == runs
    assert re.search(r"fit: [\d,]+ problems, [\d,]+ steps, .* M tokens, about \d+", printed)
    if name == "tiny":
        assert re.search(r"fit: .* GiB in \w+ \(.*\), which fits \d+ GiB", printed)
    else:
        assert "memory was not predicted: no folder missing" in printed
    assert {path.name for path in tmp_path.iterdir()} == {"printed.txt", "said.txt"}
