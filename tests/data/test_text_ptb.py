"""The Penn Treebank: its vocabulary, its denominators, and what is said when a file is missing."""

import pytest
import torch
from contracts.registry import treebank_in

from lit_vae.data import PennTreebankDataModule
from lit_vae.tokenizers import BPE


def test_the_vocabulary_is_in_order_of_occurrence_with_the_protocols_own_symbols(tmp_path):
    treebank_in(tmp_path)

    data = PennTreebankDataModule(str(tmp_path))

    words = data.symbols.tokenizer.vocabulary.entries
    assert words[:8] == ["<pad>", "<s>", "the", "a", "<unk>", "N", "bb", "of"]
    assert data.num_values == len(words) + 1


def test_9999_words_make_10002_symbols_none_of_which_stands_for_padding_or_the_start_in_a_text(tmp_path):
    words = ["<unk>", *(f"w{number}" for number in range(9998))]
    for split in ("train", "valid", "test"):
        (tmp_path / f"ptb.{split}.txt").write_text(" \n ".join(words[::-1]), encoding="utf-8")

    data = PennTreebankDataModule(str(tmp_path))

    assert data.num_values == 10_002
    assert data.symbols.tokenizer.vocabulary.entries[2:] == words[::-1]
    ids = data.dataset("train").columns["ids"]
    assert (ids.min(), ids.max()) == (2, data.symbols.tokenizer.end)


def test_perplexity_divides_by_words_and_end_symbols_whatever_the_tokens(tmp_path):
    treebank_in(tmp_path)

    for tokenizer in (None, BPE(300)):
        dataset = PennTreebankDataModule(str(tmp_path), tokenizer).dataset("test")
        words = dataset.__getitems__([0, 1, 2, 3]).units["word"]

        assert words.tolist() == [5, 7, 9, 11]
    assert torch.equal(PennTreebankDataModule(str(tmp_path)).dataset("test").__getitems__([0, 1, 2, 3]).counts, words)


def test_a_missing_file_is_named(tmp_path):
    treebank_in(tmp_path)
    (tmp_path / "ptb.valid.txt").unlink()

    with pytest.raises(FileNotFoundError, match=r"no ptb\.valid\.txt in .*ptb\.test\.txt.*data\.init_args\.root"):
        PennTreebankDataModule(str(tmp_path)).num_values  # noqa: B018
