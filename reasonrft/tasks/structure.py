"""Structure perception: geometry, tables, dice, reflections; choices and numbers."""

from pathlib import Path
from typing import ClassVar

from reasonrft.problems import Problem
from reasonrft.tasks.base import read_template
from reasonrft.tasks.choices import choices_in, read_choice
from reasonrft.tasks.general import GeneralTask


class StructureTask(GeneralTask):
    """Asks for a letter where the question lists options, for a number elsewhere."""

    name = "structure"
    title = "Structure perception"
    default_choice = (
        "{question}\nWork it out step by step inside <think> </think>, "
        "then give the letter of the right option alone inside <answer> </answer>."
    )
    reasoning_template = (
        "{question}\nWork it out step by step inside <think> </think>, "
        "then give the number alone inside <answer> </answer>."
    )
    ood_splits = ("ood",)
    reference_functions: ClassVar = {"scripts": "accuracy", "paper": "math_accuracy"}

    def __init__(
        self,
        template: str | Path | None = None,
        answer_template: str | Path | None = None,
        choice_template: str | Path | None = None,
    ) -> None:
        """
        Args:
            template: Prompt for thought and a number: text with {question}, or its file.
            answer_template: Prompt for the answer alone: text with {question}, or its file.
            choice_template: Prompt for thought and a letter; the first one if not given.
        """
        super().__init__(template, answer_template)
        self.choice_prompt = read_template(choice_template) or self.template or self.default_choice

    def reasoning_prompt(self, problem: Problem) -> str:
        options = problem.choices or choices_in(problem.question)
        return self.choice_prompt if options else super().reasoning_prompt(problem)

    def fault(self, problem: Problem) -> str | None:
        options = problem.choices or choices_in(problem.question)
        letter = problem.answer.strip(" ().")
        if options and letter in tuple("ABCDEFGH") and read_choice(letter, options) is None:
            return f"{problem.answer!r} is not one of the {len(options)} options"
        return super().fault(problem)
