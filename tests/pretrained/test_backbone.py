import sys

import pytest
import torch
from contracts import test_backbones as contract
from contracts.registry import WIDTH, BackboneCase

from lit_vae.backbones import BatchNormPosterior
from lit_vae.draws import FromPrior
from lit_vae.pretrained import HuggingFaceVAE

KINDS = [("bert", "mean"), ("gpt2", "last"), ("t5", "max"), ("llama", "mean")]


@pytest.fixture(params=KINDS, ids=lambda kind: kind[0])
def case(request, folders):
    name, pool = request.param

    def make(**arguments):
        return HuggingFaceVAE(folder=folders[name], width=WIDTH, latent=3, pool=pool, **arguments)

    return BackboneCase(make, (None,))


@pytest.mark.parametrize(
    "promise",
    [
        contract.test_features_keep_the_positions_and_layers_come_as_announced,
        contract.test_features_depend_on_neither_batch_size_nor_order,
        contract.test_no_example_sees_another,
        contract.test_what_the_mask_hides_does_not_change_the_bound,
        contract.test_a_mask_of_everything_is_no_mask,
        contract.test_double_precision_stays_double,
        contract.test_half_precision_keeps_the_latents_in_single,
    ],
    ids=lambda promise: promise.__name__,
)
def test_a_pretrained_encoder_keeps_the_promises_of_every_backbone(promise, case):
    promise(case, case.build())


def test_every_parameter_gets_a_gradient(case):
    contract.test_every_parameter_gets_a_gradient_through_the_bound(case)


@torch.no_grad()
def test_padding_does_not_change_the_posterior(case):
    backbone, features = case.build(), torch.randn(2, 7, WIDTH)
    mask = torch.arange(7) < torch.tensor([[3], [5]])

    together, alone = backbone.bottom_up(features, mask), backbone.bottom_up(features[:1, :3], None)
    noisy = backbone.bottom_up(torch.where(mask.unsqueeze(-1), features, torch.nan), mask)

    torch.testing.assert_close(together.mean[:1], alone.mean, atol=1e-5, rtol=1e-4)
    assert torch.equal(together.mean, noisy.mean)


@torch.no_grad()
def test_states_are_those_that_the_model_itself_makes_of_its_embeddings(folders):
    from transformers import AutoModel

    model, ids = AutoModel.from_pretrained(folders["bert"]).eval(), torch.tensor([[3, 4, 5]])
    backbone = HuggingFaceVAE(embed_width=8, shape=(None,), folder=folders["bert"], width=4, latent=2).eval()

    ours = backbone.bottom_up(model.get_input_embeddings()(ids), None)

    torch.testing.assert_close(ours.mean, backbone.posterior(model(ids).last_hidden_state.mean(1)).mean)


def test_a_frozen_model_neither_learns_nor_drops_out(folders):
    backbone = HuggingFaceVAE(8, (None,), folders["bert"], frozen=True, posterior=BatchNormPosterior).train()

    assert not backbone.encoder.training
    assert backbone.posterior.training
    assert {name.split(".")[0] for name, p in backbone.named_parameters() if p.requires_grad} == {"posterior", "show"}


def test_a_text_longer_than_the_positions_is_refused_and_one_drawn_is_not(folders):
    backbone = HuggingFaceVAE(8, (None,), folders["bert"], width=4, latent=2)

    with pytest.raises(ValueError, match=r"12 positions.*13 tokens.*data\.init_args\.max_length"):
        backbone.bottom_up(torch.zeros(1, 13, 8), None)

    assert backbone.top_down(None, [1, 13], FromPrior(), [torch.zeros(1, 2)], None)[0].shape == (1, 13, 4)


def test_a_folder_without_a_model_names_the_key(tmp_path):
    with pytest.raises(ValueError, match=r"model\.backbone\.init_args\.folder.*config\.json"):
        HuggingFaceVAE(8, (None,), str(tmp_path))


def test_without_transformers_the_extra_is_named(monkeypatch, folders):
    monkeypatch.setitem(sys.modules, "transformers", None)

    with pytest.raises(ImportError, match=r"pip install 'lit_vae\[hf\]'"):
        HuggingFaceVAE(8, (None,), folders["bert"])


ENCODERS = [
    *("albert", "bart", "bert", "bloom", "camembert", "deberta-v2", "distilbert", "electra", "gemma", "gemma2", "gpt2"),
    *("gemma3_text", "llama", "mamba", "modernbert", "mpnet", "opt", "qwen2", "roberta", "t5", "xlm-roberta"),
]


@pytest.mark.parametrize("name", ENCODERS)
@torch.no_grad()
def test_embeddings_are_read_as_ids_are_whatever_the_padding(name, family):
    from transformers import AutoModel

    folder = family(name, "AutoModel")
    model = AutoModel.from_pretrained(folder).eval()
    model = model.get_encoder() if model.config.is_encoder_decoder else model
    backbone = HuggingFaceVAE(16, (None,), folder, width=4, latent=2, pool="last").eval()
    table, ids = model.get_input_embeddings(), torch.tensor([[3, 4, 5, 6, 7], [8, 7, 3, 9, 9]])
    backbone.enter = torch.nn.Identity()
    mask = torch.arange(5) < torch.tensor([[5], [3]])

    ours = backbone.bottom_up(table(ids), mask).mean

    last = [model(input_ids=row[None]).last_hidden_state[:, -1] for row in (ids[0], ids[1, :3])]
    torch.testing.assert_close(ours, backbone.posterior(torch.cat(last)).mean, atol=1e-4, rtol=1e-4)


def test_an_encoder_reads_embeddings_of_another_width_than_its_states(family):
    folder = family("albert", "AutoModel", embedding_size=6)

    backbone = HuggingFaceVAE(6, (None,), folder, width=4, latent=2)

    assert isinstance(backbone.enter, torch.nn.Identity)
    assert backbone.bottom_up(torch.zeros(1, 3, 6), None).mean.shape == (1, 2)


def test_the_positions_that_roberta_keeps_for_padding_are_not_read(family):
    backbone = HuggingFaceVAE(16, (None,), family("roberta", "AutoModel"), width=4, latent=2)

    assert backbone.bottom_up(torch.zeros(1, 23, 16), None).mean.isfinite().all()
    with pytest.raises(ValueError, match=r"23 positions.*24 tokens"):
        backbone.bottom_up(torch.zeros(1, 24, 16), None)


def test_a_model_that_reads_padding_is_refused_by_its_type(family):
    with pytest.raises(ValueError, match=r"model\.backbone\.init_args\.folder.*'fnet'.*another type, such as bert"):
        HuggingFaceVAE(16, (None,), family("fnet", "AutoModel"))


def test_missing_weights_are_refused_and_a_missing_pooler_is_not(family, tmp_path):
    from safetensors.torch import load_file, save_file
    from transformers import AutoModel

    AutoModel.from_pretrained(family("bert", "AutoModel")).save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    weights = {name: weight for name, weight in load_file(path).items() if "pooler" not in name}
    save_file(weights, path, {"format": "pt"})

    HuggingFaceVAE(16, (None,), str(tmp_path))

    save_file({name: weight for name, weight in weights.items() if "layer.1" not in name}, path, {"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks 16 of the weights of BertModel, among them encoder\.layer\.1"):
        HuggingFaceVAE(16, (None,), str(tmp_path))
