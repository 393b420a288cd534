"""A completion as rewards see it."""

from typing import Self

from reasonrft.errors import BadInput


class Completion(str):
    """The text of a completion, which knows how many tokens it took."""

    _tokens: int | None

    def __new__(cls, text: str, tokens: int | None = None) -> Self:
        completion = super().__new__(cls, text)
        completion._tokens = tokens
        return completion

    @property
    def tokens(self) -> int:
        """Number of its tokens, the end of the turn included."""
        if self._tokens is None:
            raise BadInput("this completion comes without its number of tokens: add it as `tokens`")
        return self._tokens
