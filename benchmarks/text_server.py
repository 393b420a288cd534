"""An OpenAI-compatible endpoint for recipes that ask one, with rules in place of a large model.

    python benchmarks/text_server.py --port 8001 --wrong 0.2

`model: judge` compares a counting answer with the right one, and grades a share of all answers the
other way round. `model: reasoner` reads the tiny model's list of objects, and counts.
"""

import hashlib
import json
import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from jsonargparse import CLI
from sight import objects_in

from reasonrft.oracles.count_questions import derive_count

_DATA = re.compile(r"^BEGIN DATA (\w+)\n(.*?)\nEND DATA \1$", re.MULTILINE | re.DOTALL)
_QUESTION = re.compile(r"[^\n]*\bHow many\b[^\n]*\?")


def serve(port: int = 8001, wrong: float = 0.0) -> None:
    """Answer until interrupted.

    Args:
        port: On this machine alone.
        wrong: Share of answers that the judge grades the other way round, chosen by a hash of what
            it is asked.
    """
    models = {"judge": partial(judge, wrong), "reasoner": reason}
    handler = type("Handler", (_Handler,), {"models": models})
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server, suppress(KeyboardInterrupt):
        server.serve_forever()


def judge(wrong: float, prompt: str) -> str:
    """A grade of 10 or 0 for the answer in a judge's prompt."""
    question, gold, answer = (data.strip() for _, data in _DATA.findall(prompt))
    digest = hashlib.sha256("\n".join((question, gold, answer)).encode()).digest()
    errs = int.from_bytes(digest[:4], "big") < wrong * 2**32
    return f"Grade: {0 if (answer == gold) == errs else 10}"


def reason(prompt: str) -> str:
    """The count that a description and a question give, or an answer that is none."""
    objects = [
        found for _, description in _DATA.findall(prompt) for found in objects_in(description)
    ]
    asked = _QUESTION.findall(_DATA.sub("", prompt))
    count = derive_count(asked[-1], objects) if asked else None
    return f"<answer>{'unknown' if count is None else count}</answer>"


class _Handler(BaseHTTPRequestHandler):
    models: dict[str, Callable[[str], str]]

    def do_POST(self) -> None:
        body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][-1]["content"]
        text = self.models[body["model"]](prompt)
        message = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": len(prompt) // 4, "completion_tokens": len(text) // 4}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        reply = json.dumps({"choices": choices, "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *args: Any) -> None:
        pass


if __name__ == "__main__":
    CLI(serve, as_positional=False)
