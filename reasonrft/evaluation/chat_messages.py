"""Requests to an OpenAI-compatible endpoint, and its responses."""

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

_MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg"}
"""Formats that every endpoint reads."""


def write_messages(problem: Problem, text: str) -> list[Message]:
    """A problem as a conversation that holds its images."""
    images = iter([_image_part(problem, image) for image in problem.images])
    return [
        {"role": message["role"], "content": _content(message, images)}
        for message in conversation(problem, text)
    ]


def _content(message: Message, images: Iterator[Message]) -> str | list[Message]:
    """Parts of the user's turns, text of the others: not every endpoint reads parts there."""
    parts = message["content"]
    if message["role"] != "user":
        return "".join(part["text"] for part in parts)
    return [next(images) if part["type"] == "image" else part for part in parts]


def _image_part(problem: Problem, image: Path | bytes) -> Message:
    try:
        data, media_type = _encode(image)
    except (ImageFault, OSError) as error:
        raise BadInput(f"problem {problem.id!r}: {error}") from error
    url = f"data:{media_type};base64,{base64.b64encode(data).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def _encode(image: Path | bytes) -> tuple[bytes, str]:
    """An image's bytes and media type; formats that not every endpoint reads become PNG."""
    pixels = open_image(image)
    data = image if isinstance(image, bytes) else image.read_bytes()
    with Image.open(io.BytesIO(data)) as file:
        media_type = _MEDIA_TYPES.get(file.format or "")
    if media_type:
        return data, media_type
    png = io.BytesIO()
    pixels.save(png, format="PNG")
    return png.getvalue(), "image/png"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, and the tokens that it took."""

    text: str
    prompt_tokens: int = 0
    tokens: int = 0
    """0 where an endpoint does not count."""
    truncated: bool = False


def read_reply(content: Any) -> Reply:
    """The first choice of a response; raises `ValueError` if it is no chat completion."""
    try:
        choice = content["choices"][0]
        text, reason = choice["message"]["content"], choice.get("finish_reason")
        usage = content.get("usage") or {}
        prompt, answer = (
            int(usage.get(f"{kind}_tokens") or 0) for kind in ("prompt", "completion")
        )
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError("no choices with a message") from error
    if not isinstance(text, str | None):
        raise ValueError("a message whose content is not text")
    # A refusal has no content, and is no answer.
    return Reply(text or "", prompt, answer, reason == "length")


def error_text(content: Any) -> str:
    """The reason that an error response gives, or nothing."""
    error = content.get("error", content) if isinstance(content, dict) else None
    reason = error.get("message", error.get("detail")) if isinstance(error, dict) else error
    return " ".join(str(reason or "").split())
