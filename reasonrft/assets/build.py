"""Makes the folder that the tiny model starts from: random weights, tokenizer, processor.

    python -m reasonrft.assets.build --output outputs/tiny/start

The architecture is Qwen3-VL's, whose vision tower knows where its patches are. Pictures of 144x96
pixels are 54 tokens. The tokenizer is a byte-level BPE of what the worlds and the tasks say:
digits and capital letters stand alone, so that what is written in a figure is read sign by sign.
"""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import Any

import torch
from jsonargparse import CLI
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2VLImageProcessorPil,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
)

from reasonrft.policy.processors import image_only
from reasonrft.problems import Problem
from reasonrft.tasks import TASKS, find_task
from reasonrft.tasks.tags import ANSWER, END_ANSWER, END_THINK, THINK
from reasonrft.worlds import make_world

PATCH, MERGE = 8, 2
MIN_PIXELS, MAX_PIXELS = 64 * 64, 14_000
"""The most brings CLEVR's 480x320 pixels to 144x96, and TRANCE's 320x240 to 128x96."""

END_OF_TEXT, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
VISION_START, VISION_END = "<|vision_start|>", "<|vision_end|>"
IMAGE, VIDEO = "<|image_pad|>", "<|video_pad|>"

TEMPLATE = (
    "{%- for message in messages -%}{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{%- if message['content'] is string -%}{{ message['content'] }}{%- else -%}"
    "{%- for part in message['content'] -%}{%- if part['type'] == 'image' -%}"
    "{{ '<|vision_start|><|image_pad|><|vision_end|>' }}"
    "{%- else -%}{{ part['text'] }}{%- endif -%}{%- endfor -%}{%- endif -%}"
    "{{ '<|im_end|>\\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"
)
"""ChatML without a system prompt of its own."""

_WORD = r" ?\p{Lu}?\p{Ll}+| ?\p{L}| ?\p{N}| ?[^\s\p{L}\p{N}]|\s+(?!\S)|\s+"
_PROBLEMS = 80
"""Problems of each split that the tokenizer learns words from."""
_OFTEN = 3
"""Words that occur so often are tokens, with a space before them and without."""


def build(
    output: str,
    hidden: int = 192,
    layers: int = 4,
    heads: int = 3,
    depth: int = 5,
    vision_hidden: int = 192,
    seed: int = 0,
) -> None:
    """Write the folder.

    Args:
        output: Folder to write to.
        hidden: Width of the language model.
        layers: Depth of the language model.
        heads: Attention heads of the language model and of the vision tower.
        depth: Depth of the vision tower.
        vision_hidden: Width of the vision tower.
        seed: Seed of the weights.
    """
    tokenizer = make_tokenizer()
    processor = make_processor(tokenizer)
    torch.manual_seed(seed)
    config = make_config(tokenizer, hidden, layers, heads, depth, vision_hidden)
    model = Qwen3VLForConditionalGeneration(config)
    model.save_pretrained(output)
    processor.save_pretrained(output)
    print(f"{output}: {model.num_parameters():,} parameters, {len(tokenizer):,} tokens")


def make_config(
    tokenizer: Any, hidden: int, layers: int, heads: int, depth: int, vision_hidden: int
) -> Qwen3VLConfig:
    """The architecture."""
    ids = {name: tokenizer.convert_tokens_to_ids(token) for name, token in _IDS.items()}
    half = hidden // heads // 2
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": hidden,
        "intermediate_size": 3 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "head_dim": hidden // heads,
        "max_position_embeddings": 4096,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10_000.0,
            "mrope_section": [half - 2 * (half // 3), half // 3, half // 3],
        },
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": tokenizer.convert_tokens_to_ids(END),
        "pad_token_id": tokenizer.convert_tokens_to_ids(END_OF_TEXT),
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


_IDS = {
    "image_token_id": IMAGE,
    "video_token_id": VIDEO,
    "vision_start_token_id": VISION_START,
    "vision_end_token_id": VISION_END,
}


def make_processor(tokenizer: Any) -> Any:
    """Pictures are resized to multiples of 16 pixels within the limits."""
    pictures = Qwen2VLImageProcessorPil(
        patch_size=PATCH,
        temporal_patch_size=2,
        merge_size=MERGE,
        size={"shortest_edge": MIN_PIXELS, "longest_edge": MAX_PIXELS},
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
    )
    family: Any = image_only(Qwen3VLProcessor)
    return family(image_processor=pictures, tokenizer=tokenizer, chat_template=TEMPLATE)


def make_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE whose words are those of worlds and tasks."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORD), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    specials = [END_OF_TEXT, START, END, VISION_START, VISION_END, IMAGE, VIDEO]
    trainer = trainers.BpeTrainer(
        vocab_size=30_000,
        min_frequency=_OFTEN,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(words(), trainer)
    tokenizer.add_tokens(
        [
            AddedToken(tag, special=False, normalized=False)
            for tag in (THINK, END_THINK, ANSWER, END_ANSWER)
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=END_OF_TEXT,
        additional_special_tokens=specials[1:],
        clean_up_tokenization_spaces=False,
        chat_template=TEMPLATE,
    )


def words() -> list[str]:
    """Frequent words as often as they must be for the tokenizer to keep them whole."""
    counts = Counter(word for text in _texts() for word in re.findall(r"[A-Za-z][a-z]+", text))
    frequent = sorted(word for word, count in counts.items() if count >= _OFTEN)
    signs = [sign for sign in "∠°√π×²△⊥∥" for _ in range(_OFTEN)]
    return (
        [form for word in frequent for form in (word, f" {word}") for _ in range(_OFTEN)]
        + [form for sign in signs for form in (sign, f" {sign}")]
        + [f" {sign}" for sign in _PLAIN for _ in range(_OFTEN)]
    )


_PLAIN = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=+-/()[]'?;,:.<>"


def _texts() -> Iterator[str]:
    """What tasks ask and worlds say."""
    for task in TASKS:
        yield from (task.reasoning_template, task.answer_template) * _OFTEN
    for name, preset in _SOURCES:
        world = make_world(name, preset)
        for split in world.splits:
            for index in range(_PROBLEMS):
                yield from _said(world.problem(split, index))


_SOURCES = list(
    chain.from_iterable(
        ((task, "tiny"), (f"perception-{task}", "tiny"))
        for task in ("counting", "structure", "transformation")
    )
)


def _said(problem: Problem) -> tuple[str, ...]:
    return find_task(problem.task).prompt(problem), problem.cot, problem.answer


if __name__ == "__main__":
    CLI(build, as_positional=False)
