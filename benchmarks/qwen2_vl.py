"""Qwen2-VL as published, by its size, without its weights and with a tokenizer of bytes."""

from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2VLConfig,
    Qwen2VLImageProcessorPil,
    Qwen2VLProcessor,
)

from reasonrft.assets.initial_model import END, END_OF_TEXT, TEMPLATE
from reasonrft.policy.processors import image_only

PATCH, MERGE = 14, 2
TEXT: dict[str, dict[str, Any]] = {
    "2b": {
        "hidden_size": 1536,
        "intermediate_size": 8960,
        "num_hidden_layers": 28,
        "num_attention_heads": 12,
        "num_key_value_heads": 2,
        "vocab_size": 151_936,
    },
    "7b": {
        "hidden_size": 3584,
        "intermediate_size": 18_944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152_064,
    },
}
_TINY = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "bos_token_id": None,
    "eos_token_id": None,
}
# To see that it runs: with as large a vocabulary, and with one for quick tests.
TEXT |= {"tiny": _TINY | {"vocab_size": 152_064}, "mini": _TINY | {"vocab_size": 1_024}}
_SPECIALS = (
    "<|endoftext|> <|im_start|> <|im_end|> <|object_ref_start|> <|object_ref_end|> <|box_start|> "
    "<|box_end|> <|quad_start|> <|quad_end|> <|vision_start|> <|vision_end|> <|vision_pad|> "
    "<|image_pad|> <|video_pad|>"
).split()
_FIRST_SPECIAL = 151_643
"""Ids of the published vocabularies; a smaller one ends with them."""


def config_of(size: str) -> Qwen2VLConfig:
    """The architecture, with the published numbers."""
    text = TEXT[size]
    half = text["hidden_size"] // text["num_attention_heads"] // 2
    rope = {
        "rope_type": "default",
        "rope_theta": 1e6,
        "mrope_section": [half // 4, *[(half - half // 4) // 2] * 2],
    }
    large = size in ("2b", "7b")
    vision = {
        "depth": 32 if large else 2,
        "embed_dim": 1280 if large else 32,
        "num_heads": 16 if large else 2,
        "mlp_ratio": 4,
        "hidden_size": text["hidden_size"],
        "patch_size": PATCH,
    }
    return Qwen2VLConfig(
        text_config=text | {"rope_parameters": rope},
        vision_config=vision,
        image_token_id=151_655,
        video_token_id=151_656,
        vision_start_token_id=151_652,
        vision_end_token_id=151_653,
        tie_word_embeddings=size != "7b",
    )


def make_qwen2_vl(size: str, least: int, most: int) -> tuple[Qwen2VLConfig, Any]:
    """A Qwen2-VL as published, by its size, and a processor whose every byte is a token."""
    config: Any = config_of(size)
    text = config.text_config
    tokenizer = _byte_tokenizer(min(_FIRST_SPECIAL, text.vocab_size - 2 * len(_SPECIALS)))
    id_of = tokenizer.convert_tokens_to_ids
    for token in ("image", "video"):
        setattr(config, f"{token}_token_id", id_of(f"<|{token}_pad|>"))
    for edge in ("start", "end"):
        setattr(config, f"vision_{edge}_token_id", id_of(f"<|vision_{edge}|>"))
    text.bos_token_id = text.pad_token_id = id_of(END_OF_TEXT)
    text.eos_token_id = id_of(END)
    family: Any = image_only(Qwen2VLProcessor)
    image_processor = make_image_processor(PATCH, least, most)
    processor = family(image_processor=image_processor, tokenizer=tokenizer, chat_template=TEMPLATE)
    return config, processor


def make_image_processor(patch: int, least: int, most: int) -> Qwen2VLImageProcessorPil:
    """Images are resized to whole groups of patches, and to so many pixels in all."""
    return Qwen2VLImageProcessorPil(
        patch_size=patch,
        temporal_patch_size=2,
        merge_size=MERGE,
        size={"shortest_edge": least, "longest_edge": most},
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
    )


def _byte_tokenizer(first_special: int) -> PreTrainedTokenizerFast:
    """Bytes, words that no text holds, and Qwen2-VL's special tokens from some id on."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: at for at, letter in enumerate(letters)}
    vocabulary |= {f"w{at}": at for at in range(len(letters), first_special)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in _SPECIALS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=END_OF_TEXT,
        clean_up_tokenization_spaces=False,
        chat_template=TEMPLATE,
    )
