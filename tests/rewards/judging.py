"""Endpoints that judge, and problems whose answers they judge."""

import re
from pathlib import Path
from typing import Any

from reasonrft.evaluation.endpoint_client import Endpoint
from reasonrft.problems import Problem
from reasonrft.rewards import EndpointReward
from tests.evaluation.serving import Answer, Served, said

KEY = "sk-of-this-test"

_BLOCK = re.compile(r"^BEGIN DATA (\w+)\n(.*?)\nEND DATA \1$", re.MULTILINE | re.DOTALL)


def endpoint(server: Served, folder: Path, **options: Any) -> Endpoint:
    """A client that does not try again, whose key is in TEST_KEY."""
    given = {"retries": 0, "timeout": 5.0, "cache": str(folder / "replies"), **options}
    return Endpoint(server.url, "judge", "TEST_KEY", **given)


def problem(number: int = 1, answer: str = "a red cube", **fields: Any) -> Problem:
    fields = {"task": "general", "images": (), "question": "What is left?", **fields}
    return Problem(f"p{number}", answer=answer, **fields)


def answers(*texts: str) -> list[str]:
    return [f"<think>t</think><answer>{text}</answer>" for text in texts]


def asked(body: dict[str, Any]) -> str:
    """What the user says in a request."""
    (message,) = body["messages"]
    return message["content"]


def blocks(body: dict[str, Any]) -> list[str]:
    """The data that a request shows, as whoever follows its rules finds it."""
    return [data for _, data in _BLOCK.findall(asked(body))]


def grades(**by_answer: object) -> Any:
    """A judge that knows the grades of some answers, and gives 0 to others."""

    def judge(number: int, body: dict[str, Any]) -> Answer:
        return said(f"I think.\nGrade: {by_answer.get(blocks(body)[-1], 0)}")

    return judge


class Vowels(EndpointReward):
    """Has an endpoint count the vowels of whatever was written."""

    def question(self, completion: str, problem: Problem) -> str:
        return f"{problem.question}\n{completion}"

    def grade(self, reply: str, problem: Problem) -> float:
        return float(reply)


def count_vowels(number: int, body: dict[str, Any]) -> Answer:
    text = asked(body)
    return said(str(sum(sign in "aeiou" for sign in text) / (1 + len(text))))
