"""The model that steps are timed with: a small Qwen3-VL, which TRL trains too."""

from typing import Any

from transformers import Qwen2VLImageProcessorPil, Qwen3VLConfig, Qwen3VLProcessor

from reasonrft.assets.initial_model import IMAGE, TEMPLATE, make_tokenizer, text_config
from reasonrft.policy.processors import image_only

PATCH, MERGE = 8, 2
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
    image_processor = Qwen2VLImageProcessorPil(
        patch_size=PATCH,
        temporal_patch_size=2,
        merge_size=MERGE,
        size={"shortest_edge": least, "longest_edge": most},
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
    )
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
