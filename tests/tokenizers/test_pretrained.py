import json

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from lit_vae.tokenizers import Pretrained, restore_tokenizer

WORDS = ["[UNK]", "[CLS]", "[SEP]", "the", "cat", "sat"]


@pytest.fixture
def folder(tmp_path):
    """A tokenizer that puts symbols around a text, cuts it and fills it up."""
    library = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, "[UNK]"))
    library.pre_tokenizer = pre_tokenizers.Whitespace()
    library.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    library.enable_truncation(4)
    library.enable_padding(length=8)
    library.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def test_ids_are_those_of_the_model_with_an_end_symbol_of_our_own_after_them(folder):
    tokenizer = Pretrained(str(folder)).train(["whatever"])

    assert tokenizer.encode("the cat sat the cat sat") == [3, 4, 5, 3, 4, 5]
    assert list(tokenizer.encode_all(["the", "dog sat"])) == [[3], [0, 5]]
    assert tokenizer.decode([3, 4]) == "the cat"
    assert (tokenizer.num_values, tokenizer.end) == (7, 6)


def test_what_the_model_has_its_unknown_symbol_for_is_named(folder):
    assert Pretrained(str(folder)).train([]).unknown_in("the dog sat, dog") == ["dog", ","]

    library = Tokenizer(models.Unigram([("<unk>", 0.0), ("the", -1.0)], unk_id=0))
    library.pre_tokenizer = pre_tokenizers.Whitespace()
    library.save(str(folder / "tokenizer.json"))

    assert Pretrained(str(folder)).train([]).unknown_in("the dog") == ["dog"]


def test_a_run_needs_the_folder_no_more(folder):
    tokenizer = Pretrained(str(folder)).train([])
    state = json.loads(json.dumps(tokenizer.state()))
    (folder / "tokenizer.json").unlink()

    assert restore_tokenizer(state).encode("the cat") == [3, 4]


def test_another_tokenizer_has_another_key_and_another_place_has_not(folder, tmp_path_factory):
    before, other = Pretrained(str(folder)).key, tmp_path_factory.mktemp("other")
    text = (folder / "tokenizer.json").read_text()
    (other / "tokenizer.json").write_text(text)

    assert Pretrained(str(other)).key == before
    (other / "tokenizer.json").write_text(text.replace("cat", "dog"))
    assert Pretrained(str(other)).key != before


def test_a_folder_without_a_tokenizer_names_the_key(tmp_path):
    with pytest.raises(ValueError, match=r"data\.init_args\.tokenizer\.init_args\.folder has no tokenizer\.json"):
        Pretrained(str(tmp_path))


def test_ids_with_gaps_are_refused(folder):
    path = folder / "tokenizer.json"
    settings = json.loads(path.read_text())
    settings["model"]["vocab"]["sat"] = 9
    path.write_text(json.dumps(settings))

    with pytest.raises(ValueError, match="6 ids that go to 9"):
        Pretrained(str(folder)).train([])
