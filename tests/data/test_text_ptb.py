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
