import json
import re
import warnings

import pytest
import torch
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from tensorboard.plugin_util import markdown_to_safe_html

from reasonrft.callbacks import ReasoningMonitor, SampleGallery
from reasonrft.callbacks.logger_media import literal, markdown_table
from tests.callbacks.logged import board
from tests.callbacks.recorded_run import LENGTHS, TEXTS, Recorded, problem, run
from tests.callbacks.short_run import HOSTILE

pytestmark = pytest.mark.filterwarnings("ignore")


class NumbersOnly(Logger):
    """Somebody's logger."""

    name, version = "numbers", 0

    def log_metrics(self, metrics, step=None):
        pass

    def log_hyperparams(self, params, *args, **kwargs):
        pass


class Everything(NumbersOnly):
    """Somebody's logger that takes media too."""

    def __init__(self):
        super().__init__()
        self.media = {}

    def add_image(self, tag, image, step):
        self.media[tag] = image.size

    def add_table(self, tag, caption, columns, rows, step):
        self.media[tag] = (dict(caption), list(columns), [list(row) for row in rows])

    def add_histogram(self, tag, values, step):
        self.media[tag] = values.tolist()


def callbacks():
    return [ReasoningMonitor(histogram_every=1), SampleGallery(every=1, prompts=1)]


def test_wandb_gets_images_texts_and_histograms(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb", reason="wandb is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    logger = WandbLogger(save_dir=tmp_path, offline=True, project="tests")
    asked = problem(question=HOSTILE + "\ud800")
    try:
        run(Recorded(["exact", "a|b"]), tmp_path, callbacks(), 1, [asked], logger=logger)
    finally:
        # Ends W&B's process too, which writes its file a moment after the run is finished.
        wandb.teardown()
    (files,) = tmp_path.glob("wandb/offline-run-*/files")
    assert len(list((files / "media" / "images" / "samples" / "0").glob("image_0_*.png"))) == 1
    (place,) = (files / "media" / "table" / "samples").glob("0_*.table.json")
    table = json.loads(place.read_text())
    # Cells are text, which W&B shows to the letter.
    assert table["columns"] == (
        "id question answer exact a|b total advantage tokens truncated completion".split()
    )
    common = ["p4", HOSTILE + "?", "4"]
    assert table["data"] == [
        [*common, 1.0, 1.0, 1.0, 0.5, LENGTHS[0], "no", TEXTS[0]],
        [*common, 0.0, 0.0, 0.0, -0.5, LENGTHS[1], "no", TEXTS[1]],
    ]
    (history,) = files.parent.glob("*.wandb")
    content = history.read_bytes()
    assert b"train/completion_length/histogram" in content and b'"histogram"' in content
    assert b"train/reward" in content


def test_tensorboard_gets_the_same(tmp_path):
    logger = TensorBoardLogger(tmp_path, "tensorboard", version=0)
    run(Recorded(), tmp_path, callbacks(), 1, logger=[logger, CSVLogger(tmp_path)])
    events = board(tmp_path, 0)
    (image,) = events.Images("samples/0/image_0")
    assert (image.width, image.height) == (56, 42)
    (histogram,) = events.Histograms("train/completion_length/histogram")
    assert histogram.histogram_value.sum == sum(LENGTHS)
    (text,) = events.Tensors("samples/0/text_summary")
    assert b"| 1.00 | 1.00 | 0.50 | 9 | no |" in text.tensor_proto.string_val[0]


def test_a_logger_of_ones_own_takes_part_by_its_methods(tmp_path):
    logger = Everything()
    run(Recorded(), tmp_path, callbacks(), 1, logger=logger)
    assert logger.media["samples/0/image_0"] == (56, 42)
    assert logger.media["train/completion_length"] == LENGTHS
    caption, columns, rows = logger.media["samples/0"]
    assert caption == {"id": "p4", "question": "How many?", "answer": "4"}
    assert dict(zip(columns, rows[0], strict=True))["completion"] == TEXTS[0]


def named(tmp_path, *loggers) -> list[str]:
    """Loggers that a warning says take numbers only."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(Recorded(), tmp_path, callbacks(), steps=3, logger=list(loggers))
    said = [str(warning.message) for warning in caught]
    return [text.split()[0] for text in said if "takes numbers only" in text]


def test_a_logger_that_takes_numbers_only_is_named_once(tmp_path):
    everything, csv = Everything(), CSVLogger(tmp_path)
    assert named(tmp_path, NumbersOnly(), everything) == ["NumbersOnly"]
    assert everything.media
    # Nobody expects images in a CSV file: it is named only where they are shown nowhere.
    assert named(tmp_path, csv, everything) == []
    assert named(tmp_path, csv) == ["CSVLogger"]
    assert named(tmp_path) == []


@pytest.mark.parametrize(
    "text", [HOSTILE, "a|b\n\n- c", "&lt; `x` <b>", "\x00\ud800\u202e", "~~~\nx", "# x"]
)
def test_what_is_literal_says_nothing_but_itself(text):
    for markdown in (
        f"| x |\n| --- |\n| {literal(text)} |",
        markdown_table({text: text}, [text, "tokens"], [[text, 3]]),
    ):
        shown = markdown_to_safe_html(markdown)
        own = r"</?(p|strong|table|thead|tbody|tr|th|td|br)>"
        assert re.sub(own, "", shown).count("<") == 0
        assert shown.count("<tr>") == 2


def test_histograms_are_of_all_values(tmp_path):
    logger = Everything()
    module = Recorded(lengths=torch.tensor([[3, 8]]))
    run(module, tmp_path, [ReasoningMonitor(right="exact", histogram_every=1)], 1, logger=logger)
    assert logger.media == {
        "train/completion_length": [3, 8],
        "train/completion_length/right": [3],
        "train/completion_length/wrong": [8],
    }
