"""A pretrained head is the model of its folder, whatever the family, or it is refused."""

import pytest
import torch
from transformers import AutoModelForCausalLM
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from lit_vae.heads.vocabulary import VocabularyProjection
from lit_vae.pretrained import HuggingFaceTokenHead
from lit_vae.pretrained.causal import Network

EOS, TOKENS = 2, 10
LINEAR = [
    *("bloom", "falcon", "gemma", "gemma3_text", "gpt2", "gpt_neox", "gptj", "llama", "mamba", "mistral", "mpt", "opt"),
    *("phi", "phi3", "qwen2", "qwen3"),
]
"""Families whose logits are a linear map of their hidden states."""
OTHER = ["cohere", "gemma2", "granite"]
"""Families that scale or cap them."""


def own_log_probs(folder, texts, start):
    """What the model of a folder says of each token of some texts and of its end, [B, L, 11], each prefix read anew."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    ids = torch.cat([torch.full((len(texts), 1), start), texts.where(texts < TOKENS, EOS)], 1)
    logits = [model(input_ids=ids[:, :length]).logits[:, -1] for length in range(1, ids.shape[1])]
    return torch.stack(logits, 1)[..., [*range(TOKENS), EOS]].log_softmax(-1)


@torch.no_grad()
def check_that_it_is_the_model(folder, head, start=1):
    torch.manual_seed(0)
    texts = torch.randint(3, TOKENS, (2, 7))
    distribution = head(torch.randn(2, 7, 4))

    scored = distribution.logits(texts).log_softmax(-1)
    found, log_prob = distribution.search(3)

    torch.testing.assert_close(scored, own_log_probs(folder, texts, start), atol=1e-3, rtol=1e-3)
    own = own_log_probs(folder, found[:, 0], start).gather(-1, found[:, 0].unsqueeze(-1)).sum((1, 2))
    torch.testing.assert_close(log_prob[:, 0].float(), own, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", LINEAR + OTHER)
def test_it_is_the_model_at_once_and_step_by_step(name, family):
    head = HuggingFaceTokenHead(4, TOKENS + 1, (None,), family(name)).eval()

    check_that_it_is_the_model(family(name), head)

    assert isinstance(head.projection, VocabularyProjection) == (name in LINEAR)


@pytest.mark.parametrize(
    ("name", "settings", "why"),
    [
        ("bert", {"is_decoder": False}, "read at once"),
        ("roberta", {}, "read step by step"),
        ("openai-gpt", {}, "keeps no cache"),
        ("rwkv", {}, "read at once"),
    ],
)
def test_a_model_that_would_be_another_is_refused_by_its_type(name, settings, why, family):
    with pytest.raises(ValueError, match=rf"model\.head\.init_args\.folder.*'{name}'.*{why}.*another type, such as"):
        HuggingFaceTokenHead(4, TOKENS + 1, (None,), family(name, **settings))


@pytest.mark.parametrize("name", ["gemma", "gptj", "llama"])
def test_weights_in_half_precision_are_the_same_model_in_single(name, family, tmp_path):
    AutoModelForCausalLM.from_pretrained(family(name), dtype=torch.bfloat16).save_pretrained(tmp_path)

    head = HuggingFaceTokenHead(4, TOKENS + 1, (None,), str(tmp_path)).eval()

    assert {parameter.dtype for parameter in head.parameters()} == {torch.float32}
    check_that_it_is_the_model(str(tmp_path), head)


@pytest.mark.parametrize("name", ["phi", "gemma"])
@torch.no_grad()
def test_texts_of_one_length_have_no_end_symbol_and_all_tokens_are_the_models(name, family):
    head = HuggingFaceTokenHead(4, TOKENS, (3,), family(name)).eval()
    texts = torch.tensor([[9, 4, 9]])

    scored = head(torch.randn(1, 3, 4)).logits(texts).log_softmax(-1)

    own = own_log_probs(family(name), texts, start=1)[..., :TOKENS]
    torch.testing.assert_close(scored, own.log_softmax(-1), atol=1e-4, rtol=1e-4)


def test_a_model_without_a_start_symbol_starts_with_its_end_symbol(family):
    folder = family("gpt2", bos_token_id=None)

    check_that_it_is_the_model(folder, HuggingFaceTokenHead(4, TOKENS + 1, (None,), folder).eval(), start=EOS)


@pytest.mark.parametrize("name", ["gemma2", "gpt2"])
def test_tied_tables_stay_tied_with_an_end_symbol_beside_them(name, family):
    head = HuggingFaceTokenHead(4, TOKENS + 1, (None,), family(name))

    tables = [parameter for parameter in head.parameters() if parameter.shape == (TOKENS + 1, 16)]

    assert len(tables) == 1
    assert tables[0] is head.table.weight
    assert head.table.padding_idx is None


def test_missing_weights_are_refused(family, tmp_path):
    AutoModelForCausalLM.from_pretrained(family("phi")).base_model.save_pretrained(tmp_path)

    with pytest.raises(ValueError, match=r"lacks 2 of the weights of PhiForCausalLM, among them lm_head"):
        HuggingFaceTokenHead(4, TOKENS + 1, (None,), str(tmp_path))


def test_weights_that_are_pickled_are_refused(family, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(family("gpt2"))
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")

    with pytest.raises(ValueError, match=r"cannot read .*safetensors"):
        HuggingFaceTokenHead(4, TOKENS + 1, (None,), str(tmp_path))


@pytest.mark.parametrize("name", ["past_key_values", "cache_params", "cache"])
def test_a_cache_goes_back_under_the_name_under_which_it_came(name):
    from transformers import DynamicCache

    def model(inputs_embeds, use_cache, **caches):
        assert use_cache
        given.append(caches)
        return {"last_hidden_state": inputs_embeds, name: cache}

    given, cache, network = [], DynamicCache(), Network(model)

    _, caches = network.step(torch.zeros(1, 1, 2), {})
    network.step(torch.zeros(1, 1, 2), caches)

    assert given == [{}, {name: cache}]


@pytest.mark.slow
@pytest.mark.parametrize("name", MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
def test_every_family_is_the_model_or_is_refused(name, family):
    try:
        folder = family(name)
    except Exception as error:
        pytest.skip(f"no tiny model is made from this config: {error}")

    refusal = None
    try:
        head = HuggingFaceTokenHead(4, TOKENS + 1, (None,), folder).eval()
    except ValueError as error:
        refusal = str(error)

    if refusal is None:
        check_that_it_is_the_model(folder, head)
    else:
        assert "another type, such as" in refusal
