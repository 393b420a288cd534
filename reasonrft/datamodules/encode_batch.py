"""From problems to what a module learns from: the work of a loader's processes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from reasonrft.errors import BadInput
from reasonrft.problems import Problem
from reasonrft.tasks import Task, find_task
from reasonrft.tasks.tags import write_response

Target = Literal["cot", "answer"]
Kind = Literal["examples", "prompts", "pairs"]


@dataclass(frozen=True)
class Asking:
    """How problems are put into words: the prompt, and the response that is to be learned."""

    task: Task | None
    """Whose prompts are used; each problem's own if not given."""
    target: Target

    def prompt(self, problem: Problem) -> str:
        task = self.task or find_task(problem.task)
        return task.prompt(problem, reasoning=self.target == "cot")

    def response(self, problem: Problem) -> str:
        if self.target == "answer":
            return problem.answer
        return write_response(problem.cot, problem.answer)

    def responses(self, problem: Problem, kind: Kind) -> tuple[str, ...]:
        """What is learned from: nothing yet, a response, or a better and a worse one."""
        if kind == "prompts":
            return ()
        if kind == "examples":
            return (self.response(problem),)
        return problem.meta["chosen"], problem.meta["rejected"]


@dataclass(frozen=True)
class Encode:
    """Makes a batch of some problems, or says what is wrong with one of them."""

    encoder: Any
    asking: Asking
    kind: Kind

    def __call__(self, problems: Sequence[Problem]) -> Any:
        try:
            return self._encode(problems)
        except BadInput as error:
            # Raised in a loader's process it would arrive as a traceback.
            return BadInput(str(error))

    def _encode(self, problems: Sequence[Problem]) -> Any:
        if self.kind == "prompts":
            texts = [self.asking.prompt(problem) for problem in problems]
            return self.encoder.prompts(problems, texts)
        encode = self.encoder.example if self.kind == "examples" else self.encoder.pair
        return [encode(problem, *self._said(problem)) for problem in problems]

    def length(self, problem: Problem) -> int:
        """Tokens of a problem: with its responses where those are to be learned from."""
        return self.encoder.length(problem, *self._said(problem))

    def _said(self, problem: Problem) -> tuple[str, ...]:
        return self.asking.prompt(problem), *self.asking.responses(problem, self.kind)
