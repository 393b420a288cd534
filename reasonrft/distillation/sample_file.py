"""The file of all samples: what is in it is not sampled again, whenever sampling was broken off."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reasonrft.distillation.choose_chains import Sample
from reasonrft.errors import BadInput

Samples = dict[str, list[Sample]]
"""A problem's samples: "own", with its images, and "blind" where it was asked so too."""


class SampleFile:
    """JSON lines: how was sampled; then the samples of each problem, by the key of its prompt."""

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        """
        Args:
            path: The file, which is made if it is not there.
            settings: All that samples depend on but their prompts.
        """
        self.path = path
        self.known: dict[str, Samples] = {}
        lines = path.read_bytes().split(b"\n") if path.exists() else []
        if len(lines) < 2:  # not there, or killed within its first line
            path.write_bytes(_line(dict(settings)))
            return
        self._check(_read(lines[0], path, 1), settings)
        for number, line in enumerate(lines[1:-1], 2):
            row = _read(line, path, number)
            self.known[row["key"]] = _samples(row, path, number)
        if lines[-1]:  # half a line: it was killed while it wrote
            os.truncate(path, path.stat().st_size - len(lines[-1]))

    def add(self, keys: Sequence[str], ids: Sequence[str], samples: Sequence[Samples]) -> None:
        """Append the samples of some problems; they are on the disk when this returns."""
        rows = [
            {"key": key, "id": id, **{how: _rows(given) for how, given in each.items()}}
            for key, id, each in zip(keys, ids, samples, strict=True)
        ]
        with self.path.open("ab") as file:
            file.write(b"".join(map(_line, rows)))
            file.flush()
            os.fsync(file.fileno())
        self.known |= dict(zip(keys, samples, strict=True))

    def _check(self, before: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        now = json.loads(json.dumps(settings))
        for name in [*before, *now]:
            if before.get(name) != now.get(name):
                raise BadInput(
                    f"{self.path} holds samples of another kind, for {name} was "
                    f"{before.get(name)} and is {now.get(name)}: give another --output, or delete "
                    "this file"
                )


def _line(row: Mapping[str, Any]) -> bytes:
    return (json.dumps(row) + "\n").encode()


def _rows(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    names = ("text", "tokens", "stopped")
    return [{name: getattr(sample, name) for name in names} for sample in samples]


def _read(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict) or (number > 1 and not {"key", "own"} <= row.keys()):
        raise _damaged(path, number)
    return row


def _samples(row: Mapping[str, Any], path: Path, number: int) -> Samples:
    try:
        return {
            how: [Sample(**given) for given in row[how]] for how in ("own", "blind") if how in row
        }
    except TypeError:
        raise _damaged(path, number) from None


def _damaged(path: Path, number: int) -> BadInput:
    return BadInput(f"{path}, line {number} holds no samples: delete the file, or give another")
