"""Memory ran out: in which phase, on how many tokens, and what to turn.

Nothing is kept for this while all goes well. The traceback of the error knows the methods that a
step was in, and what they were working on.
"""

import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from reasonrft.errors import BadInput
from reasonrft.modules.base import ReasoningModule
from reasonrft.modules.micro_batches import MicroBatch
from reasonrft.planning.knobs import advice, knobs
from reasonrft.policy.encoder import PromptBatch

SAID = ("not enough memory", "can't allocate memory", "Cannot allocate memory", "bad_alloc")
"""What errors say that torch raises on a CPU; those of other devices have a class of their own."""
PHASES = {
    "answer": "evaluation",
    "generate": "rollout",
    "compute_rewards": "reward",
    "check_policy": "check",
    "check_images": "check",
    "add_reference_log_probs": "reference",
    "step_optimizer": "optimizer",
    "training_step": "update",
    "backward": "update",
    "optimizer_step": "optimizer",
    "configure_model": "loading",
    "configure_optimizers": "loading",
}
"""Phases by the methods of a module that they are in; what is called later says more."""

Frame = Mapping[str, Any]


@contextmanager
def explained(trainer: Any) -> Iterator[None]:
    """Turn an error of a run that has no memory left into a sentence of what to do."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise BadInput(sentence(trainer, error)) from error


def is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(said in str(error) for said in SAID)


def sentence(trainer: Any, error: BaseException) -> str:
    """Where memory ran out, and the knob."""
    module: Any = trainer.lightning_module
    phase, frames = "loading", []
    for frame, _ in traceback.walk_tb(error.__traceback__):
        frames.append(frame.f_locals)
        if frame.f_locals.get("self") is module:
            phase = PHASES.get(frame.f_code.co_name, phase)
        elif frame.f_code.co_name in ("_run_validate", "evaluation_step"):
            phase = "evaluation"
    work = next(filter(None, map(_work, reversed(frames))), "")
    on = f" on {work}" if work else ""
    return (
        f"step {trainer.global_step}: there is not enough memory for the phase {phase}{on}; "
        f"{_advice(trainer, module, phase, frames)}; plan, with the same options, says what fits"
    )


def _work(local: Frame) -> str:
    """What a function was working on, if it knows."""
    micro_batch, batch = local.get("micro_batch"), local.get("batch")
    if isinstance(micro_batch, MicroBatch):
        groups = micro_batch.groups
        tokens = sum(group.length for group in groups)
        return f"a micro-batch of {tokens:,} tokens ({len(groups)} groups)"
    if isinstance(batch, PromptBatch):
        tokens = sum(prompt.length for prompt in batch.prompts)
        return f"a batch of {len(batch)} prompts with {tokens:,} tokens"
    if isinstance(batch, list) and batch and hasattr(batch[0], "response"):
        return f"a batch of {len(batch)} examples with {sum(one.length for one in batch):,} tokens"
    return ""


def _advice(trainer: Any, module: Any, phase: str, frames: Sequence[Frame]) -> str:
    data = getattr(trainer, "datamodule", None)
    if not isinstance(module, ReasoningModule) or data is None:
        return advice(None)
    groups = [
        len(local["micro_batch"].groups)
        for local in frames
        if isinstance(local.get("micro_batch"), MicroBatch)
    ]
    sizes = (getattr(data, "batch_size", 1), getattr(data, "eval_batch_size", 1))
    count = groups[-1] if groups else 2
    chosen = knobs(phase, module, *sizes, count, trainer.accumulate_grad_batches)
    return advice(chosen[0] if chosen else None)
