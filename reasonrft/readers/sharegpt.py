"""ShareGPT and LLaMA-Factory: {messages: [{role, content}]} or {conversations: [{from, value}]}."""

from reasonrft.problems import Problem
from reasonrft.readers.base import Format, Place, RecordFault, Row
from reasonrft.readers.chat import pictures_inside, read_conversation
from reasonrft.readers.fields import row_key
from reasonrft.readers.pictures import KEYS, read_pictures
from reasonrft.readers.record import KNOWN, make_problem


def read(row: Row, place: Place) -> list[Problem]:
    """Read a conversation: its last question, its last answer, and what went before."""
    key = row_key(row, "messages", "conversations")
    talk = read_conversation(row[key], key, place.tags)
    if talk.answer is None:
        raise RecordFault(key, "must end with an assistant's turn, which holds the answer")
    inside = pictures_inside(row[key]) if all(row.get(name) is None for name in KEYS) else []
    images = read_pictures(inside, key, place.root) if inside else None
    question, gold = (key, talk.question), (key, talk.answer)
    return [make_problem(row, place, question, gold, used=(key,), meta=talk.meta, images=images)]


FORMAT = Format("sharegpt", (("messages", "conversations"),), (*KNOWN, "system"), read)
