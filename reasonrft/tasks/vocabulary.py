"""Words that may stand around an answer without changing it.

The vocabulary is closed: a sentence is read as an answer only if each of its other words is known
to be harmless, or comes from the question. So nothing that negates, hedges or takes back an answer
has to be listed; only words of a question that would do so are kept out.
"""

import re
from functools import lru_cache

_HARMLESS = frozenset(
    "a an the of in on at for is are was were be been it its this that these those there here "
    "answer final result total overall number count value measure option choice correct right "
    "so thus therefore hence then now still finally we i you have has get got would will "
    "left remain remains remaining exactly equal equals after which leaves leaving leave "
    "image picture scene figure size length width height area volume perimeter angle "
    "object thing item cube block sphere ball cylinder car bus motorbike aeroplane airplane "
    "bicycle vehicle triangle square rectangle circle side face edge line dot point people person "
    "small large tiny big little medium yellow gray grey cyan blue brown green red purple "
    "rubber metal metallic matte shiny glass".split()
)
_HARMFUL = frozenset(
    "not no nor never neither none nobody nothing without except but unless instead or either and "
    "maybe perhaps possibly probably about around approximately roughly almost nearly less more "
    "fewer greater than least most under over between wrong incorrect false other another opposite "
    "minus plus times half double twice dozen hundred thousand million too cannot if only "
    "can could may might should whether any some".split()
)
_MATHEMATICS = frozenset("pi sqrt frac sin cos tan asin acos atan log exp".split())
_HARMFUL_SIGNS = frozenset("不非没无未别或者约除")
_WORD = re.compile(r"[^\W\d_]+", re.ASCII)
_CJK = re.compile(r"[\u3400-\u9fff]")
_CONNECTOR = re.compile(r"[=:]|\b(?:is|are|was|were|be|equals)\b", re.I)
_ARTICLE = re.compile(r"(?:[Tt]he|an?|An) (?=\w\w)")

Vocabulary = frozenset[str]


@lru_cache(maxsize=4_096)
def words_of(question: str) -> Vocabulary:
    """What may stand around an answer to this question."""
    words = {stem(word) for word in _WORD.findall(question[:4_000]) if len(word) > 1}
    signs = set(_CJK.findall(question[:4_000])) - _HARMFUL_SIGNS
    return (_BASE | words | signs) - _HARMFUL - _MATHEMATICS


def stem(word: str) -> str:
    """A word without the endings of number and tense: "buses", "subtracting" and "wears"."""
    word = word.lower()
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word.removesuffix(ending)
            break
    return _undoubled(word.removesuffix("e") if len(word) > 3 else word)


def _undoubled(word: str) -> str:
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word


_BASE = frozenset(map(stem, _HARMLESS))
NO_QUESTION = words_of("")


def is_known(word: str, known: Vocabulary) -> bool:
    return word.lower() not in _HARMFUL and stem(word) in known


def all_known(text: str, known: Vocabulary) -> bool:
    """Whether a text is nothing but known words."""
    return all(
        is_known(token, known) or token in known or token in ',"'
        for token in re.findall(r"[a-zA-Z]+|\S", text)
    )


def after_connectors(text: str, known: Vocabulary) -> list[str]:
    """The text, and what follows "is", ":" or "=" where known words alone stand before it."""
    readings = [text]
    for connector in _CONNECTOR.finditer(text):
        if not all_known(text[: connector.start()], known):
            break
        readings.append(text[connector.end() :].strip())
    return [_ARTICLE.sub("", reading, count=1) if reading else "" for reading in readings]


def without_known(text: str, known: Vocabulary) -> str:
    """The text without its known words; "in" alone after a value is a unit, not a word."""
    text = re.sub(
        r"[a-zA-Z]{2,}(?![a-zA-Z]*[\^(\\{])|\b[aA](?= [a-z])",
        lambda word: "" if is_known(word[0], known) and not _is_inch(word) else word[0],
        text,
    )
    leading = re.match(r"[\u3400-\u9fff]+(?=\s*[\d-])", text)
    if leading and all(sign in known for sign in leading[0]):
        text = text[leading.end() :]
    return " ".join(text.split()).strip(" ,;:")


def _is_inch(word: re.Match[str]) -> bool:
    return word[0] == "in" and not word.string[word.end() :].strip(" .")
