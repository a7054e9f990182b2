"""The embedded sentences: whole, different, and divided the same way every time."""

import pytest

from lit_vae.data import SentencesDataModule
from lit_vae.data.sentences import sentences, sentences_of
from lit_vae.tokenizers import Bytes

TOPIC = """Title
*****

A first sentence that was broken over two
lines.  A second one, e.g. This is not a third, ends here (really.)  "Quoted
one" is the third sentence.

   >>> print("This is code and not a sentence.")

* An item of a list is a sen-
  tence as well.

   grammar ::= "Not a sentence at all."

Too short.
"""


def test_a_topic_yields_its_prose_and_no_code():
    assert list(sentences_of(TOPIC)) == [
        "A first sentence that was broken over two lines.",
        "A second one, e.g. This is not a third, ends here (really.)",
        '"Quoted one" is the third sentence.',
        "An item of a list is a sen-tence as well.",
    ]


@pytest.fixture(scope="module")
def data():
    return SentencesDataModule(Bytes(), max_length=1701)


def test_sentences_are_different_and_of_the_stated_length():
    found = sentences()

    assert len(found) == len(set(found)) > 1000
    assert all(20 <= len(sentence) <= 400 for sentence in found)


def test_no_sentence_is_in_two_splits(data):
    train, val, test = (set(data.texts[name]) for name in ("train", "val", "test"))

    assert not train & val
    assert not (train | val) & test
    assert len(train) > 7 * len(test)


def test_two_data_modules_divide_alike(data):
    again, other = (SentencesDataModule(Bytes(), max_length=1701, split_seed=seed) for seed in (0, 1))

    assert list(again.texts["test"]) == list(data.texts["test"])
    assert list(other.texts["test"]) != list(data.texts["test"])
