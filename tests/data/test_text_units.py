"""The units of a text: one accumulation, equal to a plain loop over single sentences."""

import math
import random

import pytest
import torch
from contracts.registry import WIDTH, vae_of

from lit_vae.corpora.sources import TextList
from lit_vae.data import TextDataModule
from lit_vae.heads import LSTMTokenHead
from lit_vae.noise import IndexedNoise
from lit_vae.tokenizers import BPE, Bytes, Words

WORDS = ["the", "a", "cat", "dog", "sat", "saw", "on", "by", "mat", "café", "naïve"]


def sentences(seed, number):
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(1, 9))) for _ in range(number)]


class Sentences(TextDataModule):
    @property
    def corpus(self):
        return "sentences"

    def read(self):
        return {split: TextList(sentences(seed, 13)) for seed, split in enumerate(("train", "val", "test"))}


def evaluated(make_trainer, tokenizer, batch_size):
    """What a trainer reports of the test split, and what a plain loop over its sentences adds up to."""
    data = Sentences(tokenizer, 200, batch_size)
    torch.manual_seed(0)
    vae = vae_of(LSTMTokenHead(WIDTH, data.num_values, data.shape, embed_width=4, hidden=4))
    (found,) = make_trainer().test(vae, datamodule=data, verbose=False)
    nats = 0.0
    for index, text in enumerate(data.texts["test"]):
        x = torch.tensor([[*data.symbols.tokenizer.encode(text), data.symbols.tokenizer.end]])
        batch = data.dataset("test")[index]
        assert torch.equal(batch.x, x)
        with torch.no_grad():
            nats += vae.terms(batch, IndexedNoise(batch.index)).nelbo.item()
    return found, nats, list(data.texts["test"]), data.symbols.tokenizer


@pytest.mark.parametrize("tokenizer", [Words(), BPE(270), Bytes()], ids=["words", "bpe", "bytes"])
def test_a_report_is_a_plain_loop_over_single_sentences(make_trainer, tokenizer):
    found, nats, texts, trained = evaluated(make_trainer, tokenizer, batch_size=5)

    words = sum(len(text.split()) + 1 for text in texts)
    tokens = sum(len(trained.encode(text)) + 1 for text in texts)
    expected = {
        "nats_per_sentence": nats / len(texts),
        "nats_per_token": nats / tokens,
        "perplexity": math.exp(nats / tokens),
        "word_perplexity": math.exp(nats / words),
        "bits_per_character": nats / math.log(2) / sum(map(len, texts)),
        "bits_per_byte": nats / math.log(2) / sum(len(text.encode()) for text in texts),
    }
    assert {name: found[f"test/{name}"] for name in expected} == pytest.approx(expected, rel=1e-5)


def test_for_words_both_perplexities_are_one(make_trainer):
    found, *_ = evaluated(make_trainer, Words(), batch_size=5)

    assert found["test/word_perplexity"] == pytest.approx(found["test/perplexity"], rel=1e-6)


def test_padding_and_batch_size_change_no_unit(make_trainer):
    alone, together = (evaluated(make_trainer, BPE(270), size)[0] for size in (1, 13))

    assert alone == pytest.approx(together, rel=1e-5)
