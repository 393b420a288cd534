import io
import itertools
import subprocess

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from reasonrft.images import ImageFault, image_size, open_image

# Each of 4 x 3 pixels, so that what was turned can be told from what was not.
GREY16 = numpy.linspace(0, 65535, 12).round().astype(numpy.uint16).reshape(3, 4)
GREY8 = ((GREY16.astype(int) + 128) // 257).astype(numpy.uint8)


def saved(image: Image.Image, format: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


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


@pytest.mark.parametrize("format", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_scaled_and_not_clipped(format):
    image = open_image(saved(Image.fromarray(GREY16), format))
    assert numpy.array_equal(numpy.asarray(image), numpy.stack([GREY8] * 3, -1))


def test_eight_bits_written_as_sixteen_come_back_exactly():
    grey = numpy.arange(256, dtype=numpy.uint16).reshape(16, 16)
    image = open_image(saved(Image.fromarray(grey * 257)))
    assert numpy.array_equal(numpy.asarray(image)[..., 0], grey)


def test_floats_are_read_where_white_is_known():
    share = numpy.linspace(0, 1, 12, dtype=numpy.float32).reshape(3, 4)
    image = open_image(saved(Image.fromarray(share), "TIFF"))
    assert numpy.array_equal(numpy.asarray(image)[..., 1], numpy.rint(share * 255))
    for values, said in ((share * 255, "from 0 to 255"), (share - 1, "from -1 to 0")):
        with pytest.raises(ImageFault, match=f"floats {said}, whose white is not known"):
            open_image(saved(Image.fromarray(values), "TIFF"))
    share[0, 0] = numpy.nan
    with pytest.raises(ImageFault, match="floats from nan"):
        open_image(saved(Image.fromarray(share), "TIFF"))


def test_integers_of_32_bits_are_refused_by_name():
    grey = numpy.arange(12, dtype=numpy.int32).reshape(3, 4)
    with pytest.raises(ImageFault, match="32-bit integers from 0 to 11, whose white is not known"):
        open_image(saved(Image.fromarray(grey), "TIFF"))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_rotated_images_are_upright(orientation, format):
    seen = Image.new("RGB", (32, 16), "red")
    seen.paste("blue", (0, 0, 16, 8))
    # What a camera held otherwise would have written: the inverse of what is to be done to it.
    written = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = seen.transpose(written[orientation]) if orientation > 1 else seen
    exif = Image.Exif()
    exif[274] = orientation
    data = saved(stored, format, exif=exif)
    image = open_image(data)
    assert image.size == image_size(data) == (32, 16)
    colors = [image.getpixel((x, y)) for x, y in itertools.product((6, 26), (4, 12))]
    assert [blue > red for red, _, blue in colors] == [True, False, False, False]


def test_broken_exif_does_not_hide_an_image():
    data = saved(Image.new("RGB", (8, 4), "red"), exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert open_image(data).size == image_size(data) == (8, 4)


def test_ordinary_images_keep_their_bits(tmp_path):
    noise = Image.effect_noise((40, 30), 60)
    for mode, format in (("RGB", "PNG"), ("L", "PNG"), ("RGB", "JPEG"), ("P", "GIF"), ("1", "BMP")):
        data = saved(noise.convert(mode), format)
        with Image.open(io.BytesIO(data)) as image:
            assert open_image(data).tobytes() == image.convert("RGB").tobytes()


@pytest.mark.parametrize(
    "content",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
        b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    ],
)
def test_only_formats_on_the_list_are_decoded_whatever_a_file_is_called(
    tmp_path, content, monkeypatch
):
    def started(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "Popen", started)
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(ImageFault, match=r"not an image: .* and PPM are read"):
        open_image(path)
    with pytest.raises(ImageFault, match="not an image"):
        image_size(path)


def test_a_file_is_known_by_its_content(tmp_path):
    path = tmp_path / "really-a-png.jpg"
    path.write_bytes(encoded(color=(1, 2, 3)))
    assert open_image(path).getpixel((0, 0)) == (1, 2, 3)


def test_the_limit_of_pixels_holds_for_headers_too():
    for read in (open_image, image_size):
        with pytest.raises(ImageFault, match="20x10 image is over the limit of 199 pixels"):
            read(encoded("1", size=(20, 10)), 199)
