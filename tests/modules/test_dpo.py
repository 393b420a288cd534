import math
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.nn.functional import logsigmoid

from reasonrft.datamodules import CountingDataModule
from reasonrft.errors import BadInput
from reasonrft.modules import DPOModule
from reasonrft.modules.dpo import PairBatch, as_pair_group
from reasonrft.policy import Lora, Policy
from reasonrft.policy.encoder import Pair
from tests.datamodules.reading import MadeUp, quiet
from tests.modules.fitting import PAIRS, PROBLEMS, Losses, difference, weights

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def folder(family_folder) -> Path:
    return family_folder("qwen3-vl")


def module(folder: Path, lr: float = 0.05, adapter: Lora | None = None, **options) -> DPOModule:
    policy = Policy(str(folder), adapter=adapter)
    options = {"beta": 0.5, "answer_tokens": 2, **options}
    return DPOModule(policy, optimizer=lambda params: torch.optim.SGD(params, lr), **options)


def moved(one: DPOModule) -> DPOModule:
    """Loaded, and away from its reference."""
    torch.manual_seed(0)
    one.configure_model()
    with torch.no_grad():
        for value in one.policy.parameters():
            if value.requires_grad:
                value += 0.02 * torch.randn_like(value)
    return one


def pairs_of(one: DPOModule) -> list[Pair]:
    sides = ("chosen", "rejected")
    return [
        one.encoder.pair(problem, problem.question, *(problem.meta[side] for side in sides))
        for problem in PAIRS[:3]
    ]


def dense_log_prob(one: DPOModule, pair: Pair, response: torch.Tensor) -> torch.Tensor:
    """The plain way: one row of prompt and response, all of its logits, and the response's part."""
    ids = torch.cat([pair.prompt.ids, response])[None]
    kinds = torch.zeros_like(ids)
    kinds[:, : pair.prompt.length] = pair.prompt.inputs["mm_token_type_ids"]
    rest = {name: pair.prompt.inputs[name] for name in ("pixel_values", "image_grid_thw")}
    logits = one.policy.model(input_ids=ids, mm_token_type_ids=kinds, **rest).logits[0]
    log_probs = logits[pair.prompt.length - 1 : -1].log_softmax(-1)
    return log_probs.gather(-1, response[:, None]).sum()


def test_loss_and_gradients_are_those_of_plain_rows(folder):
    one, plain = moved(module(folder)), moved(module(folder))
    micro_batch = PairBatch([as_pair_group(pair) for pair in pairs_of(one)])
    one.add_reference_log_probs([micro_batch], one.new_sums())
    loss = one.compare(micro_batch).losses.mean()
    loss.backward()

    def plain_ratios() -> torch.Tensor:  # (P,) log-probs of chosen less those of rejected
        return torch.stack(
            [
                dense_log_prob(plain, pair, pair.chosen)
                - dense_log_prob(plain, pair, pair.rejected)
                for pair in pairs_of(plain)
            ]
        )

    with plain.reference.swapped_in():
        first = plain_ratios()
    expected = -logsigmoid(0.5 * (plain_ratios() - first)).mean()
    expected.backward()

    assert abs(loss.item() - math.log(2)) > 0.01
    assert abs(loss.item() - expected.item()) < 1e-5
    for (name, a), (_, b) in zip(
        one.policy.named_parameters(), plain.policy.named_parameters(), strict=True
    ):
        if a.requires_grad:
            assert (a.grad - b.grad).norm() <= 1e-4 * b.grad.norm(), name


def test_the_reference_of_a_new_adapter_is_the_model_without_it(folder):
    one = moved(module(folder, adapter=Lora(rank=2)))
    groups = [as_pair_group(pair) for pair in pairs_of(one)]
    micro_batch = PairBatch(groups)
    one.add_reference_log_probs([micro_batch], one.new_sums())
    base = Policy(str(folder))
    base.load()
    one.policy = base
    with torch.no_grad():
        expected = one.log_probs(groups)
    torch.testing.assert_close(micro_batch.reference_log_probs, expected, atol=1e-4, rtol=1e-5)


def fit(one: DPOModule, ckpt_path=None, val=(), callbacks=(), **options):
    data = CountingDataModule(MadeUp(PAIRS, **({"val": val} if val else {})), batch_size=3)
    options = {"max_epochs": 2, "callbacks": [*callbacks], **options}
    runner = quiet(**options)
    runner.fit(one, data, ckpt_path=ckpt_path)
    return runner


@pytest.mark.parametrize("adapter", [None, Lora(rank=2)], ids=["full", "lora"])
def test_resuming_from_any_step_gives_the_same_bits(folder, tmp_path, adapter):
    keep = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=2, save_top_k=-1)
    whole, seen = module(folder, adapter=adapter), Losses()
    fit(whole, callbacks=[keep, seen], enable_checkpointing=True)
    assert len(seen.by_step) == 6
    for step in (2, 4):
        one, rest = module(folder, adapter=adapter), Losses()
        fit(one, str(tmp_path / f"step={step}.ckpt"), callbacks=[rest])
        assert difference(weights(whole), weights(one)) == 0
        assert rest.by_step == {at: loss for at, loss in seen.by_step.items() if at > step}


def test_micro_batches_do_not_change_the_update_and_metrics_are_over_all_pairs(folder):
    found, logged = [], []
    for tokens in (1, 16_384):  # each pair alone, and all together
        one = module(folder, micro_batch_tokens=tokens)
        runner = fit(one, val=PAIRS[:2] if tokens > 1 else (), max_epochs=1)
        found.append(weights(one))
        logged.append({name: float(value) for name, value in runner.callback_metrics.items()})
    assert difference(*found) < 1e-5
    assert difference(found[0], weights(moved(module(folder)))) > 1e-3
    for name in ("loss", "reward/chosen", "reward/rejected", "reward/margin", "accuracy"):
        assert logged[0][f"train/{name}"] == pytest.approx(logged[1][f"train/{name}"], abs=1e-5)
    first, other = logged
    margin = first["train/reward/chosen"] - first["train/reward/rejected"]
    assert first["train/reward/margin"] == pytest.approx(margin, abs=1e-5)
    # Validation answers, and compares pairs; it would be log 2 without training.
    assert other["val/counting/val/accuracy"] in (0, 0.5, 1)
    assert 0 < other["val/loss"] != pytest.approx(math.log(2))
    assert other["val/reward/margin"] > 0 and other["val/accuracy"] == 1


def test_compute_is_counted_by_hand(folder):
    one = module(folder)
    fit(one, max_steps=1, max_epochs=-1)
    lengths = {pair.prompt.problem.id: pair.length for pair in map(one_pair(one), PAIRS)}
    batch = one.trainer.train_dataloader.order.batch(0, 0)
    tokens = sum(lengths[PAIRS[item].id] for item in batch)
    # The reference once, the policy forwards, and backwards, which is as much as two.
    compute, plain = float(one.trainer.callback_metrics["perf/compute_tokens"]), 3 * tokens
    assert compute == tokens + plain <= 1.5 * plain


def one_pair(one: DPOModule):
    task = CountingDataModule(MadeUp(PAIRS)).task

    def encode(problem):
        sides = (problem.meta["chosen"], problem.meta["rejected"])
        return one.encoder.pair(problem, task.prompt(problem), *sides)

    return encode


def test_problems_without_pairs_are_refused(folder):
    one = module(folder)
    with pytest.raises(BadInput, match="'p2': it has no chosen completion; pairs are records"):
        quiet().fit(one, CountingDataModule(MadeUp(PROBLEMS)))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"beta": 0.0}, "beta must be a positive number, not 0.0"),
        ({"label_smoothing": 0.5}, "label_smoothing is at least 0 and below 0.5"),
        ({"adapter": Lora(rank=2, dropout=0.1)}, "dropout would make the reference another"),
    ],
)
def test_options_that_make_no_sense_are_refused(folder, options, said):
    with pytest.raises(BadInput, match=said):
        module(folder, **options)
