"""Makes the folder that the tiny model starts from: random weights, tokenizer, processor.

    python -m reasonrft.assets.initial_model --output outputs/tiny/start

The architecture is FastVLM's, whose vision tower convolves: one that attends took five to ten times
as many images to tell shapes apart. Images of 144x96 pixels are 54 tokens. The tokenizer is a
byte-level BPE of what the worlds and the tasks say: digits and capital letters stand alone, so that
what is written in a figure is read sign by sign.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import torch
from jsonargparse import CLI
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPImageProcessorPil,
    FastVlmConfig,
    FastVlmForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from reasonrft.problems import Problem
from reasonrft.tasks import find_task
from reasonrft.tasks.tags import ANSWER, END_ANSWER, END_THINK, THINK
from reasonrft.worlds import make_world

PATCH = 16
WIDTH, HEIGHT = 144, 96
"""Images are resized to so many pixels."""

END_OF_TEXT, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
VISION_START, VISION_END = "<|vision_start|>", "<|vision_end|>"
IMAGE = "<|image_pad|>"

TEMPLATE = (
    "{%- for message in messages -%}{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{%- if message['content'] is string -%}{{ message['content'] }}{%- else -%}"
    "{%- for part in message['content'] -%}{%- if part['type'] == 'image' -%}"
    "{{ '<|vision_start|><|image_pad|><|vision_end|>' }}"
    "{%- else -%}{{ part['text'] }}{%- endif -%}{%- endfor -%}{%- endif -%}"
    "{{ '<|im_end|>\\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"
)
"""ChatML without a default system prompt."""

_WORD = r" ?\p{Lu}?\p{Ll}+| ?\p{L}| ?\p{N}| ?[^\s\p{L}\p{N}]|\s+(?!\S)|\s+"
_PROBLEMS = 80
"""Problems of each split from which the tokenizer learns its words."""
_MIN_COUNT = 3
"""Words that occur at least so often are tokens, with and without a leading space."""


def build(
    output: str,
    hidden: int = 192,
    layers: int = 4,
    heads: int = 3,
    stem: int = 32,
    stages: tuple[int, ...] = (48, 96, 192),
    depth: int = 2,
    seed: int = 0,
) -> None:
    """Write the folder.

    Args:
        output: Folder to write to.
        hidden: Width of the language model.
        layers: Depth of the language model.
        heads: Attention heads of the language model.
        stem: Width of the vision tower's first convolution.
        stages: Width of each stage of the vision tower; the last one sees cells of 16 pixels.
        depth: Depth of each stage.
        seed: Seed of the weights.
    """
    tokenizer = make_tokenizer()
    processor = make_processor(tokenizer)
    torch.manual_seed(seed)
    text = text_config(tokenizer, hidden, layers, heads)
    config = FastVlmConfig(
        text_config=text,
        vision_config=vision_config(stem, stages, depth),
        image_token_index=tokenizer.get_vocab()[IMAGE],
        image_seq_length=(WIDTH // PATCH) * (HEIGHT // PATCH),
        tie_word_embeddings=True,
    )
    model = FastVlmForConditionalGeneration(config)
    model.save_pretrained(output)
    processor.save_pretrained(output)
    print(f"{output}: {model.num_parameters():,} parameters, {len(tokenizer):,} tokens")


def text_config(tokenizer: Any, hidden: int, layers: int, heads: int) -> dict[str, Any]:
    """A small Qwen3."""
    return {
        "model_type": "qwen3",
        "vocab_size": len(tokenizer),
        "hidden_size": hidden,
        "intermediate_size": 3 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "head_dim": hidden // heads,
        "max_position_embeddings": 4096,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0},
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": tokenizer.convert_tokens_to_ids(END),
        "pad_token_id": tokenizer.convert_tokens_to_ids(END_OF_TEXT),
    }


def vision_config(stem: int, stages: Sequence[int], depth: int) -> dict[str, Any]:
    """A small ResNet."""
    return {
        "model_type": "resnet",
        "embedding_size": stem,
        "hidden_sizes": list(stages),
        "depths": [depth] * len(stages),
        "layer_type": "basic",
        "hidden_size": stages[-1],  # FastVLM's projector asks for it
    }


def make_processor(tokenizer: Any) -> LlavaProcessor:
    """Images are resized to one size, whatever theirs was."""
    image_processor = CLIPImageProcessorPil(
        size={"height": HEIGHT, "width": WIDTH},
        do_center_crop=False,
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
    )
    return LlavaProcessor(
        image_processor=image_processor,
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="full",
        chat_template=TEMPLATE,
        image_token=IMAGE,
    )


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
    specials = [END_OF_TEXT, START, END, VISION_START, VISION_END, IMAGE]
    trainer = trainers.BpeTrainer(
        vocab_size=30_000,
        min_frequency=_MIN_COUNT,
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
    frequent = sorted(word for word, count in counts.items() if count >= _MIN_COUNT)
    signs = [sign for sign in "∠°√π×²△⊥∥" for _ in range(_MIN_COUNT)]
    return (
        [form for word in frequent for form in (word, f" {word}") for _ in range(_MIN_COUNT)]
        + [form for sign in signs for form in (sign, f" {sign}")]
        + [f" {sign}" for sign in _PLAIN for _ in range(_MIN_COUNT)]
    )


_PLAIN = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=+-/()[]'?;,:.<>"


def _texts() -> Iterator[str]:
    """The texts of the tasks' prompts and the worlds' problems."""
    for task in map(find_task, (*_TASKS, "general")):
        yield from (task.reasoning_template, task.answer_template) * _MIN_COUNT
    for name, preset in _SOURCES:
        world = make_world(name, preset)
        for split in world.splits:
            for index in range(_PROBLEMS):
                yield from _texts_of(world.problem(split, index))


_TASKS = ("counting", "structure", "transformation")
"""Whose words the vocabulary has: with those of other tasks it would be another one."""
_SOURCES = list(
    chain.from_iterable(((task, "tiny"), (f"perception-{task}", "tiny")) for task in _TASKS)
)


def _texts_of(problem: Problem) -> tuple[str, ...]:
    return find_task(problem.task).prompt(problem), problem.cot, problem.answer


if __name__ == "__main__":
    CLI(build, as_positional=False)
