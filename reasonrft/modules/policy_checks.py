"""Checks before the first update: is the policy scored as it samples, does it see its images?"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from lightning.pytorch.utilities import rank_zero_warn
from PIL import ImageChops
from torch import nn

from reasonrft.distributed.ranks import all_gather
from reasonrft.errors import BadInput
from reasonrft.policy.encoder import Prompt
from reasonrft.policy.policy import Policy
from reasonrft.policy.scoring import Group, score
from reasonrft.policy.sharding import gathered
from reasonrft.problems import Problem


def switch_off_dropout(policy: Policy) -> None:
    """Rollouts have no dropout, so scoring has none, whatever a checkpoint's configuration says."""
    for part in policy.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
        for name in ("attention_dropout", "dropout"):  # as attention knows it, which is a function
            if isinstance(getattr(part, name, None), float):
                setattr(part, name, 0.0)


def check_shared_prefix(policy: Policy, groups: Sequence[Group], precision: str) -> None:
    """Score a group with the shared prefix and with one sequence per completion.

    If the mean log-probs differ on any rank, all ranks stop to use the shared prefix.
    """
    if not policy.supports_shared_prefix:
        return
    exact = (policy.model.dtype, precision) == (torch.float32, "32-true")
    with gathered(policy):
        differences = all_gather(_sharing_gap(policy, groups))
    if not all(difference < (1e-4 if exact else 0.05) for difference in differences):
        policy.supports_shared_prefix = False
        rank_zero_warn(
            f"{policy.path} is scored with one row for every completion: with a shared prefix its "
            f"log-probs differ by {max(differences):.2g} on average"
        )


def _sharing_gap(policy: Policy, groups: Sequence[Group]) -> float:
    if not groups:  # a rank without prompts
        return 0.0
    shortest = [min(groups, key=lambda group: group.length)]
    with torch.no_grad():
        shared, dense = (score(policy, shortest, 1.0, way) for way in (True, False))
    return (shared.log_probs - dense.log_probs).abs().mean().item()


def check_images_matter(policy: Policy, groups: Sequence[Group]) -> float | None:
    """Score a group with its own images and with another problem's; equal log-probs stop the run.

    A policy whose images get lost on the way trains on text alone, and its loss looks normal.
    Returns the mean difference of log-probs, or None where no rank's groups have images.
    """
    with gathered(policy):
        gaps = [gap for gap in all_gather(_image_gap(policy, groups)) if gap is not None]
    if gaps and min(gaps) == 0:
        raise BadInput(
            f"{policy.path} does not see its images: the log-probs of completions are the same "
            "with another problem's images; the policy was not updated"
        )
    return sum(gaps) / len(gaps) if gaps else None


def _image_gap(policy: Policy, groups: Sequence[Group]) -> float | None:
    with_images = [group for group in groups if group.prompt.problem.images]
    if not with_images:
        return None
    group = min(with_images, key=lambda group: group.length)
    problems = [other.prompt.problem for other in with_images]
    swapped = replace(group, prompt=_with_other_images(policy, group.prompt, problems))
    training = policy.training
    # Dropout would make a difference where there is none.
    policy.eval()
    try:
        with torch.no_grad():
            own, other = (score(policy, [version]).log_probs for version in (group, swapped))
    finally:
        policy.train(training)
    return (own - other).abs().mean().item()


def _with_other_images(policy: Policy, prompt: Prompt, problems: Sequence[Problem]) -> Prompt:
    """The same prompt with another problem's images, in the sizes of its own.

    Equal sizes make equal numbers of image tokens, so that nothing but pixels differs.
    """
    own = prompt.problem.open_images()
    others = [problem for problem in problems if len(problem.images) == len(own)]
    for problem in [*others, None]:
        images = (
            [ImageChops.invert(image.convert("RGB")) for image in own]
            if problem is None
            else [
                image.resize(target.size)
                for image, target in zip(problem.open_images(), own, strict=True)
            ]
        )
        if any(
            image.tobytes() != target.tobytes() for image, target in zip(images, own, strict=True)
        ):
            break
    return policy.encoder.with_images(prompt, images)
