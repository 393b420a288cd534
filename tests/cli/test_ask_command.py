import json

import pytest
import torch

from reasonrft.cli import main
from reasonrft.cli.ask_command import TextStream
from reasonrft.worlds import make_world

QUESTION = "How many objects are there?"


@pytest.fixture
def image(tmp_path):
    drawn = make_world("counting", "tiny", 0).problem("train", 0)
    path = tmp_path / "drawn.png"
    path.write_bytes(drawn.images[0])
    return str(path)


def test_an_answer_is_streamed_and_reported(image, capsys):
    main(["ask", "tiny-counting", image, QUESTION, "--task", "counting"])
    told = capsys.readouterr()
    assert "<answer>" in told.out and told.out.endswith("</answer>\n")
    assert told.err == ""
    main(["ask", "tiny-counting", image, QUESTION, "--json", "--task", "counting"])
    report = json.loads(capsys.readouterr().out)
    assert report["completion"] == told.out.rstrip("\n")
    assert report["answer"].isdigit() and report["reasoning"] and not report["cut"]
    assert (report["model"], report["images"]) == ("tiny-counting", [image])


def test_a_cut_answer_is_said_to_be_one(image, capsys):
    main(["ask", "tiny-counting", image, QUESTION, "--max-tokens", "3", "--temperature", "1"])
    assert "cut after 3 tokens; --max-tokens allows more" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["tiny", "nothing.png", "Why?"], "nothing.png cannot be used: no such file: nothing.png"),
        (
            ["tiny", "{image}"],
            "the last word is the question, and {image} is a file: ask something",
        ),
        (["tiny", "Why?"], "there is no image: give its file before the question"),
        (["tinny", "{image}", "Why?"], "no folder tinny with a model: give a folder"),
        (["tiny", "{image}", "Why?", "--max-tokens=0"], "--max-tokens is 0: use a number from 1"),
        (["tiny", "{image}", "Why?", "--temperature=nan"], "--temperature is nan: use 0 or a"),
        (["tiny", "{text}", "Why?"], "{text} cannot be used: "),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(args, message, image, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words.txt").write_text("words")
    names = {"image": image, "text": "words.txt"}
    with pytest.raises(SystemExit) as stop:
        main(["ask", *(arg.format(**names) for arg in args)])
    told = capsys.readouterr()
    assert (stop.value.code, told.out) == (1, "")
    assert (
        told.err.startswith(f"reasonrft: {message.format(**names)}") and told.err.count("\n") == 1
    )


def test_characters_come_whole_and_control_characters_not_at_all(capsys):
    from reasonrft.cli.ask_command import _print_now

    def decode(ids):
        return bytes(ids.tolist()).decode("utf-8", "replace")

    pieces: list[str] = []
    stream = TextStream(decode, frozenset({0}), pieces.append)
    for token in [*"aé".encode(), *b"b", 0]:
        stream.add(None, torch.tensor([token]))
    assert pieces == ["a", "é", "b", ""]
    _print_now("\x1b[2Jred\n")
    assert capsys.readouterr().out == "[2Jred\n"
