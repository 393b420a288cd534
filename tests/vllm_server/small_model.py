"""A small random Qwen3-VL in a folder that vLLM reads."""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, Qwen3VLConfig, Qwen3VLForConditionalGeneration

from reasonrft.assets.initial_model import IMAGE, text_config
from reasonrft.policy.hub_paths import resolve

VIDEO = "<|video_pad|>"
WHOLE = {"processor_class": "Qwen3VLProcessor"}
IMAGES = WHOLE | {
    "patch_size": 8,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "size": {"shortest_edge": 32 * 32, "longest_edge": 96 * 96},
}
PROCESSOR = {
    "processor_config": WHOLE,
    "preprocessor_config": IMAGES | {"image_processor_type": "Qwen2VLImageProcessor"},
    "video_preprocessor_config": IMAGES | {"video_processor_type": "Qwen3VLVideoProcessor"},
}


def save_model(folder: Path) -> Path:
    """Write weights, tokenizer and processor, its part for videos included."""
    tokenizer = AutoTokenizer.from_pretrained(resolve("tiny"))
    tokenizer.add_tokens([VIDEO], special_tokens=True)
    torch.manual_seed(0)
    model = Qwen3VLForConditionalGeneration(make_config(tokenizer))
    for value in model.parameters():
        if value.ndim > 1:  # large enough that every token and pixel matters
            value.data.normal_(std=value[0].numel() ** -0.5)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for name, content in PROCESSOR.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def make_config(tokenizer: Any) -> Qwen3VLConfig:
    """Heads of 32, which is the least that vLLM's attention on a CPU takes."""
    text = text_config(tokenizer, hidden=128, layers=2, heads=4)
    text["model_type"] = "qwen3_vl_text"
    # Interleaved as in the released models: transformers takes it for granted, vLLM reads it.
    text["rope_parameters"] |= {"mrope_section": [6, 5, 5], "mrope_interleaved": True}
    vision = {
        "depth": 2,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_heads": 4,
        "patch_size": 8,
        "spatial_merge_size": 2,
        "out_hidden_size": 128,
        "num_position_embeddings": 24 * 24,
        "deepstack_visual_indexes": [1],
    }
    of = tokenizer.convert_tokens_to_ids
    return Qwen3VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=of(IMAGE),
        video_token_id=of(VIDEO),
        vision_start_token_id=of("<|vision_start|>"),
        vision_end_token_id=of("<|vision_end|>"),
        tie_word_embeddings=True,
    )
