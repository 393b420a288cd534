import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from reasonrft.datamodules import GeneralDataModule, MixedProblems
from reasonrft.datamodules.problem_sources import ProblemSource
from reasonrft.errors import BadInput
from reasonrft.evaluation.image_modes import without_images
from reasonrft.evaluation.weights import weights_digest
from reasonrft.policy import Policy
from reasonrft.policy.special_tokens import placeholder_ids
from reasonrft.problems import Problem
from reasonrft.tasks import CountingTask
from tests.modules.answering import Counter, MadeUp, Reader, be_tested, data, made_up, trainer
from tests.starting import Forked

pytestmark = pytest.mark.filterwarnings("ignore")

# Of the numbers 0 to 9 five are even, of 0 to 4 three.
TALLIES = {"id": (0.5, 10), "ood-domain": (0.6, 5)}


def answers(folder: Path) -> list[dict]:
    files = sorted(folder.glob("answers*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def check_results(folder: Path) -> None:
    splits = json.loads((folder / "summary.json").read_text())["tasks"]["counting"]
    assert {name: (found["strict"], found["n"]) for name, found in splits.items()} == TALLIES
    predictions = json.loads((folder / "vision-r1-result" / "clevr-math.json").read_text())
    assert [row["id"] for row in predictions] == [f"id-{number:02d}" for number in range(10)]


def test_a_test_measures_every_split(tmp_path, capsys):
    module, run = Counter(), trainer(tmp_path)
    run.test(module, data())
    metrics = {name: float(value) for name, value in run.callback_metrics.items()}
    assert metrics == pytest.approx(
        {
            "test/counting/id/accuracy": 0.5,
            "test/counting/id/official": 0.5,
            "test/counting/id/tokens": 5,
            "test/counting/id/truncated": 0,
            "test/counting/ood-domain/accuracy": 0.6,
            "test/counting/ood-domain/official": 0.6,
            "test/counting/ood-domain/tokens": 5,
            "test/counting/ood-domain/truncated": 0,
        }
    )
    (folder,) = (tmp_path / "evaluation").iterdir()
    assert folder.name.startswith("counter-")
    check_results(folder)
    summary = json.loads((folder / "summary.json").read_text())
    by = summary["tasks"]["counting"]["id"]["by"]["template"]
    assert {name: part["strict"] for name, part in by.items()} == {"even": 1, "odd": 0}
    line = answers(folder)[1]
    assert {key: line[key] for key in ("id", "split", "solution", "official", "strict")} == {
        "id": "id-01",
        "split": "counting/id",
        "solution": "1",
        "official": 0,
        "strict": 0,
    }
    printed = capsys.readouterr().out
    assert "50.00 [23.7, 76.3]" in printed
    assert "dataloader_idx" not in printed


def test_what_is_answered_is_not_asked_again(tmp_path):
    module = Counter()
    trainer(tmp_path, limit_test_batches=2).test(module, data())
    assert len(module.asked) == 2 * 3 - 1 + 2 * 3 - 1  # Ten are four batches of 2 or 3, five two.
    again = Counter()
    trainer(tmp_path).test(again, data(batch=4))
    assert sorted(module.asked + again.asked) == sorted(line["id"] for line in answers_in(tmp_path))
    assert len(module.asked + again.asked) == 15
    check_results(next((tmp_path / "evaluation").iterdir()))
    third = Counter()
    trainer(tmp_path).test(third, data())
    assert third.asked == []
    assert Counter(name="another").asked == []


def answers_in(root: Path) -> list[dict]:
    (folder,) = (root / "evaluation").iterdir()
    return answers(folder)


def test_validation_logs_and_keeps_nothing(tmp_path):
    module, run = Counter(), trainer(tmp_path)
    run.validate(module, data(), verbose=False)
    assert float(run.callback_metrics["val/counting/val/accuracy"]) == 0.5
    assert float(run.callback_metrics["val/counting/val/tokens"]) == 5
    run.validate(module, data(), verbose=False)
    assert module.asked == [f"val-0{number}" for number in range(4)] * 2
    assert not (tmp_path / "evaluation").exists()


def test_prediction_writes_answers_and_no_accuracies(tmp_path, capsys):
    folder = tmp_path / "mine"
    module = Counter(results=str(folder))
    found = trainer(tmp_path).predict(module, data())
    assert found[0][0][0] == "<think>t</think><answer>0</answer>"
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines][9:11] == ["id-09", "ood-domain-00"]
    assert "strict" not in lines[0] and not (folder / "summary.json").exists()
    assert str(folder / "predictions.jsonl") in capsys.readouterr().out
    again = Counter(results=str(folder))
    assert trainer(tmp_path).predict(again, data()) == found
    assert again.asked == []


def test_a_folder_of_another_policys_answers_is_refused(tmp_path):
    trainer(tmp_path).test(Counter(results=str(tmp_path)), data())
    with pytest.raises(BadInput, match="choose another folder for the results"):
        trainer(tmp_path).test(Counter("another", results=str(tmp_path)), data())


def test_splits_need_a_datamodule(tmp_path):
    with pytest.raises(BadInput, match="needs a datamodule whose eval_splits"):
        trainer(tmp_path).test(Counter(), ["batch"])


def test_blind_and_swapped_answers_stand_beside_the_real_ones(tmp_path, capsys):
    module, run = Reader(results=str(tmp_path), blind=True, swap=True), trainer(tmp_path)
    run.test(module, data())
    splits = json.loads((tmp_path / "summary.json").read_text())["tasks"]["counting"]
    told = {
        name: [found[mode]["strict"] for mode in ("blind", "swapped")]
        for name, found in splits.items()
    }
    # It reads every image rightly; 3 is the answer to one of ten and to one of five.
    assert [found["strict"] for found in splits.values()] == [1, 1]
    assert told == {"id": [0.1, 0], "ood-domain": [0.2, 0]}
    assert [found["swapped"]["n"] for found in splits.values()] == [10, 5]
    assert splits["id"]["blind"]["gap"]["strict"] == pytest.approx(0.9)
    # Each question three times: with its image, without, with another.
    assert len(module.asked) == 45 and sorted(module.images) == [0] * 15 + [1] * 30
    metrics = {name: float(value) for name, value in run.callback_metrics.items()}
    assert metrics["test/counting/id/accuracy"] == 1
    assert metrics["test/counting/id/blind/accuracy"] == pytest.approx(0.1)
    assert metrics["test/counting/id/swapped/accuracy"] == 0
    assert "images - swapped" in capsys.readouterr().out
    # The release's scorers and `score` read only what was answered with the images.
    assert len(answers(tmp_path)) == 3 * 15
    predictions = json.loads((tmp_path / "vision-r1-result" / "clevr-math.json").read_text())
    assert [row["pred"] for row in predictions] == [str(number) for number in range(10)]


def test_answers_of_the_modes_are_kept_apart_and_not_asked_again(tmp_path):
    trainer(tmp_path).test(Reader(results=str(tmp_path)), data())
    blind = Reader(results=str(tmp_path), blind=True)
    trainer(tmp_path, limit_test_batches=2).test(blind, data())
    assert set(blind.images) == {0}  # with the images all was known
    again = Reader(results=str(tmp_path), blind=True, swap=True)
    trainer(tmp_path).test(again, data(batch=4))
    assert len(blind.images) + again.images.count(0) == 15
    assert again.images.count(1) == 15  # swapped
    files = {path.name: path.read_text().splitlines() for path in tmp_path.glob("answers*")}
    assert {name: len(lines) for name, lines in files.items()} == {
        "answers.jsonl": 15,
        "answers.blind.jsonl": 15,
        "answers.swapped.jsonl": 15,
    }
    keys = [json.loads(line)["key"] for lines in files.values() for line in lines]
    assert len(set(keys)) == 45


def test_blind_answers_of_several_ranks_count_once(tmp_path):
    Forked(tmp_path, partial(be_tested, tmp_path, 2, blind=True)).result()
    assert (tmp_path / "answers.blind.rank1.jsonl").exists()
    splits = json.loads((tmp_path / "summary.json").read_text())["tasks"]["counting"]
    assert [found["blind"]["n"] for found in splits.values()] == [10, 5]


class Mixed(ProblemSource):
    """A split of text alone, one of a single problem, and one like others."""

    splits = ("text", "single", "ood")

    def problems(self, split, task=None):
        if split == "text":
            return [Problem(f"t{n}", "general", (), "How many?", "3") for n in range(2)]
        count = 1 if split == "single" else 4
        return [replace(made_up(split, n), task="general") for n in range(count)]


def test_splits_that_cannot_be_asked_so_are_left_out_and_said(tmp_path, caplog):
    module = Reader(results=str(tmp_path), blind=True, swap=True)
    with caplog.at_level("INFO"):
        trainer(tmp_path).test(module, GeneralDataModule(Mixed()))
    splits = json.loads((tmp_path / "summary.json").read_text())["tasks"]["general"]
    modes = {name: found.keys() & {"blind", "swapped"} for name, found in splits.items()}
    assert modes == {"text": set(), "single": {"blind"}, "ood": {"blind", "swapped"}}
    told = "\n".join(caplog.messages)
    assert "blind: all problems of split text are left out, for they have no images" in told
    assert "swapped: all problems of split single are left out, for no other problem" in told


class Texts(Mixed):
    splits = ("text",)


@pytest.mark.parametrize(("option", "mode"), [("blind", "blind"), ("swap", "swapped")])
def test_problems_without_images_are_not_asked_blind(tmp_path, option, mode):
    module = Reader(results=str(tmp_path), **{option: True})
    with pytest.raises(BadInput, match=f"{mode}: no split can be asked so"):
        trainer(tmp_path).test(module, GeneralDataModule(Texts()))
    assert module.asked == []


def test_validation_and_prediction_ask_with_the_images_alone(tmp_path):
    module = Reader(results=str(tmp_path), blind=True, swap=True)
    trainer(tmp_path).validate(module, data(), verbose=False)
    trainer(tmp_path).predict(module, data())
    assert module.images == [1] * (4 + 15)


class Few(MadeUp):
    def problems(self, split, task=None):
        return [made_up(f"few-{split}", number) for number in (1, 3, 4)]


def test_sources_are_told_apart_where_a_split_has_several(tmp_path):
    source = MixedProblems({"many": MadeUp(), "few": Few()})
    run, module = trainer(tmp_path), Counter(results=str(tmp_path))
    run.validate(module, GeneralDataModule(source), verbose=False)
    accuracies = {
        name: float(value)
        for name, value in run.callback_metrics.items()
        if name.endswith("/accuracy")
    }
    assert accuracies == pytest.approx(
        {
            "val/general/val/accuracy": 3 / 7,  # 0, 2 and 4
            "val/general/val/source/many/accuracy": 2 / 4,
            "val/general/val/source/few/accuracy": 1 / 3,
        }
    )
    run.test(module, GeneralDataModule(source))
    splits = json.loads((tmp_path / "summary.json").read_text())["tasks"]["general"]
    assert {*splits} == {"many-id", "many-ood-domain", "few-id", "few-ood-domain"}
    assert all([*found["by"]] == ["template"] for found in splits.values())


def test_a_blind_prompt_holds_no_image_and_no_place_for_one():
    policy = Policy("tiny-counting")
    policy.load()
    shown = made_up("id", 3)
    text = CountingTask().prompt(shown)
    blind = without_images(shown)
    assert CountingTask().prompt(blind) == text
    prompt, other = policy.encoder.prompt(shown, text), policy.encoder.prompt(blind, text)
    places = placeholder_ids(policy.model, policy.processor)
    kept = [token for token in prompt.ids.tolist() if token not in places]
    assert other.ids.tolist() == kept != prompt.ids.tolist()
    assert "pixel_values" in prompt.inputs and "pixel_values" not in other.inputs


def test_an_evaluation_that_was_killed_goes_on(tmp_path):
    with Forked(tmp_path, partial(be_tested, tmp_path, die_after=3)) as killed:
        assert killed.end()[0] == -9
    kept = answers(tmp_path)
    assert 0 < len(kept) < 10
    assert not (tmp_path / "summary.json").exists()
    with (tmp_path / "answers.jsonl").open("a") as file:
        file.write(json.dumps(kept[0])[:-20])  # as if it had been killed while writing
    module = Counter(results=str(tmp_path))
    trainer(tmp_path).test(module, data())
    assert sorted([line["id"] for line in kept] + module.asked) == sorted(
        line["id"] for line in answers(tmp_path)
    )
    assert len(answers(tmp_path)) == 15
    check_results(tmp_path)


def test_several_ranks_share_the_work_and_report_once(tmp_path):
    trainer(tmp_path, limit_test_batches=1).test(Counter(results=str(tmp_path)), data())
    first = len(answers(tmp_path))
    Forked(tmp_path, be_tested, tmp_path, 2).result()
    assert (tmp_path / "answers.rank1.jsonl").exists()
    assert len(answers(tmp_path)) == len({line["key"] for line in answers(tmp_path)}) == 15
    assert first < 15
    check_results(tmp_path)


def test_weights_are_told_apart_in_every_bit():
    import torch

    def layer(value: float) -> torch.nn.Linear:
        made = torch.nn.Linear(2, 2, dtype=torch.bfloat16)
        return made.requires_grad_(False).apply(lambda m: [p.fill_(value) for p in m.parameters()])

    assert weights_digest(layer(1)) == weights_digest(layer(1))
    assert weights_digest(layer(1)) != weights_digest(layer(2))
    assert weights_digest(layer(1)) != weights_digest(layer(1).float())


def test_the_example_of_the_documentation(tmp_path):
    docs = Path(__file__).resolve().parents[2] / "docs" / "evaluation.md"
    (example,) = re.findall(r"```python\n(.*?)```", docs.read_text(), re.DOTALL)
    names: dict = {}
    exec(example, names)
    run = trainer(tmp_path)
    run.test(names["AlwaysThree"](), data())
    # One of ten answers is 3, and one of five.
    assert float(run.callback_metrics["test/counting/id/accuracy"]) == pytest.approx(0.1)
    assert float(run.callback_metrics["test/counting/ood-domain/accuracy"]) == pytest.approx(0.2)
