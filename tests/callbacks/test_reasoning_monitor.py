import pytest

from reasonrft.callbacks import ReasoningMonitor
from reasonrft.callbacks.run_state import last_step
from reasonrft.errors import BadInput
from tests.callbacks.logged import board, rows
from tests.callbacks.short_run import run

pytestmark = pytest.mark.filterwarnings("ignore")


def test_lengths_of_right_and_of_wrong_answers_are_logged(finished):
    tokenizer = finished.module.encoder.tokenizer
    three, one = (len(tokenizer(text)["input_ids"]) for text in ("one two three", "one"))
    events = board(finished.home, 1)
    assert [point.step for point in events.Scalars("train/reasoning_length")] == [3, 4]

    def last(name: str) -> float:
        return events.Scalars(f"train/{name}")[-1].value

    # Of each group one thinks "one two three" and is right, two think nothing, one "one".
    assert last("reasoning_length") == pytest.approx((three + one) / 4)
    assert last("reasoning_length/right") == last("reasoning_length/right/p10") == three
    assert last("reasoning_length/wrong") == pytest.approx(one / 3)
    assert last("reasoning_length/p50") == pytest.approx(one / 2)
    assert last("reasoning_length/wrong/p50") == 0
    record = last_step(finished.module)
    assert last("completion_length/p90") == pytest.approx(
        record.lengths.flatten().float().quantile(0.9).item()
    )
    assert last("completion_length/right") == pytest.approx(
        record.lengths[:, 0].float().mean().item()
    )
    assert last("completion_length") == record.metrics["train/completion_length"]
    assert events.Scalars("perf/host_rss")[-1].value > 10
    assert rows(finished.home, 1)[-1].keys() >= {"train/reasoning_length/p90", "train/reward"}


def test_histograms_come_at_intervals(finished):
    assert [
        found.step
        for version in (0, 1)
        for found in board(finished.home, version).Histograms(
            "train/reasoning_length/right/histogram"
        )
    ] == [0, 2, 4]
    drawn = board(finished.home, 1).Histograms("train/completion_length/histogram")[-1]
    lengths = last_step(finished.module).lengths
    value = drawn.histogram_value
    assert (value.num, value.sum) == (lengths.numel(), lengths.sum())


def test_a_reward_that_there_is_none_of_is_named(family_folder, tmp_path):
    with pytest.raises(BadInput, match="no reward is called 'exact': use accuracy, format"):
        run(family_folder("qwen3-vl"), tmp_path, [ReasoningMonitor(right="exact")], steps=1)
