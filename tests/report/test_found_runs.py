import json

import pytest

from reasonrft.errors import BadInput
from reasonrft.report.found_runs import find_runs
from reasonrft.report.metric_files import read_history
from tests.report.folders import problems, texts, write_answers, write_cell, write_metrics


def answered(folder, rights="10", split="counting/id"):
    asked = problems(folder.parent, "id", len(rights))
    write_answers(folder / "evaluation" / "tiny-1", split, asked, texts(rights))
    return folder


def names(*folders):
    runs, _ = find_runs(folders)
    return [(run.name, run.seed) for run in runs]


def test_cells_are_told_by_paradigm_seed_and_share(study):
    runs, [found] = find_runs([study])
    cells = [(run.name, run.seed, run.share) for run in runs]
    assert cells == [
        ("cot-sft", 0, 1.0),
        ("cot-sft", 1, 1.0),
        ("cot-sft", 2, 1.0),
        ("cot-sft", 0, 0.5),
        ("rft", 0, 1.0),
        ("rft", 1, 1.0),
        ("rft", 2, 1.0),
        ("zero-shot", 0, 1.0),
    ]
    assert [cell["state"] for cell in found.cells].count("waiting") == 1


def test_a_cell_that_is_not_done_has_no_answers_yet(tmp_path):
    cell = write_cell(tmp_path, "counting", "rft", 0, state="running")
    answered(cell)
    write_metrics(cell, {"train/reward": {0: 0.5}})
    [run], _ = find_runs([tmp_path])
    assert not run.answers and run.history == {"train/reward": {0: 0.5}}


def test_rows_are_named_by_what_tells_folders_apart(tmp_path):
    sft = answered(tmp_path / "sft" / "counting")
    grpo = answered(tmp_path / "grpo" / "counting")
    assert names(sft, grpo) == [("sft", 0), ("grpo", 0)]
    again = answered(tmp_path / "old" / "sft" / "counting")
    assert names(sft, again) == [(f"{tmp_path.name}/sft", 0), ("old/sft", 0)]
    assert names(sft, sft) == [("sft", 0)]


def test_folders_called_seed_are_seeds_of_one_row(tmp_path):
    for seed in (1, 2):
        answered(tmp_path / "grpo" / f"seed-{seed}")
    assert names(tmp_path / "grpo") == [("grpo", 1), ("grpo", 2)]


def test_policies_that_one_run_tested_are_rows(tmp_path):
    run = answered(tmp_path / "run")
    asked = problems(tmp_path, "id", 2)
    write_answers(run / "evaluation" / "tiny-2", "counting/id", asked, texts("11"))
    assert sorted(names(run)) == [("run (tiny-1)", 0), ("run (tiny-2)", 0)]
    assert names(run / "evaluation" / "tiny-2") == [("tiny-2", 0)]


def test_what_fit_measured_is_before_and_after(tmp_path):
    tally = {"strict": 0.5, "official": 0.5, "n": 20}
    summary = {"before": {"counting": {"id": tally}}, "after": {"counting": {"id": tally}}}
    (tmp_path / "grpo").mkdir()
    (tmp_path / "grpo" / "summary.json").write_text(json.dumps(summary))
    assert names(tmp_path / "grpo") == [("grpo before", 0), ("grpo", 0)]


@pytest.mark.parametrize(
    "summary", [{"after": 3}, {"after": {"counting": {"id": {"loss": 1}}}}, {"result": {}}]
)
def test_other_summaries_are_no_figures(tmp_path, summary):
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(BadInput, match="has no figures of a run"):
        find_runs([tmp_path])


def test_a_run_that_went_on_replaces_what_came_after_its_start(tmp_path):
    write_metrics(tmp_path, {"train/reward": {0: 0.0, 5: 0.5, 10: 1.0}, "perf/x": {0: 1}})
    write_metrics(tmp_path, {"train/reward": {5: 0.6, 8: 0.8}}, version=1)
    write_metrics(tmp_path, {"test/counting/id/accuracy": {0: 0.9}}, version=10)
    assert read_history(tmp_path) == {"train/reward": {0: 0.0, 5: 0.6, 8: 0.8}}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("cell.json", "{", "cell.json is not JSON"),
        ("cell.json", "[]", "cell.json is not a JSON object"),
        ("cell.json", '{"seed": "one"}', "seed is 'one', not a number"),
        ("answers.jsonl", '{"completion": "3"}\n', "line 1 is not a measured answer"),
        ("csv/version_0/metrics.csv", "step,train/loss\nx,1\n", "not a CSV of metrics by step"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, content, said):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInput, match=said):
        find_runs([tmp_path])


def test_a_folder_without_figures_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no such folder"):
        find_runs([tmp_path / "nowhere"])
