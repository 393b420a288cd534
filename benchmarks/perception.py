"""Measures what a policy sees in images, and how much it reasons already.

    python benchmarks/perception.py --policy tiny
    python benchmarks/perception.py --policy tiny --levels [1,2]

Attributes: whether the most likely next token of a caption is right, given the true tokens before
it, on held-out scenes of each kind and on real CLEVR images if they stand beside the repository.
Questions: accuracy of greedy answers, beside the share of the most frequent answer. With levels,
questions are asked that give all facts in words: what is wrong there is not seen wrongly.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice, product
from pathlib import Path
from typing import Any

import torch
from jsonargparse import CLI

from reasonrft.policy.collate import extend
from reasonrft.policy.encoder import Example
from reasonrft.policy.policy import Policy
from reasonrft.problems import Problem
from reasonrft.rollout import LocalEngine, Sampling
from reasonrft.tasks import find_task
from reasonrft.tasks.tags import ANSWER, read_response, write_response
from reasonrft.worlds import make_world
from reasonrft.worlds.perception.counting_perception import caption_of

REAL = Path(__file__).resolve().parents[2] / "shared" / "real" / "clevr"
REAL_SIZE = {"width": 480, "height": 320}
TASKS = ("counting", "structure", "transformation")

IN_WORDS: dict[str, dict[str, Any]] = {
    "counting": {"text_only": True},
    "structure": {"words": 1.0, "whole": 0.0},
    "transformation": {"words": 1.0, "whole": 0.0},
}
"""Arguments of perception's worlds with which questions hold all facts."""
_SEEN = r"(?P<size>\w+) (?P<colour>\w+) (?P<material>\w+) (?P<shape>\w+)"
PATTERNS = {
    "counting": [rf"x(?P<x>\d) y(?P<y>\d) {_SEEN}\."],
    "transformation": [
        rf"^r(?P<row>\d) c(?P<column>\d) {_SEEN}$",
        r"^\d \w+ \w+ \w+ \w+ r(?P<row>\d) c(?P<column>\d)$",
    ],
    "structure": [
        r"\A(?P<figure>[a-z ]+)\.",
        r"x(?P<x>\d) y(?P<y>\d) (?:(?P<letter>[A-Z])|(?P<number>\S+?))\.(?= |\Z)",
        r"axis (?P<axis>[\d ]+)\.",
        r"(?<![A-Z])(?P<name>[A-Z]) = (?P<height>\d+)\.",
        r"(?:parts|levels) = (?P<parts>\d+)\.",
        r"[A-Z]{2,3} = (?P<fact>\S+?)\.(?= |\Z)",
        r"(?:left|right) (?P<cells>[01 ]{19})\.",
        r"(?:left|right) (?P<capital>[A-Z])\.",
        r"(?:top|side) (?P<direction>\w+)\.",
    ],
}
"""Kinds of attributes, as captions write them; what a question gives away is left out."""

Tally = dict[str, list[int]]
"""For each kind of attribute: right ones, all."""


def measure(
    policy: str,
    scenes: int = 200,
    questions: int = 200,
    batch_size: int = 32,
    answer_tokens: int = 256,
    real: str = str(REAL),
    levels: Sequence[int] = (),
    output: str | None = None,
) -> None:
    """Print tables as Markdown.

    Args:
        policy: Folder, name on the Hugging Face hub, or tiny.
        scenes: Held-out scenes of each look.
        questions: Questions of each split.
        batch_size: Problems read together.
        answer_tokens: Most tokens of an answer.
        real: Folder of real CLEVR images with their scenes.json.
        levels: Levels of the worlds to be measured, instead of the preset and of real images.
        output: JSON file to write as well.
    """
    model = Policy(policy)
    model.load()
    model.eval()
    seen = {}
    answered = {}
    for task, level in product(TASKS, levels or (None,)):
        name = task if level is None else f"{task} {level}"
        world = make_world(f"perception-{task}", "tiny", level=level, whole=1.0)
        for look in world.looks:  # type: ignore[attr-defined]
            shown = (world.problem(look, index) for index in range(scenes))
            seen[f"{name}, {look}"] = attributes(model, shown, task, batch_size)
        for split, asked in asked_of(task, level, questions):
            answered[f"{name}, {split}"] = answers(model, asked, batch_size, answer_tokens)
    if not levels and Path(real).is_dir():
        seen["real CLEVR"] = attributes(model, real_problems(Path(real)), "counting", batch_size)
    print_attributes(seen)
    print_answers(answered)
    if output:
        results = {"policy": policy, "attributes": seen, "questions": answered}
        Path(output).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def asked_of(task: str, level: int | None, count: int) -> Iterator[tuple[str, list[Problem]]]:
    """The task's questions by test split; of a level, also some that give all facts in words."""
    world = make_world(task, "tiny", level=level)
    splits = {split: (world, split) for split in world.splits[2:]}
    if level is not None:
        worded = make_world(f"perception-{task}", "tiny", level=level, **IN_WORDS[task])
        splits["facts in words"] = worded, "val"
    for name, (asking, split) in splits.items():
        yield name, [asking.problem(split, index) for index in range(count)]


def real_problems(folder: Path) -> Iterator[Problem]:
    """Real images with the captions that our world would give them."""
    for scene in json.loads((folder / "scenes.json").read_text(encoding="utf-8"))["scenes"]:
        caption = caption_of(scene | REAL_SIZE)
        place, _, thing = caption[0].partition(" y")
        # Scenes name the original PNG; the samples may be JPEG.
        image = next((folder / "images").glob(f"{Path(scene['image_filename']).stem}.*"))
        yield Problem(
            id=scene["image_filename"],
            task="general",
            images=(image,),
            question=f"What is at {place} y{thing[0]}?",
            answer=thing[2:],
            cot=" ".join(f"{sentence}." for sentence in caption),
            meta={},
        )


def attributes(
    policy: Policy, problems: Iterator[Problem], task: str, batch_size: int
) -> dict[str, tuple[float, int]]:
    """Share of right tokens of each kind, and how many there are."""
    tally: Tally = defaultdict(lambda: [0, 0])
    while batch := list(islice(problems, batch_size)):
        texts = [find_task(problem.task).prompt(problem) for problem in batch]
        responses = [write_response(problem.cot, problem.answer) for problem in batch]
        examples = [
            policy.encoder.example(problem, text, response)
            for problem, text, response in zip(batch, texts, responses, strict=True)
        ]
        right = right_tokens(policy, examples)
        for problem, response, hits in zip(batch, responses, right, strict=True):
            start = response.index(problem.cot)
            for kind, token in kinds(policy, response, problem.cot, start, task):
                tally[kind][0] += hits[token]
                tally[kind][1] += 1
    return {kind: (hits / count, count) for kind, (hits, count) in tally.items()}


@torch.no_grad()
def right_tokens(policy: Policy, examples: Sequence[Example]) -> list[list[bool]]:
    """Whether each token of each response is the likeliest after the true ones."""
    rows = [extend(example.prompt.inputs, example.response) for example in examples]
    inputs = policy.collate(rows, "right")
    # Padding on the right comes after all that could see it.
    del inputs["attention_mask"]
    hidden = policy(**inputs, use_cache=False).last_hidden_state
    right = []
    for row, example in enumerate(examples):
        start, count = example.prompt.length - 1, len(example.response)
        likeliest = policy.head(hidden[row, start : start + count]).argmax(-1)
        right.append((likeliest.cpu() == example.response).tolist())
    return right


def kinds(
    policy: Policy, response: str, caption: str, start: int, task: str
) -> Iterator[tuple[str, int]]:
    """Kind and number of each token that tells an attribute."""
    offsets = policy.encoder.tokenizer(
        response, add_special_tokens=False, return_offsets_mapping=True
    )["offset_mapping"]
    for pattern in PATTERNS[task]:
        for match in re.finditer(pattern, caption, re.MULTILINE):
            for kind, (left, right) in (
                (kind, match.span(kind)) for kind, text in match.groupdict().items() if text
            ):
                for token, (first, last) in enumerate(offsets):
                    if first < start + right and last > start + left:
                        yield kind, token


def answers(
    policy: Policy, problems: Sequence[Problem], batch_size: int, answer_tokens: int
) -> dict[str, float]:
    """Greedy accuracy, share of clean answers, and what the most frequent gold answer would get."""
    right = clean = 0
    greedy = Sampling(temperature=0.0, max_tokens=answer_tokens)
    engine = LocalEngine()
    engine.sync(policy, 0)
    for first in range(0, len(problems), batch_size):
        batch = problems[first : first + batch_size]
        texts = [find_task(problem.task).prompt(problem) for problem in batch]
        rollout = engine.generate(policy.encoder.prompts(batch, texts), 1, greedy)
        for problem, (text, *_) in zip(batch, rollout.texts, strict=True):
            right += find_task(problem.task).accuracy(text, problem) == 1
            clean += ANSWER in text and read_response(text).answer is not None
    common = Counter(problem.answer for problem in problems).most_common(1)[0][1]
    count = len(problems)
    return {"accuracy": right / count, "clean": clean / count, "most common": common / count}


def print_attributes(seen: dict[str, dict[str, tuple[float, int]]]) -> None:
    print("| images | mean | least | attributes |\n|---|---|---|---|")
    for name, tallies in seen.items():
        shares = [share for share, _ in tallies.values()]
        listed = ", ".join(f"{kind} {share:.3f}" for kind, (share, _) in tallies.items())
        print(f"| {name} | {sum(shares) / len(shares):.3f} | {min(shares):.3f} | {listed} |")


def print_answers(answered: dict[str, dict[str, float]]) -> None:
    print("\n| questions | accuracy | most common answer | clean answers |\n|---|---|---|---|")
    for name, shares in answered.items():
        print(
            f"| {name} | {shares['accuracy']:.3f} | {shares['most common']:.3f} "
            f"| {shares['clean']:.3f} |"
        )


if __name__ == "__main__":
    CLI(measure, as_positional=False)
