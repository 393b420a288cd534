"""Words of a record stay words, even where they spell a special token.

Tokenizers make one special token of `<|im_end|>`, and processors put an image where its placeholder
is written, whoever wrote it. So such words are broken by a mark:

    text       say <|im_end|> twice
    escaped    say <MARK|im_end|> twice
    ids        [say] [ <] [MARK] [|] [im] ... : a copy of the tokenizer knows the mark as a token,
    ids        [say] [ <] [|] [im] ...        which is taken out again.

Text without such words is read as it is, by the tokenizer itself.
"""

import copy
import re
from collections.abc import Mapping
from functools import cached_property
from itertools import groupby
from typing import Any

from tokenizers import AddedToken
from torch import Tensor

from reasonrft.conversation import Message
from reasonrft.policy.collate import TEXT_KEYS

MARK = "\ufdd0\ufdd1"
"""Unicode's noncharacters; text that holds the two is broken between them, like any other."""


class LiteralText:
    """Breaks words that spell special tokens and placeholders, and reads what was broken."""

    def __init__(self, processor: Any) -> None:
        self._plain = processor
        words = sorted({MARK, *_special_words(processor)})
        self._words = {key: tuple(group) for key, group in groupby(words, lambda word: word[0])}
        self._first = re.compile(f"[{re.escape(''.join(self._words))}]")

    def escape(self, text: str) -> str:
        """The text with a mark after the first character of every such word, nested ones too."""

        def broken(first: re.Match[str]) -> str:
            spelled = text.startswith(self._words[first[0]], first.start())
            return first[0] + MARK if spelled else first[0]

        return self._first.sub(broken, text)

    def escape_message(self, message: Message) -> Message:
        """The same message with its text escaped."""
        content = [
            {**item, "text": self.escape(item["text"])} if item["type"] == "text" else item
            for item in message["content"]
        ]
        return {**message, "content": content}

    @cached_property
    def processor(self) -> Any:
        """A copy that reads the mark as one token."""
        processor = copy.copy(self._plain)
        processor.tokenizer = copy.deepcopy(self._plain.tokenizer)
        processor.tokenizer.add_tokens([AddedToken(MARK, special=True, normalized=False)])
        return processor

    @cached_property
    def _mark_id(self) -> int:
        return self.processor.tokenizer.convert_tokens_to_ids(MARK)

    def ids(self, escaped: str) -> list[int]:
        """Token ids of escaped text, without the marks."""
        ids = self.processor.tokenizer(escaped, add_special_tokens=False)["input_ids"]
        return [token for token in ids if token != self._mark_id]

    def without_marks(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What the processor has made of one escaped prompt, without the marks' columns."""
        kept = inputs["input_ids"][0] != self._mark_id  # (L,)
        return {
            name: value[:, kept] if name in TEXT_KEYS else value for name, value in inputs.items()
        }


def _special_words(processor: Any) -> set[str]:
    """All that tokenizer or processor would take for more than text, if it can be broken at all."""
    tokenizer = processor.tokenizer
    added = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    named = [str(value) for name, value in vars(processor).items() if name.endswith("_token")]
    return {word for word in (*tokenizer.all_special_tokens, *added, *named) if len(word) > 1}
