"""ShareGPT and LLaMA-Factory: {messages: [{role, content}]} or {conversations: [{from, value}]}."""

from reasonrft.problems import Problem
from reasonrft.readers.base import Format, RecordContext, RecordFault, Row
from reasonrft.readers.chat_turns import images_inside, read_conversation
from reasonrft.readers.fields import row_key
from reasonrft.readers.make_problem import KNOWN, make_problem
from reasonrft.readers.record_images import KEYS, read_images


def read(row: Row, context: RecordContext) -> list[Problem]:
    """Read a conversation: its last question, its last answer, and what went before."""
    key = row_key(row, "messages", "conversations")
    conversation = read_conversation(row[key], key, context.tags)
    if conversation.answer is None:
        raise RecordFault(key, "must end with an assistant's turn, which holds the answer")
    inside = images_inside(row[key]) if all(row.get(name) is None for name in KEYS) else []
    images = read_images(inside, key, context.root) if inside else None
    question, gold = (key, conversation.question), (key, conversation.answer)
    return [
        make_problem(
            row, context, question, gold, used=(key,), meta=conversation.meta, images=images
        )
    ]


FORMAT = Format("sharegpt", (("messages", "conversations"),), (*KNOWN, "system"), read)
