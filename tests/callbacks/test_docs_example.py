import re
from pathlib import Path

import pytest
from jsonargparse import ArgumentParser
from lightning.pytorch import Callback
from lightning.pytorch.loggers import TensorBoardLogger

from reasonrft import callbacks
from tests.callbacks.logged import board
from tests.callbacks.recorded_run import TEXTS, Recorded, run

pytestmark = pytest.mark.filterwarnings("ignore")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "callbacks.md"


def block(language: str) -> str:
    (content,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return content


def test_the_callback_shown_in_docs_runs_by_its_class_path(tmp_path, monkeypatch):
    (tmp_path / "hardest.py").write_text(block("python"))
    monkeypatch.syspath_prepend(str(tmp_path))
    parser = ArgumentParser()
    parser.add_argument("--trainer.callbacks", type=list[Callback])
    parsed = parser.instantiate_classes(parser.parse_string(block("yaml")))
    (callback,) = parsed.trainer.callbacks
    assert (type(callback).__name__, callback.every) == ("HardestProblem", 5)

    logger = TensorBoardLogger(tmp_path, "tensorboard", version=0)
    logged = run(Recorded(), tmp_path, [callback], steps=6, logger=logger)
    assert float(logged["train/hardest_reward"]) == 0.5
    events = board(tmp_path, 0)
    assert [image.step for image in events.Images("hardest/image_0")] == [0, 5]
    text = events.Tensors("hardest/text_summary")[-1].tensor_proto.string_val[0].decode()
    assert "| 1.00 |" in text and TEXTS[1].split(">")[1].split("<")[0] in text


def test_every_callback_and_option_is_in_docs():
    page = PAGE.read_text()
    for name in callbacks.__all__:
        thing = getattr(callbacks, name)
        if isinstance(thing, type):
            options = thing.__init__.__annotations__.keys() - {"return"}
            assert f"`{name}`" in page
            assert all(f"| `{option}` |" in page for option in options), name
