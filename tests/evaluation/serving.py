"""A real HTTP server that answers as an endpoint would, or as one should not."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """One response."""

    status: int = 200
    body: Any = ""
    headers: dict[str, str] = field(default_factory=dict)
    after: float = 0.0
    """Seconds of silence before it."""
    claimed: int = 0
    """Bytes announced and never sent."""
    trickle: float = 0.0
    """Seconds between two bytes."""


def said(text: str, **choice: Any) -> Answer:
    """A chat completion with this text."""
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 1000, "completion_tokens": 10}
    choice = {"message": message, "finish_reason": "stop", **choice}
    return Answer(body={"choices": [choice], "usage": usage})


class Served(ThreadingHTTPServer):
    """What it was asked, and how it answers the n-th request."""

    daemon_threads = True

    def __init__(self, respond: Callable[[int, dict[str, Any]], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.respond = respond
        self.bodies: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.keys: list[str | None] = []
        self.times: list[float] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Served

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            number = len(self.server.bodies)
            self.server.bodies.append(body)
            self.server.paths.append(self.path)
            self.server.keys.append(self.headers["Authorization"])
            self.server.times.append(time.monotonic())
        answer = self.server.respond(number, body)
        time.sleep(answer.after)
        text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text.encode()) + answer.claimed))
        self.end_headers()
        for piece in text if answer.trickle else [text]:
            time.sleep(answer.trickle)
            self.wfile.write(piece.encode())

    def handle(self) -> None:
        with suppress(OSError):  # whoever asked may have stopped listening
            super().handle()

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def serving(respond: Callable[[int, dict[str, Any]], Answer]) -> Iterator[Served]:
    """Serve until the block ends."""
    server = Served(respond)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
