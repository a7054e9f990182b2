"""Floors under the KL."""

import pytest
import torch
from objectives.latents import latent

from lit_vae.objectives import FreeBits, stack_kls

KLS = [
    [[[0.1, 2.0], [0.3, 0.5]], [[0.2, 0.1], [0.1, 4.0]]],
    [[[0.1, 0.2]], [[0.0, 1.0]]],
]
"""Two layers of two examples, of two positions and of one, two numbers at each."""


MEMBERS = {
    "total": lambda groups: [groups[0].view(2, 1, 1), groups[0].view(2, 1, 1)],
    "layer": lambda groups: [groups[0].view(2, 1, 1), groups[1].view(2, 1, 1)],
    "channel": lambda groups: [groups[:2].T.unsqueeze(1), groups[2:].T.unsqueeze(1)],
    "dimension": lambda groups: [groups[:4].T.reshape(2, 2, 2), groups[4:].T.reshape(2, 1, 2)],
}
"""What holds of groups [groups, B] as what holds of the variables of each layer, broadcastable to [B, *S, z]."""


def softened(latents, nats, group, of):
    kls = stack_kls(torch.zeros(2), latents)
    return FreeBits(nats, group, of)(latents, kls)


def groups_of(group):
    """The KL of each group of each example, [groups, B]."""
    layers = [torch.tensor(kl) for kl in KLS]
    if group == "total":
        return sum(layer.flatten(1).sum(1) for layer in layers).unsqueeze(0)
    if group == "layer":
        return torch.stack([layer.flatten(1).sum(1) for layer in layers])
    if group == "channel":
        return torch.cat([layer.sum(1).T for layer in layers])
    return torch.cat([layer.flatten(1).T for layer in layers])


@pytest.mark.parametrize("group", ["total", "layer", "channel", "dimension"])
@pytest.mark.parametrize("of", ["batch", "example"])
@pytest.mark.parametrize("nats", [0.0, 0.4, 1.15, 3.0])
def test_a_group_counts_as_its_kl_or_as_the_floor_whichever_is_more(group, of, nats):
    groups = groups_of(group)
    expected = groups.mean(1).clamp(min=nats) if of == "batch" else groups.clamp(min=nats).mean(1)

    found = softened([latent(kl) for kl in KLS], nats, group, of)

    assert found.shape == (2, 2)
    assert found.mean(1).sum().item() == pytest.approx(expected.sum().item())


@pytest.mark.parametrize("group", ["total", "layer", "channel", "dimension"])
@pytest.mark.parametrize("of", ["batch", "example"])
def test_below_the_floor_there_is_no_gradient_and_above_it_all_of_it(group, of):
    latents, plain = [latent(kl) for kl in KLS], [latent(kl) for kl in KLS]
    stack_kls(torch.zeros(2), plain).sum().backward()

    softened(latents, 1.15, group, of).sum().backward()

    groups = groups_of(group)
    above = (groups > 1.15) if of == "example" else (groups.mean(1, keepdim=True) > 1.15).expand_as(groups)
    members = MEMBERS[group](above)
    for mine, full, member in zip(latents, plain, members, strict=True):
        torch.testing.assert_close(mine.z.grad, full.z.grad * member)


@pytest.mark.parametrize("group", ["total", "layer", "channel", "dimension"])
@pytest.mark.parametrize("of", ["batch", "example"])
def test_positions_that_an_example_does_not_have_add_neither_kl_nor_floor(group, of):
    """An example of one position, padded to two with nonsense, beside an example of two."""
    hidden = [[[0.1, 0.9], [50.0, 70.0]], [[0.2, 0.3], [0.4, 0.8]]]
    mask = torch.tensor([[True, False], [True, True]])
    kls = torch.tensor([[1.0, 1.7]])
    nats = 0.6

    found = softened([latent(hidden, mask)], nats, group, of)[0]

    channels = torch.tensor([[0.1, 0.9], [0.6, 1.1]])
    elements = torch.tensor([[0.1, 0.9, 0.0, 0.0], [0.2, 0.3, 0.4, 0.8]])
    floors = nats * torch.tensor([[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    expected = {
        ("channel", "example"): channels.clamp(min=nats).sum(),
        ("channel", "batch"): channels.sum(0).clamp(min=2 * nats).sum(),
        ("dimension", "example"): elements.maximum(floors).sum(),
        ("dimension", "batch"): elements.sum(0).maximum(floors.sum(0)).sum(),
    }.get((group, of), kls.sum())
    assert found.sum().item() == pytest.approx(expected.item())


def test_with_one_latent_vector_some_groups_are_the_same():
    vector = [latent([[0.1, 2.0, 0.4], [0.5, 0.1, 3.0]])]

    for of in ("batch", "example"):
        torch.testing.assert_close(softened(vector, 0.9, "total", of), softened(vector, 0.9, "layer", of))
        torch.testing.assert_close(softened(vector, 0.9, "channel", of), softened(vector, 0.9, "dimension", of))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"nats": -0.1}, r"nats counts up from 0"),
        ({"nats": 1.0, "group": "pixel"}, r"group is 'total', 'layer', 'channel' or 'dimension', got 'pixel'"),
        ({"nats": 1.0, "of": "epoch"}, r"of is 'batch' or 'example', got 'epoch'"),
    ],
)
def test_wrong_choices_are_refused_by_their_key(wrong, words):
    with pytest.raises(ValueError, match=rf"model\.objective\.init_args\.free_bits\.init_args\.{words}"):
        FreeBits(**wrong)
