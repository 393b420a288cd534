"""The static loop, which is what a GPU captures, held to the eager one."""

from functools import cache
from itertools import chain

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from reasonrft.errors import BadInput
from reasonrft.policy import Lora, Policy
from reasonrft.rollout import Completion, LocalEngine, Rollout, Sampling
from reasonrft.rollout.local import _uniforms, cut
from reasonrft.rollout.prefill import prefill
from reasonrft.rollout.static_attention import RowGrid, StaticLayer
from reasonrft.rollout.static_decoding import ON_CPU, ON_GPU, Pace, StaticRows, decode_static
from tests.policy.problems import ragged
from tests.policy.test_scoring import SHARING

SAMPLING = Sampling(max_tokens=30)


def load(folder, **options) -> Policy:
    policy = Policy(str(folder), **options)
    policy.load()
    # Every fifth token or so ends a completion, so that rows finish at different times.
    policy.stop_ids = frozenset({*policy.stop_ids, *range(0, 250, 5)})
    return policy


def sampled(policy: Policy, sampling: Sampling = SAMPLING, group_size: int = 4, **how) -> Rollout:
    engine = LocalEngine(**how)
    engine.sync(policy, 0)
    return engine.generate(ragged(policy), group_size, sampling, seed=1)


def assert_same(rollout: Rollout, other: Rollout) -> None:
    for own, group in zip(rollout.completions, other.completions, strict=True):
        for a, b in zip(own, group, strict=True):
            assert torch.equal(a.ids, b.ids) and a.stopped == b.stopped
            torch.testing.assert_close(a.log_probs, b.log_probs, atol=1e-5, rtol=0)


@pytest.fixture(scope="module")
def eager(family_folder):
    """Policies and their eager rollouts, made once."""

    @cache
    def of(family: str) -> tuple[Policy, Rollout]:
        policy = load(family_folder(family))
        return policy, sampled(policy, loop="eager")

    return of


@pytest.mark.parametrize("prompts", ["shared", "repeated"])
@pytest.mark.parametrize("family", SHARING)
def test_the_static_loop_samples_as_the_eager_one(family, prompts, eager, monkeypatch):
    policy, expected = eager(family)
    read: list[int] = []
    update = StaticLayer.update

    def counted(layer, keys, *args, **options):
        read.append(len(keys))
        return update(layer, keys, *args, **options)

    monkeypatch.setattr(StaticLayer, "update", counted)
    rollout = sampled(policy, loop="static", prompts=prompts)
    assert_same(rollout, expected)
    # Each row computes each of its tokens once in each layer, and none that nobody asked for.
    work, layers = rollout.work, policy.model.config.get_text_config().num_hidden_layers
    assert sum(read) == layers * work["row_steps"]
    assert work["row_steps"] <= expected.work["row_steps"]
    lengths = rollout.lengths.flatten().tolist()
    assert len(set(lengths)) > 3 and work["row_steps_saved"] > 0
    assert work["row_steps"] + work["row_steps_saved"] == 16 * (max(lengths) - 1)


def by_hand(policy: Policy, pace: Pace, sampling: Sampling = SAMPLING, **how) -> list[Completion]:
    """Completions by this pace, on a CPU as on a GPU."""
    batch = ragged(policy)
    policy.eval()
    with torch.no_grad():
        prefilled = prefill(policy, batch, sampling.scoring_temperature)
        uniform = _uniforms(policy, batch, 4, sampling, 1, 0)
        rows = StaticRows(policy, prefilled, 4, uniform, sampling, **how)
        decode_static(rows, pace, captured=False)
    return cut(rows.ids, rows.log_probs, policy.stop_ids)


@pytest.mark.parametrize("how", [{"shared": True, "merged": True}, {"shared": False}])
@pytest.mark.parametrize("chunk", [16, 256])
@pytest.mark.parametrize("pace", [ON_GPU, Pace(look=4, room=3, keep_above=0.9, halves=False)])
def test_the_ways_of_a_gpu_change_nothing(how, pace, chunk, eager, monkeypatch):
    """Ends are seen late, room is made often, prompts are merged from several attentions."""
    monkeypatch.setattr("reasonrft.rollout.static_attention.CHUNK", chunk)
    policy, expected = eager("qwen2-vl")
    completions = by_hand(policy, pace, **{"merged": False, **how})
    for a, b in zip(completions, chain(*expected.completions), strict=True):
        assert torch.equal(a.ids, b.ids) and a.stopped == b.stopped
        torch.testing.assert_close(a.log_probs, b.log_probs, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=0, max_tokens=12),
        Sampling(temperature=0.7, top_p=0.8, top_k=40, min_p=0.01, max_tokens=12),
        Sampling(max_tokens=1),
    ],
)
def test_every_way_of_sampling_is_the_same(sampling, eager):
    policy, _ = eager("qwen3-vl")
    assert_same(sampled(policy, sampling), sampled(policy, sampling, loop="eager"))


def test_adapters_are_decoded_with(family_folder):
    policy = load(family_folder("qwen2-vl"), adapter=Lora(rank=4))
    before = sampled(policy)
    with torch.no_grad():
        for name, value in policy.named_parameters():
            if "lora_B" in name:
                value.normal_(std=0.1)
    after = sampled(policy)
    assert not all(
        torch.equal(a.ids, b.ids)
        for a, b in zip(chain(*before.completions), chain(*after.completions), strict=True)
    )
    assert_same(after, sampled(policy, loop="eager"))


def test_a_step_changes_nothing_that_python_keeps(eager):
    """What is captured is the same operations on the same memory for every token."""
    policy, _ = eager("qwen2-vl")
    with torch.no_grad():
        prefilled = prefill(policy, ragged(policy), 1.0)
        uniform = _uniforms(policy, ragged(policy), 2, SAMPLING, 0, 0)
        rows = StaticRows(policy, prefilled, 2, uniform, SAMPLING, True, True)
        rows.resize(list(range(8)), 29)
        with Operations() as first:
            rows.step()
        with Operations() as second:
            rows.step()
    assert first.seen == second.seen and len(first.seen) > 100
    waiting = {"_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal"}
    assert not {name for name, *_ in first.seen} & waiting


class Operations(TorchDispatchMode):
    """What is computed, on which memory outside of the step, and from which numbers."""

    def __enter__(self):
        self.seen, self.made = [], set()
        return super().__enter__()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        given = tree_flatten((args, kwargs or {}))[0]
        self.seen.append((func.overloadpacket.__name__, *map(self._described, given)))
        result = func(*args, **(kwargs or {}))
        self.made.update(
            x.untyped_storage().data_ptr() for x in tree_flatten(result)[0] if _is_tensor(x)
        )
        return result

    def _described(self, value):
        if not _is_tensor(value):
            return value
        place = value.untyped_storage().data_ptr()
        return tuple(value.shape), value.dtype, None if place in self.made else place


def _is_tensor(value) -> bool:
    return isinstance(value, torch.Tensor)


def test_rows_are_dropped_by_halves():
    kept = ON_GPU.kept
    assert kept([False] * 9 + [True] * 7) == list(range(16))  # more than half of them go on
    assert kept([True] * 8 + [False] * 8) == list(range(8, 16))
    # Five go on: three others stay with them.
    assert kept([True] * 11 + [False] * 5) == [0, 1, 2, 11, 12, 13, 14, 15]
    assert kept([True] * 7 + [False]) == [7]
    assert ON_CPU.kept([True, False, False, True]) == [1, 2]


def test_rows_are_put_beside_the_rows_of_their_prompt():
    grid = RowGrid([0, 0, 0, 1, 1], 2, torch.device("cpu"))
    rows = torch.arange(5.0).reshape(5, 1, 1, 1)
    assert grid.gather(rows).flatten().tolist() == [0, 1, 2, 3, 4, 0]
    assert torch.equal(grid.scatter(grid.gather(rows)), rows)


@pytest.mark.parametrize("name", ["loop", "prompts"])
def test_an_unknown_way_is_refused(name):
    with pytest.raises(BadInput, match=f"{name} must be one of auto, .*, not fast"):
        LocalEngine(**{name: "fast"})


def test_attention_that_does_not_know_whose_tokens_are_whose_is_decoded_eagerly(
    family_folder, eager
):
    policy, expected = load(family_folder("qwen2-vl")), eager("qwen2-vl")[1]

    def careless(module, args, kwargs):
        kwargs.pop("sharing", None)
        return args, kwargs

    policy.model.get_decoder().register_forward_pre_hook(careless, with_kwargs=True)
    with pytest.warns(UserWarning, match="in static buffers its log-probs are no numbers"):
        assert_same(sampled(policy), expected)
