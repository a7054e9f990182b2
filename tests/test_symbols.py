"""What the integers of a batch stand for, there and back."""

import json

import pytest
import torch
from PIL import Image

from lit_vae.rendering import Pictures, Texts
from lit_vae.symbols import Blocks, Pixels, Tokens, restore
from lit_vae.tokenizers import BPE, Bytes, Characters, Words

TRAINERS = {"bytes": Bytes(), "characters": Characters(), "words": Words(), "bpe": BPE(vocabulary=270)}
TEXTS = ["a cat sat", "a mat", "the cat"]


@pytest.fixture(params=TRAINERS.values(), ids=TRAINERS.keys())
def tokens(request):
    return Tokens("lines", request.param.train(TEXTS), max_length=12)


@pytest.mark.parametrize("num_values", [2, 3, 17, 255, 256])
def test_every_grey_level_comes_back_from_a_picture(num_values):
    pixels = Pixels("grey", num_values, (1, 1, num_values))
    levels = torch.arange(num_values, dtype=torch.uint8).view(1, 1, 1, -1)

    pictures = pixels.render(levels)

    assert pictures.images.dtype == torch.uint8
    assert (pictures.images[..., 0].item(), pictures.images[..., -1].item()) == (0, 255)
    assert torch.equal(pixels.parse(pictures), levels)


def test_more_levels_than_a_picture_shows_become_the_nearest():
    pixels = Pixels("deep", 4096, (1, 1, 3))

    pictures = pixels.render(torch.tensor([0, 2048, 4095], dtype=torch.int32).view(1, 1, 1, 3))

    assert pictures.images.flatten().tolist() == [0, 128, 255]
    assert pixels.parse(pictures).dtype == torch.int32
    assert pixels.parse(pictures).flatten().tolist() == [0, 2056, 4095]


def test_hidden_pixels_show_as_black():
    pixels = Pixels("grey", 256, (1, 1, 3))
    mask = torch.tensor([True, False, True]).view(1, 1, 1, 3)

    pictures = pixels.render(torch.full((1, 1, 1, 3), 200, dtype=torch.uint8), mask)

    assert pictures.images.flatten().tolist() == [200, 0, 200]


def test_texts_come_back(tokens):
    x, mask = tokens.parse(Texts(TEXTS))

    assert x.dtype == torch.int64
    assert tokens.render(x, mask).texts == TEXTS
    assert tokens.render(x).texts == TEXTS
    assert x[~mask].tolist() == [tokens.tokenizer.end] * int((~mask).sum())
    assert (x[mask] == tokens.tokenizer.end).sum() == len(TEXTS)


def test_a_text_is_cut_at_its_first_end_symbol(tokens):
    end = tokens.tokenizer.end
    word = tokens.tokenizer.encode("cat")

    texts = tokens.render(torch.tensor([[*word, end, *word], [end, *word, *word]])).texts

    assert texts == ["cat", ""]


def test_a_word_that_the_model_does_not_know_is_said_and_read_as_unknown():
    tokens = Tokens("lines", Words().train(TEXTS), max_length=12)

    with pytest.warns(UserWarning, match=r"knows no 'dog', 'slept': .* symbol for the unknown"):
        x, mask = tokens.parse(Texts(["the dog slept", "a dog"]))

    assert tokens.render(x, mask).texts == ["the <unk> <unk>", "a <unk>"]


def test_a_word_that_nothing_stands_for_is_refused():
    tokens = Tokens("lines", Words(unknown="error").train(TEXTS), max_length=12)

    with pytest.raises(ValueError, match=r"knows no 'dog': .*; write it otherwise"):
        tokens.parse(Texts(["the dog"]))


def test_a_text_longer_than_the_model_was_trained_for_is_refused(tokens):
    short = Tokens("lines", tokens.tokenizer, max_length=2)

    with pytest.raises(ValueError, match=r"'a cat sat' has \d+ tokens .*at most 2 \(data\.init_args\.max_length\)"):
        short.parse(Texts(["a cat sat"]))


def test_no_text_at_all_is_refused(tokens):
    with pytest.raises(ValueError, match="at least one"):
        tokens.parse(Texts([]))


def test_blocks_come_back_from_plain_values_and_differ_from_texts():
    trained = Characters().train(TEXTS)
    blocks = Blocks("play", trained, 4)

    again = restore(json.loads(json.dumps(blocks.state())))

    assert (again.shape, again.num_values) == ((4,), trained.num_values - 1)
    assert again.agrees_with(blocks)
    assert not blocks.agrees_with(Tokens("play", trained, 4))
    assert not blocks.agrees_with(Blocks("play", trained, 5))


def test_open_lengths_are_filled_with_the_longest(tokens):
    assert tokens.fill((None,)) == (12,)
    assert tokens.fill((None, 3)) == (12, 3)
    assert Pixels("grey", 4, (1, 5, 6)).fill((5, 6)) == (5, 6)


def test_symbols_come_back_from_plain_values(tokens):
    for symbols in (tokens, Pixels("grey", 17, (1, 8, 8))):
        state = json.loads(json.dumps(symbols.state()))

        again = restore(state)

        assert (again.name, again.num_values, again.shape) == (symbols.name, symbols.num_values, symbols.shape)
        assert again.suffix == symbols.suffix
        assert again.state() == symbols.state()
    assert restore(tokens.state()).tokenizer.encode("a cat") == tokens.tokenizer.encode("a cat")


def test_symbols_agree_that_stand_for_the_same_whatever_they_are_called():
    grey, renamed, coarser = Pixels("a", 256, (1, 8, 8)), Pixels("b", 256, (1, 8, 8)), Pixels("a", 16, (1, 8, 8))
    letters, words = (trainer.train(TEXTS) for trainer in (Characters(), Words()))

    assert grey.agrees_with(renamed)
    assert not grey.agrees_with(coarser)
    assert Tokens("a", words, 5).agrees_with(Tokens("b", Words().train(TEXTS), 9))
    assert not Tokens("a", words, 5).agrees_with(Tokens("a", letters, 5))
    assert not Tokens("a", words, 5).agrees_with(Tokens("a", Words().train(["other words"]), 5))
    assert not grey.agrees_with(Tokens("a", words, 5))


def test_a_rendering_is_of_the_kind_that_its_file_is(tokens):
    assert tokens.suffix == Texts.suffix == ".txt"
    assert Pixels("grey", 4, (1, 5, 6)).suffix == Pictures.suffix == ".png"


def test_texts_and_pictures_are_read_as_a_person_names_them(tokens, tmp_path):
    for channels, colour in ((1, "L"), (3, "RGB")):
        pixels = Pixels("noise", 17, (channels, 2, 5))
        levels = torch.randint(17, (2, channels, 2, 5), dtype=torch.uint8)
        files = [str(tmp_path / f"{colour}{number}.png") for number in range(2)]
        for file, image in zip(files, pixels.render(levels).images, strict=True):
            Image.fromarray(image.permute(1, 2, 0).squeeze(-1).numpy()).save(file)

        assert torch.equal(pixels.read(files)[0], levels)
    assert all(map(torch.equal, tokens.read(TEXTS), tokens.parse(Texts(TEXTS))))


def test_a_picture_of_another_size_or_of_channels_that_no_file_has_is_not_read(tmp_path):
    Image.new("L", (3, 2)).save(tmp_path / "small.png")

    with pytest.raises(ValueError, match=r"small\.png is 3 pixels wide and 2 high, the model's pictures are 5 and 2"):
        Pixels("noise", 17, (1, 2, 5)).read([str(tmp_path / "small.png")])
    frames = [Image.new("L", (5, 2), level) for level in (0, 255)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match=r"moving\.gif has 2 pages or frames.*as a file of its own$"):
        Pixels("noise", 17, (1, 2, 5)).read([str(tmp_path / "moving.gif")])
    with pytest.raises(ValueError, match="pictures of 2 channels are in no file"):
        Pixels("noise", 17, (2, 2, 5)).read([str(tmp_path / "small.png")])
