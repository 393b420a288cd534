"""What a task is: how its questions are asked and when an answer is right."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar, Literal

from reasonrft.errors import BadInput
from reasonrft.problems import Problem
from reasonrft.tasks.official_rules import DEFAULT_RULES, OfficialRules, official_agreement
from reasonrft.tasks.reference_functions import REFERENCE_FUNCTIONS, ReferenceName
from reasonrft.tasks.tags import read_response

QUESTION = "{question}"


class Task:
    """A kind of question; subclass it, override `agrees`, and name it by class_path."""

    name: ClassVar[str] = ""
    """What records and options call it."""
    title: ClassVar[str] = ""
    """What tables call it; the name, if there is none."""
    reasoning_template: ClassVar[str] = (
        "{question}\nThink step by step inside <think> </think>, "
        "then give the final answer inside <answer> </answer>."
    )
    answer_template: ClassVar[str] = QUESTION
    ood_splits: ClassVar[tuple[str, ...]] = ()
    """Splits that evaluation counts as out of domain."""
    reference_functions: ClassVar[Mapping[Literal["scripts", "paper"], ReferenceName]] = {
        "scripts": "accuracy",
        "paper": "accuracy",
    }
    """What the reference trains this task with, by its scripts and by its paper."""

    def __init__(
        self, template: str | Path | None = None, answer_template: str | Path | None = None
    ) -> None:
        """
        Args:
            template: Prompt for thought and answer: text with {question}, or its file.
            answer_template: Prompt for the answer alone: text with {question}, or its file.
        """
        self.template = read_template(template)
        self.answer_prompt = read_template(answer_template) or self.answer_template

    def prompt(self, problem: Problem, reasoning: bool = True) -> str:
        """The user's turn, without image tags of its own."""
        template = self.reasoning_prompt(problem) if reasoning else self.answer_prompt
        return template.replace(QUESTION, problem.question)

    def reasoning_prompt(self, problem: Problem) -> str:
        return self.template or self.reasoning_template

    def prepared(
        self, problem: Problem, seen_size: Callable[[tuple[int, int]], tuple[int, int]]
    ) -> Problem:
        """The problem as it is put to a model that sees images of one size in another."""
        return problem

    def accuracy(self, completion: str, problem: Problem) -> float:
        """1 for a completion that commits to one right answer and states no other, else 0."""
        statements = read_response(completion).statements
        right = bool(statements) and all(self.agrees(text, problem) for text in statements)
        return float(right)

    def reward(self, completion: str, problem: Problem) -> float:
        """What training pays: the accuracy, unless a task pays for part of an answer too."""
        return self.accuracy(completion, problem)

    def official_accuracy(
        self, completion: str, problem: Problem, rules: OfficialRules = DEFAULT_RULES
    ) -> float:
        """What the reference's evaluation gives."""
        return float(official_agreement(completion, problem.solution, rules))

    def reference_reward(
        self, completion: str, problem: Problem, profile: Literal["scripts", "paper"]
    ) -> float:
        """What the reference's training gives."""
        function = REFERENCE_FUNCTIONS[self.reference_functions[profile]]
        return function(completion, problem.solution)

    def agrees(self, answer: str, problem: Problem) -> bool:
        """Whether an answer, without tags, is right."""
        raise NotImplementedError(f"{type(self).__name__} does not say when an answer is right")

    def fault(self, problem: Problem) -> str | None:
        """What is wrong with the gold answer, in one clause, or None."""
        return None if problem.answer.strip() else "the answer is empty"


def read_template(template: str | Path | None) -> str | None:
    """A prompt template given as text, or as the name of a file that holds it."""
    if template is None:
        return None
    text = str(template)
    if QUESTION not in text:
        if not Path(text).is_file():
            raise BadInput(f"prompt template {text!r} has no {QUESTION} and is not a file")
        text = Path(text).read_text(encoding="utf-8")
        if QUESTION not in text:
            raise BadInput(f"prompt template file {template} has no {QUESTION}")
    return text
