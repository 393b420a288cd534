import math
from types import SimpleNamespace

import pytest
import torch

from reasonrft.losses import GRPOLoss
from reasonrft.modules.micro_batches import MicroBatch
from reasonrft.modules.step_metrics import StepMetrics, make_record
from reasonrft.policy.encoder import PromptBatch
from reasonrft.policy.scoring import Group, Scores
from reasonrft.rollout import Completion, Rollout


def metrics_of(
    passes: list[list[float]], staleness: int | None, groups: tuple[Group, ...] = ()
) -> dict[str, float]:
    """Of micro-batches whose tokens are this many times as likely as when they were sampled."""
    step_metrics = StepMetrics()
    step_metrics.staleness = staleness
    for ratios in passes:
        count = len(ratios)
        old = torch.tensor(ratios).log() - 5
        ones, rollout = torch.ones(count), torch.full((count,), -5.0)
        micro_batch = MicroBatch([*groups], ones, ones, torch.zeros(count).long(), rollout, True)
        loss = GRPOLoss(importance_cap=2.0)(micro_batch.inputs(old))
        step_metrics.add(micro_batch, Scores(old, torch.zeros(count)), loss)
    problem = SimpleNamespace(id="p", source="")
    batch = PromptBatch([SimpleNamespace(problem=problem, length=6)])
    completions = [[Completion(torch.tensor([1]), torch.tensor([-5.0]), True)] * 2]
    rollout = Rollout(batch, completions, [["a", "b"]], 0)
    table = torch.zeros(1, 2)
    return dict(make_record(0, rollout, {}, table, table, step_metrics, 1).metrics)


def test_importance_weights_by_hand():
    # Ratios 1, 4 | 1/2; capped at 2: weights 1, 2, 1/2, of sum 7/2 and sum of squares 21/4.
    metrics = metrics_of([[1.0, 4.0], [0.5]], staleness=1)
    assert metrics["train/staleness"] == 1
    assert metrics["train/importance_weight"] == pytest.approx(3.5 / 3)
    assert metrics["train/importance_truncated"] == pytest.approx(1 / 3)
    assert metrics["train/importance_sample_size"] == pytest.approx(3.5**2 / (3 * 5.25))
    assert metrics["train/importance_log_ratio_max"] == pytest.approx(math.log(4))
    kl = (0 + (4 - math.log(4) - 1) + (0.5 + math.log(2) - 1)) / 3
    assert metrics["train/rollout_kl"] == pytest.approx(kl, rel=1e-5)


def test_a_step_that_learns_from_nothing_has_no_importance_weights():
    metrics = metrics_of([], staleness=1)
    assert metrics["train/staleness"] == 1
    assert not [name for name in metrics if "importance" in name]


def test_work_is_counted_in_tokens_of_a_forward_pass():
    # A prompt of 6 tokens is read, and two of one token are decoded.
    assert metrics_of([], None)["perf/compute_tokens"] == 6 + 2
    # A group of 6 + 2 tokens is learned from twice, at three forward passes each.
    group = Group(SimpleNamespace(length=6), [torch.tensor([1])] * 2)
    metrics = metrics_of([[1.0, 1.0]] * 2, None, (group,))
    assert metrics["perf/compute_tokens"] == 6 + 2 + 2 * 3 * 8


def test_figures_of_each_source_by_hand():
    sources, lengths = ("a", "b", "a"), ((1, 3), (2, 2), (4, 4))
    prompts = [SimpleNamespace(problem=SimpleNamespace(source=name), length=6) for name in sources]
    completions = [
        [Completion(torch.ones(tokens).long(), torch.zeros(tokens), True) for tokens in group]
        for group in lengths
    ]
    rollout = Rollout(PromptBatch(prompts), completions, [["", ""]] * 3, 0)
    total = torch.tensor([[1.0, 0.0], [0.5, 0.5], [1.0, 1.0]])
    record = make_record(0, rollout, {}, total, total, StepMetrics(), 1, right=total == 1)
    metrics = {name: record.metrics[name] for name in record.metrics if "source" in name}
    assert metrics == {
        "train/source/a/reward": 0.75,
        "train/source/a/accuracy": 0.75,
        "train/source/a/completion_length": 3.0,  # (1 + 3 + 4 + 4) / 4
        "train/source/a/share": pytest.approx(2 / 3),
        "train/source/b/reward": 0.5,
        "train/source/b/accuracy": 0.0,
        "train/source/b/completion_length": 2.0,
        "train/source/b/share": pytest.approx(1 / 3),
    }


def test_problems_of_one_source_have_no_figures_of_it():
    assert not [name for name in metrics_of([], None) if "source" in name]
