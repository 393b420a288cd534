"""The model that steps are timed with: a small Qwen3-VL, which TRL trains too."""

from typing import Any

import torch
from qwen2_vl import MERGE, make_image_processor
from transformers import Qwen3VLConfig, Qwen3VLProcessor

from reasonrft.assets.initial_model import IMAGE, TEMPLATE, make_tokenizer, text_config
from reasonrft.policy import Policy
from reasonrft.policy.hub_paths import without_weights
from reasonrft.policy.loading import load_outline
from reasonrft.policy.processors import image_only

PATCH = 8
VIDEO = "<|video_pad|>"
_IDS = {
    "image_token_id": IMAGE,
    "video_token_id": VIDEO,
    "vision_start_token_id": "<|vision_start|>",
    "vision_end_token_id": "<|vision_end|>",
}


def make_processor(least: int, most: int) -> Any:
    """Images are resized to multiples of 16 pixels, and to so many pixels in all."""
    tokenizer = make_tokenizer()
    tokenizer.add_tokens([VIDEO], special_tokens=True)
    image_processor = make_image_processor(PATCH, least, most)
    family: Any = image_only(Qwen3VLProcessor)
    return family(image_processor=image_processor, tokenizer=tokenizer, chat_template=TEMPLATE)


def make_config(
    tokenizer: Any, hidden: int, layers: int, heads: int, depth: int, vision_hidden: int
) -> Qwen3VLConfig:
    """The architecture."""
    ids = {name: tokenizer.convert_tokens_to_ids(token) for name, token in _IDS.items()}
    half = hidden // heads // 2
    text = text_config(tokenizer, hidden, layers, heads) | {
        "model_type": "qwen3_vl_text",
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10_000.0,
            "mrope_interleaved": True,  # transformers takes it for granted, vLLM reads it
            "mrope_section": [half - 2 * (half // 3), half // 3, half // 3],
        },
    }
    vision = {
        "depth": depth,
        "hidden_size": vision_hidden,
        "intermediate_size": 4 * vision_hidden,
        "num_heads": heads,
        "patch_size": PATCH,
        "spatial_merge_size": MERGE,
        "out_hidden_size": hidden,
        "num_position_embeddings": 24 * 24,
        "deepstack_visual_indexes": [depth // 2],
    }
    return Qwen3VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=True, **ids)


def make_model(folder: str, dtype: str, device: str) -> Any:
    """Random weights for a folder's config.json, made on the device: no file of them is read."""
    torch.manual_seed(0)
    with torch.device(device), without_weights():
        return load_outline(folder, dtype, "sdpa", None, False)


def make_policy(folder: str, dtype: Any, device: str, **options: Any) -> Policy:
    """A policy of these random weights; the folder is not needed any more."""
    with without_weights():
        policy = Policy(folder, dtype=dtype, **options)
        policy.prepare(make_model(folder, dtype, device))
        assert policy.processor and policy.stop_ids  # read now
    return policy
