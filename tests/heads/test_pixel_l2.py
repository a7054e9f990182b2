import math

import pytest
import torch

from lit_vae.decoding import Decoding
from lit_vae.heads import L2PixelHead
from lit_vae.noise import StreamNoise

SHAPE = (1, 2, 2)


def features(batch=3):
    return torch.randn(batch, 2, 2, 4, generator=torch.Generator().manual_seed(0))


def codes(batch=3):
    return torch.randint(0, 256, (batch, *SHAPE), generator=torch.Generator().manual_seed(1))


def test_a_person_is_shown_the_mean_and_a_sample_is_not_it():
    head = L2PixelHead(4, 256, SHAPE, sigma=30.0)
    distribution = head(features())

    shown = head.show(distribution, Decoding(), StreamNoise(0))

    means = head.project(features()).movedim(-1, 1)
    assert torch.equal(shown, ((means + 1) * 127.5).round().clamp(0, 255).to(torch.uint8))
    assert not torch.equal(distribution.draw(Decoding(), StreamNoise(0)), shown)


def test_its_filters_are_the_channels():
    assert L2PixelHead(4, 256, (5, 2, 2), sigma="learned").output.out_channels == 5


def test_the_optimal_sigma_of_a_training_batch_beats_any_other():
    head = L2PixelHead(4, 256, SHAPE, sigma="optimal").train()
    optimal = head(features()).log_prob(codes()).sum()

    for factor in (0.8, 1.25):
        other = L2PixelHead(4, 256, SHAPE, sigma=factor * math.sqrt(head.running_variance) * 127.5)
        other.output.load_state_dict(head.output.state_dict())
        assert other(features()).log_prob(codes()).sum() < optimal


def test_evaluation_uses_the_running_sigma_and_leaves_it():
    head = L2PixelHead(4, 256, SHAPE, sigma="optimal").train()
    for batch in (2, 3, 5):
        head(features(batch)).log_prob(codes(batch))
    before = head.running_variance.clone()

    together = head.eval()(features()).log_prob(codes())
    alone = head(features()[:1]).log_prob(codes()[:1])

    assert torch.equal(head.running_variance, before)
    torch.testing.assert_close(together[:1], alone)


def test_the_running_sigma_is_the_mean_of_the_first_batches_and_is_saved():
    head = L2PixelHead(4, 256, SHAPE, sigma="optimal").train()
    variances = []
    for batch in (2, 3):
        head(features(batch)).log_prob(codes(batch))
        errors = codes(batch) / 127.5 - 1 - head.project(features(batch)).movedim(-1, 1)
        variances.append(errors.square().mean())

    restored = L2PixelHead(4, 256, SHAPE, sigma="optimal")
    restored.load_state_dict(head.state_dict())

    torch.testing.assert_close(head.running_variance, (sum(variances) / 2).detach())
    assert torch.equal(restored.running_variance, head.running_variance)


def test_the_first_running_sigma_has_nothing_of_an_initial_value_however_small_the_error():
    head = L2PixelHead(4, 256, SHAPE, sigma="optimal").train()
    with torch.no_grad():
        head.output.weight.zero_()
        head.output.bias.fill_(1.001)

    head(features()).log_prob(torch.full((3, *SHAPE), 255))

    assert head.running_variance.item() == pytest.approx(1e-6, rel=1e-3)


def test_a_perfect_reconstruction_has_a_finite_likelihood_and_gradient():
    head = L2PixelHead(4, 256, SHAPE, sigma="optimal").train()
    with torch.no_grad():
        head.output.weight.zero_()
        head.output.bias.fill_(1.0)

    log_prob = head(features()).log_prob(torch.full((3, *SHAPE), 255))
    log_prob.sum().backward()

    assert log_prob.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in head.parameters())


@pytest.mark.parametrize("sigma", ["learned", "optimal", 2.5])
def test_a_learned_sigma_is_a_parameter_and_no_other_is(sigma):
    head = L2PixelHead(4, 256, SHAPE, sigma=sigma)

    assert len(list(head.parameters())) == (3 if sigma == "learned" else 2)
