"""Reading prompts that end with the question: what verl and TRL have in common."""

from collections.abc import Mapping
from typing import Any

from reasonrft.problems import Problem
from reasonrft.readers.base import RecordContext, RecordFault, Row
from reasonrft.readers.chat_turns import Conversation, images_inside, read_conversation
from reasonrft.readers.make_problem import make_problem
from reasonrft.readers.record_images import KEYS, read_images


def prompt_problem(
    row: Row,
    context: RecordContext,
    gold: tuple[str, object],
    used: list[str],
    meta: Mapping[str, Any],
) -> Problem:
    """The problem of a row whose `prompt` is text, or messages that end with the question."""
    prompt = row["prompt"]
    if isinstance(prompt, str):
        conversation = Conversation(prompt, None, {})
    else:
        conversation = read_conversation(prompt, "prompt", context.tags)
    if conversation.answer is not None:
        raise RecordFault("prompt", "must end with a user's turn, which asks the question")
    inside = images_inside(prompt) if all(row.get(key) is None for key in KEYS) else []
    images = read_images(inside, "prompt", context.root) if inside else None
    all_meta = {**meta, **conversation.meta}
    question = ("prompt", conversation.question)
    used = [*used, "prompt"]
    return make_problem(row, context, question, gold, used=used, meta=all_meta, images=images)
