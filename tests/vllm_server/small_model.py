"""A small random Qwen3-VL in a folder that vLLM reads."""

import json
from pathlib import Path

import torch
from transformers import AutoTokenizer, Qwen3VLForConditionalGeneration

from benchmarks.grpo_model import MERGE, PATCH, VIDEO, make_config
from reasonrft.policy.hub_paths import resolve

IMAGES = {
    "patch_size": PATCH,
    "temporal_patch_size": 2,
    "merge_size": MERGE,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "size": {"shortest_edge": 32 * 32, "longest_edge": 96 * 96},
}


def save_model(folder: Path, tied: bool) -> Path:
    """Write weights, tokenizer and processor, its part for videos included."""
    tokenizer = AutoTokenizer.from_pretrained(resolve("tiny"))
    tokenizer.add_tokens([VIDEO], special_tokens=True)
    # vLLM's attention on a CPU wants heads of at least 32.
    config = make_config(tokenizer, hidden=128, layers=2, heads=4, depth=2, vision_hidden=64)
    config.tie_word_embeddings = config.text_config.tie_word_embeddings = tied
    torch.manual_seed(0)
    model = Qwen3VLForConditionalGeneration(config)
    for value in model.parameters():
        if value.ndim > 1:  # large enough that every token and pixel matters
            value.data.normal_(std=value[0].numel() ** -0.5)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    whole = {"processor_class": "Qwen3VLProcessor"}
    files = {
        "processor_config": whole,
        "preprocessor_config": IMAGES | whole | {"image_processor_type": "Qwen2VLImageProcessor"},
        "video_preprocessor_config": IMAGES
        | whole
        | {"video_processor_type": "Qwen3VLVideoProcessor"},
    }
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder
