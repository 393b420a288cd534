import json
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from reasonrft.errors import BadInput
from reasonrft.losses import BNPOLoss, CISPOLoss, DAPOLoss, DrGRPOLoss, GRPOLoss, GSPOLoss
from reasonrft.modules import GRPOModule
from reasonrft.modules.micro_batches import group_by_length, split
from reasonrft.policy import Lora, Policy
from reasonrft.policy.export_model import save_adapter
from reasonrft.problems import Problem
from reasonrft.rewards import Reward
from reasonrft.rollout import Sampling
from tests.datamodules.reading import quiet
from tests.distributed.ten_steps import Dealt
from tests.modules.fitting import PROBLEMS, Capitals, data, difference, weights

pytestmark = pytest.mark.filterwarnings("ignore")


class OnlyOn(Reward):
    """The same for every completion, but for those of some problems."""

    def __init__(self, *problems: str) -> None:
        super().__init__()
        self.problems = problems

    def reward_group(self, completions: Sequence[str], problem: Problem, step: int) -> list[float]:
        if problem.id not in self.problems:
            return [0.5] * len(completions)
        return [float(place % 2) for place in range(len(completions))]


class Seldom(Reward):
    """1 for a completion that begins with one of the later letters."""

    def reward(self, completion: str, problem: Problem) -> float:
        return float(completion[:1] > "w")


class Broken(Reward):
    def reward(self, completion: str, problem: Problem) -> float:
        return float("nan")


@pytest.fixture(scope="module")
def folder(family_folder) -> Path:
    return family_folder("qwen3-vl")


def module(folder: Path, rewards: dict[str, Reward] | None = None, **options) -> GRPOModule:
    lr = options.pop("lr", 0.05)
    policy = options.pop("policy", None) or Policy(str(folder))
    settings = {"group_size": 4, "sampling": Sampling(max_tokens=8), "max_grad_norm": 1e9}
    return GRPOModule(
        policy,
        rewards or {"capitals": Capitals()},
        optimizer=lambda params: torch.optim.SGD(params, lr),
        **{**settings, **options},
    )


def fit(one: GRPOModule, steps: int = 2, batch_size: int = 8, **trainer) -> GRPOModule:
    quiet(max_steps=steps * one.updates, max_epochs=-1, **trainer).fit(
        one, data(batch_size=batch_size)
    )
    return one


def trained(folder: Path, **options) -> dict[str, Tensor]:
    return weights(fit(module(folder, **options)))


@pytest.mark.parametrize("beta", [0.0, 0.04])
@pytest.mark.parametrize("loss", [GRPOLoss, DrGRPOLoss, DAPOLoss, BNPOLoss, GSPOLoss, CISPOLoss])
def test_micro_batches_change_no_update(loss, beta, folder):
    whole = trained(folder, loss=loss(), beta=beta, micro_batch_tokens=100_000)
    pieces = trained(folder, loss=loss(), beta=beta, micro_batch_tokens=1)
    assert difference(whole, pieces) < 1e-5
    start = Policy(str(folder))
    start.load()
    assert difference(whole, {n: p.detach() for n, p in start.named_parameters()}) > 1e-4


class Unskipping(GRPOModule):
    """Scores groups without signal too."""

    def split(self, rollout, advantages, weights):
        return split(rollout, advantages, weights, range(len(advantages)), self.micro_batch_tokens)


@pytest.mark.parametrize("loss", [GRPOLoss, DAPOLoss, BNPOLoss])
def test_skipping_groups_without_signal_changes_no_update(loss, folder):
    rewards = {"one": OnlyOn("p9")}
    settings = {"rewards": rewards, "loss": loss(), "group_size": 4}
    momentum = partial(torch.optim.AdamW, lr=1e-3)
    kinds = []
    for kind in (GRPOModule, Unskipping):
        one = kind(
            Policy(str(folder)), optimizer=momentum, sampling=Sampling(max_tokens=8), **settings
        )
        # Prompts come two at a time: some steps have no signal at all, and momentum goes on.
        kinds.append(weights(fit(one, steps=4, batch_size=2)))
    # A momentum that stood still would make a difference of about the learning rate, 1e-3.
    assert difference(*kinds) < 1e-5


def test_groups_without_signal_are_sampled_again(folder):
    silent, prompt_tokens = {}, {}
    for resample in (0, 4):
        one = module(folder, rewards={"seldom": Seldom()}, group_size=2, resample=resample)
        fit(one, steps=1)
        silent[resample] = one.step_record.metrics["train/zero_advantage_groups"]
        prompt_tokens[resample] = one.step_record.work["prompt_tokens"]
        assert one.step_record.total.tolist() == [
            [float(text[:1] > "w") for text in group] for group in one.step_record.texts
        ]
    assert silent[4] < silent[0]
    assert prompt_tokens[4] > prompt_tokens[0]


@pytest.mark.parametrize("attempts", [1, 4])
def test_groups_without_signal_are_replaced_by_those_of_other_prompts(attempts, folder):
    one = module(folder, rewards={"some": OnlyOn("p6", "p9")}, dynamic_sampling=attempts)
    fit(one, steps=1, batch_size=2)
    record = one.step_record
    # The order of all is 3 and 1, 12 and 6, 7 and 2, 9 and 4: the second has signal at once.
    ids = [problem.id for problem in record.problems]
    assert ids == {1: ["p12", "p6"], 4: ["p9", "p6"]}[attempts]
    silent = [id not in ("p6", "p9") for id in ids]
    assert (record.advantages == 0).all(1).tolist() == silent
    assert record.metrics["train/groups_with_signal"] == 2 - sum(silent)
    assert record.metrics["train/sampled_groups"] == {1: 2 + 2, 4: 2 + 2 + 1 + 1}[attempts]
    scored = record.lengths[(record.advantages != 0).any(1)].sum()
    assert record.metrics["perf/tokens_scored"] == scored
    # Prompt and completions that are scored belong together.
    assert record.metrics["train/rollout_logprob_diff_max"] < 1e-4


def test_what_has_no_other_prompts_is_refused(folder):
    one = module(folder, rewards={"some": OnlyOn()}, dynamic_sampling=1)
    with pytest.raises(BadInput, match="dynamic_sampling needs other prompts, and the training"):
        quiet(max_steps=1).fit(one, Dealt(PROBLEMS, first=0))
    with pytest.raises(BadInput, match=r"resample samples the same prompts .* set one to 0"):
        module(folder, resample=1, dynamic_sampling=1)


def test_dropout_is_refused(folder):
    with pytest.raises(BadInput, match="dropout would score another policy"):
        module(folder, policy=Policy(str(folder), Lora(dropout=0.1)))


def test_dropout_of_stage_1_is_switched_off(folder, tmp_path):
    learned = Policy(str(folder), Lora(rank=2, dropout=0.5))
    learned.load()
    for name, value in learned.named_parameters():
        if "lora_B" in name:
            value.data.normal_(std=0.1)  # a new adapter adds nothing, nor does its dropout
    save_adapter(learned.model, tmp_path / "adapter")
    dropping = shutil.copytree(folder, tmp_path / "dropping")
    config = json.loads((dropping / "config.json").read_text())
    config["text_config"]["attention_dropout"] = 0.5
    (dropping / "config.json").write_text(json.dumps(config))
    one = module(folder, policy=Policy(str(dropping), Lora(path=str(tmp_path / "adapter"))))
    # With dropout it would be more than 1.
    assert fit(one, steps=1).step_record.metrics["train/rollout_logprob_diff_max"] < 1e-4


def test_the_first_update_is_on_policy(folder):
    one = fit(module(folder, beta=0.1), steps=1)
    metrics = one.step_record.metrics
    assert metrics["train/rollout_logprob_diff_max"] < 1e-5
    assert metrics["train/clip_fraction"] == 0
    assert metrics["train/kl"] == pytest.approx(0, abs=1e-9)
    # Advantages of a group add up to nothing, and so does the loss where all ratios are one.
    assert metrics["train/loss"] == pytest.approx(0, abs=0.1)


def test_later_updates_leave_the_sampling_policy(folder):
    one = fit(module(folder, updates=3, lr=5.0), steps=1)
    assert one.global_step == 3
    assert one.step_record.metrics["train/clip_fraction"] > 0


def test_the_reference_is_the_policy_of_the_start(folder, tmp_path):
    first = fit(module(folder, policy=Policy(str(folder), Lora(rank=2)), lr=50.0))
    save_adapter(first.policy.model, tmp_path / "adapter")
    stage_1 = weights(first)
    second = module(
        folder, policy=Policy(str(folder), Lora(path=str(tmp_path / "adapter"))), beta=0.1, lr=50.0
    )
    fit(second)
    # Switching the adapter off would give the model before stage 1.
    with second.reference.swapped_in():
        assert difference(weights(second), stage_1) == 0
    assert difference(weights(second), stage_1) > 1e-4
    assert second.step_record.metrics["train/kl"] > 0


def test_without_a_penalty_there_is_no_reference(folder):
    one = module(folder)
    one.configure_model()
    assert one.reference is None


def test_a_loss_that_is_not_finite_stops_before_the_policy_moves(folder):
    one = module(folder, rewards={"one": OnlyOn("p9")})
    one.configure_model()
    one.policy.head.weight.data[5] = float("inf")
    before = weights(one)
    with pytest.raises(BadInput, match=r"step 0: the loss is nan on problems p9;"):
        fit(one)
    after = weights(one)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_reward_that_is_no_number_is_named(folder):
    with pytest.raises(BadInput, match=r"reward 'broken' is no finite number on problem 'p"):
        fit(module(folder, rewards={"broken": Broken()}))


def test_images_are_encoded_once_in_a_run_where_the_tower_is_frozen(folder):
    one = module(folder, beta=0.04)
    seen = []
    one.configure_model()
    one.policy.model.model.visual.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(torch.is_grad_enabled()), with_kwargs=True
    )
    fit(one, steps=2)  # two epochs of eight problems with an image each
    # The check that images matter takes another problem's, which is encoded already.
    assert seen == [False] * 8
    assert one.step_record.work["images_encoded"] == 0


def test_where_the_tower_is_trained_images_are_encoded_once_to_sample_and_once_to_learn(folder):
    one = module(folder, policy=Policy(str(folder), train_parts=("language", "tower")))
    one.configure_model()
    seen: list[tuple[bool, int]] = []
    one.policy.model.model.visual.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(
            (torch.is_grad_enabled(), len(kwargs["grid_thw"]))
        ),
        with_kwargs=True,
    )
    one.on_train_batch_start = lambda *_: seen.clear()
    fit(one, steps=2)  # the first step also checks the policy
    assert sum(count for grad, count in seen if not grad) == 8
    assert sum(count for grad, count in seen if grad) <= 8  # groups without signal are not read


def test_shared_rows_are_held_to_plain_ones_before_they_are_trusted(folder):
    one = module(folder)
    one.configure_model()
    decoder = one.policy.model.get_decoder()

    def careless(module, args, kwargs):
        """A family that does not pass on who sees whom, while it scores."""
        mask = kwargs.get("attention_mask")
        if mask is not None and mask.ndim == 4:
            del kwargs["sharing"]
        return args, kwargs

    decoder.register_forward_pre_hook(careless, with_kwargs=True)
    with pytest.warns(
        UserWarning, match="is scored with one row for every completion: with a shared"
    ):
        fit(one, steps=1)
    assert not one.policy.supports_shared_prefix
    assert one.step_record.metrics["train/rollout_logprob_diff_max"] < 1e-5


@pytest.mark.parametrize("counted", [True, False])
def test_truncated_completions_may_be_left_out(counted, folder):
    one = module(folder, count_truncated=counted)
    one.configure_model()
    one.policy.stop_ids = frozenset({-1})  # nothing ends by itself
    before = weights(one)
    fit(one)
    assert one.step_record.metrics["train/truncated"] == 1
    assert (difference(before, weights(one)) > 0) == counted


def test_it_learns(folder):
    one = module(folder, lr=3.0, group_size=8, max_grad_norm=1.0)
    rewards = []

    def note(*_):
        rewards.append(one.step_record.metrics["train/reward"])

    one.on_train_batch_end = note
    fit(one, steps=25)
    assert sum(rewards[-5:]) > 1.5 * sum(rewards[:5])


def test_micro_batches_are_padded_within_their_budget():
    # Padded to the longest: 2 x 9, then 2 x 5, then 1 x 3.
    assert group_by_length([5, 9, 3, 8, 4], budget=18) == [[1, 3], [0, 4, 2]]
    assert group_by_length([5, 9, 3, 8, 4], budget=1) == [[1], [3], [0], [4], [2]]


@pytest.mark.parametrize(
    "options",
    [
        {"beta": -1.0},
        {"beta": float("nan")},
        {"updates": -1},
        {"group_size": 0},
        {"micro_batch_tokens": 0},
        {"resample": -1},
        {"dynamic_sampling": -1},
        {"max_grad_norm": -1.0},
        {"max_grad_norm": 0.0},
        {"answer_tokens": 0},
    ],
)
def test_options_out_of_range_are_refused(options, folder):
    (name,) = options
    with pytest.raises(BadInput, match=f"{name} must be"):
        module(folder, **options)
