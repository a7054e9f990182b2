from itertools import product

import pytest
import torch

from lit_vae.backbones import RecurrentVAE
from lit_vae.batch import Batch
from lit_vae.decoding import Decoding
from lit_vae.draws import from_posterior
from lit_vae.noise import IndexedNoise, StreamNoise
from lit_vae.objectives import ELBO
from lit_vae.pretrained import HuggingFaceTokenHead
from lit_vae.vae import LitVAE


@pytest.fixture(params=["gpt2", "llama", "gemma2", "mamba"])
def folder(request, folders):
    return folders[request.param]


def head_of(folder, num_values=11):
    """A head away from its initial values, in eval mode."""
    torch.manual_seed(0)
    head = HuggingFaceTokenHead(4, num_values, (None,), folder).eval()
    with torch.no_grad():
        head.added.weight.normal_()
    return head


@torch.no_grad()
def test_it_starts_as_the_language_model_that_it_was(folder):
    from transformers import AutoModelForCausalLM

    model, ids = AutoModelForCausalLM.from_pretrained(folder).eval(), torch.tensor([[3, 4, 5, 6]])
    head = HuggingFaceTokenHead(4, 11, (None,), folder).eval()

    logits = head(torch.randn(1, 4, 4)).logits(ids)

    start = torch.tensor([[model.config.bos_token_id]])
    theirs = model(torch.cat([start, ids[:, :-1]], 1)).logits
    torch.testing.assert_close(logits[..., :10], theirs, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(logits[..., 10], theirs[..., model.config.eos_token_id], atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_all_texts_share_one_unit_of_mass(folder):
    head, texts = head_of(folder, num_values=4), torch.tensor(list(product(range(4), repeat=3)))

    log_prob = head(torch.randn(1, 3, 4).expand(64, -1, -1)).log_prob(texts)

    assert log_prob.exp().sum() == pytest.approx(1.0, abs=1e-5)


@torch.no_grad()
def test_no_token_sees_one_after_it(folder):
    distribution, ids = head_of(folder)(torch.randn(1, 5, 4)), torch.tensor([[3, 4, 5, 6, 7]])
    before = distribution.logits(ids)

    for position in range(5):
        changed = ids.clone()
        changed[:, position] = 0

        after = distribution.logits(changed)

        torch.testing.assert_close(after[:, : position + 1], before[:, : position + 1])
        assert position == 4 or not torch.allclose(after[:, position + 1], before[:, position + 1])


@torch.no_grad()
def test_tokens_kept_in_the_cache_are_scored_as_in_one_pass(folder):
    head, features = head_of(folder), torch.randn(3, 5, 4)
    distribution = head(features)

    greedy = distribution.mode

    # of two tokens alike to rounding, either will do
    at_once = distribution.logits(greedy)
    assert (at_once.gather(-1, greedy.unsqueeze(-1)).squeeze(-1) >= at_once.amax(-1) - 1e-4).all()


@torch.no_grad()
def test_a_beam_search_finds_texts_at_least_as_probable_as_greedy_ones(folder):
    distribution = head_of(folder)(torch.randn(2, 4, 4))

    found, log_probs = distribution.search(3)
    drawn = distribution.draw(Decoding(beams=3), StreamNoise(0))

    scored = distribution.log_prob(found[:, 0]).to(log_probs)
    torch.testing.assert_close(scored, log_probs[:, 0], atol=1e-4, rtol=1e-4)
    assert torch.equal(drawn, found[:, 0])
    assert (log_probs[:, 0] >= distribution.log_prob(distribution.mode) - 1e-4).all()


@torch.no_grad()
def test_padding_does_not_change_the_likelihood(folder):
    head, features = head_of(folder), torch.randn(1, 6, 4)
    mask = torch.tensor([[True, True, True, False, False, False]])
    ids = torch.tensor([[3, 4, 10, 5, 6, 7]])

    padded = head(features, mask).log_prob(ids)

    torch.testing.assert_close(padded, head(features[:, :3]).log_prob(ids[:, :3]))


def test_every_parameter_learns_within_a_model(folder):
    torch.manual_seed(0)
    head = HuggingFaceTokenHead(4, 11, (None,), folder, word_dropout=0.3)
    backbone = RecurrentVAE(head.embed_width, (None,), width=4, hidden=5, latent=3)
    vae, batch = (
        LitVAE(backbone, head, ELBO("symbol")).train(),
        Batch(torch.randint(11, (16, 5)), None, torch.arange(16)),
    )
    optimizer = torch.optim.SGD(vae.parameters(), 0.1)

    for step in range(3):
        vae.terms(batch, StreamNoise(step)).loss.backward()
        optimizer.step()

    silent = [name for name, p in vae.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not silent
    assert vae.eval()(batch, from_posterior, IndexedNoise(batch.index))[0].log_prob(batch.x).isfinite().all()


def test_what_does_not_fit_names_its_key(folders):
    with pytest.raises(ValueError, match=r"11 tokens and an end symbol.*10 tokens.*lit_vae\.tokenizers\.Pretrained"):
        HuggingFaceTokenHead(4, 12, (None,), folders["gpt2"])
    with pytest.raises(ValueError, match=r"model\.head\.init_args\.folder.*AutoModelForCausalLM"):
        HuggingFaceTokenHead(4, 11, (None,), folders["t5"])


def test_a_text_longer_than_the_positions_is_refused(folders):
    with pytest.raises(ValueError, match=r"12 positions.*13 tokens.*data\.init_args\.max_length"):
        HuggingFaceTokenHead(4, 11, (None,), folders["gpt2"])(torch.zeros(1, 13, 4))
