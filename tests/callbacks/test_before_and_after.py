import json

import pytest

from reasonrft.callbacks import BeforeAndAfter
from reasonrft.datamodules import CountingDataModule
from reasonrft.errors import BadInput
from reasonrft.evaluation.comparison import comparison_text, differences
from tests.callbacks.short_run import EvenSum, data, module, run, run_on_two, watching
from tests.datamodules.reading import MadeUp, made_up, quiet
from tests.modules.fitting import difference, weights
from tests.starting import Forked

pytestmark = pytest.mark.filterwarnings("ignore")


def figures(one, home) -> dict[str, float]:
    """Accuracies as a separate test finds them."""
    trainer = quiet(default_root_dir=home)
    trainer.test(one, data(), verbose=False)
    return {
        split: float(trainer.callback_metrics[f"test/counting/{split}/accuracy"])
        for split in ("id", "ood-domain")
    }


def test_figures_are_those_of_a_test_and_survive_an_interruption(finished, tmp_path):
    summary = json.loads((finished.home / "summary.json").read_text())
    start = json.loads(finished.at_the_start)
    assert (start["steps"], summary["steps"], summary["seed"]) == (3, 5, 3)
    assert summary["before"] == start["before"]
    assert summary["policy"] == str(finished.policy)

    def accuracies(time: str) -> dict[str, float]:
        return {split: found["strict"] for split, found in summary[time]["counting"].items()}

    before = figures(module(finished.policy), tmp_path / "before")
    after = figures(finished.module, tmp_path / "after")
    assert accuracies("before") == pytest.approx(before)
    assert accuracies("after") == pytest.approx(after)
    assert before != after
    assert accuracies("difference") == pytest.approx({s: after[s] - before[s] for s in after})
    assert list(summary["after"]["counting"]) == ["id", "ood-domain"]
    assert summary["after"]["counting"]["id"]["n"] == 10
    written = (finished.home / "summary.md").read_text()
    assert "| Visual counting | before | after | difference | answers |" in written
    assert f"| ID | {100 * before['id']:.2f} [" in written


def test_a_limit_answers_the_same_problems_before_and_after(family_folder, tmp_path, capsys):
    one = run(family_folder("qwen3-vl"), tmp_path, [BeforeAndAfter(limit=3)], steps=1)
    summary = json.loads((tmp_path / "summary.json").read_text())
    sizes = [
        found["n"] for time in ("before", "after") for found in summary[time]["counting"].values()
    ]
    assert sizes == [3] * 4
    printed = capsys.readouterr().out
    assert "OOD-domain" in printed and "seed 3" in printed
    # All but the tower, which is not trained, are in training mode again.
    resting = {part for part in one.policy.model.modules() if not part.training}
    assert resting == set(one.policy.model.model.visual.modules())

    # Whoever resumes a run without its folder learns what came after, and no more.
    (tmp_path / "summary.json").unlink()
    checkpoint = str(tmp_path / "end.ckpt")
    run(family_folder("qwen3-vl"), tmp_path, [BeforeAndAfter(3)], steps=2, ckpt_path=checkpoint)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["before"], summary["difference"]) == ({}, {"counting": {}})
    assert "| ID | - | " in (tmp_path / "summary.md").read_text()
    (tmp_path / "summary.json").write_text("[]")
    with pytest.raises(BadInput, match=r"summary\.json is not a summary of a run: delete it"):
        run(family_folder("qwen3-vl"), tmp_path, [BeforeAndAfter(3)], steps=3, ckpt_path=checkpoint)


def own_data(**splits) -> CountingDataModule:
    """Data with nothing but these splits, of which validation answers "val"."""
    return CountingDataModule(
        MadeUp([made_up(number) for number in range(1, 9)], **splits),
        EvenSum(),
        batch_size=2,
        eval_batch_size=4,
    )


def test_without_test_splits_validation_is_measured(family_folder, tmp_path, caplog, capsys):
    folder = family_folder("qwen3-vl")
    held_out = own_data(val=[made_up(number) for number in range(20, 27)])
    with caplog.at_level("INFO", "lightning.pytorch"):
        run(folder, tmp_path, [BeforeAndAfter(limit=5)], steps=1, data=held_out)
    assert caplog.text.count("the data has no test splits, so its validation splits are") == 1
    summary = json.loads((tmp_path / "summary.json").read_text())
    for time in ("before", "after"):
        assert {s: found["n"] for s, found in summary[time]["counting"].items()} == {"val": 5}
    assert "| before | after |" in (tmp_path / "summary.md").read_text()
    assert "Visual counting" in capsys.readouterr().out


def test_a_trainer_that_tests_nothing_looks_at_no_test(family_folder, tmp_path):
    tested, none = own_data(id=[made_up(20)]), {"limit_test_batches": 0}
    run(family_folder("qwen3-vl"), tmp_path, [BeforeAndAfter()], steps=1, data=tested, **none)
    assert not (tmp_path / "summary.json").exists()
    assert list(tested.problems) == ["train"]


def test_without_any_splits_nothing_is_measured(family_folder, tmp_path):
    with pytest.warns(UserWarning, match="BeforeAndAfter: the data has neither test nor valid"):
        run(family_folder("qwen3-vl"), tmp_path, [BeforeAndAfter()], steps=1, data=own_data())
    assert not (tmp_path / "summary.json").exists()


def test_watching_changes_no_update(family_folder, tmp_path):
    folder = family_folder("qwen3-vl")
    watched = run(folder, tmp_path / "watched", watching(), steps=3)
    unwatched = run(folder, tmp_path / "unwatched", [], steps=3)
    assert difference(weights(watched), weights(unwatched)) == 0
    start = module(folder)
    start.configure_model()
    assert difference(weights(watched), weights(start)) > 0.1


def test_two_processes_share_the_work_and_write_once(finished, tmp_path):
    Forked(tmp_path, run_on_two, finished.policy, tmp_path).result()
    summary = json.loads((tmp_path / "summary.json").read_text())
    sizes = {split: found["n"] for split, found in summary["after"]["counting"].items()}
    assert sizes == {"id": 10, "ood-domain": 6}
    assert summary["before"] == json.loads(finished.at_the_start)["before"]
    assert (tmp_path / "samples.html").read_text().count("<section>") == 1
    assert {path.name for path in tmp_path.glob("[!.]*.*")} >= {"curves.png", "summary.md"}
    assert not list(tmp_path.glob(".*.tmp"))


def test_a_difference_has_an_interval():
    def tally(share: float, low: float, high: float) -> dict:
        bounds = {"interval": [low, high], "official_interval": [low, high]}
        return {"strict": share, "official": share, "n": 100, **bounds}

    # Wilson's of 56 and of 70 among 100.
    before = {"counting": {"id": tally(0.56, 0.4623, 0.6533)}}
    after = {"counting": {"id": tally(0.70, 0.6042, 0.7811)}}
    found = differences(before, after)["counting"]["id"]
    # .14 - sqrt(.0958² + .0933²), .14 + sqrt(.0811² + .0977²)
    assert found["strict"] == pytest.approx(0.14)
    assert found["interval"] == pytest.approx([0.0063, 0.2670], abs=1e-4)
    summary = {"policy": "tiny", "steps": 2, "seed": 0, "before": before, "after": after}
    text = comparison_text({**summary, "difference": {"counting": {"id": found}}})
    assert text == (
        "tiny, 2 steps, seed 0: accuracy (strict) in % [95 % interval]\n\n"
        "Visual counting              before               after            "
        "difference  answers\n"
        "ID               56.00 [46.2, 65.3]  70.00 [60.4, 78.1]  +14.00 [+0.6, +26.7]      100"
    )
