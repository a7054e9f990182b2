"""What a pretrained model is told of the data before anything is trained."""

import pytest
from pretrained.families import WORDS, save_tokenizer

from lit_vae.backbones import RecurrentVAE
from lit_vae.objectives import ELBO
from lit_vae.pretrained import HuggingFaceTokenHead, HuggingFaceVAE
from lit_vae.symbols import Blocks, Tokens
from lit_vae.tokenizers import CharacterTokenizer, Pretrained
from lit_vae.vae import LitVAE


@pytest.fixture
def tokens(folders):
    """Makes the symbols of texts that were cut by the tokenizer of a folder."""

    def make(folder=folders["gpt2"], max_length=8):
        return Tokens("lines", Pretrained(folder).train([]), max_length)

    return make


def model(folders, encoder=None, head="gpt2", num_values=11, shape=(None,)):
    """A VAE whose encoder reads embeddings of its own unless a folder is named."""
    writes = HuggingFaceTokenHead(4, num_values, shape, folders[head])
    if encoder is None:
        return LitVAE(RecurrentVAE(writes.embed_width, shape, width=4, hidden=5, latent=3), writes, ELBO("symbol"))
    return LitVAE(HuggingFaceVAE(writes.embed_width, shape, encoder, width=4, latent=3), writes, ELBO("symbol"))


def other_words(family, tmp_path, words):
    """The folder of a BERT with other words."""
    from transformers import AutoModel

    AutoModel.from_pretrained(family("bert", "AutoModel")).save_pretrained(tmp_path)
    save_tokenizer(tmp_path, words)
    return str(tmp_path)


def test_data_of_the_tokenizer_that_all_folders_share_is_taken(folders, tokens):
    vae = model(folders, encoder=folders["bert"])

    vae.learn(tokens(max_length=12))

    assert vae.symbols.max_length == 12


def test_an_encoder_with_another_tokenizer_is_refused(folders, family, tokens, tmp_path):
    swapped = other_words(family, tmp_path, [*WORDS[:3], "cat", "the", *WORDS[5:]])

    with pytest.raises(
        ValueError, match=r"model\.backbone\.init_args\.folder: token \d of 'lines' is .* is token \d: n"
    ):
        model(folders, encoder=swapped).learn(tokens())


def test_a_head_with_another_tokenizer_is_refused(folders, family, tokens, tmp_path):
    other = other_words(family, tmp_path, [*WORDS[:-1], "!"])

    with pytest.raises(ValueError, match=r"model\.head\.init_args\.folder: token 9 of 'lines' is '!'.* no token"):
        model(folders).learn(tokens(other))


def test_tokens_of_another_kind_are_refused(folders):
    letters = Tokens("letters", CharacterTokenizer("abcdefghij", None), 8)

    with pytest.raises(ValueError, match=r"a tokenizer of its own.*'letters'.*CharacterTokenizer.*Pretrained"):
        model(folders).learn(letters)


def test_a_folder_that_does_not_say_what_its_ids_are_is_refused(folders, family, tokens, tmp_path):
    silent = other_words(family, tmp_path, WORDS)
    (tmp_path / "tokenizer.json").unlink()

    with pytest.raises(ValueError, match=r"model\.backbone\.init_args\.folder has no tokenizer\.json"):
        model(folders, encoder=silent).learn(tokens())


def test_texts_that_may_outgrow_the_positions_are_refused_before_training(folders, tokens):
    with pytest.raises(ValueError, match=r"12 positions.*13 tokens.*data\.init_args\.max_length.* to 12 or less"):
        model(folders).learn(tokens(max_length=13))

    blocks = Blocks("blocks", Pretrained(folders["gpt2"]).train([]), 13)
    with pytest.raises(ValueError, match=r"12 positions.*13 tokens"):
        model(folders, num_values=10, shape=(13,)).learn(blocks)

    with pytest.raises(ValueError, match=r"12 positions.*13 tokens"):
        model(folders, encoder=folders["bert"], head="mamba").learn(tokens(max_length=13))


@pytest.mark.parametrize(
    ("name", "auto_class", "most"),
    [
        ("bert", "AutoModel", 24),
        ("bloom", "AutoModelForCausalLM", None),
        ("falcon", "AutoModelForCausalLM", 24),
        ("gptj", "AutoModelForCausalLM", 24),
        ("llama", "AutoModelForCausalLM", 24),
        ("mamba", "AutoModelForCausalLM", None),
        ("opt", "AutoModelForCausalLM", 24),
        ("roberta", "AutoModel", 23),
        ("t5", "AutoModel", None),
    ],
)
def test_most_positions_are_those_that_the_family_can_read(name, auto_class, most, family):
    from transformers import AutoModel

    from lit_vae.pretrained.positions import most_positions

    read = AutoModel.from_pretrained(family(name, auto_class))

    assert most_positions(read.get_encoder() if read.config.is_encoder_decoder else read) == most


def test_linear_biases_set_no_limit(family):
    assert HuggingFaceTokenHead(4, 11, (None,), family("falcon", alibi=True)).most is None
