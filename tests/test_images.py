import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from reasonrft.images import ImageFault, open_image


def encoded(mode="RGB", size=(4, 4), color=0, format="PNG", **options) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, color).save(file, format, **options)
    return file.getvalue()


def test_every_mode_becomes_rgb():
    for mode in ("1", "L", "P", "RGB", "RGBA", "I;16"):
        assert open_image(encoded(mode)).mode == "RGB"


def test_transparent_is_white():
    assert open_image(encoded("RGBA", color=(255, 0, 0, 0))).getpixel((0, 0)) == (255, 255, 255)
    assert open_image(encoded("RGBA", color=(255, 0, 0, 255))).getpixel((0, 0)) == (255, 0, 0)


def test_a_file_and_its_bytes_are_the_same_image(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(color=(1, 2, 3)))
    assert open_image(path).tobytes() == open_image(path.read_bytes()).tobytes()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not an image"),
        (b"<!DOCTYPE html>", "not an image: 15 bytes begins with b'<!DOCTYPE html>'"),
        (encoded(size=(64, 64), color=7)[:-30], "damaged image"),
        (encoded("1", size=(30_000, 30_000)), "over the limit of 64,000,000 pixels"),
    ],
)
def test_unusable_images(tmp_path, data, message):
    path = tmp_path / "x.png"
    path.write_bytes(data)
    for source in (data, path):
        with pytest.raises(ImageFault, match=message if source is data else message[:12]):
            open_image(source)


def test_missing_file(tmp_path):
    with pytest.raises(ImageFault, match="no such file"):
        open_image(tmp_path / "none.png")


@given(st.binary(max_size=200), st.integers(0, 70))
def test_damage_is_a_fault_and_nothing_else(noise, at):
    for data in (noise, encoded()[:at] + noise, encoded(format="JPEG")[:at] + noise):
        try:
            open_image(data)
        except ImageFault as fault:
            assert str(fault)
