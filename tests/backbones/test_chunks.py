import pytest
import torch

from lit_vae.backbones import BatchNormPosterior, ChunkAutoencoder
from lit_vae.batch import Batch
from lit_vae.draws import FromPrior, from_posterior
from lit_vae.heads import SoftmaxTokenHead
from lit_vae.noise import IndexedNoise
from lit_vae.objectives import ELBO
from lit_vae.vae import LitVAE


@pytest.fixture
def backbone():
    torch.manual_seed(0)
    return ChunkAutoencoder(embed_width=4, shape=(None,), width=6, chunk=3, latent=2).eval()


@pytest.mark.parametrize(("length", "chunks"), [(1, 1), (3, 1), (4, 2), (9, 3)])
def test_there_is_one_vector_for_each_chunk_that_begins_in_a_text(backbone, length, chunks):
    assert [layer.shape for layer in backbone.layers([length])] == [(chunks, 2)]


def changed(before, after):
    """Where [B, n, width] there is more between two than rounding, [B, n]."""
    return (~torch.isclose(before, after, rtol=1e-4, atol=1e-6)).any(-1).tolist()


@torch.no_grad()
def test_a_token_is_seen_by_its_own_chunk_alone_on_either_way(backbone):
    features, noise = torch.randn(1, 9, 4), torch.randn(1, 3, 2)
    other, louder = features.clone(), noise.clone()
    other[:, 4] += 1
    louder[:, 1] += 1

    means = [backbone.bottom_up(x, None).mean for x in (features, other)]
    written = [backbone.top_down(None, [1, 9], FromPrior(), [n], None)[0] for n in (noise, louder)]

    assert changed(*means) == [[False, True, False]]
    assert changed(*written) == [3 * [False] + 3 * [True] + 3 * [False]]


@torch.no_grad()
def test_padding_does_not_change_a_batch_normalised_posterior_in_training():
    torch.manual_seed(0)
    backbone = ChunkAutoencoder(4, (None,), width=6, chunk=3, latent=2, token_dropout=0.0, posterior=BatchNormPosterior)
    features, mask = torch.randn(2, 6, 4), torch.arange(12) < torch.tensor([[4], [6]])

    short = backbone.bottom_up(features, mask[:, :6]).mean
    long = backbone.bottom_up(torch.cat([features, torch.randn(2, 6, 4)], 1), mask).mean

    torch.testing.assert_close(long[:, :2], short)


@torch.no_grad()
def test_a_chunk_after_the_end_of_a_text_costs_nothing(backbone):
    noise, mask = [torch.randn(2, 3, 2)], torch.arange(9) < torch.tensor([[4], [3]])
    context = backbone.bottom_up(torch.randn(2, 9, 4), mask)

    _, (latent,) = backbone.top_down(context, [2, 9], from_posterior, noise, mask)

    assert latent.mask.tolist() == [[True, True, False], [True, False, False]]
    torch.testing.assert_close(latent.kl[1], latent.kl_elements[1, 0].sum())


def test_dropout_hides_tokens_and_numbers_of_z_in_training_alone(backbone):
    features, noise = torch.randn(64, 9, 4), [torch.randn(64, 3, 2)]

    def passes():
        posterior = backbone.bottom_up(features, None)
        return posterior.mean, backbone.top_down(None, [64, 9], FromPrior(), noise, None)[0]

    quiet, again = passes(), passes()
    backbone.train()
    loud, other = passes(), passes()

    assert all(torch.equal(a, b) for a, b in zip(quiet, again, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(loud, other, strict=True))


def test_tokens_are_told_apart_through_their_vectors():
    torch.manual_seed(0)
    backbone = ChunkAutoencoder(8, (None,), width=16, chunk=4, latent=8, token_dropout=0.0, latent_dropout=0.0)
    vae = LitVAE(backbone, SoftmaxTokenHead(16, 5, (None,), embed_width=8), ELBO("symbol", 1e-3)).train()
    optimizer = torch.optim.Adam(vae.parameters(), 0.02)
    batch = Batch(torch.randint(5, (8, 8)), None, torch.arange(8))

    for _ in range(50):
        optimizer.zero_grad()
        vae.terms(batch, IndexedNoise(batch.index)).loss.backward()
        optimizer.step()

    distribution, _ = vae.eval()(batch, from_posterior, IndexedNoise(batch.index))
    assert (distribution.mode == batch.x).float().mean() > 0.99


@pytest.mark.parametrize("wrong", [{"chunk": 0}, {"latent": 0}, {"token_dropout": 1.0}, {"latent_dropout": -0.1}])
def test_a_number_out_of_range_names_its_key(wrong):
    with pytest.raises(ValueError, match=rf"model\.backbone\.init_args.*{next(iter(wrong))}"):
        ChunkAutoencoder(4, (None,), **wrong)
