"""`ask`: one question about images, answered in the terminal token by token."""

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from reasonrft.cli.exit_codes import exit_code
from reasonrft.errors import BadInput
from reasonrft.images import ImageFault, open_image
from reasonrft.problems import Problem
from reasonrft.tasks import find_task
from reasonrft.tasks.tags import read_response

UNFINISHED = "\ufffd"
"""What bytes of a character are decoded to until the others have come."""


def run_ask(args: Sequence[str]) -> int:
    """`ask MODEL IMAGE… QUESTION`; returns the exit code."""
    return exit_code(_ask, _parser().parse_args(list(args)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reasonrft ask",
        description="Ask a model about images. Reasoning and answer are printed as they come.",
        usage='reasonrft ask MODEL IMAGE [IMAGE ...] "QUESTION" [options]',
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="tiny, tiny-counting, a folder, or a Hugging Face name")
    add("rest", metavar="IMAGE", nargs="+", help="files of images; last of all the question")
    add("--max-tokens", type=int, default=512, help="most tokens of the answer (default 512)")
    add("--temperature", type=float, default=0.0, help="0, the default, takes the likeliest token")
    add("--task", default="general", help="whose prompt asks: a task's name (default general)")
    add("--json", action="store_true", help="print one JSON object instead of the text")
    return parser


def _ask(chosen: argparse.Namespace) -> int:
    *images, question = chosen.rest
    _check(images, question, chosen.task, chosen.max_tokens, chosen.temperature)
    problem = Problem(
        id="question",
        task=chosen.task,
        images=tuple(map(Path, images)),
        question=question,
        answer="",
    )
    on_text = (lambda text: None) if chosen.json else _print_now
    text, tokens, stopped = answer(
        chosen.model, problem, chosen.max_tokens, chosen.temperature, on_text
    )
    if chosen.json:
        print(json.dumps(_report(chosen.model, problem, text, tokens, stopped)))
        return 0
    print()
    if not stopped:
        cut = f"cut after {tokens} tokens; --max-tokens allows more"
        print(f"reasonrft: {cut}", file=sys.stderr)
    return 0


def _check(
    images: Sequence[str], question: str, task: str, max_tokens: int, temperature: float
) -> None:
    if Path(question).is_file():
        raise BadInput(f"the last word is the question, and {question} is a file: ask something")
    if not images:
        raise BadInput('there is no image: give its file before the question, as cat.png "Why?"')
    for image in images:
        try:
            open_image(Path(image))
        except ImageFault as error:
            raise BadInput(f"{image} cannot be used: {error}") from error
    find_task(task)
    if max_tokens < 1:
        raise BadInput(f"--max-tokens is {max_tokens}: use a number from 1")
    if not math.isfinite(temperature) or temperature < 0:
        raise BadInput(f"--temperature is {temperature:g}: use 0 or a positive number")


def answer(
    model: str,
    problem: Problem,
    max_tokens: int,
    temperature: float,
    on_text: Callable[[str], None],
) -> tuple[str, int, bool]:
    """The answer's text, its number of tokens, and whether it ended by itself.

    Args:
        model: What the policy is loaded from.
        problem: The question, with its images.
        max_tokens: Tokens after which the answer is cut.
        temperature: How it is sampled.
        on_text: Called with every new piece of text.
    """
    import torch

    from reasonrft.policy import Policy
    from reasonrft.rollout import LocalEngine, Sampling

    policy = Policy(model)
    batch = policy.encoder.prompts([problem], [find_task(problem.task).prompt(problem)])
    policy.load()
    policy.to("cuda" if torch.cuda.is_available() else "cpu")
    engine = LocalEngine()
    engine.sync(policy, 0)
    stream = TextStream(policy.encoder.decode, policy.stop_ids, on_text)
    sampling = Sampling(temperature=temperature, max_tokens=max_tokens)
    rollout = engine.generate(batch, 1, sampling, on_token=stream.add)
    completion = rollout.completions[0][0]
    return rollout.texts[0][0], len(completion.ids), completion.stopped


class TextStream:
    """Turns tokens into text piece by piece; a character is passed on when it is whole."""

    def __init__(
        self,
        decode: Callable[[Any], str],
        stop_ids: frozenset[int],
        on_text: Callable[[str], None],
    ) -> None:
        """
        Args:
            decode: Makes text of a tensor of ids.
            stop_ids: Tokens that end a completion, and are no text.
            on_text: Called with every new piece of text.
        """
        self.decode, self.stop_ids, self.on_text = decode, stop_ids, on_text
        self.ids: list[int] = []
        self.passed = 0

    def add(self, rows: Any, tokens: Any) -> None:
        """One more token of the only row."""
        import torch

        (token,) = tokens.tolist()
        if token not in self.stop_ids:
            self.ids.append(token)
        text = self.decode(torch.tensor(self.ids, dtype=torch.long))
        if token in self.stop_ids or not text.endswith(UNFINISHED):
            self.on_text(text[self.passed :])
            self.passed = len(text)


def _print_now(text: str) -> None:
    """Print without control characters, which could make a terminal do things."""
    print(
        "".join(sign for sign in text if sign.isprintable() or sign in "\n\t"), end="", flush=True
    )


def _report(model: str, problem: Problem, text: str, tokens: int, stopped: bool) -> dict[str, Any]:
    response = read_response(text)
    return {
        "model": model,
        "images": [str(image) for image in problem.images],
        "question": problem.question,
        "completion": text,
        "reasoning": response.thought,
        "answer": response.answer,
        "tokens": tokens,
        "cut": not stopped,
    }
