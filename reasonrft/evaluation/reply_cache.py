"""Replies on disk, so that no question is paid for twice."""

import hashlib
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reasonrft.evaluation.chat_messages import Reply


class ReplyCache:
    """One file for each reply, named by a hash of its request."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, key: str) -> Reply | None:
        try:
            return Reply(**json.loads(self._path(key).read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):  # not written here; it will be written again
            return None

    def write(self, key: str, reply: Reply) -> None:
        """Write a reply's file, whole or not at all."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(handle, "w") as file:
            json.dump(asdict(reply), file)
        os.replace(draft, path)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"


def request_key(url: str, body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps([url, body], sort_keys=True).encode()).hexdigest()
