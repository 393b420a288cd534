"""Problems with images of one colour each, different in every problem."""

import io

from PIL import Image

from reasonrft.policy import Group, Policy, PromptBatch
from reasonrft.problems import Problem
from reasonrft.rollout import LocalEngine, Rollout, Sampling


def image(color: tuple[int, int, int], size: tuple[int, int] = (56, 42)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, "PNG")
    return file.getvalue()


def problem(number: int, images: int, question: str = "How many?") -> Problem:
    shown = tuple(image((40 * at + 20 * number, 90, 200 - 30 * at)) for at in range(images))
    return Problem(f"p{number}", "general", shown, question, "1")


def ragged(policy: Policy, text_only: bool = True) -> PromptBatch:
    """Prompts of different lengths with 1, 2 and 3 images, and with none."""
    problems = [problem(0, 1), problem(1, 2, "What is in the first of them?"), problem(2, 3, "x")]
    problems += [problem(3, 0, "Without any image")] if text_only else []
    return policy.encoder.prompts(problems, [one.question for one in problems])


def groups_of(batch: PromptBatch, rollout: Rollout) -> list[Group]:
    return [
        Group(prompt, [completion.ids for completion in group])
        for prompt, group in zip(batch.prompts, rollout.completions, strict=True)
    ]


def generate(
    policy: Policy,
    batch: PromptBatch,
    group_size: int,
    sampling: Sampling,
    seed: int = 0,
    step: int = 0,
) -> Rollout:
    """A rollout of the local engine."""
    engine = LocalEngine()
    engine.sync(policy, step)
    return engine.generate(batch, group_size, sampling, seed, step)
