"""How records are written: one function per layout, from a problem to a row."""

import json
from typing import Any

from reasonrft.problems import IMAGE_TAG, Problem
from reasonrft.tasks import TASKS, Task, find_task
from reasonrft.tasks.tags import write_response

Row = dict[str, Any]

_OWN_KEYS = ("id", "image", "images", "problem", "solution", "answer", "cot", "choices", "task")
_TALK_KEYS = ("system", "history", "messages", "conversations")


def answer_row(problem: Problem, images: list[str], task: Task) -> Row:
    """ANS-SFT: the prompt that asks for the bare answer, and the answer."""
    return _talk(problem, images, task.prompt(problem, reasoning=False), problem.answer)


def thought_row(problem: Problem, images: list[str], task: Task) -> Row:
    """CoT-SFT: the prompt that asks for thought and answer, and both."""
    response = write_response(problem.cot, problem.answer)
    return _talk(problem, images, task.prompt(problem), response)


def reinforcement_row(problem: Problem, images: list[str], task: Task) -> Row:
    """RL: the question without prompt, its answer under both names, and what else is known."""
    row: Row = {"id": problem.id}
    if images:
        row["image"] = images[0] if len(images) == 1 else images
    row |= {"problem": problem.question, "solution": problem.answer, "answer": problem.answer}
    return row | _rest(problem, _OWN_KEYS)


def meta_row(problem: Problem, images: list[str], unsaid: tuple[str, ...]) -> Row:
    """The release's meta record, with its chain of thought; some of meta may stay unsaid."""
    row = reinforcement_row(problem, images, find_task(problem.task))
    row = {key: value for key, value in row.items() if key not in ("solution", *unsaid)}
    return row | {"cot": problem.cot}


def sharegpt_row(problem: Problem, images: list[str], task: Task) -> Row:
    """ShareGPT: the plain question, and the answer with its thought where there is one."""
    response = write_response(problem.cot, problem.answer) if problem.cot else problem.answer
    row = _talk(problem, images, problem.question, response)
    return row | _rest(problem, (*_OWN_KEYS, *_TALK_KEYS))


def _talk(problem: Problem, images: list[str], user: str, assistant: str) -> Row:
    history = problem.meta.get("history") or []
    tagged = IMAGE_TAG in problem.question or any(
        IMAGE_TAG in text for pair in history for text in pair
    )
    turns = [(role, text) for pair in history for role, text in zip(_SPEAKERS, pair, strict=True)]
    if isinstance(system := problem.meta.get("system"), str):
        turns.insert(0, ("system", system))
    turns.append(("user", user if tagged else IMAGE_TAG * len(images) + user))
    turns.append(("assistant", assistant))
    messages = [{"role": role, "content": text} for role, text in turns]
    return {"id": problem.id, "messages": messages, "images": images}


_SPEAKERS = ("user", "assistant")


def _rest(problem: Problem, taken: tuple[str, ...]) -> Row:
    """Task, choices, and what meta holds that JSON can; readers find all of it again."""
    rest: Row = {"task": problem.task} if problem.task in [task.name for task in TASKS] else {}
    if problem.choices:
        rest["choices"] = list(problem.choices)
    for key, value in problem.meta.items():
        if key == "options" and problem.task == "transformation":
            # Arrow, which other projects read JSON with, has no lists of unlike things.
            value = [{"step": step, "values": values} for step, values in value]
        if key not in taken and _writable(value):
            rest[key] = value
    return rest


def _writable(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return True
