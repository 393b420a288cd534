"""A short hash of a checkpoint's weights, by which an adapter knows its base."""

import hashlib
import json
from pathlib import Path

from safetensors import safe_open
from torch import Tensor
from transformers import PreTrainedModel
from transformers.utils import cached_file

INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"
SAMPLES = 64
"""Numbers that are read of each tensor: training changes almost all, so a few tell."""


def base_digest(model: PreTrainedModel) -> str:
    """The digest of the files that a model was read from.

    Files are read instead of the model: in 4 bits, or in another dtype, it is the same base.
    """
    return checkpoint_digest(str(model.name_or_path), getattr(model.config, "_commit_hash", None))


def checkpoint_digest(path: str, revision: str | None = None) -> str:
    """A hash of the names, shapes and some numbers of all weights; empty where no file is found."""
    digests = {}
    for file in _weight_files(path, revision):
        with safe_open(file, "pt") as weights:
            for name in weights.keys():  # noqa: SIM118  # it is no mapping
                digests[name] = _tensor_digest(weights.get_tensor(name))
    entries = "".join(f"{name} {digests[name]}\n" for name in sorted(digests))
    return hashlib.sha256(entries.encode()).hexdigest()[:16] if entries else ""


def _tensor_digest(tensor: Tensor) -> str:
    """Of float32: a base that was saved again in a wider dtype is the same base."""
    flat = tensor.reshape(-1)
    sample = flat[:: max(1, len(flat) // SAMPLES)].float().numpy()
    return hashlib.sha256(f"{tuple(tensor.shape)}".encode() + sample.tobytes()).hexdigest()


def _weight_files(path: str, revision: str | None) -> list[Path]:
    index = _cached(path, INDEX, revision)
    names = [SINGLE] if index is None else _shards(index)
    files = [_cached(path, name, revision) for name in names]
    return [file for file in files if file is not None]


def _shards(index: Path) -> list[str]:
    return sorted(set(json.loads(index.read_text())["weight_map"].values()))


def _cached(path: str, name: str, revision: str | None) -> Path | None:
    """A checkpoint's file, which the model's loading has left in the cache; None if it has none."""
    file = cached_file(
        path,
        name,
        revision=revision,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
    )
    return None if file is None else Path(file)
