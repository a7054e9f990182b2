import pytest
import torch

from lit_vae.backbones import TransformerVAE
from lit_vae.draws import FromPrior


def made(**changes):
    """A small Transformer in eval mode."""
    torch.manual_seed(0)
    return TransformerVAE(
        4, (None,), **{"width": 6, "hidden": 8, "latent": 3, "depth": 2, "heads": 2, **changes}
    ).eval()


@pytest.mark.parametrize("pool", ["first", "max", "mean"])
@torch.no_grad()
def test_padding_does_not_change_the_posterior(pool):
    backbone, features = made(pool=pool), torch.randn(2, 7, 4)
    mask = torch.arange(7) < torch.tensor([[3], [5]])

    together = backbone.bottom_up(features, mask)
    alone = backbone.bottom_up(features[:1, :3], None)
    noisy = backbone.bottom_up(torch.where(mask.unsqueeze(-1), features, torch.nan), mask)

    torch.testing.assert_close(together.mean[:1], alone.mean)
    torch.testing.assert_close(together.log_scale[:1], alone.log_scale)
    assert torch.equal(together.mean, noisy.mean)


@pytest.mark.parametrize("pool", ["first", "max", "mean"])
@torch.no_grad()
def test_every_token_and_its_place_reach_the_posterior(pool):
    backbone, features = made(pool=pool), torch.randn(1, 5, 4)
    before = backbone.bottom_up(features, None).mean

    for position in range(5):
        changed = features.clone()
        changed[:, position] += 1.0

        assert not torch.allclose(backbone.bottom_up(changed, None).mean, before)
    assert not torch.allclose(backbone.bottom_up(features.flip(1), None).mean, before)


@torch.no_grad()
def test_the_vector_is_shown_at_every_position_of_a_text_of_any_length():
    backbone, noise = made(), [torch.randn(2, 3)]

    short, _ = backbone.top_down(None, [2, 4], FromPrior(), noise, None)
    long, _ = backbone.top_down(None, [2, 900], FromPrior(), noise, None)

    torch.testing.assert_close(long, short[:, :1].expand(-1, 900, -1))


def test_a_posterior_does_not_mix_up_who_is_hidden_with_who_is_read():
    backbone, features = made(dropout=0.0), torch.randn(1, 4, 4, requires_grad=True)

    backbone.bottom_up(features, torch.tensor([[True, True, False, False]])).mean.sum().backward()

    assert features.grad[0].abs().sum(-1).gt(0).tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("wrong", "named"), [({"heads": 3}, "heads"), ({"dropout": 1.0}, "dropout"), ({"pool": "last"}, "pool")]
)
def test_an_argument_out_of_range_names_its_key(wrong, named):
    with pytest.raises(ValueError, match=rf"model\.backbone\.init_args\.{named}"):
        made(**wrong)


def test_pictures_are_refused_with_what_to_change():
    with pytest.raises(ValueError, match=r"TransformerVAE reads text.*positions \[8, 8\].*model\.backbone"):
        TransformerVAE(3, (8, 8))
