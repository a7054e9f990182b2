"""Promises that every tokenizer keeps, and what each promises alone."""

import json

import pytest

from lit_vae.tokenizers import (
    BPE,
    Bytes,
    Characters,
    Tokenizer,
    TokenizerTrainer,
    Words,
    restore_tokenizer,
)

TEXTS = ["the cat sat on the mat .", "a café, naïve and 東京 .", "the dog and the cat ran ."]

TRAINERS: dict[str, TokenizerTrainer] = {
    "bytes": Bytes(),
    "characters": Characters(),
    "words": Words(),
    "words cut off": Words(min_count=2, max_words=3),
    "words closed": Words(unknown="error"),
    "bpe": BPE(vocabulary=300, min_count=1),
}


@pytest.fixture(params=TRAINERS.values(), ids=TRAINERS.keys())
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return request.param.train(TEXTS)


def test_ids_are_below_the_end_symbol_which_is_the_last(tokenizer):
    ids = [i for text in TEXTS for i in tokenizer.encode(text)]

    assert tokenizer.end == tokenizer.num_values - 1
    assert 0 <= min(ids) <= max(ids) < tokenizer.end


def test_decoding_inverts_encoding_of_what_is_in_the_vocabulary(tokenizer):
    known = [text for text in TEXTS if "<unk>" not in tokenizer.decode(tokenizer.encode(text))]

    decoded = [tokenizer.decode(tokenizer.encode(text)) for text in known]

    assert decoded == known


def test_every_id_decodes(tokenizer):
    decoded = [tokenizer.decode([i]) for i in range(tokenizer.end)]

    assert all(isinstance(text, str) for text in decoded)


def test_many_texts_encode_as_each_alone(tokenizer):
    assert list(tokenizer.encode_all(TEXTS)) == [tokenizer.encode(text) for text in TEXTS]


def test_the_parts_that_tokens_stand_for_follow_each_other_through_the_text(tokenizer):
    for text in TEXTS:
        ids = tokenizer.encode(text)

        ends = tokenizer.byte_ends(text, ids)

        starts = [0, *ends[:-1].tolist()]
        parts = [text.encode()[start:end] for start, end in zip(starts, ends.tolist(), strict=True)]
        assert b"".join(parts) == text.encode()
        if tokenizer.lossless(text, ids):
            assert [part.decode(errors="replace").strip() for part in parts] == [
                tokenizer.decode([i]).strip() for i in ids
            ]


def test_white_space_between_words_belongs_to_the_word_after_it():
    tokenizer = Words().train(["a bb"])

    assert tokenizer.byte_ends("  a \u3000bb\n", tokenizer.encode("a bb")).tolist() == [3, 9]


def test_what_an_unknown_symbol_or_white_space_hides_is_lost():
    words, characters, letters = (trainer.train(["the cat"]) for trainer in (Words(), Characters(), BPE(257)))

    def told(tokenizer, text):
        return tokenizer.lossless(text, tokenizer.encode(text))

    assert told(words, "cat the <unk>")
    assert not told(words, "a cat")
    assert not told(words, "the\ncat")
    assert told(characters, "eat\ufffd")
    assert not told(characters, "bat")
    assert told(letters, "a\n  bat\ufffd")


def test_state_is_plain_and_restores_the_tokenizer(tokenizer):
    state = json.loads(json.dumps(tokenizer.state()))

    restored = restore_tokenizer(state)

    assert restored.num_values == tokenizer.num_values
    assert restored.state() == tokenizer.state()
    assert list(restored.encode_all(TEXTS)) == list(tokenizer.encode_all(TEXTS))


@pytest.mark.parametrize("trainer", TRAINERS.values(), ids=TRAINERS.keys())
def test_training_twice_gives_the_same_tokenizer(trainer):
    assert trainer.train(TEXTS).state() == trainer.train(list(TEXTS)).state()


def test_an_empty_text_has_no_tokens(tokenizer):
    assert tokenizer.encode("") == []
    assert tokenizer.decode([]) == ""


@pytest.mark.parametrize("trainer", [Bytes(), BPE(vocabulary=257)], ids=["bytes", "bpe"])
def test_bytes_know_every_text(trainer):
    strange = "\x00 \U0001f600\u200b<unk>  two  spaces\t"
    tokenizer = trainer.train(["plain"])

    assert tokenizer.num_values == 257
    assert tokenizer.decode(tokenizer.encode(strange)) == strange


def test_words_are_ranked_by_frequency_then_by_occurrence():
    tokenizer = Words().train(["b a c a", "c d a"])

    assert tokenizer.vocabulary.entries == ["<unk>", "a", "c", "b", "d"]


def test_words_are_numbered_as_they_occur_after_the_reserved_ones():
    tokenizer = Words(order="occurrence", reserved=["<pad>", "<s>"]).train(["b a <unk> a", "c d a"])

    assert tokenizer.vocabulary.entries == ["<pad>", "<s>", "b", "a", "<unk>", "c", "d"]


def test_the_cut_off_by_frequency_keeps_the_order_of_occurrence():
    tokenizer = Words(order="occurrence", max_words=2).train(["b a c", "c a"])

    assert tokenizer.vocabulary.entries == ["<unk>", "a", "c"]


@pytest.mark.parametrize("trainer", TRAINERS.values(), ids=TRAINERS.keys())
def test_training_in_parts_is_training(trainer):
    assert trainer.train_in_parts([TEXTS[:1], TEXTS[1:]], map).state() == trainer.train(TEXTS).state()


def test_a_trainers_key_tells_its_settings():
    keys = [str(trainer.key) for trainer in (*TRAINERS.values(), BPE(301), Words(order="occurrence"))]

    assert len(set(keys)) == len(keys)
    assert Words(min_count=2).key == Words(min_count=2).key


def test_a_trainer_that_was_typed_in_at_a_prompt_has_a_key():
    space = {"Bytes": Bytes, "__name__": "__prompt__"}
    exec("class Own(Bytes):\n    pass", space)

    assert "Own" in str(space["Own"]().key)


def test_symbols_outside_the_vocabulary_are_told():
    trained = {name: trainer.train(["the cat"]) for name, trainer in TRAINERS.items()}

    assert trained["words"].unknown_in("the dog saw a dog") == ["dog", "saw", "a"]
    assert trained["characters"].unknown_in("a dog") == ["d", "o", "g"]
    assert trained["bytes"].unknown_in("a dog") == trained["bpe"].unknown_in("a dog") == []


def test_the_cut_off_keeps_frequent_words():
    tokenizer = Words(min_count=2, max_words=1).train(["b a c a", "c d a"])

    assert tokenizer.decode(tokenizer.encode("a b c")) == "a <unk> <unk>"


def test_an_unknown_word_written_by_the_corpus_is_the_unknown_word():
    tokenizer = Words().train(["the <unk> sat"])

    assert tokenizer.vocabulary.entries.count("<unk>") == 1
    assert tokenizer.encode("<unk>") == tokenizer.encode("never-seen")


def test_a_refused_word_is_named_with_the_key_to_change():
    tokenizer = Words(unknown="error").train(["the cat"])

    with pytest.raises(ValueError, match=r"word 'dog'.*data\.init_args\.tokenizer\.init_args\.unknown"):
        tokenizer.encode("the dog")


def test_a_refused_character_is_named():
    tokenizer = Characters(unknown="error").train(["abc"])

    with pytest.raises(ValueError, match="character 'd'"):
        tokenizer.encode("abcd")


def test_a_special_word_in_a_text_is_not_taken_for_the_end_symbol():
    tokenizer = BPE(vocabulary=300).train(TEXTS)

    assert tokenizer.end not in tokenizer.encode("<end> </s> <|endoftext|>")


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: Words(min_count=0), "min_count"),
        (lambda: Words(max_words=0), "max_words"),
        (lambda: Words(unknown="guess"), "unknown"),  # type: ignore[arg-type]
        (lambda: Words(order="random"), "order"),  # type: ignore[arg-type]
        (lambda: Characters(unknown="guess"), "unknown"),  # type: ignore[arg-type]
        (lambda: BPE(vocabulary=100), "vocabulary"),
        (lambda: BPE(min_count=0), "min_count"),
    ],
)
def test_a_bad_setting_is_named(make, key):
    with pytest.raises(ValueError, match=key):
        make()


def test_a_tokenizer_of_another_version_is_refused():
    with pytest.raises(ValueError, match="'syllables'"):
        restore_tokenizer({"kind": "syllables"})
