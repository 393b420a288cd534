"""A problem as a conversation: what came before, its images, and the words it is asked in."""

from typing import Any

from reasonrft.errors import BadInput
from reasonrft.problems import IMAGE_TAG, Problem

Message = dict[str, Any]


def conversation(problem: Problem, text: str) -> list[Message]:
    """Messages whose content is text and images, in the places where these stand.

    Images without tags come first in the first turn.
    """
    turns = [*problem.meta.get("history", ()), [text, None]]
    images = len(problem.images)
    tags = sum(asked.count(IMAGE_TAG) for asked, _ in turns)
    if tags not in (0, images):
        raise BadInput(
            f"problem {problem.id!r}: {tags} {IMAGE_TAG} tags for {images} images in its prompt"
        )
    system = problem.meta.get("system")
    messages = [says("system", system)] if isinstance(system, str) else []
    for index, (asked, answered) in enumerate(turns):
        leading = images if index == 0 and not tags else 0
        messages.append({"role": "user", "content": _content(asked, leading)})
        if answered is not None:
            messages.append(says("assistant", answered))
    return messages


def says(role: str, text: str) -> Message:
    return {"role": role, "content": [{"type": "text", "text": text}]}


def _content(text: str, leading: int) -> list[Message]:
    content: list[Message] = [{"type": "image"}] * leading
    for index, words in enumerate(text.split(IMAGE_TAG)):
        content = content + [{"type": "image"}] * (index > 0)
        if words.strip():
            content = content + [{"type": "text", "text": words}]
    return content
