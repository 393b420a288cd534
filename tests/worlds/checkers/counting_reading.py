"""Reading counting's chains: from sentences back to what they say."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, product

from reasonrft.worlds.counting.wordings import WORDINGS, Style, Wording
from reasonrft.worlds.counting.words import PLACES

Parts = dict[str, str]
"""What stands in the gaps of a sentence."""

_GAPS = {
    "place": "|".join([*chain.from_iterable(PLACES), r"x\d y\d"]),
    "thing": r"[a-z]+ [a-z]+ [a-z]+ [a-z]+",
    "asked": r"[a-z ]+",
    "removed": r"[a-z ]+",
    "count": r"\d{1,2}",
    "gone": r"\d{1,2}",
    "sum": r"(?P<left>\d{1,2}) (?P<sign>[+-]) (?P<right>\d{1,2}) = (?P<result>\d{1,2})",
}


@dataclass(frozen=True, slots=True)
class Chain:
    """What the sentences of a chain say."""

    style: Style
    opening: Parts
    items: tuple[Parts, ...]
    """Empty in a brief chain."""
    total: Parts
    sum: Parts


class Reader:
    """Reads the sentences of one style."""

    def __init__(self, wording: Wording) -> None:
        verdicts = [*wording.no, *map("".join, product(wording.yes, ("", *wording.off)))]
        items = (form.replace("{verdict}", say) for form, say in product(wording.item, verdicts))
        self.openings = _compiled([*wording.opening_off, *wording.opening])
        self.items = _compiled(items)
        self.totals = _compiled([*wording.total_off, *wording.total])
        self.sums = _compiled(wording.sum)

    def read(self, text: str, style: Style) -> Chain | None:
        """The chain, or None where a sentence is none of those that chains are made of."""
        sentences = [f"{sentence}." for sentence in text.lower().removesuffix(".").split(". ")]
        if len(sentences) < 3:
            return None
        first, *middle, before, last = sentences
        opening, total = _match(self.openings, first), _match(self.totals, before)
        items, result = [_match(self.items, one) for one in middle], _match(self.sums, last)
        found = tuple(item for item in items if item is not None)
        if opening is None or total is None or result is None or len(found) < len(items):
            return None
        return Chain(style, opening, found, total, result)


def read_chain(text: str) -> Chain | None:
    """A chain of either style, or None for other text."""
    chains = (reader.read(text, style) for style, reader in _READERS.items())
    return next((chain for chain in chains if chain), None)


def _compiled(forms: Iterable[str]) -> list[re.Pattern[str]]:
    return [re.compile(_pattern(form.lower())) for form in forms]


def _pattern(form: str) -> str:
    """A sentence with named groups for its gaps."""
    parts = re.split(r"\{(\w+)\}", form)
    return "".join(
        f"(?P<{part}>{_GAPS[part]})" if i % 2 else re.escape(part) for i, part in enumerate(parts)
    )


def _match(patterns: list[re.Pattern[str]], sentence: str) -> Parts | None:
    for pattern in patterns:
        if match := pattern.fullmatch(sentence):
            return {name: text for name, text in match.groupdict().items() if text is not None}
    return None


_READERS = {style: Reader(wording) for style, wording in WORDINGS.items()}
