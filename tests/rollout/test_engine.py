"""Engines and losses of one's own, as docs/method.md shows them."""

import math
import re
from pathlib import Path

import pytest
import torch

from reasonrft.losses import PolicyLoss
from reasonrft.modules import GRPOModule
from reasonrft.policy import Policy
from reasonrft.rollout import RolloutEngine, Sampling
from tests.datamodules.reading import quiet
from tests.modules.fitting import Capitals, data
from tests.policy.problems import generate, ragged

pytestmark = pytest.mark.filterwarnings("ignore")
PAGE = Path(__file__).parents[2] / "docs" / "method.md"


def class_in_docs(name: str) -> type:
    """The class of the code block that defines it."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (code,) = [block for block in blocks if f"class {name}(" in block]
    namespace: dict = {}
    exec(compile(code, str(PAGE), "exec"), namespace)
    return namespace[name]


def module(folder: Path, **options) -> GRPOModule:
    return GRPOModule(
        Policy(str(folder)),
        {"capitals": Capitals()},
        group_size=4,
        sampling=Sampling(max_tokens=8),
        optimizer=lambda params: torch.optim.SGD(params, 0.5),
        answer_tokens=4,
        **options,
    )


def one_step(module: GRPOModule) -> dict[str, float]:
    quiet(max_steps=module.updates, max_epochs=-1).fit(module, data(batch_size=4))
    assert module.step_record is not None
    return dict(module.step_record.metrics)


def test_an_engine_of_ones_own_is_corrected_by_importance_weights(family_folder):
    engine = class_in_docs("GenerateEngine")()
    assert isinstance(engine, RolloutEngine)
    metrics = one_step(module(family_folder("qwen3-vl"), engine=engine))
    # It samples from the same distribution, so the weights are one but for rounding.
    assert 0 < metrics["train/rollout_logprob_diff_max"] < 1e-4
    assert metrics["train/importance_weight"] == pytest.approx(1, abs=1e-4)


def test_an_engine_whose_log_probs_are_off_is_corrected_up_to_the_cap(family_folder):
    class Off(class_in_docs("GenerateEngine")):
        """Reports half of the probability that its tokens had."""

        def generate(self, *args, **options):
            rollout = super().generate(*args, **options)
            for group in rollout.completions:
                for completion in group:
                    completion.log_probs.sub_(torch.tensor(4.0).log())
            return rollout

    metrics = one_step(module(family_folder("qwen3-vl"), engine=Off()))
    assert metrics["train/importance_weight"] == pytest.approx(2)  # 4, capped
    assert metrics["train/importance_truncated"] == 1
    assert metrics["train/importance_sample_size"] == pytest.approx(1)  # all weigh the same
    assert metrics["train/importance_log_ratio_max"] == pytest.approx(math.log(4), abs=1e-3)
    assert metrics["train/rollout_kl"] == pytest.approx(3 - math.log(4), abs=1e-3)
    assert metrics["train/staleness"] == 0


def test_the_local_engine_is_the_scorer_and_needs_no_importance_weights(family_folder):
    metrics = one_step(module(family_folder("qwen3-vl"), updates=2))
    assert not [name for name in metrics if "importance" in name or "staleness" in name]


def test_engines_answer_greedily_alike(family_folder):
    policy = Policy(str(family_folder("qwen3-vl")))
    policy.load()
    batch, greedy = ragged(policy), Sampling(temperature=0, max_tokens=6)
    engine = class_in_docs("GenerateEngine")()
    engine.sync(policy, 3)
    rollout = engine.generate(batch, 1, greedy)
    assert rollout.texts == generate(policy, batch, 1, greedy).texts
    assert rollout.policy_version == 3


def test_answers_of_another_engine_are_told_apart(family_folder):
    own, local = (
        module(family_folder("qwen3-vl"), engine=engine)
        for engine in (class_in_docs("GenerateEngine")(), None)
    )
    for one in (own, local):
        one.trainer = quiet()
        one.configure_model()
    assert own.identity() == local.identity() | {"engine": "GenerateEngine"}


def test_a_loss_of_ones_own(family_folder):
    loss = class_in_docs("PlainPolicyGradient")()
    assert isinstance(loss, PolicyLoss)
    metrics = one_step(module(family_folder("qwen3-vl"), loss=loss, updates=3))
    assert metrics["train/clip_fraction"] == 0


def test_a_rollout_takes_over_groups_and_adds_up_work(family_folder):
    policy = Policy(str(family_folder("qwen3-vl")))
    policy.load()
    batch, sampling = ragged(policy), Sampling(max_tokens=5)
    first = generate(policy, batch, 2, sampling)
    second = generate(policy, batch.select([1, 3]), 2, sampling, seed=1)
    both = first.with_groups([1, 3], second)
    assert both.texts == [first.texts[0], second.texts[0], first.texts[2], second.texts[1]]
    assert both.lengths[3].tolist() == second.lengths[1].tolist()
    names = ("prompt_tokens", "decoded_tokens")
    assert [both.work[name] for name in names] == [
        first.work[name] + second.work[name] for name in names
    ]
