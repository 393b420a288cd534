"""Problems as a model reads them: one encoder for fine-tuning, rollout, scoring and evaluation."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from jinja2 import TemplateError
from PIL import Image
from torch import Tensor

from reasonrft.conversation import Message, conversation, says
from reasonrft.errors import BadInput
from reasonrft.images import ImageFault, image_size, open_image
from reasonrft.policy.literal_text import MARK, LiteralText
from reasonrft.policy.processors import seen_size
from reasonrft.problems import Problem

T = TypeVar("T")

_MARK = "RESPONSE-STANDS-HERE"


@dataclass(frozen=True)
class Prompt:
    """A problem as asked: what the model takes, for this prompt alone."""

    problem: Problem
    text: str
    inputs: dict[str, Tensor]
    transient: bool = False
    """Whether its images are made for one step: their features are kept as long as the prompt."""

    @property
    def ids(self) -> Tensor:  # (L,)
        return self.inputs["input_ids"][0]

    @property
    def length(self) -> int:
        return self.inputs["input_ids"].shape[1]


@dataclass(frozen=True)
class Example:
    """A prompt and the assistant's turn that is to be learned from."""

    prompt: Prompt
    response: Tensor  # (T,)

    @property
    def length(self) -> int:
        return self.prompt.length + len(self.response)


@dataclass(frozen=True)
class Pair:
    """A prompt and two assistant's turns, of which one is better."""

    prompt: Prompt
    chosen: Tensor  # (T,)
    rejected: Tensor  # (T,)

    @property
    def length(self) -> int:
        """Tokens of both behind one prompt."""
        return self.prompt.length + len(self.chosen) + len(self.rejected)


@dataclass(frozen=True)
class PromptBatch:
    """Prompts that are answered together."""

    prompts: list[Prompt]
    others: Callable[[Sequence[int], int], tuple[list[int], "PromptBatch"]] | None = field(
        default=None, compare=False, repr=False
    )
    """In training: other prompts for some rows, in an attempt 1, 2, ...; and the rows that there
    are any for."""

    def __len__(self) -> int:
        return len(self.prompts)

    @property
    def problems(self) -> list[Problem]:
        return [prompt.problem for prompt in self.prompts]

    @property
    def texts(self) -> list[str]:
        return [prompt.text for prompt in self.prompts]

    def select(self, rows: Sequence[int]) -> "PromptBatch":
        return PromptBatch([self.prompts[row] for row in rows])


class Encoder:
    """Turns problems into ids and pixels with a model's own processor and chat template."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.tokenizer = processor.tokenizer
        self._literal = LiteralText(processor)
        self.end_of_turn = self._read_end_of_turn()
        self._by_size: dict[tuple[tuple[int, int], bool], int] = {}
        self._seen: dict[tuple[int, int], tuple[int, int]] = {}

    def prompt(self, problem: Problem, text: str) -> Prompt:
        """Encode one problem, asked in these words."""
        written = self._write(problem, text)
        return Prompt(
            problem, text, _fitting(problem, self._process, written, self.images(problem))
        )

    def images(self, problem: Problem) -> list[Image.Image]:
        """A problem's images, opened."""
        return [_named(problem, open_image, source) for source in problem.images]

    def with_images(
        self, prompt: Prompt, images: Sequence[Image.Image], transient: bool = False
    ) -> Prompt:
        """The same prompt with other images, of the sizes of its own."""
        problem = replace(prompt.problem, images=tuple(map(_png, images)))
        return replace(self.prompt(problem, prompt.text), transient=transient)

    def prompts(self, problems: Sequence[Problem], texts: Sequence[str]) -> PromptBatch:
        pairs = zip(problems, texts, strict=True)
        return PromptBatch([self.prompt(problem, text) for problem, text in pairs])

    def example(self, problem: Problem, text: str, response: str) -> Example:
        return Example(self.prompt(problem, text), self.response_ids(response))

    def pair(self, problem: Problem, text: str, chosen: str, rejected: str) -> Pair:
        prompt = self.prompt(problem, text)
        return Pair(prompt, self.response_ids(chosen), self.response_ids(rejected))

    def response_ids(self, response: str) -> Tensor:  # (T,)
        """The assistant's turn with its end, as a rollout would return it."""
        return torch.tensor([*self.text_ids(response), *self.end_of_turn])

    def text_ids(self, text: str) -> list[int]:
        """Tokens of text alone, in which no word is a special token."""
        return self._written_ids(self._literal.escape(text))

    def length(self, problem: Problem, text: str, *responses: str) -> int:
        """Tokens of a prompt and its responses, from the images' sizes and without their pixels."""
        written = self.short_ids(problem, text)
        extra = sum(len(self.response_ids(response)) for response in responses)
        sizes = [_named(problem, image_size, source) for source in problem.images]
        several = len(sizes) > 1
        counts = [_fitting(problem, self._image_tokens, size, several) for size in sizes]
        return len(written) + sum(counts) + extra

    def seen_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height in which the model sees the whole of an image of this size."""
        if size not in self._seen:
            self._seen[size] = seen_size(self.processor.image_processor, size)
        return self._seen[size]

    def short_ids(self, problem: Problem, text: str) -> list[int]:
        """A prompt's ids with one placeholder for each image, as engines with a processor want."""
        return self._written_ids(self._write(problem, text))

    def _image_tokens(self, size: tuple[int, int], several: bool) -> int:
        """How much longer an image makes a prompt than its placeholder, alone or among others."""
        if (size, several) not in self._by_size:
            count = 2 if several else 1  # LLaVA-OneVision cuts a single image into tiles
            content = [{"type": "image"}] * count + [{"type": "text", "text": "?"}]
            written = self._render([{"role": "user", "content": content}], True)
            long = self._process(written, [Image.new("RGB", size)] * count)["input_ids"]
            added = long.shape[1] - len(self._written_ids(written))
            self._by_size[size, several] = added // count
        return self._by_size[size, several]

    def _process(self, written: str, images: Sequence[Image.Image]) -> dict[str, Tensor]:
        escaped = MARK in written
        processor = self._literal.processor if escaped else self.processor
        inputs = dict(
            processor(
                text=[written],
                images=[list(images)] if images else None,
                return_tensors="pt",
                add_special_tokens=False,
            )
        )
        return self._literal.without_marks(inputs) if escaped else inputs

    def _written_ids(self, written: str) -> list[int]:
        if MARK in written:
            return self._literal.ids(written)
        return self.tokenizer(written, add_special_tokens=False)["input_ids"]

    def decode(self, ids: Tensor) -> str:
        """The text of tokens; special ones are spelled out, for rewards to see."""
        return self.tokenizer.decode(ids.tolist(), skip_special_tokens=False)

    def _write(self, problem: Problem, text: str) -> str:
        """The conversation up to where the assistant begins."""
        messages = [self._literal.escape_message(turn) for turn in conversation(problem, text)]
        return self._render(messages, add_generation_prompt=True)

    def _render(self, messages: list[Message], add_generation_prompt: bool) -> str:
        try:
            return self.processor.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=add_generation_prompt
            )
        except TemplateError as error:  # what the sandbox forbids, and what is no template
            raise BadInput(f"the model's chat template cannot be used: {error}") from error

    def _read_end_of_turn(self) -> list[int]:
        """What the template writes after an answer, through its first special token."""
        turns = [says("user", "?"), says("assistant", _MARK)]
        written = self._render(turns, add_generation_prompt=False)
        _, _, tail = written.rpartition(_MARK)
        ids = self._written_ids(tail)
        for place, token in enumerate(ids):
            if token in self.tokenizer.all_special_ids:
                return ids[: place + 1]
        return [self.tokenizer.eos_token_id]


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _named(problem: Problem, open_it: Callable[[Path | bytes], T], source: Path | bytes) -> T:
    """Open an image, and name its problem if that fails."""
    try:
        return open_it(source)
    except ImageFault as fault:
        raise BadInput(f"problem {problem.id!r}: {fault}") from fault


def _fitting(problem: Problem, process: Callable[..., T], *args: Any) -> T:
    """Call a processor, which refuses some shapes of images, and name the problem if it does."""
    try:
        return process(*args)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise BadInput(f"problem {problem.id!r}: the processor refuses it ({reason})") from error
