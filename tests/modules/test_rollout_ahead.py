"""Rollouts that are sampled one step ahead, by an engine with a copy of the policy."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer

from reasonrft.datamodules import CountingDataModule, Curriculum
from reasonrft.datamodules.base import Batches
from reasonrft.errors import BadInput
from reasonrft.losses import GRPOLoss, LossInputs, LossOutput
from reasonrft.modules import GRPOModule
from reasonrft.modules.step_record import StepRecord
from reasonrft.policy import Policy
from reasonrft.policy.encoder import PromptBatch
from reasonrft.problems import Problem
from reasonrft.rewards import Reward
from reasonrft.rollout import LocalEngine, Rollout, Sampling
from tests.datamodules.reading import MadeUp, quiet
from tests.modules.fitting import PROBLEMS, Capitals
from tests.rollout.apart import ApartEngine

pytestmark = pytest.mark.filterwarnings("ignore")
SAVED = 3
"""A checkpoint is written after so many steps, in the middle of an epoch of two."""


@pytest.fixture(scope="module")
def folder(family_folder) -> Path:
    return family_folder("qwen3-vl")


def module(folder: Path, engine: Any = None, **options: Any) -> GRPOModule:
    return GRPOModule(
        Policy(str(folder)),
        {"capitals": Capitals(), **options.pop("rewards", {})},
        optimizer=lambda params: torch.optim.SGD(params, 1.0),
        engine=engine or ApartEngine(),
        **{
            "group_size": 4,
            "sampling": Sampling(max_tokens=6),
            "async_steps": 1,
            "answer_tokens": 2,
            **options,
        },
    )


def problems(**splits: Sequence[Problem]) -> CountingDataModule:
    """Two batches in an epoch."""
    return CountingDataModule(MadeUp(PROBLEMS, **splits), batch_size=4)


@dataclass
class Run(Callback):
    """What a training left, step by step."""

    save: Path | None = None
    records: list[StepRecord] = field(default_factory=list)
    read: list[list[str]] = field(default_factory=list)
    """The problems that came from the data, whatever others have taken their place."""

    def on_train_batch_end(
        self, trainer: Trainer, module: Any, outputs: Any, batch: PromptBatch, number: int
    ) -> None:
        self.records.append(module.step_record)
        self.read.append([problem.id for problem in batch.problems])
        if self.save and len(self.records) == SAVED:
            trainer.save_checkpoint(self.save)

    @property
    def ids(self) -> list[list[str]]:
        return [[problem.id for problem in record.problems] for record in self.records]

    def metric(self, name: str) -> list[float]:
        return [record.metrics[f"train/{name}"] for record in self.records]


def fit(one: GRPOModule, save: Path | None = None, ckpt: Path | None = None, **options: Any) -> Run:
    run = Run(save)
    data = options.pop("data", None) or problems()
    trainer = quiet(callbacks=[run], **{"max_steps": 5, "max_epochs": -1, **options})
    trainer.fit(one, data, ckpt_path=ckpt)
    return run


@dataclass
class Whole:
    run: Run
    engine: ApartEngine
    saved: Path


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory) -> Whole:
    """Five steps over three epochs, with a validation after each."""
    engine, saved = ApartEngine(), tmp_path_factory.mktemp("ahead") / "saved.ckpt"
    data = problems(val=PROBLEMS[:2])
    one = module(folder, engine)
    return Whole(fit(one, saved, data=data, val_check_interval=1), engine, saved)


def test_each_rollout_but_the_first_is_one_update_old(whole):
    assert whole.run.metric("staleness") == [0, 1, 1, 1, 1]
    phases = {"wait", "rollout", "reward", "sync", "update"}
    assert all(f"time/{name}" in whole.run.records[-1].metrics for name in phases)
    sampled = [entry[1:] for entry in whole.engine.log if entry[0] == "generate" and entry[1]]
    # Step and version; the first step's is not listed, for its number is 0. None runs after the
    # last.
    assert sampled == [(1, 0), (2, 1), (3, 2), (4, 3)]


def test_validation_waits_for_the_rollout_and_asks_the_weights_of_now(whole):
    answers = [
        version for kind, *rest in whole.engine.log if rest[0] is None for version in rest[1:]
    ]
    # Once before training, and after each step.
    assert answers == [0, 1, 2, 3, 4, 5]


def test_the_data_come_in_the_order_of_synchronous_training(whole, folder):
    synchronous = fit(module(folder, async_steps=0))
    assert whole.run.ids == synchronous.ids
    assert synchronous.metric("staleness") == [0] * 5
    assert whole.run.records[0].texts == synchronous.records[0].texts
    assert [record.texts for record in whole.run.records[2:]] != [
        record.texts for record in synchronous.records[2:]
    ]


def test_the_second_rollout_is_of_the_weights_that_the_first_step_began_with(whole, folder):
    policy = Policy(str(folder))
    policy.load()
    engine = LocalEngine()
    engine.sync(policy, 0)
    by_id = {problem.id: problem for problem in PROBLEMS}
    data = problems()
    record = whole.run.records[1]
    texts = [data.task.prompt(by_id[problem.id], reasoning=True) for problem in record.problems]
    batch = policy.encoder.prompts(record.problems, texts)
    again = engine.generate(batch, 4, Sampling(max_tokens=6), "0.0", step=1)
    assert again.texts == record.texts


def test_importance_weights_correct_for_the_weights_that_have_moved(whole):
    ratios = whole.run.metric("importance_log_ratio_max")
    assert ratios[0] < 1e-4 and min(ratios[1:]) > 1e-3
    assert whole.run.metric("importance_sample_size")[0] == pytest.approx(1, abs=1e-6)
    assert all(0 < share < 1 for share in whole.run.metric("importance_sample_size")[1:])
    assert whole.run.metric("clip_fraction") == [0] * 5  # the old policy is that of now


def test_a_resumed_run_samples_anew_and_reads_on(whole, folder):
    rest = fit(module(folder), ckpt=whole.saved)
    assert rest.metric("staleness") == [0, 1]
    assert rest.ids == whole.run.ids[SAVED:]


class Right(Reward):
    """Half of the completions of a hard problem are right, and all of an easy one."""

    marks_right = True

    def reward_group(self, completions: Sequence[str], problem: Problem, step: int) -> list[float]:
        return [float(place % 2 or problem.meta["level"] == 1) for place in range(len(completions))]


def test_the_level_that_a_rollout_opens_governs_the_very_next_one(folder):
    levels = {problem.id: 1 + (place > 1) for place, problem in enumerate(PROBLEMS)}
    levelled = [replace(problem, meta={"level": levels[problem.id]}) for problem in PROBLEMS]
    curriculum = Curriculum(threshold=1.0, window=2, keep=0.25)
    data = CountingDataModule(MadeUp(levelled), batch_size=4, curriculum=curriculum)
    one = module(folder, rewards={"capitals": Right()}, dynamic_sampling=1)
    run = fit(one, data=data)
    # All of level 1 are right.
    assert run.metric("level") == [1, 2, 2, 2, 2]
    assert [sorted(levels[id] for id in ids) for ids in run.read] == [[1] * 2, *[[1, 2, 2, 2]] * 4]
    assert run.metric("pass_rate/level_1") == [1.0] * 5
    assert run.metric("pass_rate") == [1.0] + [0.5] * 4
    # The easy one has no signal, and gives way to the other one.
    assert run.metric("sampled_groups") == [2] + [5] * 4
    assert run.metric("groups_with_signal") == [0] + [3] * 4
    for read, ids in zip(run.read[1:], run.ids[1:], strict=True):
        assert (read[:3], levels[read[3]]) == (ids[:3], 1) and ids[3] not in read


class Recording(GRPOLoss):
    def __init__(self) -> None:
        super().__init__()
        self.inputs: list[LossInputs] = []

    def __call__(self, inputs: LossInputs, beta: float = 0.0) -> LossOutput:
        self.inputs.append(inputs)
        return super().__call__(inputs, beta)


def test_old_log_probs_are_the_scorers_before_the_first_update(folder):
    loss = Recording()
    one = module(folder, loss=loss, updates=2, micro_batch_tokens=1)
    one.on_train_batch_start = lambda *_: loss.inputs.clear()
    assert fit(one, max_steps=4).metric("staleness") == [0, 2]
    half = len(loss.inputs) // 2  # of the second step; each of its micro-batches comes twice
    assert half > 1
    for first, second in zip(loss.inputs[:half], loss.inputs[half:], strict=True):
        assert torch.equal(first.old, first.log_probs)
        assert torch.equal(second.old, first.old)
        assert torch.equal(second.rollout, first.rollout)
        for other in (second.log_probs, second.rollout):
            assert (other - first.old).abs().max() > 1e-3


class Waiting(ApartEngine):
    """Samples the second rollout only when the first step has updated the policy."""

    def __init__(self) -> None:
        super().__init__()
        self.updated = threading.Event()

    def generate(self, batch: PromptBatch, *args: Any, **options: Any) -> Rollout:
        if options.get("step") == 1:
            assert self.updated.wait(60), "the policy was not updated meanwhile"
        return super().generate(batch, *args, **options)


class Updating(Callback):
    def __init__(self, engine: Waiting) -> None:
        self.engine = engine

    def on_before_optimizer_step(self, *args: Any) -> None:
        self.engine.updated.set()


def test_the_policy_learns_while_the_next_rollout_is_sampled(folder):
    engine = Waiting()
    run = Run()
    trainer = quiet(callbacks=[run, Updating(engine)], max_steps=2, max_epochs=-1)
    trainer.fit(module(folder, engine), problems())
    assert run.metric("staleness") == [0, 1]


class Failing(ApartEngine):
    def generate(self, batch: PromptBatch, *args: Any, **options: Any) -> Rollout:
        if options.get("step") == 2:
            raise BadInput("the server has gone")
        return super().generate(batch, *args, **options)


class Late(Reward):
    def reward_group(self, completions: Sequence[str], problem: Problem, step: int) -> list[float]:
        if step == 2:
            raise ValueError("no such unit")
        return [0.0] * len(completions)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"engine": Failing()}, "^the server has gone$"),
        (
            {"rewards": {"late": Late()}},
            "reward 'late' on problem 'p[0-9]+' failed: .*no such unit",
        ),
    ],
)
def test_a_fault_ends_the_step_that_takes_the_rollout(options, sentence, folder):
    one = module(folder, **options)
    with pytest.raises(BadInput, match=sentence):
        fit(one)
    assert one.step_record.step == 1  # the step that was at work has been finished


class Hanging(ApartEngine):
    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def generate(self, batch: PromptBatch, *args: Any, **options: Any) -> Rollout:
        if options.get("step") == 1:
            self.released.wait()
        return super().generate(batch, *args, **options)


class Stops(Callback):
    def on_train_batch_end(self, trainer: Trainer, *rest: Any) -> None:
        trainer.should_stop = True


def test_training_that_ends_early_waits_for_no_rollout_and_can_begin_again(folder):
    engine = Hanging()
    one = module(folder, engine)
    quiet(callbacks=[Stops()], max_steps=5, max_epochs=-1).fit(one, problems())
    (hanging,) = [thread for thread in threading.enumerate() if thread.name == "rollout ahead"]
    assert hanging.daemon  # nor does the end of the process
    engine.released.set()
    run = fit(one, max_steps=2)
    assert run.metric("staleness") == [0, 1]


def test_an_epoch_that_is_cut_short_is_followed_by_the_next_ones_first_batch(folder):
    limits = {"limit_train_batches": 1, "max_steps": -1, "max_epochs": 3}
    ahead, synchronous = (fit(module(folder, async_steps=n), **limits) for n in (1, 0))
    assert ahead.ids == synchronous.ids and len(ahead.ids) == 3


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"engine": LocalEngine()}, "async_steps: 1 .* LocalEngine samples with the weights that"),
        ({"async_steps": 2}, "async_steps must be 0 or 1, not 2"),
    ],
)
def test_what_cannot_run_ahead_is_refused(options, sentence, folder):
    with pytest.raises(BadInput, match=sentence):
        module(folder, **options)


def test_a_loader_that_cannot_be_peeked_into_is_refused(folder):
    class Plain(CountingDataModule):
        def train_dataloader(self) -> Any:
            return Batches(super().train_dataloader())

    with pytest.raises(BadInput, match="Batches has no peek"):
        fit(module(folder), data=Plain(MadeUp(PROBLEMS), batch_size=4))
