"""Evaluating a model that somebody else serves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reasonrft.distributed.ranks import print_once
from reasonrft.errors import BadInput
from reasonrft.evaluation.answers import Answers
from reasonrft.evaluation.endpoint_client import Endpoint
from reasonrft.modules.evaluation import EvaluatedModule
from reasonrft.problems import Problem


@dataclass(frozen=True)
class Questions:
    """Problems and the words in which they are asked; nothing is encoded here."""

    problems: list[Problem]
    texts: list[str]

    def select(self, rows: Sequence[int]) -> "Questions":
        return Questions([self.problems[row] for row in rows], [self.texts[row] for row in rows])


class QuestionEncoder:
    """Leaves problems as they are, for an endpoint has an encoder of its own."""

    def prompts(self, problems: Sequence[Problem], texts: Sequence[str]) -> Questions:
        return Questions(list(problems), list(texts))

    def seen_size(self, size: tuple[int, int]) -> tuple[int, int]:
        raise BadInput(
            "it is not known to what size an endpoint resizes images: ask it for boxes in "
            "thousandths (--data.task GroundingTask --data.task.coordinates thousandths)"
        )


class EndpointModule(EvaluatedModule):
    """A model behind an OpenAI-compatible endpoint: it can be evaluated, and not trained."""

    def __init__(
        self,
        endpoint: Endpoint,
        answer_tokens: int = 1024,
        results: str | None = None,
        blind: bool = False,
        swap: bool = False,
    ) -> None:
        """
        Args:
            endpoint: Who is asked, and how.
            answer_tokens: Most tokens of an answer.
            results: Folder for answers and report; if not given, one below the trainer's
                default_root_dir, named after the model.
            blind: Let `test` also ask every question without its images.
            swap: Let `test` also ask every question with another problem's images.
        """
        super().__init__(answer_tokens, results, blind, swap)
        self.endpoint = endpoint

    @property
    def encoder(self) -> QuestionEncoder:
        return QuestionEncoder()

    def answer(self, batch: Questions, max_tokens: int) -> Answers:
        replies = self.endpoint.ask_all(batch.problems, batch.texts, max_tokens)
        return Answers(
            [reply.text for reply in replies],
            [reply.tokens for reply in replies],
            [reply.truncated for reply in replies],
        )

    def identity(self) -> dict[str, Any]:
        asked = self.endpoint
        fields = {"request": asked.request, "omit": list(asked.omit)}
        return {"policy": asked.model, "endpoint": asked.address, **fields}

    def teardown(self, stage: str) -> None:
        print_once(self._bill())

    def _bill(self) -> str:
        asked = self.endpoint
        return (
            f"{asked.requests_sent} requests, {asked.prompt_tokens:,} + {asked.answer_tokens:,} "
            f"tokens, cost {asked.cost:.4f}"
        )
