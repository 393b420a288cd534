"""What is said to an OpenAI-compatible endpoint, and what it says."""

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from reasonrft.conversation import Message, conversation
from reasonrft.errors import BadInput
from reasonrft.images import ImageFault, open_image
from reasonrft.problems import Problem

_AS_THEY_ARE = {"PNG": "image/png", "JPEG": "image/jpeg"}
"""Formats that every endpoint reads."""


def write_messages(problem: Problem, text: str) -> list[Message]:
    """A problem as a conversation, with its pictures in it."""
    pictures = iter([_picture(problem, image) for image in problem.images])
    return [
        {"role": message["role"], "content": _written(message, pictures)}
        for message in conversation(problem, text)
    ]


def _written(message: Message, pictures: Iterator[Message]) -> str | list[Message]:
    """Not every endpoint reads parts in other turns than the user's."""
    parts = message["content"]
    if message["role"] != "user":
        return "".join(part["text"] for part in parts)
    return [next(pictures) if part["type"] == "image" else part for part in parts]


def _picture(problem: Problem, image: Path | bytes) -> Message:
    try:
        data, kind = _encoded(image)
    except (ImageFault, OSError) as error:
        raise BadInput(f"problem {problem.id!r}: {error}") from error
    url = f"data:{kind};base64,{base64.b64encode(data).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def _encoded(image: Path | bytes) -> tuple[bytes, str]:
    """A picture's bytes and their kind; what not every endpoint reads becomes PNG."""
    picture = open_image(image)
    data = image if isinstance(image, bytes) else image.read_bytes()
    with Image.open(io.BytesIO(data)) as file:
        known = _AS_THEY_ARE.get(file.format or "")
    if known:
        return data, known
    drawn = io.BytesIO()
    picture.save(drawn, format="PNG")
    return drawn.getvalue(), "image/png"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, and what it took."""

    text: str
    prompt_tokens: int = 0
    tokens: int = 0
    """0 where an endpoint does not count."""
    truncated: bool = False


def read_reply(content: Any) -> Reply:
    """The first choice of a response; raises `ValueError` on what is no response."""
    try:
        choice = content["choices"][0]
        text, reason = choice["message"]["content"], choice.get("finish_reason")
        usage = content.get("usage") or {}
        asked, tokens = (int(usage.get(f"{kind}_tokens") or 0) for kind in ("prompt", "completion"))
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError("no choices with a message") from error
    if not isinstance(text, str | None):
        raise ValueError("a message whose content is not text")
    # A refusal has no content, and is no answer.
    return Reply(text or "", asked, tokens, reason == "length")


def said_in(content: Any) -> str:
    """What an error response gives as its reason, or nothing."""
    error = content.get("error", content) if isinstance(content, dict) else None
    said = error.get("message", error.get("detail")) if isinstance(error, dict) else error
    return " ".join(str(said or "").split())[:200]
