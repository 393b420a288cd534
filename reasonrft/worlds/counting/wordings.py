"""Sentences of counting's chains, for whoever writes them and whoever reads them."""

from dataclasses import dataclass
from typing import Literal

Style = Literal["words", "compact"]


@dataclass(frozen=True, slots=True)
class Wording:
    """The ways to say each step; every sentence ends with a full stop and holds no other."""

    opening: tuple[str, ...]
    """What is counted."""
    opening_off: tuple[str, ...]
    """What is counted and what is taken away."""
    item: tuple[str, ...]
    """An object: where it is, what it is, and whether it counts."""
    no: tuple[str, ...]
    yes: tuple[str, ...]
    """It counts: how many there are by now."""
    off: tuple[str, ...]
    """It counts and is taken away: how many are gone by now."""
    total: tuple[str, ...]
    total_off: tuple[str, ...]
    sum: tuple[str, ...]
    """The arithmetic, which ends with the answer."""


WORDINGS: dict[Style, Wording] = {
    "words": Wording(
        opening=(
            "I count the {asked} from left to right.",
            "Going through the picture from left to right, I look for {asked}.",
            "Let me check each object from left to right, counting {asked}.",
        ),
        opening_off=(
            "I count the {asked} from left to right, and which of them are {removed}.",
            "From left to right, I look for {asked}, and take away those that are {removed}.",
            "Let me check each object from left to right, counting {asked} and taking {removed} "
            "away.",
        ),
        item=(
            "{place} there is a {thing}: {verdict}.",
            "{place}, a {thing}: {verdict}.",
            "a {thing} {place}: {verdict}.",
        ),
        no=("no", "not counted", "that is none"),
        yes=("yes, {count}", "yes, that makes {count}", "counted, {count} so far"),
        off=(", but it goes, {gone} gone", ", and taken away, {gone} in all", ", {gone} away"),
        total=("that makes {count} {asked}.", "there are {count} {asked} in all."),
        total_off=(
            "that makes {count} {asked}, and {gone} of them go.",
            "there are {count} {asked} in all, {gone} of which are taken away.",
        ),
        sum=("so the answer is {sum}.", "now {sum}.", "this leads to {sum}."),
    ),
    "compact": Wording(
        opening=("count {asked}.",),
        opening_off=("count {asked} off {removed}.",),
        item=("{place} {thing} {verdict}.",),
        no=("no",),
        yes=("yes {count}",),
        off=(" off {gone}",),
        total=("total {count}.",),
        total_off=("total {count} off {gone}.",),
        sum=("{sum}.",),
    ),
}
