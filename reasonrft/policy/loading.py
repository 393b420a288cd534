"""Processors and models of Hugging Face's image-text-to-text families, by name or folder."""

from typing import Any, Literal

import torch
from transformers import (
    MODEL_MAPPING,
    AutoConfig,
    AutoModelForImageTextToText,
    BitsAndBytesConfig,
    GenerationConfig,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.utils import logging

from reasonrft.errors import BadInput
from reasonrft.policy.hub_paths import opening, resolve
from reasonrft.policy.parts import parts_of

Quantization = Literal["nf4"]


def load_model(
    path: str,
    dtype: str = "auto",
    attention: str = "sdpa",
    revision: str | None = None,
    trust_remote_code: bool = False,
    quantize: Quantization | None = None,
) -> PreTrainedModel:
    """A model with its weights, from *.safetensors alone, with plain sampling as its defaults."""
    path = resolve(path)
    source: dict[str, Any] = {"revision": revision, "trust_remote_code": trust_remote_code}
    precision = _dtype(dtype)
    with opening(path):
        config = AutoConfig.from_pretrained(path, **source)
        _check_family(path, config)
        _drop_kernels(config)
        if quantize:
            source["quantization_config"] = _four_bits(config, precision, trust_remote_code)
        logging.disable_progress_bar()
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            path,
            config=config,
            dtype=precision,
            attn_implementation=_attention(config, attention),
            use_safetensors=True,
            output_loading_info=True,
            **source,
        )
    model, report = loaded
    if report["missing_keys"]:
        absent = min(report["missing_keys"])
        raise BadInput(f"{path} lacks weights that its config.json asks for, such as {absent}")
    model.generation_config = _neutral(model)
    if quantize:
        _keep_four_bits_trainable(model)
    return model


def load_outline(
    path: str, dtype: str, attention: str, revision: str | None, trust_remote_code: bool
) -> PreTrainedModel:
    """The same model without its weights, from config.json alone, on the device of now."""
    path = resolve(path)
    with opening(path):
        config = AutoConfig.from_pretrained(
            path, revision=revision, trust_remote_code=trust_remote_code
        )
        _check_family(path, config)
        return AutoModelForImageTextToText.from_config(
            config,
            dtype=(config.dtype or torch.float32) if dtype == "auto" else _dtype(dtype),
            attn_implementation=_attention(config, attention),
            trust_remote_code=trust_remote_code,
        )


def _attention(config: PretrainedConfig, name: str) -> dict[str, str]:
    """The implementation, part by part: convolutions attend to nothing and refuse all but eager."""
    known: Any = MODEL_MAPPING
    chosen = {"": name}
    for part in config.sub_configs:
        model = known.get(type(getattr(config, part)), None)
        attends = model is None or model._supports_sdpa or model._supports_flash_attn
        chosen[part] = name if attends else "eager"
    return chosen


def _drop_kernels(config: PretrainedConfig) -> None:
    """Forget which implementation a checkpoint wants: its name may be that of code on the Hub."""
    for part in (*(getattr(config, name) for name in config.sub_configs), config):
        part._attn_implementation = None
        part._experts_implementation = None


def _dtype(name: str) -> torch.dtype | str:
    if name == "auto":
        return name
    dtype = getattr(torch, name, None)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise BadInput(f"dtype {name!r} is none of auto, float32, bfloat16 and float16")
    return dtype


def _check_family(path: str, config: PretrainedConfig) -> None:
    remote = "AutoModelForImageTextToText" in (getattr(config, "auto_map", None) or {})
    if not remote and type(config) not in AutoModelForImageTextToText._model_mapping:
        raise BadInput(
            f"{path} is a {config.model_type} model, which is none of transformers' families of "
            "image-text-to-text models; docs/families.md names those that are tested here"
        )


def _four_bits(
    config: PretrainedConfig, dtype: torch.dtype | str, trust_remote_code: bool
) -> BitsAndBytesConfig:
    """NF4, twice quantized, for the language model's layers only."""
    with torch.device("meta"):
        outline = AutoModelForImageTextToText.from_config(
            config, trust_remote_code=trust_remote_code
        )
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=outline.dtype if dtype == "auto" else dtype,
        llm_int8_skip_modules=full_precision(outline),
    )


def full_precision(model: PreTrainedModel) -> list[str]:
    """What is not held in 4 bits: bitsandbytes asks for full names, and for the head's too."""
    parts = parts_of(model)
    return [parts.tower, *parts.projector, parts.head]


def _keep_four_bits_trainable(model: PreTrainedModel) -> None:
    """Keep bitsandbytes from repacking weights on a CPU in eval mode: training after it fails."""
    import bitsandbytes

    for module in model.modules():
        if isinstance(module, bitsandbytes.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = False


def _neutral(model: PreTrainedModel) -> GenerationConfig:
    """Plain sampling: what a caller leaves out, generate takes from here."""
    given = model.generation_config
    return GenerationConfig(
        bos_token_id=given.bos_token_id,
        eos_token_id=given.eos_token_id,
        pad_token_id=given.pad_token_id,
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        repetition_penalty=1.0,
    )
