"""Folders that plain peft and plain transformers load.

Weights that are spread over ranks are gathered on the first, which writes; a fault of it, such as a
full disk, is raised on all.
"""

import copy
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from safetensors.torch import save_file
from torch import Tensor
from transformers import PreTrainedModel
from transformers.utils import cached_file

from reasonrft.distributed.ranks import is_first_rank, raise_on_all_ranks
from reasonrft.errors import BadInput
from reasonrft.policy.adapters import ADAPTER, BASE_DIGEST, SETTINGS, WEIGHTS
from reasonrft.policy.base_digest import base_digest
from reasonrft.policy.hub_paths import portable_name
from reasonrft.policy.loading import load_model
from reasonrft.policy.sharding import full_state_dict

State = dict[str, Tensor]

_VIDEO = "video_preprocessor_config.json"
_WRITTEN = (".json", ".jinja", ".safetensors", ".md", ".txt", ".model")


def save_adapter(model: PreTrainedModel, folder: Path) -> None:
    """Write an adapter alone, for PeftModel.from_pretrained(base, folder); all ranks call this."""
    state = _adapter_state(model)
    with _written_by_first_rank(folder) as draft:
        if draft:
            _write_adapter(model, state, draft)


def _adapter_state(model: PreTrainedModel) -> State:
    return full_state_dict(model, wanted=lambda name: ".lora_" in name)


def _write_adapter(model: PreTrainedModel, state: State, folder: Path) -> None:
    """Settings that name the base, and weights that know it by digest."""
    from peft import get_peft_model_state_dict  # slow to import, and only needed with an adapter

    settings: Any = copy.copy(model.peft_config[ADAPTER])
    settings.base_model_name_or_path = portable_name(str(model.name_or_path))
    settings.revision = getattr(model.config, "_commit_hash", None)
    settings.save_pretrained(str(folder))
    weights = get_peft_model_state_dict(
        model, state, adapter_name=ADAPTER, save_embedding_layers=False
    )
    save_file(
        {f"base_model.model.{name}": value.contiguous() for name, value in weights.items()},
        folder / WEIGHTS,
        {"format": "pt", BASE_DIGEST: base_digest(model)},
    )


def save_merged(model: PreTrainedModel, processor: Any, folder: Path) -> None:
    """Write a model, its adapter merged, with all that from_pretrained wants beside weights.

    All ranks call this.
    """
    state = _adapter_state(model) if has_adapter(model) else full_state_dict(model)
    with _written_by_first_rank(folder) as draft:
        if not draft:
            return
        if has_adapter(model):
            model, state = _merged(model, state)
        model.save_pretrained(draft, state_dict=state)
        processor.save_pretrained(draft)
        # Older readers, and transformers for videos, look for the images' settings by themselves.
        processor.image_processor.save_pretrained(draft)
        video = cached_file(
            str(model.name_or_path),
            _VIDEO,
            revision=getattr(model.config, "_commit_hash", None),
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
        )
        if video:
            shutil.copyfile(video, draft / _VIDEO)


def _merged(model: PreTrainedModel, adapter: State) -> tuple[PreTrainedModel, State]:
    """The base of a model read again, in full precision, with the adapter added in."""
    from peft import PeftModel  # slow to import, and only needed with an adapter

    base = load_model(
        str(model.name_or_path),
        str(model.dtype).removeprefix("torch."),
        revision=getattr(model.config, "_commit_hash", None),
        trust_remote_code=type(model).__module__.startswith("transformers_modules."),
    )
    with TemporaryDirectory() as folder:
        _write_adapter(model, adapter, Path(folder))
        merged = PeftModel.from_pretrained(base, folder).merge_and_unload()
    return merged, merged.state_dict()


def has_adapter(model: PreTrainedModel) -> bool:
    return ADAPTER in getattr(model, "peft_config", {})


@contextmanager
def _written_by_first_rank(folder: Path) -> Iterator[Path | None]:
    """A draft of the folder on the first rank, None on others; what fails there fails on all."""
    with raise_on_all_ranks(), _whole(folder) if is_first_rank() else nullcontext() as draft:
        yield draft


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """A folder beside the one wanted, which takes its place when all has been written."""
    if folder.exists() and not _replaceable(folder):
        raise BadInput(f"{folder} holds other files than a model's: give a new or an empty folder")
    draft = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    draft.mkdir(parents=True)
    try:
        yield draft
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _replaceable(folder: Path) -> bool:
    """Whether a folder is empty, or holds what an export writes and nothing else."""
    if not folder.is_dir():
        return False
    entries = list(folder.iterdir())
    saved = {SETTINGS, "config.json"} & {entry.name for entry in entries}
    return not entries or bool(saved and all(entry.suffix in _WRITTEN for entry in entries))
