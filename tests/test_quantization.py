"""From 8-bit grey levels to fewer, the same way wherever it is done."""

import gzip
import struct

import numpy as np
import pytest
import torch
from PIL import Image

from lit_vae.data import ImageFolderDataModule, MNISTDataModule
from lit_vae.quantization import quantize, rule_of
from lit_vae.rendering import Pictures
from lit_vae.symbols import Pixels, restore

LEVELS = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)


def test_the_floor_keeps_the_upper_bits_and_the_nearest_level_is_the_one_that_looks_most_alike():
    few = torch.tensor([0, 7, 8, 251, 252, 255], dtype=torch.uint8)

    assert quantize(few, 32, "floor").tolist() == [0, 0, 1, 31, 31, 31]
    assert quantize(few, 32, "nearest").tolist() == [0, 1, 1, 31, 31, 31]
    assert quantize(few, 17, "nearest").tolist() == [0, 0, 1, 16, 16, 16]


@pytest.mark.parametrize("rule", ["floor", "nearest"])
@pytest.mark.parametrize("bits", range(1, 9))
def test_a_rendered_level_is_read_as_itself(bits, rule):
    pixels = Pixels("few", 2**bits, (1, 1, 2**bits), rule)
    levels = torch.arange(2**bits, dtype=torch.uint8).view(1, 1, 1, -1)

    assert torch.equal(pixels.parse(pixels.render(levels)), levels)


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("colour", ["L", "RGB"])
def test_a_picture_given_by_file_has_the_codes_that_it_has_in_the_data(tmp_path, bits, colour):
    generator = np.random.default_rng(bits)
    for number in range(10):
        levels = generator.integers(256, size=(16, 16) if colour == "L" else (16, 16, 3), dtype=np.uint8)
        Image.fromarray(levels).save(tmp_path / f"{number}.png")
    data = ImageFolderDataModule(str(tmp_path), bits=bits)

    for split in ("train", "val", "test"):
        read, _ = data.symbols.read([str(file) for file in data.files[split]])
        assert torch.equal(read, data.dataset(split).__getitems__(list(range(len(read)))).x)


@pytest.mark.parametrize("split", ["val", "test"])
def test_binarized_pictures_given_by_file_have_the_codes_that_they_have_in_the_data(tmp_path, split):
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    for name, count in {"train-images-idx3-ubyte": 6, "t10k-images-idx3-ubyte": 3}.items():
        pixels = np.random.default_rng(count).integers(256, size=(count, 28, 28), dtype=np.uint8).tobytes()
        content = gzip.compress(struct.pack(">4I", 2051, count, 28, 28) + pixels)
        (tmp_path / "MNIST" / "raw" / f"{name}.gz").write_bytes(content)
    data = MNISTDataModule(str(tmp_path), binarize=True, val_size=3)
    codes = data.dataset(split).__getitems__([0, 1, 2]).x
    shown = {"grey": data.images(split), "black and white": data.symbols.render(codes).images}

    for kind, images in shown.items():
        files = [str(tmp_path / f"{kind} {number}.png") for number in range(3)]
        for file, image in zip(files, images, strict=True):
            Image.fromarray(image.squeeze(0).numpy()).save(file)

        assert torch.equal(data.symbols.read(files)[0], codes), kind


def test_the_rule_comes_back_with_the_symbols_and_is_known_for_those_saved_without_one():
    coins, levels, deep = Pixels("a", 2, (1, 4, 4), "coin"), Pixels("b", 32, (1, 4, 4)), Pixels("c", 17, (1, 4, 4))

    assert [restore(each.state()).rule for each in (coins, levels, deep)] == ["coin", "floor", "nearest"]
    older = {key: value for key, value in levels.state().items() if key != "rule"}
    assert restore(older).rule == "floor"
    assert restore(older).agrees_with(levels)
    assert torch.equal(levels.parse(Pictures(LEVELS)), LEVELS >> 3)


@pytest.mark.parametrize(
    ("num_values", "rule", "reason"),
    [
        (17, "floor", "a power of two"),
        (4, "coin", "to be 2"),
        (512, "floor", "up to 256"),
        (4, "round", "one of floor"),
    ],
)
def test_a_rule_for_other_numbers_of_levels_is_refused(num_values, rule, reason):
    with pytest.raises(ValueError, match=reason):
        rule_of(num_values, rule)
