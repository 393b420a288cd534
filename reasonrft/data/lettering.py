"""Fonts and text for the contact sheet: measured wrapping, and no empty boxes for symbols."""

import unicodedata
from contextlib import suppress
from functools import lru_cache

from PIL import ImageFont

Font = ImageFont.FreeTypeFont

# Fonts that systems have: with Greek letters and mathematical signs, then with Chinese ones.
_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "Arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "Arial Unicode.ttf",
    "msyh.ttc",
)
_SPELLINGS = {
    "π": "pi", "𝜋": "pi", "√": "sqrt", "∠": "angle ", "△": "triangle ", "⊙": "circle ",
    "²": "^2", "³": "^3",
    "×": "x", "·": "*", "÷": "/", "−": "-", "–": "-", "—": "-", "≤": "<=", "≥": ">=", "≠": "!=",
    "≈": "~", "≅": "~=", "∥": "||", "⊥": "perpendicular to ", "→": "->", "α": "alpha",
    "β": "beta", "θ": "theta", "°": " deg",
}  # fmt: skip


def find_font(text: str, size: int) -> Font:
    """A font that has every sign of a text, else the one that lacks fewest."""
    signs = set(text)
    return min(_fonts(size), key=lambda font: sum(not _has(font, sign) for sign in signs))


@lru_cache
def _fonts(size: int) -> list[Font]:
    """Fonts of the system, and at last the one that Pillow brings."""
    fonts = []
    for name in _FONTS:
        with suppress(OSError):
            fonts.append(ImageFont.truetype(name, size))
    default = ImageFont.load_default(size)
    return fonts + ([default] if isinstance(default, Font) else [])


def printable(text: str, font: Font) -> str:
    """Text with every sign that the font lacks spelt out."""
    return "".join(char if _has(font, char) else _spell(char) for char in text)


def wrap(text: str, font: Font, width: int, most: int) -> list[str]:
    """Lines that fit the width; at most so many, the last one ending in "...".

    Words wider than a line are broken.
    """
    lines: list[str] = []
    for paragraph in printable(text, font).splitlines():
        line = ""
        for word in paragraph.split():
            wider = f"{line} {word}".strip()
            if font.getlength(wider) <= width:
                line = wider
                continue
            lines += [line] if line else []
            *broken, line = _break(word, font, width)
            lines += broken
            if len(lines) > most:
                break
        lines.append(line)
    if len(lines) > most:
        lines = [*lines[: most - 1], _shorten(lines[most - 1], font, width)]
    return [line for line in lines if line]


def _break(word: str, font: Font, width: int) -> list[str]:
    pieces = [""]
    for char in word:
        if pieces[-1] and font.getlength(pieces[-1] + char) > width:
            pieces.append("")
        pieces[-1] += char
    return pieces


def _shorten(line: str, font: Font, width: int) -> str:
    while line and font.getlength(line + "...") > width:
        line = line[:-1]
    return line.rstrip() + "..."


@lru_cache(maxsize=4096)
def _has(font: Font, char: str) -> bool:
    return char.isspace() or bytes(font.getmask(char)) != bytes(font.getmask("\U000f1234"))


def _spell(char: str) -> str:
    plain = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
    return _SPELLINGS.get(char) or plain or "?"
