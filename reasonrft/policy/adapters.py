"""LoRA weights on the parts that are trained, and on no other part by accident."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn
from transformers import PreTrainedModel

from reasonrft.errors import BadInput
from reasonrft.policy.base_digest import base_digest
from reasonrft.policy.parts import Part, freeze, linear_layers

ADAPTER = "default"  # peft's name for a model's only adapter
SETTINGS, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_CODE = ("megatron_config", "auto_mapping")  # keys beside which peft imports what others name
BASE_DIGEST = "base_digest"  # a key in the metadata of the weights' file


@final
class Lora:
    """A low-rank adapter: new, or one that was saved."""

    def __init__(
        self,
        rank: int = 16,
        alpha: float = 32,
        dropout: float = 0.0,
        targets: Sequence[str] | None = None,
        path: str | None = None,
    ) -> None:
        """
        Args:
            rank: Rank of the weights that are added to each layer.
            alpha: Their factor is alpha over rank.
            dropout: Share of a layer's inputs that the adapter does not see in training.
            targets: Last names of the layers that get weights, such as q_proj; by default every
                linear layer of the parts that are trained.
            path: Folder of a saved adapter to go on from; it brings its own rank, alpha and layers.
        """
        if rank < 1:
            raise BadInput(f"a LoRA adapter's rank must be at least 1, not {rank}")
        if not 0 < alpha < math.inf:
            raise BadInput(f"a LoRA adapter's alpha must be a number above 0, not {alpha}")
        if not 0 <= dropout < 1:
            raise BadInput(f"a LoRA adapter's dropout must be from 0 to below 1, not {dropout}")
        self.rank, self.alpha, self.dropout = rank, alpha, dropout
        self.targets, self.path = targets, path


def attach(model: PreTrainedModel, lora: Lora, train: Sequence[Part] = ("language",)) -> None:
    """Freeze a model and put an adapter on its linear layers in these parts, in float32."""
    freeze(model, ())
    if lora.path is None:
        _inject(model, _settings(model, lora, train))
    else:
        _load(model, Path(lora.path).expanduser())
    for parameter in adapter_parameters(model).values():
        parameter.data = parameter.data.float()


def _inject(model: PreTrainedModel, settings: Any) -> None:
    """Put an adapter's layers in, as transformers' add_adapter does.

    That method of transformers 5.24 asks for a peft (0.22) that has not been released.
    """
    from peft import inject_adapter_in_model  # slow to import, and only needed with an adapter

    inject_adapter_in_model(settings, model, ADAPTER)
    model._hf_peft_config_loaded = True  # asked for in transformers' activation checkpointing


def _settings(model: PreTrainedModel, lora: Lora, train: Sequence[Part]) -> Any:
    from peft import LoraConfig  # slow to import, and only needed with an adapter

    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]  # a factor need not be whole
        lora_dropout=lora.dropout,
        target_modules=_layers(model, lora.targets, train),
        task_type="CAUSAL_LM",
    )


def _layers(
    model: PreTrainedModel, targets: Sequence[str] | None, train: Sequence[Part]
) -> list[str]:
    """Full names, for a last name alone may be one of the tower's too."""
    names = {name: name.rpartition(".")[2] for name in linear_layers(model, train)}
    chosen = [name for name, last in names.items() if targets is None or last in targets]
    if chosen:
        return chosen
    if targets is None:
        raise BadInput(f"there is no linear layer in {', '.join(train)} for an adapter to go on")
    known = ", ".join(sorted(set(names.values())))
    raise BadInput(
        f"no linear layer in {', '.join(train)} is called {' or '.join(targets)}: there are {known}"
    )


def _load(model: PreTrainedModel, folder: Path) -> None:
    for name in (SETTINGS, WEIGHTS):
        if not (folder / name).is_file():
            raise BadInput(f"{folder} holds no adapter that can be loaded: it has no {name}")
    _check_settings(folder / SETTINGS)
    from peft import PeftConfig, set_peft_model_state_dict

    try:
        settings: Any = PeftConfig.from_pretrained(str(folder))
        settings.inference_mode = False
        _inject(model, settings)
        outcome: Any = set_peft_model_state_dict(model, load_file(folder / WEIGHTS), ADAPTER)
    # What peft raises for layers, shapes and libraries that are not there.
    except (ValueError, RuntimeError, TypeError, ImportError) as error:
        raise BadInput(f"{folder} is an adapter of another model: {_first(error)}") from error
    absent = [name for name in outcome.missing_keys if name in adapter_parameters(model)]
    if absent or outcome.unexpected_keys:
        odd = (absent or outcome.unexpected_keys)[0]
        raise BadInput(f"{folder} is an adapter of another model: {odd} has no match")
    _check_base(model, folder, settings.base_model_name_or_path)


def _check_settings(file: Path) -> None:
    """Refuse settings of another method, and those that have peft import a module by its name."""
    try:
        settings = json.loads(file.read_text("utf-8"))
        kind = settings.get("peft_type")
        code = [key for key in _CODE if settings.get(key)]
    except (OSError, ValueError, AttributeError) as error:
        raise BadInput(f"{file} cannot be read as an adapter's settings") from error
    if kind != "LORA":
        raise BadInput(f"{file} is of peft_type {kind!r}; only LORA adapters are loaded")
    if code:
        raise BadInput(f"{file} names code, which is not run: take {code[0]} out of it")


def _check_base(model: PreTrainedModel, folder: Path, base: str | None) -> None:
    """Refuse a base of the same shapes with other weights, if the adapter knows its own."""
    with safe_open(folder / WEIGHTS, "pt") as weights:
        known = (weights.metadata() or {}).get(BASE_DIGEST)
    if known and known != base_digest(model):
        raise BadInput(
            f"{folder} is an adapter of other weights than those of {model.name_or_path}: give its "
            f"base, {base}, as the policy"
        )


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def adapter_parameters(model: nn.Module) -> dict[str, torch.nn.Parameter]:
    """The weights that an adapter has added, by name."""
    return {name: weight for name, weight in model.named_parameters() if ".lora_" in name}
