import pytest
import torch

from lit_vae.backbones import HierarchicalTextVAE
from lit_vae.draws import FromPrior, from_posterior


def made(**changes):
    """A small hierarchy in eval mode, away from its initial values."""
    torch.manual_seed(0)
    sizes = {"width": 8, "hidden": 8, "latent": 2, "whole_latent": 3, "blocks": (1, 1, 1), "stride": 2, "heads": 2}
    backbone = HierarchicalTextVAE(4, (None,), **{**sizes, **changes}).eval()
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return backbone


def noise_of(backbone, length):
    """Noise of each layer for one text."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(1, *layer.shape, generator=generator) for layer in backbone.layers([length])]


def test_layers_go_from_the_whole_text_to_single_tokens_under_names_that_no_length_changes():
    backbone = made(whole=2, blocks=(1, 2, 0, 1))

    layers = backbone.layers([5])

    assert [(layer.name, layer.shape) for layer in layers] == [
        ("text.0", (1, 3)),
        ("text.1", (1, 3)),
        ("every8.0", (1, 2)),
        ("every2.0", (3, 2)),
        ("every2.1", (3, 2)),
        ("every1.0", (5, 2)),
    ]
    assert [layer.name for layer in backbone.layers([40])] == [layer.name for layer in layers]


@torch.no_grad()
@pytest.mark.parametrize("position", range(9))
def test_no_feature_or_prior_hears_of_a_run_that_begins_later(position):
    backbone = made()
    noise = noise_of(backbone, 9)
    sizes = [9, 4, 2, 1]
    later = [
        n.index_fill(1, torch.arange(-(-position // s), n.shape[1]), 9.0) for n, s in zip(noise, sizes, strict=True)
    ]

    before, befores = backbone.top_down(None, [1, 9], FromPrior(), noise, None)
    after, afters = backbone.top_down(None, [1, 9], FromPrior(), [noise[0], *later[1:]], None)

    torch.testing.assert_close(after[:, :position], before[:, :position])
    for size, one, two in zip(sizes, befores, afters, strict=True):
        begun = -(-position // size)
        torch.testing.assert_close(two.prior.mean[:, :begun], one.prior.mean[:, :begun])


@torch.no_grad()
def test_a_run_is_heard_of_in_all_tokens_from_its_first_and_the_text_in_all():
    backbone = made()
    noise = noise_of(backbone, 8)
    before, _ = backbone.top_down(None, [1, 8], FromPrior(), noise, None)

    for layer, first in ((0, 0), (1, 4), (2, 6), (3, 7)):
        louder = [n.clone() for n in noise]
        louder[layer][:, -1] += 1
        after, _ = backbone.top_down(None, [1, 8], FromPrior(), louder, None)

        heard = ~torch.isclose(after, before, rtol=1e-4, atol=1e-6)
        assert heard.any(-1)[0].tolist() == [position >= first for position in range(8)]


@torch.no_grad()
def test_runs_that_begin_after_the_last_token_cost_nothing_and_a_hole_in_a_text_does():
    backbone = made()
    mask = torch.tensor([[True, False, False, False, False, True, False, False]])

    context = backbone.bottom_up(torch.randn(1, 8, 4), mask)
    _, latents = backbone.top_down(context, [1, 8], from_posterior, noise_of(backbone, 8), mask)

    exists = {latent.layer.name: latent.mask[0].tolist() for latent in latents[1:]}
    assert latents[0].mask is None
    assert exists == {
        "every4.0": [True, True],
        "every2.0": [True, True, True, False],
        "every1.0": [True] * 6 + [False] * 2,
    }


@torch.no_grad()
def test_a_run_sees_the_average_of_its_tokens_that_exist():
    backbone, x = made(), torch.randn(1, 5, 4)
    mask = torch.tensor([[True, True, True, False, False]])

    seen = backbone.bottom_up(x, mask)

    tokens = backbone.encoder(x, mask)[1]
    torch.testing.assert_close(seen.over(2)[0, :2], torch.stack([tokens[0, :2].mean(0), tokens[0, 2]]))
    assert torch.equal(seen.over(2)[0, 2], torch.zeros(8))
    torch.testing.assert_close(seen.over(4)[0, 0], tokens[0, :3].mean(0))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"stride": 1}, "stride"),
        ({"blocks": []}, "blocks"),
        ({"blocks": [0, 0], "whole": 0}, "at least one latent layer"),
        ({"blocks": [-1, 2]}, "blocks"),
        ({"latent": 0}, "latent"),
        ({"heads": 3}, "heads"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_a_number_out_of_range_names_its_key(wrong, named):
    with pytest.raises(ValueError, match=rf"model\.backbone\.init_args.*{named}|{named}.*model\.backbone\.init_args"):
        made(**wrong)
