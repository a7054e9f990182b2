"""A running text in stretches: nothing twice, nothing between, and no end symbol."""

import pytest
import torch
from contracts.registry import BACKBONES, WIDTH, play_in, vae_of

from lit_vae.data import CharacterBlocksDataModule
from lit_vae.heads import SoftmaxTokenHead
from lit_vae.tokenizers import BPE, Bytes


@pytest.fixture
def play(tmp_path):
    play_in(tmp_path)
    return tmp_path / "play.txt"


def blocks_of(play, length=10, **settings):
    return CharacterBlocksDataModule(
        str(play), length, **{"val_fraction": 0.2, "test_fraction": 0.2, "batch_size": 4} | settings
    )


def text_of(data, split):
    dataset = data.dataset(split)
    return "".join(data.symbols.render(dataset.__getitems__(list(range(len(dataset)))).x).texts)


def test_the_splits_follow_each_other_and_stretches_have_no_gap(play):
    data = blocks_of(play, length=1)

    assert text_of(data, "train") + text_of(data, "val") + text_of(data, "test") == play.read_text()
    assert [len(data.dataset(split)) / len(play.read_text()) for split in ("val", "test")] == pytest.approx(
        [0.2, 0.2], abs=0.06
    )


def test_what_does_not_fill_a_stretch_is_left_out_and_said(play, capsys):
    data = blocks_of(play, length=100)

    written = text_of(data, "train")

    assert play.read_text().startswith(written)
    assert len(written) % 100 == 0
    assert "stretches of 100 tokens" in capsys.readouterr().err


def test_characters_of_a_stretch_are_its_length(play):
    batch = blocks_of(play).dataset("train").__getitems__([3, 0])

    assert batch.mask is None
    assert batch.counts.tolist() == batch.units["character"].tolist() == batch.units["byte"].tolist() == [10, 10]


@pytest.mark.parametrize("tokenizer", [Bytes(), BPE(300)])
def test_other_tokens_have_their_own_count_of_characters(play, tokenizer):
    data = blocks_of(play, tokenizer=tokenizer)

    batch = data.dataset("train").__getitems__([0, 1])

    texts = data.symbols.render(batch.x).texts
    assert play.read_text().startswith("".join(texts))
    assert batch.units["character"].tolist() == [len(text) for text in texts]


def test_the_end_symbol_is_no_part_of_the_alphabet(play):
    data = blocks_of(play)

    assert data.num_values == data.symbols.tokenizer.num_values - 1
    assert data.shape == (10,)


def test_a_shorter_text_is_read_under_a_mask_and_a_longer_one_refused(play):
    symbols = blocks_of(play).symbols
    short, long = (type(symbols.render(torch.zeros(0, 10)))([text]) for text in ("aye", "aye, aye, aye"))

    x, mask = symbols.parse(short)

    assert symbols.render(x, mask).texts == ["aye"]
    with pytest.raises(ValueError, match=r"has 13 tokens, the model reads 10"):
        symbols.parse(long)


def test_a_split_that_fills_no_stretch_is_refused(play):
    with pytest.raises(ValueError, match=r"val split of 'play\.txt' has \d+ tokens.*data\.init_args\.length"):
        blocks_of(play, length=400).num_values  # noqa: B018


def test_a_text_of_one_line_is_divided_between_words(tmp_path):
    text = "one line of a text that goes on and on " * 200
    (tmp_path / "line.txt").write_text(text)

    data = blocks_of(tmp_path / "line.txt", length=1)

    splits = [data.symbols.tokenizer.decode(data.dataset(split).columns["ids"]) for split in ("train", "val", "test")]
    assert "".join(splits) == text
    assert all(split.endswith(" ") for split in splits)


def test_a_text_of_one_word_cannot_be_divided(tmp_path):
    (tmp_path / "word.txt").write_text("abc" * 200)

    with pytest.raises(ValueError, match=r"no word of 'word\.txt' begins in the val split's part.*spaces or line ends"):
        blocks_of(tmp_path / "word.txt").num_values  # noqa: B018


@pytest.mark.parametrize(("setting", "value"), [("length", 0), ("val_fraction", 0.0), ("test_fraction", 0.9)])
def test_a_bad_setting_is_named(play, setting, value):
    with pytest.raises(ValueError, match=setting):
        blocks_of(play, **{setting: value})


def test_an_empty_file_and_a_folder_are_refused(tmp_path):
    (tmp_path / "empty.txt").touch()

    with pytest.raises(ValueError, match=r"empty\.txt is empty"):
        blocks_of(tmp_path / "empty.txt").num_values  # noqa: B018
    with pytest.raises(IsADirectoryError, match=r"holds empty\.txt"):
        blocks_of(tmp_path).num_values  # noqa: B018


def test_a_drawn_stretch_is_not_cut_at_the_alphabets_last_symbol(play):
    data = blocks_of(play)
    head = SoftmaxTokenHead(WIDTH, data.num_values, data.shape, embed_width=4)
    vae = vae_of(head, BACKBONES["recurrent"].make(embed_width=head.embed_width, shape=head.positions))
    vae.learn(data.symbols)
    with torch.no_grad():
        head.projection.bias[-1] = 2.0

    texts = vae.sample(8).texts

    last = data.symbols.tokenizer.decode([data.num_values - 1])
    assert all(len(text) == 10 for text in texts)
    assert any(last in text and text[text.index(last) :].strip(last) for text in texts)
