"""Chains of thought for counting: each object with its verdict, the tally, then arithmetic."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

from reasonrft.worlds.counting.drafts import Question
from reasonrft.worlds.counting.wordings import WORDINGS, Style, Wording
from reasonrft.worlds.counting.words import (
    ATTRIBUTES,
    described,
    fits,
    from_left_to_right,
    grid_place,
    plain_plural,
    spoken_place,
)


def write_chain(
    question: Question,
    scene: Mapping[str, Any],
    style: Style,
    rng: random.Random,
    brief: bool = False,
) -> str:
    """The chain that answers a question about a scene; a brief one names no object."""
    wording = _chosen(WORDINGS[style], rng)
    taking = bool(question.removed)
    gaps: dict[str, Any] = {
        "asked": plain_plural(question.asked),
        "removed": " or ".join(plain_plural(kind) for kind in question.removed),
        "count": 0,
        "gone": 0,
    }
    sentences = [wording["opening_off" if taking else "opening"].format_map(gaps)]
    for step in _tally(question, scene, style):
        gaps |= step
        verdict = wording["yes" if step["counts"] else "no"]
        verdict += wording["off"] if step["goes"] else ""
        if not brief:
            sentences.append(wording["item"].format(verdict=verdict.format_map(gaps), **step))
    sentences.append(wording["total_off" if taking else "total"].format_map(gaps))
    change = -gaps["gone"] if taking else question.change
    sentences.append(wording["sum"].format(sum=_sum(gaps["count"], change, question.change > 0)))
    if style == "words":
        sentences = [sentence[0].upper() + sentence[1:] for sentence in sentences]
    return " ".join(sentences)


def _tally(question: Question, scene: Mapping[str, Any], style: Style) -> Iterator[dict[str, Any]]:
    """What to say of each object, with the numbers of those that count and that go so far."""
    spot = spoken_place if style == "words" else grid_place
    count = gone = 0
    for item in from_left_to_right(scene["objects"]):
        thing = described(item)
        counts = fits(thing, question.asked)
        goes = counts and any(fits(thing, kind) for kind in question.removed)
        count, gone = count + counts, gone + goes
        yield {
            "place": spot(item["pixel_coords"], scene["width"], scene["height"]),
            "thing": " ".join(thing[key] for key in ATTRIBUTES),
            "counts": counts,
            "goes": goes,
            "count": count,
            "gone": gone,
        }


def _sum(count: int, change: int, adds: bool) -> str:
    return f"{count} {'+' if adds else '-'} {abs(change)} = {count + change}"


def _chosen(wording: Wording, rng: random.Random) -> dict[str, str]:
    """One way to say each step, kept through the chain."""
    return {name: rng.choice(getattr(wording, name)) for name in Wording.__slots__}
