import pytest

from reasonrft.evaluation.intervals import wilson_interval
from reasonrft.report.comparison import compare
from reasonrft.report.effort_tables import commands, effort_table, share_table
from reasonrft.report.found_runs import find_runs
from reasonrft.report.published_table import published_models, published_splits
from reasonrft.report.table_files import as_csv, as_markdown
from reasonrft.report.training_charts import curve_of, dynamics_table
from tests.report.folders import problems, texts, write_answers


@pytest.fixture(scope="module")
def compared(study):
    runs, studies = find_runs([study])
    return compare(runs, [], studies, "strict")


def of(compared, name):
    return next(row for row in compared.rows if row.name == name)


def column(compared, name):
    return next(column for column in compared.columns if column.name == name)


def gaps(compared, ours, theirs):
    return {
        line.column.name: line
        for line in compared.gaps
        if (line.ours.name, line.theirs.name) == (ours, theirs)
    }


def test_rows_and_columns_stand_as_in_the_paper(compared):
    assert [row.title for row in compared.rows] == ["Zero-shot", "CoT-SFT", "Reason-RFT"]
    names = [column.name for column in compared.columns]
    assert names == ["ID", "OOD-domain", "OOD-operation", "all OOD"]
    sides = compared.sides["counting"]
    assert sides.focus.name == "rft" and sides.baseline.name == "zero-shot"


def test_means_are_over_questions_and_seeds(compared):
    # In domain 4 + 3 + 4 of 12; out of domain 3 + 1, 3 + 2 and 2 + 1 of 18.
    rft = of(compared, "rft")
    found = rft.estimate(column(compared, "ID"), "strict")
    assert (found.mean, found.questions, found.runs) == (pytest.approx(11 / 12), 4, 3)
    assert rft.estimate(column(compared, "all OOD"), "strict").mean == pytest.approx(12 / 18)
    once = of(compared, "zero-shot").estimate(column(compared, "ID"), "strict")
    assert (once.low, once.high) == pytest.approx(wilson_interval(0.25, 4))


def test_gaps_pair_questions_that_were_asked_in_other_words(compared):
    found = gaps(compared, "rft", "cot-sft")
    # In domain 11/12 - 8/12.
    assert found["ID"].gap.difference == pytest.approx(0.25)
    assert found["ID"].gap.questions == 4
    assert not gaps(compared, "rft", "rft")
    assert list(gaps(compared, "cot-sft", "zero-shot")) == list(found)


def test_each_table_of_gaps_is_corrected_for_itself(compared):
    lines = gaps(compared, "cot-sft", "zero-shot").values()
    # The only pair of its family: four gaps, the least p times four.
    least = min(lines, key=lambda line: line.gap.p)
    assert least.corrected == pytest.approx(min(1.0, 4 * least.gap.p))
    assert all(line.corrected >= line.gap.p for line in lines)


def test_notes_say_what_is_not_done(compared):
    notes = " ".join(compared.notes)
    assert "small: 8 of 9 cells are done (1 waiting)." in notes
    assert "One run each: Zero-shot." in notes


def test_other_questions_are_not_compared(tmp_path):
    for name, count, words in (("a", 6, "How many?"), ("b", 4, "How many?"), ("c", 4, "Which?")):
        asked = problems(tmp_path / "data", "id", count, words)
        write_answers(tmp_path / name, "counting/id", asked, texts("1" * count))
    runs, _ = find_runs([tmp_path / name for name in "abc"])
    found = compare(runs, [], [], "strict")
    said = [note for note in found.notes if "answered by both" in note]
    assert said == [
        "Visual counting, ID: 0 questions are answered by both c (4) and a (6); no gap is shown.",
        "Visual counting, ID: 0 questions are answered by both c (4) and b (4); no gap is shown.",
        "Visual counting, ID: 4 questions are answered by both b (4) and a (6); "
        "their gap is that of these.",
    ]
    assert [line.gap.questions for line in found.gaps] == [4]


def test_what_rows_took_is_the_mean_over_seeds(compared):
    rows = effort_table(compared, "counting").rows
    by_row = {row[0].text: [cell.text for cell in row[1:5]] for row in rows}
    assert by_row["Reason-RFT"] == ["40", "–", "–", "61"]
    assert by_row["CoT-SFT, 1/2 of the chains"] == ["40", "–", "–", "60"]
    assert "python -m reasonrft fit cot-sft-1-of-2" in commands(compared, "counting")


def test_a_share_of_the_chains_is_told_in_shares_of_full_data(compared):
    half, full = share_table(compared, "counting").rows
    assert half[0].text == "CoT-SFT, 1/2 of the chains" and full[0].text == "CoT-SFT"
    # In domain 2/4 of 8/12.
    assert (half[-1].text, full[-1].text) == ("75.0", "100.0")


def test_the_last_run_of_each_task_is_compared(tmp_path):
    for name, task in (("a", "counting"), ("b", "counting"), ("c", "structure"), ("d", "counting")):
        asked = problems(tmp_path / "data", "id", 2)
        write_answers(tmp_path / name, f"{task}/id", asked, texts("10"))
    runs, _ = find_runs([tmp_path / name for name in "abc"])
    [theirs], _ = find_runs([tmp_path / "d"])
    found = compare(runs, [theirs], [], "strict")
    pairs = [(line.ours.name, line.theirs.name) for line in found.gaps]
    assert pairs == [("b", "a"), ("b", "d"), ("d", "a")]


def test_published_figures_are_those_of_the_paper(compared):
    by_row = {(model.model, model.paradigm): model.accuracy for model in published_models()}
    assert len(by_row) == 19
    assert by_row["Qwen2-VL-2B", "rft"]["counting", "ood-domain"] == 51.20
    assert by_row["Qwen2-VL-7B", "rft-zero"]["structure", "average"] == 54.88
    assert by_row["Pixtral-12B", ""]["transformation", "ood-right"] == 5.22
    assert by_row["Qwen2-VL-2B", "cot-sft"]["transformation", "average"] == 50.14
    assert published_splits("transformation") == ["id", "ood-left", "ood-right", "average"]
    assert published_splits("general") == []


def test_files_hold_the_table(compared):
    head, *lines = [line.split(",") for line in as_csv(compared).splitlines()]
    rft = next(dict(zip(head, line, strict=True)) for line in lines if line[0] == "rft")
    assert (rft["split"], rft["runs"], rft["published_2b"]) == ("ID", "3", "96.8")
    assert float(rft["strict"]) == pytest.approx(11 / 12) and float(rft["blind"]) == 0.0
    assert float(rft["baseline_gap"]) == pytest.approx(11 / 12 - 1 / 4)
    half = [line for line in lines if line[1] == "0.5"]
    assert [line[0] for line in half] == ["cot-sft"] * 4
    markdown = as_markdown(compared)
    assert "| Reason-RFT, 2B | 96.80 | 51.20 | 74.00 |" in markdown
    assert "91.7 [" in markdown and "+66.7 [" in markdown


def test_curves_are_means_between_least_and_most(compared):
    histories = [run.history for run in of(compared, "rft").runs]
    curve = curve_of(histories, "val/counting/val/accuracy")
    assert curve.steps == [0, 9, 19]
    assert curve.means == pytest.approx([0.4, 0.3, 0.8])
    assert (curve.lows[1], curve.highs[1]) == pytest.approx((0.2, 0.4))
    assert curve_of(histories, "train/kl") is None
    [row] = dynamics_table(compared, "counting").rows
    assert [cell.text for cell in row[:5]] == ["Reason-RFT", "40.0", "30.0", "80.0", "80.0"]
    assert row[2].note == "step 9"
