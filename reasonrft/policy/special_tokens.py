"""Which ids end an answer, and which may never be sampled."""

import re
from typing import Any

from transformers import AutoConfig, GenerationConfig, PretrainedConfig, PreTrainedModel

from reasonrft.policy.hub_paths import resolve

# Names of settings (image_token_id, boi_token_index) and of tokens (<|vision_start|>, [IMG_END]).
_IMAGE = re.compile(r"image|img|video|vision|audio|boi_|eoi_|row_\d", re.IGNORECASE)


def stop_ids(
    path: str, processor: Any, revision: str | None = None, trust_remote_code: bool = False
) -> tuple[int, ...]:
    """Every id that ends an answer: those of the checkpoint's settings and the tokenizer's own."""
    given = _generation(resolve(path), revision, trust_remote_code).eos_token_id
    own = processor.tokenizer.eos_token_id
    return tuple(dict.fromkeys([*_listed(given), *_listed(own)]))


def _generation(path: str, revision: str | None, trust_remote_code: bool) -> GenerationConfig:
    try:
        return GenerationConfig.from_pretrained(path, revision=revision or "main")
    except OSError:  # a checkpoint need not have a file of these
        config = AutoConfig.from_pretrained(
            path, revision=revision, trust_remote_code=trust_remote_code
        )
        return GenerationConfig.from_model_config(config)


def _listed(ids: int | list[int] | None) -> list[int]:
    return [] if ids is None else [ids] if isinstance(ids, int) else list(ids)


def placeholder_ids(model: PreTrainedModel, processor: Any) -> tuple[int, ...]:
    """Ids that stand for images, videos and the like; a completion with one cannot be scored."""
    vocabulary = model.get_output_embeddings().weight.shape[0]
    found = {*_configured(model.config), *_named(processor.tokenizer)}
    return tuple(sorted(token for token in found if 0 <= token < vocabulary))


def _configured(config: PretrainedConfig) -> list[int]:
    return [
        value
        for name, value in config.to_dict().items()
        if isinstance(value, int) and re.search("_token_(id|index)$", name) and _IMAGE.search(name)
    ]


def _named(tokenizer: Any) -> list[int]:
    added = tokenizer.added_tokens_decoder.items()
    return [at for at, token in added if token.special and _IMAGE.search(token.content)]
