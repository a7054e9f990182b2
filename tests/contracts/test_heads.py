"""What every decoder head promises."""

import inspect

import pytest
import torch
from scipy.stats import chisquare

import lit_vae.heads
from contracts.registry import HEADS, WIDTH, vae_of
from lit_vae.batch import Batch
from lit_vae.decoding import GREEDY, Decoding
from lit_vae.distributions import AutoregressiveTokens
from lit_vae.draws import from_posterior
from lit_vae.heads import DecoderHead
from lit_vae.noise import IndexedNoise, StreamNoise
from lit_vae.vae import LitVAE


@pytest.fixture(params=HEADS.values(), ids=HEADS.keys())
def case(request):
    return request.param


@pytest.fixture
def head(case):
    return case.build()


TEXT = [name for name, case in HEADS.items() if None in case.shape]
CAUSAL = [name for name in TEXT if isinstance(HEADS[name].build()(torch.zeros(1, 1, WIDTH)), AutoregressiveTokens)]


def features_of(head, positions, size, dtype=torch.float32):
    """Features [size, *S, width], each example's its own."""
    return torch.randn(size, *positions, head.width, generator=torch.Generator().manual_seed(1)).to(dtype)


def positions_of(case, length=None):
    """S of one example, (H, W) or (L,)."""
    example = case.example if length is None else (length,)
    return example[-2:] if len(example) == 3 else example


def over_the_alphabet(case, head, dtype=torch.float32, mask=None):
    """log p of every example there is, [num_values ** symbols], all given the same features."""
    x = case.alphabet()
    features = features_of(head, positions_of(case), 1, dtype).expand(len(x), *[-1] * (len(positions_of(case)) + 1))
    mask = None if mask is None else mask.expand(len(x), *case.example)
    return head(features, mask).log_prob(x)


def test_every_head_of_the_package_is_registered():
    exported = (getattr(lit_vae.heads, name) for name in lit_vae.heads.__all__)
    concrete = {cls for cls in exported if issubclass(cls, DecoderHead) and not inspect.isabstract(cls)}

    assert {type(case.build()) for case in HEADS.values()} == concrete


def batch_of(case, x):
    return Batch(x, None, torch.arange(len(x)))


def test_symbols_outside_the_alphabet_are_refused(case, head):
    x = case.alphabet()[:3].to(torch.int64)

    for wrong in (case.num_values, -1, 255):
        x[1].flatten()[-1] = wrong
        with pytest.raises(ValueError, match=rf"symbols 0 to {case.num_values - 1}, got .*{wrong}"):
            head.check_batch(batch_of(case, x))


def test_examples_of_another_shape_are_refused(case, head):
    x = case.alphabet()[:3]

    for other in (x.unsqueeze(1), x[:, :0] if None not in case.shape else x.unsqueeze(-1)):
        with pytest.raises(ValueError, match=r"was made for examples of shape .* got a batch of shape"):
            head.check_batch(batch_of(case, other))


def test_floats_are_refused_where_they_would_be_rounded(case, head):
    x = case.alphabet()[:3]

    with pytest.raises(ValueError, match=r"holds integer symbols, got torch.float32"):
        head(features_of(head, positions_of(case), 3)).log_prob(x.float())


def test_the_linked_arguments_are_arguments_by_name(head):
    assert {"width", "num_values", "shape"} <= inspect.signature(type(head)).parameters.keys()
    assert head.width == WIDTH


@torch.no_grad()
def test_all_examples_share_one_unit_of_mass(case, head):
    log_prob = over_the_alphabet(case, head)

    assert log_prob.shape == (len(case.alphabet()),)
    assert log_prob.dtype == torch.float32
    assert log_prob.double().exp().sum().item() == pytest.approx(1.0, abs=1e-5)


@torch.no_grad()
def test_double_precision_stays_double_and_is_exact(case, head):
    log_prob = over_the_alphabet(case, head.double(), torch.float64)

    assert log_prob.dtype == torch.float64
    assert log_prob.exp().sum().item() == pytest.approx(1.0, abs=1e-10)


@torch.no_grad()
def test_half_precision_features_give_a_likelihood_in_single_precision(case, head):
    rounded = over_the_alphabet(case, head, torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        autocast = over_the_alphabet(case, head)

    exact = over_the_alphabet(case, head)
    for log_prob in (rounded, autocast):
        assert log_prob.dtype == torch.float32
        assert log_prob.double().exp().sum().item() == pytest.approx(1.0, abs=1e-4)
        torch.testing.assert_close(log_prob, exact, atol=0.2, rtol=0.05)


@torch.no_grad()
def test_a_model_in_half_precision_gives_a_likelihood_in_single_precision(case, head):
    head.bfloat16()

    torch.set_default_dtype(torch.bfloat16)  # as Lightning's bf16-true does
    try:
        log_prob = over_the_alphabet(case, head, torch.bfloat16)
        x = head(features_of(head, positions_of(case), 2, torch.bfloat16)).draw(Decoding(), StreamNoise(0))
    finally:
        torch.set_default_dtype(torch.float32)

    assert 0 <= x.min().item() <= x.max().item() < case.num_values
    assert log_prob.dtype == torch.float32
    assert log_prob.double().exp().sum().item() == pytest.approx(1.0, abs=1e-4)


@torch.no_grad()
def test_hiding_what_comes_last_leaves_the_probability_of_the_rest(case, head):
    mask = torch.ones(case.example, dtype=torch.bool)
    mask[..., -1] = False
    x = case.alphabet()
    visible, group = x[:, mask].unique(dim=0, return_inverse=True)

    masked = over_the_alphabet(case, head, mask=mask)

    every = over_the_alphabet(case, head)
    marginal = torch.zeros(len(visible)).index_add(0, group, every.exp()).log()
    torch.testing.assert_close(masked, marginal[group], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_what_the_mask_hides_changes_nothing(case, head):
    first, second = case.batch(4, seed=1), case.batch(4, seed=2)
    hidden = torch.zeros(4, *positions_of(case), dtype=torch.bool)
    hidden[0, ..., 0], hidden[1, ..., -1], hidden[2] = True, True, True
    if len(case.shape) == 3:
        hidden = hidden.unsqueeze(1)
    mask = ~hidden.expand_as(first.x)
    other = torch.where(mask, first.x, second.x)
    features = features_of(head.double(), positions_of(case), 4, torch.float64)

    log_probs = [head(features, mask).log_prob(x) for x in (first.x, other)]

    # A vocabulary in clusters computes the symbols of a cluster together, hidden ones among them, and rounds with them.
    torch.testing.assert_close(*log_probs, rtol=1e-12, atol=1e-12)
    assert log_probs[0][2] == 0
    embedded = [head.embed(Batch(x, mask, first.index)) for x in (first.x, other)]
    seen = head.position_mask(mask).unsqueeze(-1)
    assert torch.equal(embedded[0] * seen, embedded[1] * seen)


@torch.no_grad()
def test_a_mask_of_everything_is_no_mask(case, head):
    batch = case.batch(3)
    features = features_of(head, positions_of(case), 3)

    with_mask = head(features, torch.ones_like(batch.x, dtype=torch.bool)).log_prob(batch.x)

    torch.testing.assert_close(with_mask, head(features).log_prob(batch.x))


@torch.no_grad()
def test_likelihood_depends_on_neither_batch_size_nor_order(case, head):
    batch = case.batch(6)
    features = features_of(head.double(), positions_of(case), 6, torch.float64)
    order = torch.tensor([3, 1, 5, 0, 4, 2])

    together = head(features).log_prob(batch.x)

    alone = torch.cat([head(features[i : i + 1]).log_prob(batch.x[i : i + 1]) for i in range(6)])
    shuffled = head(features[order]).log_prob(batch.x[order])
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(together[order], shuffled, rtol=1e-12, atol=1e-12)


def test_no_example_sees_the_features_of_another(case, head):
    batch = case.batch(3)
    features = features_of(head, positions_of(case), 3).requires_grad_()

    (gradient,) = torch.autograd.grad(head(features).log_prob(batch.x)[1], features)

    assert gradient[1].abs().sum() > 0
    assert gradient[[0, 2]].abs().sum() == 0


@torch.no_grad()
def test_no_example_sees_the_symbols_of_another(case, head):
    batch, other = case.batch(3, seed=1), case.batch(3, seed=2)
    changed = torch.cat([batch.x[:1], other.x[1:]])
    features = features_of(head.double(), positions_of(case), 3, torch.float64)

    before, after = (head(features).log_prob(x) for x in (batch.x, changed))

    # The symbols of others decide how many fall into a cluster of a vocabulary, and so the rounding there.
    torch.testing.assert_close(before[0], after[0], rtol=1e-12, atol=1e-12)
    assert not torch.allclose(before, after)
    embedded = [head.embed(Batch(x, None, batch.index)) for x in (batch.x, changed)]
    assert torch.equal(embedded[0][0], embedded[1][0])


@torch.no_grad()
def test_samples_follow_the_likelihood(case, head):
    draws = 4000
    features = features_of(head, positions_of(case), 1).expand(draws, *[-1] * (len(positions_of(case)) + 1))
    expected = draws * over_the_alphabet(case, head).double().exp()

    x = head(features).draw(Decoding(), StreamNoise(0)).long()

    radix = case.num_values ** torch.arange(len(case.alphabet()[0].flatten())).flip(0)
    counts = torch.bincount((x.flatten(1) * radix).sum(1), minlength=len(expected)).double()
    rare = expected < 5
    observed, expected = (
        torch.cat([n[~rare], n[rare].sum(0, keepdim=True)])[: None if rare.any() else -1] for n in (counts, expected)
    )
    assert chisquare(observed.numpy(), (expected * (draws / expected.sum())).numpy()).pvalue > 1e-3


@torch.no_grad()
def test_samples_are_symbols_in_the_type_of_a_batch(case, head):
    features = features_of(head, positions_of(case), 5)
    token = len(case.shape) == 1
    distribution = head(features)

    x = distribution.draw(Decoding(), IndexedNoise(torch.arange(5)))

    assert distribution.batch_shape == (5,)
    assert distribution.event_shape == x.shape[1:] == case.example
    assert x.dtype == (torch.int64 if token else torch.uint8)
    assert 0 <= x.min().item() <= x.max().item() < case.num_values
    assert distribution.sample((2, 3)).shape == (2, 3, 5, *case.example)


@torch.no_grad()
def test_a_sample_depends_on_neither_batch_size_nor_order(case, head):
    # In double precision no symbol is so near its neighbour that the rounding of another batch changes it.
    features = features_of(head.double(), positions_of(case), 6, torch.float64)
    index, order = torch.arange(6), torch.tensor([3, 1, 5, 0, 4, 2])

    together = head(features).draw(Decoding(), IndexedNoise(index))

    alone = [head(features[i : i + 1]).draw(Decoding(), IndexedNoise(index[i : i + 1])) for i in range(6)]
    assert torch.equal(together, torch.cat(alone))
    assert torch.equal(together[order], head(features[order]).draw(Decoding(), IndexedNoise(index[order])))


@torch.no_grad()
def test_temperature_zero_is_what_ever_colder_draws_come_to(case, head):
    distribution = head(features_of(head, positions_of(case), 200))

    greedy = distribution.draw(GREEDY, StreamNoise(0))

    assert torch.equal(distribution.draw(Decoding(1e-6), StreamNoise(0)), greedy)
    apart = [
        (distribution.draw(Decoding(temperature), StreamNoise(0)) != greedy).double().mean()
        for temperature in (1.0, 0.1, 0.01)
    ]
    assert apart == sorted(apart, reverse=True)


@torch.no_grad()
@pytest.mark.parametrize("name", [name for name in HEADS if name not in TEXT])
def test_the_picture_that_a_person_is_shown_is_the_greedy_one(name):
    head = HEADS[name].build()
    distribution = head(features_of(head, positions_of(HEADS[name]), 20))

    shown = head.show(distribution, GREEDY, StreamNoise(0))

    assert torch.equal(shown, distribution.draw(GREEDY, StreamNoise(0)))


@torch.no_grad()
@pytest.mark.parametrize("name", TEXT)
def test_the_greedy_text_is_the_mode(name):
    head = HEADS[name].build()
    distribution = head(features_of(head, (5,), 20))

    assert torch.equal(distribution.draw(GREEDY, StreamNoise(0)), distribution.mode)


def test_every_parameter_of_a_model_gets_a_gradient_through_the_bound(case):
    torch.manual_seed(0)
    head = case.make(width=WIDTH, num_values=case.num_values, shape=case.shape)
    vae = vae_of(head).train()
    batch = case.batch(16)

    vae.terms(batch, StreamNoise(0)).loss.backward()

    silent = [name for name, p in vae.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not silent


@torch.no_grad()
@pytest.mark.parametrize("name", CAUSAL)
def test_a_causal_head_scores_a_token_without_those_after_it(name):
    batch, head = HEADS[name].batch(4, length=6), HEADS[name].build()
    distribution = head(features_of(head, (6,), 4))

    for position in range(6):
        changed = batch.x.clone()
        changed[:, position:] = (changed[:, position:] + 1) % HEADS[name].num_values
        before, after = (distribution.logits(x) for x in (batch.x, changed))

        assert torch.equal(before[:, : position + 1], after[:, : position + 1])
        assert position == 5 or not torch.equal(before[:, position + 1], after[:, position + 1])


@torch.no_grad()
@pytest.mark.parametrize("name", TEXT)
def test_padding_a_text_changes_nothing(name):
    batch, head = HEADS[name].batch(4, length=5), HEADS[name].build()
    mask = torch.arange(5).expand(4, -1) < torch.tensor([[5], [3], [1], [4]])
    features = features_of(head, (9,), 4)
    junk = torch.randint(HEADS[name].num_values, (4, 4))

    short = head(features[:, :5], mask).log_prob(batch.x)

    long = head(features, torch.cat([mask, torch.zeros(4, 4, dtype=torch.bool)], 1))
    torch.testing.assert_close(long.log_prob(torch.cat([batch.x, junk], 1)), short)


@torch.no_grad()
def test_a_model_comes_back_from_its_checkpoint(case, head, tmp_path, make_trainer):
    vae, batch = vae_of(head), case.batch(3)
    trainer = make_trainer()
    trainer.strategy.connect(vae)
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    fresh = case.make(width=WIDTH, num_values=case.num_values, shape=case.shape)

    loaded = LitVAE.load_from_checkpoint(
        tmp_path / "model.ckpt", backbone=vae_of(fresh).backbone, head=fresh, objective=vae.objective
    ).eval()

    (before, _), (after, _) = (m(batch, from_posterior, IndexedNoise(batch.index)) for m in (vae, loaded))
    assert torch.equal(before.log_prob(batch.x), after.log_prob(batch.x))
    assert torch.equal(*(d.draw(Decoding(), IndexedNoise(batch.index)) for d in (before, after)))


@torch.no_grad()
def test_a_report_names_the_rate_that_a_progress_bar_shows(case, head):
    nats, examples, symbols = torch.tensor(30.0), torch.tensor(2), torch.tensor(10)

    report = head.report(nats, examples, symbols, {})

    per_symbol = {"bits_per_dim": 3 / torch.tensor(2.0).log(), "nats_per_token": torch.tensor(3.0)}
    torch.testing.assert_close(report[head.rate_name], per_symbol[head.rate_name])
