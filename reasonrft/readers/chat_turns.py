"""Reading conversations: messages with role and content, or turns with from and value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reasonrft.problems import IMAGE_TAG
from reasonrft.readers.base import RecordFault, short

_ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
}


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation taken apart: the last question is the one that counts."""

    question: str
    answer: str | None
    """None where the conversation ends with the question."""
    meta: dict[str, Any]
    """System turn and history, where there are any."""


def read_conversation(value: object, key: str, tags: Mapping[str, str]) -> Conversation:
    """Take apart a list of messages: [system], then user and assistant in turns."""
    turns = [_turn(turn, f"{key}[{at}]", tags) for at, turn in enumerate(_messages(value, key))]
    meta: dict[str, Any] = {}
    if turns and turns[0][0] == "system":
        meta["system"] = turns.pop(0)[1]
    for at, (role, _) in enumerate(turns):
        if role != ("user", "assistant")[at % 2]:
            raise RecordFault(key, f"turns must alternate user, assistant; turn {at + 1} is {role}")
    texts = [text for _, text in turns]
    if not texts:
        raise RecordFault(key, "holds no question")
    answer = texts.pop() if len(texts) % 2 == 0 else None
    question = texts.pop()
    if texts:
        meta["history"] = [list(pair) for pair in zip(texts[::2], texts[1::2], strict=True)]
    return Conversation(question, answer, meta)


def images_inside(value: object) -> list[object]:
    """Images that stand in the parts of messages."""
    images = []
    for turn in value if isinstance(value, Sequence) else ():
        content = turn.get("content") if isinstance(turn, Mapping) else None
        for part in content if isinstance(content, list) else ():
            if isinstance(part, Mapping) and part.get("type") == "image":
                images.append(part.get("image") or part.get("path"))
    return [image for image in images if image is not None]


def _messages(value: object, key: str) -> Sequence[Any]:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise RecordFault(key, f"must be a list of messages, not {short(value)}")
    return value


def _turn(turn: object, key: str, tags: Mapping[str, str]) -> tuple[str, str]:
    if not isinstance(turn, Mapping):
        raise RecordFault(key, f"must be an object with role and content, not {short(turn)}")
    role = _first(turn, key, tags.get("role_tag"), "role", "from")
    content = _first(turn, key, tags.get("content_tag"), "content", "value")
    named = {tags[f"{name}_tag"]: name for name in _ROLES if f"{name}_tag" in tags}
    known = _ROLES | named
    if not isinstance(role, str) or role not in known:
        raise RecordFault(key, f"role {short(role)} is not one of {', '.join(known)}")
    return known[role], _text(content, key)


def _first(turn: Mapping[str, Any], key: str, *names: str | None) -> Any:
    for name in names:
        if name is not None and name in turn:
            return turn[name]
    wanted = " or ".join(name for name in names if name)
    raise RecordFault(key, f"needs {wanted}; it has {', '.join(map(str, turn)) or 'no keys'}")


def _text(content: object, key: str) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list) and content and isinstance(content[0], int | float):
        return str(content)  # VLM-R1's boxes
    if not isinstance(content, list):
        raise RecordFault(key, f"content must be text or a list of parts, not {short(content)}")
    return "".join(_part(part, key) for part in content)


def _part(part: object, key: str) -> str:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if isinstance(part, Mapping) and kind == "image":
        return IMAGE_TAG
    if isinstance(part, Mapping) and kind == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    raise RecordFault(key, f"a part must be an image or a text, not {short(part)}")
