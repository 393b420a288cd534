"""Small random models of every family, saved as the Hub has them, and nothing downloaded."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import CONFIG_MAPPING, AutoModelForImageTextToText, PreTrainedTokenizerFast
from transformers.utils import logging

END, PAD, START = "<|im_end|>", "<|endoftext|>", "<|im_start|>"

TEMPLATE = """\
{% for message in messages %}<|im_start|>{{ message.role }}
{% if message.content is string %}{{ message.content }}{% else %}\
{% for item in message.content %}{% if item.type == "image" %}PICTURE\
{% else %}{{ item.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""

TEXT = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
}
VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 7,
}
QWEN_TOKENS = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
QWEN_PICTURE = "<|vision_start|><|image_pad|><|vision_end|>"


def save_family(name: str, folder: Path) -> Path:
    """Write configuration, weights, tokenizer and processor of a family's small random model."""
    logging.disable_progress_bar()
    torch.manual_seed(0)
    config, tokenizer, files = _FAMILIES[name]()
    model = AutoModelForImageTextToText.from_config(config)
    _randomize(model)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for file, content in files.items():
        (folder / file).write_text(json.dumps(content))
    return folder


def _randomize(model: torch.nn.Module) -> None:
    """Weights large enough that every token and pixel changes the logits by more than 1e-5."""
    for name, parameter in model.named_parameters():
        if name.rpartition(".")[2].endswith("gate"):  # mllama's: at 0 no image is seen
            parameter.data.fill_(0.5)
        elif parameter.ndim > 1:
            parameter.data.normal_(std=parameter[0].numel() ** -0.5)


def _tokenizer(image: str, special: list[str], **named: Any) -> PreTrainedTokenizerFast:
    """A token for each byte, and the family's own."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={letter: at for at, letter in enumerate(letters)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    wanted = [PAD, START, END, "<s>", *special]
    core.add_special_tokens([AddedToken(token, special=True) for token in wanted])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token=END,
        pad_token=PAD,
        bos_token="<s>",
        model_max_length=4096,
        **named,
    )
    tokenizer.chat_template = TEMPLATE.replace("PICTURE", image)
    return tokenizer


def _ids(tokenizer: Any) -> dict[str, int]:
    return {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def _files(processor: str, images: str, options: dict, **settings: Any) -> dict[str, dict]:
    """The settings of a processor as checkpoints on the Hub have them."""
    return {
        "preprocessor_config.json": {
            "image_processor_type": images,
            "processor_class": processor,
            **options,
        },
        "processor_config.json": {"processor_class": processor, **settings},
    }


def _qwen(version: str, text: dict, vision: dict, patch: int) -> tuple:
    tokenizer = _tokenizer(QWEN_PICTURE, QWEN_TOKENS)
    of = tokenizer.convert_tokens_to_ids
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}
    config = CONFIG_MAPPING[version](
        text_config={**TEXT, **_ids(tokenizer), "rope_parameters": rope, **text},
        vision_config={"depth": 2, "num_heads": 2, "patch_size": patch, **vision},
        image_token_id=of("<|image_pad|>"),
        video_token_id=of("<|video_pad|>"),
        vision_start_token_id=of("<|vision_start|>"),
        vision_end_token_id=of("<|vision_end|>"),
        tie_word_embeddings=True,
    )
    size = {"shortest_edge": (2 * patch) ** 2, "longest_edge": 64 * patch**2}
    options = {"size": size, "patch_size": patch, "temporal_patch_size": 2, "merge_size": 2}
    class_name = {"qwen2_vl": "Qwen2VL", "qwen2_5_vl": "Qwen2_5_VL", "qwen3_vl": "Qwen3VL"}
    return (
        config,
        tokenizer,
        _files(f"{class_name[version]}Processor", "Qwen2VLImageProcessor", options),
    )


def _qwen2_vl() -> tuple:
    return _qwen("qwen2_vl", {}, {"embed_dim": 32, "hidden_size": 64, "mlp_ratio": 2}, 14)


def _qwen2_5_vl() -> tuple:
    vision = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "out_hidden_size": 64,
        "window_size": 56,
        "fullatt_block_indexes": [1],
    }
    return _qwen("qwen2_5_vl", {}, vision, 14)


def _qwen3_vl() -> tuple:
    vision = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "out_hidden_size": 64,
        "num_position_embeddings": 16,
        "deepstack_visual_indexes": [0],
    }
    return _qwen("qwen3_vl", {"head_dim": 16}, vision, 8)


def _internvl() -> tuple:
    tokenizer = _tokenizer(
        "<IMG_CONTEXT>",
        ["<img>", "</img>", "<IMG_CONTEXT>", "<video>"],
        extra_special_tokens={
            "start_image_token": "<img>",
            "end_image_token": "</img>",
            "context_image_token": "<IMG_CONTEXT>",
            "video_token": "<video>",
        },
    )
    config = CONFIG_MAPPING["internvl"](
        text_config={"model_type": "qwen2", **TEXT, **_ids(tokenizer)},
        vision_config=VISION,
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
    )
    options = {"size": {"height": 28, "width": 28}, "crop_to_patches": True, "max_patches": 3}
    files = _files("InternVLProcessor", "GotOcr2ImageProcessor", options, image_seq_length=4)
    return config, tokenizer, files


def _llava_onevision() -> tuple:
    tokenizer = _tokenizer("<image>", ["<image>", "<video>"])
    grid = [[28, 28], [28, 56], [56, 28], [56, 56]]
    config = CONFIG_MAPPING["llava_onevision"](
        text_config={"model_type": "qwen2", **TEXT, **_ids(tokenizer)},
        vision_config={"model_type": "siglip_vision_model", **VISION, "vision_use_head": False},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=grid,
        tie_word_embeddings=True,
    )
    options = {"size": {"height": 28, "width": 28}, "image_grid_pinpoints": grid}
    files = _files(
        "LlavaOnevisionProcessor",
        "LlavaOnevisionImageProcessor",
        options,
        num_image_tokens=16,
        vision_feature_select_strategy="full",
    )
    return config, tokenizer, files


def _idefics(version: str, processor: str) -> tuple:
    rows = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    own = ["<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>", "<video>"]
    tokenizer = _tokenizer("<image>", [*own, *rows])
    config = CONFIG_MAPPING[version](
        text_config={"model_type": "llama", **TEXT, **_ids(tokenizer)},
        vision_config=VISION,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
        scale_factor=2,
        tie_word_embeddings=True,
    )
    options = {
        "size": {"longest_edge": 56},
        "max_image_size": {"longest_edge": 28},
        "do_image_splitting": True,
    }
    files = _files(f"{processor}Processor", f"{processor}ImageProcessor", options, image_seq_len=4)
    return config, tokenizer, files


def _gemma3() -> tuple:
    tokenizer = _tokenizer(
        "<start_of_image>",
        ["<start_of_image>", "<end_of_image>", "<image_soft_token>"],
        extra_special_tokens={
            "boi_token": "<start_of_image>",
            "eoi_token": "<end_of_image>",
            "image_token": "<image_soft_token>",
        },
    )
    config = CONFIG_MAPPING["gemma3"](
        text_config={
            **TEXT,
            **_ids(tokenizer),
            "head_dim": 16,
            "query_pre_attn_scalar": 16,
            "sliding_window": 16,
            "layer_types": ["sliding_attention", "full_attention"],
        },
        vision_config={"model_type": "siglip_vision_model", **VISION, "vision_use_head": False},
        mm_tokens_per_image=4,
        boi_token_index=tokenizer.convert_tokens_to_ids("<start_of_image>"),
        eoi_token_index=tokenizer.convert_tokens_to_ids("<end_of_image>"),
        image_token_index=tokenizer.convert_tokens_to_ids("<image_soft_token>"),
    )
    options = {"size": {"height": 28, "width": 28}}
    files = _files("Gemma3Processor", "Gemma3ImageProcessor", options, image_seq_length=4)
    return config, tokenizer, files


def _mllama() -> tuple:
    tokenizer = _tokenizer("<|image|>", ["<|python_tag|>", "<|image|>"])
    image = tokenizer.convert_tokens_to_ids("<|image|>")
    rope = {"rope_type": "default", "rope_theta": 10000.0}
    config = CONFIG_MAPPING["mllama"](
        # The token of images stands after those that can be written, as in the released models.
        text_config={
            **TEXT,
            **_ids(tokenizer),
            "vocab_size": image,
            "num_hidden_layers": 3,
            "cross_attention_layers": [1],
            "rope_parameters": rope,
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_global_layers": 1,
            "attention_heads": 2,
            "image_size": 28,
            "patch_size": 14,
            "intermediate_layers_indices": [0, 1],
            "vision_output_dim": 96,
        },
        image_token_index=image,
    )
    options = {"size": {"height": 28, "width": 28}, "max_image_tiles": 4}
    return config, tokenizer, _files("MllamaProcessor", "MllamaImageProcessor", options)


def _pixtral() -> tuple:
    tokenizer = _tokenizer("[IMG]", ["[IMG]", "[IMG_BREAK]", "[IMG_END]"])
    config = CONFIG_MAPPING["llava"](
        text_config={
            "model_type": "mistral",
            **TEXT,
            **_ids(tokenizer),
            "head_dim": 16,
            "sliding_window": None,
        },
        vision_config={"model_type": "pixtral", **VISION, "image_size": 56},
        image_token_index=tokenizer.convert_tokens_to_ids("[IMG]"),
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        image_seq_length=1,
    )
    patch = {"height": 7, "width": 7}
    options = {"size": {"longest_edge": 42}, "patch_size": patch}
    files = _files("PixtralProcessor", "PixtralImageProcessor", options, patch_size=7)
    return config, tokenizer, files


def _fast_vlm() -> tuple:
    tokenizer = _tokenizer("<image>", ["<image>"])
    config = CONFIG_MAPPING["fast_vlm"](
        text_config={"model_type": "qwen3", **TEXT, "head_dim": 16, **_ids(tokenizer)},
        vision_config={
            "model_type": "resnet",
            "embedding_size": 16,
            "hidden_sizes": [16, 24, 32],
            "depths": [1, 1, 1],
            "layer_type": "basic",
            "hidden_size": 32,
        },
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=4,
        tie_word_embeddings=True,
    )
    options = {"size": {"height": 32, "width": 32}, "do_center_crop": False}
    files = _files(
        "LlavaProcessor",
        "CLIPImageProcessor",
        options,
        patch_size=16,
        vision_feature_select_strategy="full",
    )
    return config, tokenizer, files


_FAMILIES: dict[str, Callable[[], tuple]] = {
    "qwen2-vl": _qwen2_vl,
    "qwen2.5-vl": _qwen2_5_vl,
    "qwen3-vl": _qwen3_vl,
    "internvl": _internvl,
    "llava-onevision": _llava_onevision,
    "idefics3": lambda: _idefics("idefics3", "Idefics3"),
    "smolvlm": lambda: _idefics("smolvlm", "SmolVLM"),
    "gemma3": _gemma3,
    "mllama": _mllama,
    "pixtral": _pixtral,
    "fast-vlm": _fast_vlm,
}
FAMILIES = tuple(_FAMILIES)


def noise(seed: int, width: int = 40, height: int = 40) -> Image.Image:
    """A image in which no two pixels are alike."""
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def ask(processor: Any, text: str, *images: Image.Image) -> dict[str, torch.Tensor]:
    """One prompt as a model takes it."""
    content = [{"type": "image"}] * len(images) + [{"type": "text", "text": text}]
    written = processor.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    shown = [list(images)] if images else None
    return dict(
        processor(images=shown, text=[written], return_tensors="pt", add_special_tokens=False)
    )


def more(seed: int, count: int) -> torch.Tensor:
    """Tokens that a model might have written."""
    return torch.randint(0, 250, (count,), generator=torch.Generator().manual_seed(seed))
