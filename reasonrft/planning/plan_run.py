"""A run's memory on each device, from its module, its datamodule and the trainer's options."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from torch._subclasses.fake_tensor import FakeTensorMode

from reasonrft.datamodules import TaskDataModule
from reasonrft.errors import BadInput
from reasonrft.modules import GRPOModule, ReasoningModule, SFTModule
from reasonrft.planning.hollow_policy import hollow, weight_bytes
from reasonrft.planning.longest_batch import Longest, longest
from reasonrft.planning.memory_trace import Parts
from reasonrft.planning.ranks_share import Ranks, Units, share, units_of
from reasonrft.planning.step_phases import HollowStep, Step
from reasonrft.rollout import LocalEngine
from reasonrft.teachers import PolicyTeacher

CUDA_CONTEXT = 512 * 2**20
"""What CUDA and its libraries take of a GPU before there is any tensor."""


@dataclass(frozen=True)
class Plan:
    """Bytes on each device by phase and part, and what they were computed for."""

    alone: Mapping[str, Parts]
    """What a device holds that shares nothing with others, by phase."""
    units: Units
    ranks: Ranks
    policy: str
    prompts: str
    """Where their length is from."""
    step: Mapping[str, int]
    """How large the step is: prompts, tokens, completions."""
    micro_batch: int

    @property
    def phases(self) -> Mapping[str, Parts]:
        return {
            phase: share(phase, parts, self.ranks, self.units)
            for phase, parts in self.alone.items()
        }

    @property
    def peak_phase(self) -> str:
        return max(self.phases, key=lambda phase: sum(self.phases[phase].values()))

    @property
    def peak(self) -> int:
        return sum(self.phases[self.peak_phase].values())


def plan_run(
    module: Any,
    data: Any,
    trainer: Mapping[str, Any],
    on_gpu: bool,
    worst_case: bool = False,
) -> Plan:
    """Run a step without contents.

    Args:
        module: SFTModule or GRPOModule, whose policy is not loaded.
        data: Its datamodule.
        trainer: Options of the trainer, of which none is made.
        on_gpu: Whether the devices are GPUs.
        worst_case: Take what the limits allow, also where the data could be read.
    """
    if not isinstance(module, (SFTModule, GRPOModule)) or not isinstance(data, TaskDataModule):
        raise BadInput(
            f"plan knows runs of SFTModule and GRPOModule, not {type(module).__name__} on "
            f"{type(data).__name__}"
        )
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    hollow = HollowStep(module, fake, on_gpu)
    found = longest(module.policy, data, module.learns_from, fake, worst_case)
    step = _step(module, data, trainer, found)
    phases = hollow.run(found, step)
    extra = {
        "image features": _remembered(module, found, phases),
        "teacher": _teacher(module, fake),
        "CUDA context": CUDA_CONTEXT if on_gpu else 0,
    }
    return Plan(
        {phase: _added(parts, extra) for phase, parts in phases.items()},
        units_of(module.policy.model),
        ranks_of(trainer),
        module.policy.path,
        found.source,
        _sizes(module, found, step),
        step.micro_batch,
    )


def _step(
    module: ReasoningModule,
    data: TaskDataModule,
    trainer: Mapping[str, Any],
    found: Longest,
) -> Step:
    longest_prompt = found.prompts[0].length
    batch_size = micro_batch = data.batch_size
    count = int(trainer.get("accumulate_grad_batches") or 1)
    if isinstance(module, GRPOModule):
        group = longest_prompt + module.group_size * module.sampling.max_tokens
        micro_batch = max(1, min(batch_size, module.micro_batch_tokens // group))
        count = -(-batch_size // micro_batch)
    elif data.batch_tokens is not None:
        micro_batch = max(1, data.batch_tokens // (longest_prompt + found.responses[0]))
    answers = trainer.get("limit_val_batches") != 0 and data.eval_splits("validate")
    own = isinstance(module.engine, LocalEngine)
    return Step(
        batch_size,
        data.eval_batch_size if answers and own else 0,
        micro_batch,
        count,
        str(trainer.get("precision") or "32-true"),
    )


def _remembered(module: ReasoningModule, found: Longest, phases: Mapping[str, Parts]) -> int:
    """Image features of other prompts than those of the step, which are kept over the run."""
    policy = module.policy
    if not policy.vision_frozen:
        return 0
    here = max(parts.get("image features", 0) for parts in phases.values())
    room = max(0, policy.image_memory * 2**20 - here)
    if found.problems is None:
        return room
    each = policy.image_features.bytes_of(found.prompts[0].inputs)  # type: ignore[attr-defined]
    return min(room, max(0, each * found.problems - here))


def _teacher(module: ReasoningModule, fake: FakeTensorMode) -> int:
    """The weights of a teacher on the same device, whole on each."""
    teacher = module.teacher if isinstance(module, GRPOModule) else None
    if not isinstance(teacher, PolicyTeacher):
        return 0
    hollow(teacher.policy, fake)
    return weight_bytes(teacher.policy)


def _added(parts: Parts, extra: Parts) -> Parts:
    names = dict.fromkeys([*parts, *extra])
    sums = {name: parts.get(name, 0) + extra.get(name, 0) for name in names}
    return {name: size for name, size in sums.items() if size}


def _sizes(module: ReasoningModule, found: Longest, step: Step) -> dict[str, int]:
    prompt = found.prompts[0].length
    if not isinstance(module, GRPOModule):
        tokens = step.micro_batch * (prompt + found.responses[0])
        return {"examples": step.micro_batch, "prompt_tokens": prompt, "tokens": tokens}
    group = prompt + module.group_size * module.sampling.max_tokens
    return {
        "prompts": step.batch_size,
        "prompt_tokens": prompt,
        "completions": module.group_size,
        "completion_tokens": module.sampling.max_tokens,
        "micro_batch_groups": step.micro_batch,
        "tokens": step.micro_batch * group,
    }


def ranks_of(trainer: Mapping[str, Any]) -> Ranks:
    """The ranks that a trainer with these options would start."""
    devices, nodes = _count(trainer.get("devices")), int(trainer.get("num_nodes") or 1)
    strategy: Any = trainer.get("strategy") or "auto"
    name = strategy if isinstance(strategy, str) else type(strategy).__name__
    if isinstance(strategy, ModelParallelStrategy) or "fsdp" in name.lower():
        given = getattr(strategy, "_data_parallel_size", None)
        size = getattr(strategy, "shard_size", given if isinstance(given, int) else None)
        return Ranks(devices, nodes, "fsdp", size)
    several = devices * nodes > 1 or "ddp" in name.lower()
    return Ranks(devices, nodes, "ddp" if several else "single")


def _count(devices: Any) -> int:
    if devices in (None, "auto", -1, "-1"):
        return max(1, torch.cuda.device_count())
    if isinstance(devices, (list, tuple)):
        return len(devices)
    text = str(devices)
    return len([item for item in text.split(",") if item]) if "," in text else int(text)
