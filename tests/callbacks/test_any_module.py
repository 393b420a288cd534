"""Callbacks on a module that has nothing of GRPO's but the record of each step."""

import warnings
from html import escape

import pytest

from reasonrft.callbacks import (
    BeforeAndAfter,
    ExportPolicy,
    HostMemory,
    ReasoningMonitor,
    SampleGallery,
    TrainingCurves,
)
from reasonrft.errors import BadInput
from reasonrft.modules import GRPOModule
from reasonrft.rewards import AccuracyReward, FormatReward
from tests.callbacks.recorded_run import LENGTHS, Recorded, problem, run
from tests.callbacks.short_run import HOSTILE

pytestmark = pytest.mark.filterwarnings("ignore")


def watched(module, home, *callbacks, **options) -> tuple[dict[str, float], list[str]]:
    """What was logged last, and the warnings of callbacks."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        logged = run(module, home, callbacks, **options)
    known = ("ReasoningMonitor:", "BeforeAndAfter:")
    said = [str(one.message) for one in caught if str(one.message).startswith(known)]
    return {name: float(value) for name, value in logged.items()}, said


def test_all_callbacks_run_on_any_module(tmp_path):
    module = Recorded(["mine"])
    assert not isinstance(module, GRPOModule)
    callbacks = [
        ReasoningMonitor(),
        HostMemory(),
        SampleGallery(every=1),
        ExportPolicy(),
        BeforeAndAfter(),
        TrainingCurves(every=1),
    ]
    logged, said = watched(module, tmp_path, *callbacks, steps=3)
    assert logged["train/completion_length"] == sum(LENGTHS) / 2
    assert logged["train/completion_length/p90"] == pytest.approx(8.5)
    assert logged["perf/host_rss"] > 10
    assert not [name for name in logged if "right" in name or "reasoning" in name]
    written = {path.name for path in tmp_path.iterdir() if path.suffix in (".html", ".png")}
    assert written == {"samples.html", "curves.png"}
    assert (tmp_path / "samples.html").read_text().count("<section>") == 3
    # Each once, in a run of three steps.
    assert said == [
        "BeforeAndAfter: Recorded has no method measure, so nothing is measured",
        "ReasoningMonitor: lengths are logged without right and wrong: no reward is called "
        "accuracy, so name the one to tell them by (right: mine)",
        "ReasoningMonitor: Recorded has no encoder.tokenizer to count tokens of reasoning with: "
        "only lengths of completions are logged",
    ]


def test_the_gallery_of_a_resumed_run_drops_what_is_done_again(tmp_path):
    gallery = SampleGallery(every=1)
    run(Recorded(), tmp_path, [gallery], steps=2)
    checkpoint = (tmp_path / "last.ckpt").rename(tmp_path / "two.ckpt")
    run(Recorded(), tmp_path, [SampleGallery(every=1)], steps=4, ckpt_path=str(checkpoint))
    run(Recorded(), tmp_path, [SampleGallery(every=1)], steps=3, ckpt_path=str(checkpoint))
    page = (tmp_path / "samples.html").read_text()
    assert [page.count(f"<h2>Step {step}:") for step in range(4)] == [1, 1, 1, 0]


class WithRewards(Recorded):
    """Has its rewards at hand, as GRPOModule does."""

    def __init__(self, **rewards):
        super().__init__(list(rewards))
        self.rewards = rewards


@pytest.mark.parametrize(
    ("module", "right"),
    [
        (Recorded(["accuracy", "format"]), None),
        (Recorded(["exact", "format"]), "exact"),
        (WithRewards(counted=AccuracyReward(), format=FormatReward()), None),
    ],
)
def test_right_answers_are_told_by_a_reward(module, right, tmp_path):
    logged, said = watched(module, tmp_path, ReasoningMonitor(right))
    assert logged["train/completion_length/right"] == LENGTHS[0]
    assert logged["train/completion_length/wrong"] == LENGTHS[1]
    assert not any("right and wrong" in text for text in said)


def test_no_reward_is_guessed(tmp_path):
    module = WithRewards(first=AccuracyReward(), second=AccuracyReward())
    logged, said = watched(module, tmp_path, ReasoningMonitor())
    assert "train/completion_length/right" not in logged
    assert "(right: first or second)" in said[0]


@pytest.mark.parametrize("module", [Recorded(["mine"]), WithRewards(mine=FormatReward())])
def test_a_reward_that_there_is_none_of_is_refused(module, tmp_path):
    with pytest.raises(BadInput, match="no reward is called 'accuracy': use mine"):
        run(module, tmp_path, [ReasoningMonitor(right="accuracy")])


def test_hostile_text_anywhere_is_shown_to_the_letter(tmp_path):
    asked = problem(id=HOSTILE, question=HOSTILE, answer=HOSTILE)
    module = Recorded([HOSTILE], [HOSTILE, HOSTILE])
    run(module, tmp_path, [SampleGallery(every=1)], steps=1, problems=[asked])
    page = (tmp_path / "samples.html").read_text()
    # Id, question, answer, two completions, and the reward in the head and beside each figure.
    assert page.count(escape(HOSTILE)) == 3 + 2 + 1 + 2
    assert "<script" not in page and "x.example/x.png" in page
    assert page.count("<img ") == page.count('<img src="data:image/jpeg;base64,') == 1


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: SampleGallery(every=0),
        lambda: SampleGallery(prompts=0),
        lambda: SampleGallery(keep=-1),
        lambda: ReasoningMonitor(histogram_every=0),
        lambda: BeforeAndAfter(limit=0),
    ],
)
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(BadInput, match="must be at least 1"):
        wrong()
