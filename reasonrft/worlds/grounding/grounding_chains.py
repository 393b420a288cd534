"""Chains of thought for grounding: each object with its verdict, then where those meant are."""

from collections.abc import Mapping, Sequence
from typing import Any

from reasonrft.worlds.counting.wordings import Style
from reasonrft.worlds.counting.words import (
    ATTRIBUTES,
    described,
    from_left_to_right,
    grid_place,
    spoken_place,
)

_SENTENCES: Mapping[Style, tuple[str, str, str]] = {
    "compact": ("find {plain}.", "{place} {thing} {verdict}.", "meant {places}."),
    "words": (
        "I look for {plain}, from left to right.",
        "{place} there is a {thing}: {verdict}.",
        "So I mean what is there: {places}.",
    ),
}
"""What is looked for, each object, and the places of those that are meant."""


def write_chain(plain: str, scene: Mapping[str, Any], meant: Sequence[int], style: Style) -> str:
    """The chain that leads to some of a scene's objects, which a question calls so."""
    opening, item_sentence, closing = _SENTENCES[style]
    spot = grid_place if style == "compact" else spoken_place
    due = [id(scene["objects"][index]) for index in meant]
    sentences, places = [opening.format(plain=plain)], []
    for item in from_left_to_right(scene["objects"]):
        thing = " ".join(described(item)[key] for key in ATTRIBUTES)
        place = spot(item["pixel_coords"], scene["width"], scene["height"])
        verdict = "yes" if id(item) in due else "no"
        sentences.append(item_sentence.format(place=place, thing=thing, verdict=verdict))
        places += [place] if id(item) in due else []
    sentences.append(closing.format(places=", ".join(places) or "none"))
    if style == "words":
        sentences = [sentence[0].upper() + sentence[1:] for sentence in sentences]
    return " ".join(sentences)
