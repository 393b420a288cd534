"""Whether a server may sample for a policy: it computes the same, with all of its adapter."""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_info
from safetensors.torch import load_file, save_file

from reasonrft.errors import BadInput
from reasonrft.policy.adapters import WEIGHTS, adapter_parameters
from reasonrft.policy.parts import parts_of
from reasonrft.policy.policy import Policy
from reasonrft.rollout.engine_parity import PROBE, PROBES, are_scaled, gaps, probe_prompts
from reasonrft.rollout.replicas import Replica
from reasonrft.rollout.sampling import Sampling
from reasonrft.rollout.served_weights import AdapterWeights, ServedWeights
from reasonrft.rollout.server_pool import ServerPool
from reasonrft.rollout.vllm_questions import Question, Vocabulary, make_question

_ONE_TOKEN = Sampling(temperature=0, max_tokens=1)
_PREFIX = "base_model.model."  # of names in an adapter's file
_NOISE = 0.1


def admit(pool: ServerPool, replica: Replica, policy: Policy, tolerance: float) -> None:
    """Let a server sample, or refuse it in a sentence that says what differs."""
    prompts = probe_prompts(policy)
    asked = partial(make_question, policy.encoder, Vocabulary.of(policy))
    questions = [asked(prompt, PROBE, PROBES, "check") for prompt in prompts]
    found = gaps(policy, prompts, pool.ask(questions, replica))
    replica.scaled = are_scaled(replica.url, policy.path, found, tolerance)
    if not replica.admitted and adapts_images(policy):
        _check_image_parts(pool, replica, policy, asked(prompts[-1], _ONE_TOKEN, 1, "check"))
    if not replica.admitted:
        text, image = (f"{gap.least:.2g}" for gap in found)
        rank_zero_info(
            f"{replica.url} computes what the policy computes: log-probs differ by {text} on "
            f"average, with an image by {image}"
        )
    replica.admitted, replica.suspect = True, False


def adapts_images(policy: Policy) -> bool:
    """Whether the policy's adapter has weights outside of the language model."""
    parts = parts_of(policy.model)
    return any(parts.part_of(name) != "language" for name in adapter_parameters(policy.model))


def _check_image_parts(
    pool: ServerPool, replica: Replica, policy: Policy, question: Question
) -> None:
    """Refuse a server that loads an adapter and leaves its weights for images out.

    A new adapter adds nothing yet, so log-probs cannot tell. The same one with noise on these
    weights can: if a server answers alike with both, it has neither.
    """
    own: Any = pool.weights
    louder = _louder(own, policy.model)
    pool.weights = louder
    try:
        answers = [pool.ask([question], replica)]
    finally:
        pool.weights = own
        louder.delete()
    pool.deliver(louder)
    answers.append(pool.ask([question], replica))
    (loud,), (plain,) = (group for (group,) in answers)
    if abs(loud.log_probs - plain.log_probs) < 1e-6 and loud.ids == plain.ids:
        raise BadInput(
            f"{replica.url} leaves out the adapter's weights in the vision tower or projector: "
            "start it with --enable-tower-connector-lora, which not every family has, or train the "
            "language model alone (train_parts: [language])"
        )


def _louder(weights: ServedWeights, model: Any) -> AdapterWeights:
    """An adapter with noise on its weights outside of the language model."""
    folder = Path(f"{weights.folder}-louder")
    shutil.copytree(weights.folder, folder)
    parts, generator = parts_of(model), torch.Generator().manual_seed(0)
    state = load_file(folder / WEIGHTS)
    for name, value in state.items():
        if ".lora_B." in name and parts.part_of(name.removeprefix(_PREFIX)) != "language":
            state[name] = value + _NOISE * torch.randn(value.shape, generator=generator).to(value)
    save_file(state, folder / WEIGHTS, {"format": "pt"})
    return AdapterWeights(f"{weights.name}-louder", folder)
