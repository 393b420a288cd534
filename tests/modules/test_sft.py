import math
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint

from reasonrft.errors import BadInput
from reasonrft.modules import SFTModule, WarmupCosine, WarmupLinear
from reasonrft.modules.base import weight_decay_groups
from reasonrft.policy import Lora, Policy
from tests.modules.fitting import PROBLEMS, Losses, data, difference, fit, module, weights
from tests.policy.test_base_digest import moved

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def folder(family_folder) -> Path:
    return family_folder("qwen3-vl")


def examples(one):
    one.configure_model()
    texts = [f"{problem.question}" for problem in PROBLEMS]
    return [
        one.encoder.example(problem, text, problem.cot)
        for problem, text in zip(PROBLEMS, texts, strict=True)
    ]


def test_only_the_assistants_turn_is_learned(folder):
    one = module(folder)
    batch = examples(one)
    loss = one.negative_log_likelihood(batch)
    assert len(loss) == sum(len(example.response) for example in batch)
    # The plain way: all logits of one example, and the response's part of them.
    first = batch[0]
    ids = torch.cat([first.prompt.ids, first.response])[None]
    kinds = torch.zeros_like(ids)
    kinds[:, : first.prompt.length] = first.prompt.inputs["mm_token_type_ids"]
    rest = {name: first.prompt.inputs[name] for name in ("pixel_values", "image_grid_thw")}
    logits = one.policy.model(input_ids=ids, mm_token_type_ids=kinds, **rest).logits[0]
    logp = logits[first.prompt.length - 1 : -1].log_softmax(-1)
    expected = -logp.gather(-1, first.response[:, None]).squeeze(-1)
    torch.testing.assert_close(loss[: len(expected)], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("row_tokens", [150, 400, 5000])
def test_packed_examples_have_the_same_losses_and_gradients(folder, row_tokens):
    plain, packed = module(folder), module(folder, row_tokens=row_tokens)
    losses = [one.negative_log_likelihood(examples(one)) for one in (plain, packed)]
    assert float((losses[0] - losses[1]).abs().max()) < 1e-5
    for loss in losses:
        loss.mean().backward()
    for (name, a), (_, b) in zip(
        plain.policy.named_parameters(), packed.policy.named_parameters(), strict=True
    ):
        if a.grad is not None:
            torch.testing.assert_close(a.grad, b.grad, atol=1e-5, rtol=1e-4, msg=name)


def test_accumulation_does_not_change_the_update(folder):
    """8 examples at once, 8 times 1, 3 and 3 and 2: responses are of very different lengths."""
    runs = [(8, 1), (1, 8), (3, 3), (4, 2)]
    found, losses = [], []
    for batch_size, accumulated in runs:
        one, seen = module(folder), Losses()
        batches = {"batch_size": batch_size, "group_by_length": False}
        fit(one, batches, accumulate_grad_batches=accumulated, callbacks=[seen])
        found.append(weights(one))
        losses.append(seen.by_step)
    start = module(folder)
    start.configure_model()
    assert difference(weights(start), found[0]) > 1e-3
    for other, seen in zip(found[1:], losses[1:], strict=True):
        assert difference(found[0], other) < 1e-5
        assert seen == pytest.approx(losses[0], abs=1e-5)


def test_the_loss_is_the_mean_over_tokens(folder):
    one = module(folder, lr=0.0)
    seen = Losses()
    fit(one, {"batch_size": 3}, accumulate_grad_batches=3, callbacks=[seen], max_epochs=1)
    own = module(folder)
    own.configure_model()
    task = data().task
    batch = [
        own.encoder.example(
            p, task.prompt(p), f"<think>\n{p.cot}\n</think>\n<answer>\n{p.answer}\n</answer>"
        )
        for p in PROBLEMS
    ]
    expected = float(own.negative_log_likelihood(batch).mean())
    assert seen.by_step[1] == pytest.approx(expected, abs=1e-5)
    logged = one.trainer.callback_metrics
    for name in ("even", "odd"):
        own_batch = [example for example in batch if example.prompt.problem.source == name]
        own_losses = own.negative_log_likelihood(own_batch)
        assert float(logged[f"train/source/{name}/loss"]) == pytest.approx(
            float(own_losses.mean()), abs=1e-5
        )
        share = len(own_losses) / sum(len(example.response) for example in batch)
        assert float(logged[f"train/source/{name}/share"]) == pytest.approx(share)
    # In tokens of a forward pass: backward is as much as two of them.
    work = 3 * sum(example.length for example in batch)
    assert float(one.trainer.callback_metrics["perf/compute_tokens"]) == work


@pytest.mark.parametrize("adapter", [None, Lora(rank=2, dropout=0.2)])
@pytest.mark.parametrize("batches", [{"batch_size": 3}, {"batch_tokens": 900, "max_tokens": 450}])
def test_resuming_from_any_step_gives_the_same_bits(folder, tmp_path, adapter, batches):
    options = {"accumulate_grad_batches": 2}
    keep = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=1, save_top_k=-1)
    whole, seen = module(folder, adapter=adapter), Losses()
    fit(whole, batches, callbacks=[keep, seen], enable_checkpointing=True, **options)
    checkpoints = sorted(tmp_path.glob("*.ckpt"))
    assert len(checkpoints) == len(seen.by_step) >= 4
    for path in checkpoints[:-1]:
        step = int(path.stem.partition("=")[2])
        one, rest = module(folder, adapter=adapter), Losses()
        fit(one, batches, str(path), callbacks=[rest], **options)
        assert difference(weights(whole), weights(one)) == 0
        assert rest.by_step == {at: loss for at, loss in seen.by_step.items() if at > step}


def test_resuming_in_the_middle_of_an_accumulation_gives_the_same_bits(folder, tmp_path):
    path = tmp_path / "between.ckpt"

    class Save(Callback):
        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            if (trainer.current_epoch, batch_idx) == (1, 4):  # the second of three batches
                trainer.save_checkpoint(path)

    options = {"accumulate_grad_batches": 3}
    whole, resumed = module(folder), module(folder)
    names = ("train/loss", "train/source/odd/loss")
    seen, rest = ([Losses(name) for name in names] for _ in range(2))
    fit(whole, {"batch_size": 1}, callbacks=[Save(), *seen], **options)
    fit(resumed, {"batch_size": 1}, str(path), callbacks=[*rest], **options)
    assert difference(weights(whole), weights(resumed)) == 0
    for all_steps, last in zip(seen, rest, strict=True):
        assert last.by_step.items() <= all_steps.by_step.items()
        assert last.by_step[6] == all_steps.by_step[6]


def test_checkpoints_hold_what_is_trained_and_nothing_else(folder, tmp_path):
    one = module(folder, adapter=Lora(rank=2))
    trainer = fit(one, {}, max_epochs=1)
    path = tmp_path / "own.ckpt"
    trainer.save_checkpoint(path)
    held = torch.load(path, weights_only=True)["state_dict"]
    assert held and all("lora" in name for name in held)
    with pytest.raises(BadInput, match=r"does not hold .* weights that this policy trains"):
        fit(module(folder), {}, str(path))


def test_an_adapters_checkpoint_is_refused_on_another_base_of_the_same_shapes(folder, tmp_path):
    path, other = tmp_path / "own.ckpt", moved(folder, tmp_path / "other")
    options = {"adapter": Lora(rank=2), "quantize": "nf4"}
    fit(module(folder, **options), {}, max_epochs=1).save_checkpoint(path)
    with pytest.raises(BadInput, match=r"an adapter of other weights than those of .*other: give"):
        fit(module(other, adapter=Lora(rank=2)), {}, str(path))
    # In 4 bits or not, it is the same base.
    fit(module(folder, adapter=Lora(rank=2)), {}, str(path), max_epochs=1)


def test_a_family_that_cannot_be_packed_says_so(family_folder, recwarn):
    one = module(family_folder("gemma3"), row_tokens=400)
    one.configure_model()
    assert one.row_tokens is None
    assert any("each example in a row of its own" in str(said.message) for said in recwarn)


def test_a_loss_that_is_no_number_stops_the_run_before_the_update(folder):
    one = module(folder)
    one.configure_model()
    one.policy.model.get_input_embeddings().weight.data[:] = math.nan
    before = weights(one)
    with pytest.raises(BadInput, match=r"step 0: the loss is nan on problems p\d+, p\d+"):
        fit(one, {"batch_size": 2})
    assert all(torch.equal(v, before[n]) for n, v in weights(one).items() if not v.isnan().any())


@pytest.mark.parametrize("name", ["AdamW8bit", "PagedAdamW8bit", "Lion8bit"])
def test_optimizers_of_8_bits_learn(folder, name):
    import bitsandbytes

    one, seen = module(folder), Losses()
    one.optimizer = lambda params: getattr(bitsandbytes.optim, name)(params, lr=1e-3)
    fit(one, {"batch_size": 8}, callbacks=[seen], max_epochs=6)
    assert seen.by_step[6] < seen.by_step[1]


@pytest.mark.parametrize("row_tokens", [None, 1000])
def test_bf16_mixed_precision_learns_nearly_the_same(folder, row_tokens):
    losses = []
    for precision in ("32-true", "bf16-mixed"):
        one, seen = module(folder, row_tokens=row_tokens), Losses()
        fit(one, {"batch_size": 4}, callbacks=[seen], precision=precision)
        losses.append(list(seen.by_step.values()))
        assert all(value.dtype == torch.float32 for value in one.policy.parameters())
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert losses[0] != losses[1]


def test_norms_and_biases_do_not_decay(folder):
    one = module(folder)
    one.configure_model()
    decayed, rest = weight_decay_groups(one.policy)
    assert all(value.ndim > 1 and value.requires_grad for value in decayed["params"])
    assert all(value.ndim == 1 for value in rest["params"]) and rest["weight_decay"] == 0
    trained = [value for value in one.policy.parameters() if value.requires_grad]
    assert len(decayed["params"]) + len(rest["params"]) == len(trained)


def test_the_rate_rises_and_falls_over_the_whole_run(folder):
    one = module(folder)
    one.optimizer = lambda params: torch.optim.AdamW(params, lr=1.0)
    one.scheduler = lambda optimizer: WarmupCosine(optimizer, warmup_steps=4)
    rates = []
    one.on_train_batch_end = lambda *args: rates.append(one.optimizers().param_groups[0]["lr"])
    fit(one, {"batch_size": 2}, max_epochs=3)
    # 4 steps in an epoch, 12 in all, 8 of them on the cosine; read after each step.
    cosine = [(1 + math.cos(math.pi * step / 8)) / 2 for step in range(9)]
    assert rates == pytest.approx([2 / 4, 3 / 4, 4 / 4, *cosine[0:]][:12], abs=1e-6)


def test_a_rate_without_warm_up_falls_from_the_first_step_along_a_line(folder):
    one = module(folder)
    one.optimizer = lambda params: torch.optim.AdamW(params, lr=2.0)
    one.scheduler = lambda optimizer: WarmupLinear(optimizer, warmup_steps=0, final=0.5)
    rates = []
    one.on_train_batch_start = lambda *args: rates.append(one.optimizers().param_groups[0]["lr"])
    fit(one, {"batch_size": 2}, max_epochs=1)
    assert rates == pytest.approx([2.0, 1.75, 1.5, 1.25])


def test_checkpoints_hold_the_statistics_of_batch_norms(family_folder):
    policy = Policy(str(family_folder("fast-vlm")), train_parts=("projector", "tower"))
    policy.load()
    module = SFTModule(policy)
    checkpoint = {"state_dict": module.state_dict()}
    module.on_save_checkpoint(checkpoint)
    kept = checkpoint["state_dict"].keys()
    assert {name for name in module.state_dict() if "vision_tower" in name} <= kept
    assert any(name.endswith("running_var") for name in kept)
    assert not any("language_model" in name for name in kept)
