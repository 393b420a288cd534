"""What to turn where memory is short: one choice for `plan` and for a run that has none left.

What leaves the update as it is comes first, then what changes how the policy is trained.
"""

from dataclasses import dataclass

from reasonrft.modules import GRPOModule, ReasoningModule

LEAST_CHUNK = 64


@dataclass(frozen=True)
class Knob:
    """Options of the command line, and what they do."""

    options: tuple[str, ...]
    effect: str

    def __str__(self) -> str:
        return " ".join(self.options)


def knobs(
    phase: str,
    module: ReasoningModule,
    batch_size: int,
    eval_batch_size: int,
    micro_batch: int = 2,
    accumulated: int = 1,
) -> list[Knob]:
    """What takes memory from a phase, the mildest first.

    Args:
        phase: loading, rollout, check, reference, update, optimizer or evaluation.
        module: What is trained, with its policy.
        batch_size: Prompts or examples of a batch.
        eval_batch_size: Problems that are answered together.
        micro_batch: Groups that are scored at the same time.
        accumulated: Batches of an optimizer step, in fine-tuning.
    """
    chosen: list[Knob] = []
    if phase == "evaluation":
        chosen += _halved("data.eval_batch_size", eval_batch_size, "fewer answers at a time")
    if phase in ("check", "reference", "update"):
        chosen += _of_scoring(phase, module, micro_batch)
        if not isinstance(module, GRPOModule) and batch_size > 1:
            options = (
                f"--data.batch_size={batch_size // 2}",
                f"--trainer.accumulate_grad_batches={2 * accumulated}",
            )
            chosen.append(Knob(options, "fewer examples at a time, and as many in a step"))
    if isinstance(module, GRPOModule) and phase in ("rollout", "check", "reference", "update"):
        chosen += _of_rollouts(module, batch_size if phase == "rollout" else 1)
    return chosen + _of_weights(module)


def _of_scoring(phase: str, module: ReasoningModule, micro_batch: int) -> list[Knob]:
    policy, chosen = module.policy, []
    if phase == "update" and not policy.activation_checkpointing:
        options = ("--model.policy.activation_checkpointing=true",)
        chosen.append(Knob(options, "activations are computed again in the backward pass"))
    if isinstance(module, GRPOModule) and micro_batch > 1:
        chosen += _halved("model.micro_batch_tokens", module.micro_batch_tokens, "fewer groups")
    if policy.logit_chunk > LEAST_CHUNK:
        least = max(LEAST_CHUNK, policy.logit_chunk // 8)
        chosen.append(Knob((f"--model.policy.logit_chunk={least}",), "fewer logits at a time"))
    return chosen


def _of_rollouts(module: GRPOModule, batch_size: int) -> list[Knob]:
    """What makes a step smaller, and is another training."""
    chosen = _halved("data.batch_size", batch_size, "fewer prompts in a step")
    chosen += _halved(
        "model.sampling.max_tokens", module.sampling.max_tokens, "shorter completions"
    )
    if module.group_size > 2:
        chosen += _halved("model.group_size", module.group_size, "fewer completions of a prompt")
    return chosen


def _of_weights(module: ReasoningModule) -> list[Knob]:
    """What takes memory from weights and optimizer, in every phase."""
    policy, chosen = module.policy, []
    if policy.adapter is None:
        chosen.append(Knob(("--config", "lora.yaml"), "an adapter is trained, not the weights"))
    if not policy.quantize:
        chosen.append(Knob(("--config", "qlora.yaml"), "frozen weights are held in 4 bits"))
    return chosen


def _halved(key: str, value: int, effect: str) -> list[Knob]:
    return [Knob((f"--{key}={value // 2}",), effect)] if value > 1 else []


def advice(knob: Knob | None) -> str:
    """A clause for a sentence."""
    if knob is None:
        return "give it a device with more memory, or more devices with --config fsdp.yaml"
    return f"try {knob} ({knob.effect})"
