"""What can go wrong with an endpoint, each in one sentence that shows no secret."""

import json
from typing import TYPE_CHECKING, Any

from reasonrft.errors import BadInput
from reasonrft.evaluation.chat_messages import error_text

if TYPE_CHECKING:
    from openai import APIConnectionError, APIStatusError

_LONGEST = 200
_FOR_ALL = (401, 403, 404)
"""Statuses that every other request would meet too: of the key, the model or the address."""
_SHORTEST_SECRET = 4
"""Shorter keys are placeholders of servers that want none; their letters occur in any text."""


class NoReply(BadInput):
    """A request without an answer, which says nothing about other requests or a later time."""


def strike_out(text: str, secret: str) -> str:
    """Replace a secret, of which a server may repeat the beginning or the whole."""
    return text.replace(secret, "***") if len(secret) >= _SHORTEST_SECRET else text


def status_fault(
    error: "APIStatusError", address: str, model: str, variable: str, key: str
) -> BadInput:
    """A response that is no answer."""
    sentence = _status_sentence(error, address, model, variable, key)
    return BadInput(sentence) if error.status_code in _FOR_ALL else NoReply(sentence)


def _status_sentence(
    error: "APIStatusError", address: str, model: str, variable: str, key: str
) -> str:
    status = error.status_code
    reason = strike_out(error_text(_json(error.response.text)), key)[:_LONGEST]
    answer = f"{status}: {reason}" if reason else str(status)
    if status in (401, 403):
        verb = "refuses the key in" if key else "wants a key in the variable"
        return f"{address} {verb} {variable} ({answer})"
    if status == 404:
        answer += f"; is the address right, and has it a model {model!r}?"
    return f"{address} answers {answer}{_given_up(error)}"


def connection_fault(error: "APIConnectionError", address: str, timeout: float) -> str:
    """A sentence about a response that never came, or came in part."""
    cause = error.__cause__
    if "Timeout" in type(cause).__name__:
        reason = f"silent for {timeout:g} s"
    else:
        reason = str(cause) or type(cause).__name__
    return f"no answer from {address} ({' '.join(reason.split())[:_LONGEST]}){_given_up(error)}"


def no_completion(text: str, address: str, key: str) -> NoReply:
    """A response of status 200 that holds something else."""
    beginning = strike_out(text, key)[:40]
    return NoReply(
        f"{address} answers with something that is no chat completion, "
        f"beginning with {beginning!r}: is the address right?"
    )


def _given_up(error: "APIStatusError | APIConnectionError") -> str:
    """How often was asked, where asking again may help."""
    status = getattr(error, "status_code", 500)
    if status < 500 and status not in (408, 409, 429):
        return ""
    tries = 1 + int(error.request.headers.get("x-stainless-retry-count", 0))
    wait = error.response.headers.get("Retry-After") if hasattr(error, "response") else None
    wanted = f" and {wait} s to wait" if (wait or "0").isdecimal() and int(wait or 0) > 0 else ""
    return (
        f"; given up after {tries} {'try' if tries == 1 else 'tries'}{wanted}: "
        "what is answered so far is kept, and the same command goes on from there"
    )


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
