"""What the heads for text promise beyond the contract of every head."""

import itertools
import math
from functools import partial

import pytest
import torch
from scipy.stats import chisquare
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lit_vae.batch import Batch
from lit_vae.decoding import GREEDY, Decoding
from lit_vae.distributions import AutoregressiveTokens
from lit_vae.heads import LSTMTokenHead, SoftmaxTokenHead, TransformerTokenHead, linear_cross_entropy
from lit_vae.noise import StreamNoise

WIDTH, VALUES, LENGTH = 5, 3, 3

HEADS = {
    "softmax": lambda: SoftmaxTokenHead(WIDTH, VALUES, (None,), embed_width=WIDTH, tied=False),
    "softmax tied": lambda: SoftmaxTokenHead(WIDTH, VALUES, (None,), embed_width=WIDTH),
    "softmax bridged": lambda: SoftmaxTokenHead(WIDTH, VALUES, (None,), embed_width=4),
    "lstm": lambda: LSTMTokenHead(WIDTH, VALUES, (None,), embed_width=4, hidden=6, tied=False, word_dropout=0.5),
    "lstm tied": lambda: LSTMTokenHead(WIDTH, VALUES, (None,), embed_width=6, hidden=6, dropout_in=0.5),
    "lstm adaptive": lambda: LSTMTokenHead(WIDTH, VALUES, (None,), embed_width=4, hidden=6, cutoffs=[1, 2]),
    "transformer": lambda: TransformerTokenHead(
        WIDTH, VALUES, (None,), embed_width=5, hidden=6, heads=1, depth=2, word_dropout=0.5, dropout=0.0
    ),
    "transformer memory": lambda: TransformerTokenHead(
        WIDTH, VALUES, (None,), embed_width=4, hidden=8, heads=2, depth=2, latent="memory", tied=False
    ),
    "lstm deep": lambda: LSTMTokenHead(WIDTH, VALUES, (None,), embed_width=4, hidden=6, depth=2, dropout_out=0.5),
}
ALL_TEXTS = torch.tensor(list(itertools.product(range(VALUES), repeat=LENGTH)))


@pytest.fixture(params=HEADS.values(), ids=HEADS.keys())
def head(request):
    torch.manual_seed(0)
    head = request.param().eval()
    # Sharp enough for a mistake to show.
    for parameter in head.parameters():
        parameter.data.mul_(2.0)
    return head


@pytest.fixture(params=[name for name in HEADS if "softmax" not in name])
def causal_head(request):
    torch.manual_seed(0)
    return HEADS[request.param]().eval()


def features_of_one(copies, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(1, LENGTH, WIDTH, generator=generator).to(dtype).expand(copies, -1, -1)


@torch.no_grad()
def test_texts_of_one_length_share_one_unit_of_mass(head):
    log_prob = head(features_of_one(len(ALL_TEXTS))).log_prob(ALL_TEXTS)

    assert log_prob.dtype == torch.float32
    assert log_prob.exp().sum().item() == pytest.approx(1.0, abs=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("hidden", [0, 1, 2])
def test_what_the_mask_hides_changes_nothing_wherever_it_is(head, hidden):
    mask = torch.arange(LENGTH).expand(len(ALL_TEXTS), -1) != hidden
    distribution = head.double()(features_of_one(len(ALL_TEXTS), torch.float64), mask)

    log_prob = distribution.log_prob(ALL_TEXTS)

    # Texts that differ where nothing is observed are other rows of the batch, and so of other rounding.
    by_hidden = log_prob.view([VALUES] * LENGTH).movedim(hidden, 0)
    torch.testing.assert_close(by_hidden, by_hidden[:1].expand_as(by_hidden), rtol=1e-12, atol=1e-12)
    assert by_hidden[0].exp().sum().item() == pytest.approx(1.0, abs=1e-12)


@torch.no_grad()
def test_padding_a_text_changes_nothing(head):
    features, x = torch.randn(2, LENGTH, WIDTH, dtype=torch.float64), torch.tensor([[0, 1, 2], [2, 2, 1]])
    padded = torch.cat([features, torch.randn(2, 4, WIDTH, dtype=torch.float64)], 1)
    head.double()
    mask = torch.arange(LENGTH + 4).expand(2, -1) < LENGTH

    alone = head(features).log_prob(x)
    beside = head(padded, mask).log_prob(torch.nn.functional.pad(x, (0, 4), value=VALUES - 1))

    torch.testing.assert_close(beside, alone, rtol=1e-12, atol=1e-12)


@torch.no_grad()
def test_draws_follow_the_mass(head):
    draws = 4000
    expected = head(features_of_one(len(ALL_TEXTS))).log_prob(ALL_TEXTS).exp().double()

    drawn = head(features_of_one(draws)).draw(Decoding(), StreamNoise(7))

    codes = drawn @ torch.tensor([VALUES**2, VALUES, 1])
    counts = codes.bincount(minlength=len(ALL_TEXTS))
    assert chisquare(counts, expected / expected.sum() * draws).pvalue > 1e-3


@torch.no_grad()
def test_draws_under_a_mask_follow_the_mass_of_what_is_observed(head):
    draws = 4000
    mask = torch.tensor([True, False, True])
    some = ALL_TEXTS[ALL_TEXTS[:, 1] == 0]
    expected = head(features_of_one(len(some)), mask.expand(len(some), -1)).log_prob(some).exp().double()

    drawn = head(features_of_one(draws), mask.expand(draws, -1)).draw(Decoding(), StreamNoise(8))

    counts = (drawn[:, 0] * VALUES + drawn[:, 2]).bincount(minlength=VALUES**2)
    assert chisquare(counts, expected / expected.sum() * draws).pvalue > 1e-3


@torch.no_grad()
def test_temperature_zero_is_the_greedy_choice(head):
    distribution = head(torch.randn(4, LENGTH, WIDTH))

    greedy = distribution.draw(GREEDY, StreamNoise(0))

    assert torch.equal(greedy, distribution.mode)
    assert torch.equal(distribution.draw(Decoding(1e-6), StreamNoise(0)), greedy)


@torch.no_grad()
def test_a_likelihood_does_not_depend_on_the_batch(head):
    features, x = torch.randn(4, LENGTH, WIDTH, dtype=torch.float64), ALL_TEXTS[[3, 14, 15, 9]]
    head.double()

    together = head(features).log_prob(x)
    alone = torch.cat([head(features[i : i + 1]).log_prob(x[i : i + 1]) for i in (3, 1, 0, 2)])

    torch.testing.assert_close(together[[3, 1, 0, 2]], alone, rtol=1e-12, atol=1e-12)


@torch.no_grad()
def test_bfloat16_gives_a_float32_likelihood_of_unit_mass(head):
    head.bfloat16()

    log_prob = head(features_of_one(len(ALL_TEXTS)).bfloat16()).log_prob(ALL_TEXTS)

    assert log_prob.dtype == torch.float32
    assert log_prob.exp().sum().item() == pytest.approx(1.0, abs=1e-5)


@torch.no_grad()
def test_float64_stays_float64(head):
    head.double()

    assert head(features_of_one(1)).log_prob(ALL_TEXTS[:1]).dtype == torch.float64


@pytest.mark.parametrize("make", HEADS.values(), ids=HEADS.keys())
def test_every_parameter_and_every_row_of_the_tables_learns(make):
    torch.manual_seed(0)
    head = make().train()
    batch = Batch(ALL_TEXTS, None, torch.arange(len(ALL_TEXTS)))

    (
        head.embed(batch).square().sum() - head(torch.randn(len(ALL_TEXTS), LENGTH, WIDTH)).log_prob(ALL_TEXTS).sum()
    ).backward()

    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    assert (head.table.weight.grad.abs().sum(1) > 0).all()


@torch.no_grad()
def test_scores_do_not_see_the_token_they_score_nor_those_after_it(causal_head):
    features = torch.randn(1, 6, WIDTH)
    x = torch.tensor([[0, 1, 2, 0, 1, 2]])
    distribution = causal_head(features)
    before = distribution.logits(x)

    for t in range(6):
        changed = x.clone()
        changed[:, t:] = (changed[:, t:] + 1) % VALUES
        after = distribution.logits(changed)

        assert torch.equal(after[:, : t + 1], before[:, : t + 1])
        assert t == 5 or not torch.allclose(after[:, t + 1], before[:, t + 1])


@torch.no_grad()
@pytest.mark.parametrize("masked", [False, True])
def test_one_token_at_a_time_scores_as_the_whole_text_does(causal_head, masked):
    x = torch.randint(VALUES, (3, 7))
    mask = torch.rand(3, 7) < 0.7 if masked else None
    network = causal_head(torch.randn(3, 7, WIDTH), mask)._network
    state, hidden = network.start(), []

    for position in range(7):
        if position == 4:
            state = network.select(state, torch.tensor([2, 0, 2, 1]))
            x, hidden = x[[2, 0, 2, 1]], [h[[2, 0, 2, 1]] for h in hidden]
        step, state = network.advance(state, position, x[:, position - 1] if position else None)
        hidden.append(step)

    torch.testing.assert_close(torch.stack(hidden, 1)[[1, 3, 0]], network.forced(x[[1, 3, 0]]))


@torch.no_grad()
def test_a_draw_under_autocast_is_a_draw(causal_head):
    with torch.autocast("cpu", torch.bfloat16):
        drawn = causal_head(torch.randn(3, LENGTH, WIDTH)).draw(Decoding(top_p=0.9), StreamNoise(0))

    assert drawn.shape == (3, LENGTH)


@torch.no_grad()
def test_features_reach_the_scores_at_once(causal_head):
    features, x = torch.randn(1, 4, WIDTH), torch.zeros(1, 4, dtype=torch.int64)
    other = features.clone()
    other[:, 2] += 1.0

    before, after = (causal_head(f).logits(x) for f in (features, other))

    assert torch.equal(before[:, :2], after[:, :2])
    assert not torch.allclose(before[:, 2], after[:, 2])


@torch.no_grad()
def test_word_dropout_works_in_training_alone():
    torch.manual_seed(0)
    head = LSTMTokenHead(WIDTH, VALUES, (None,), embed_width=4, hidden=6, word_dropout=0.5)
    distribution, x = head(features_of_one(1)), ALL_TEXTS[5:6]

    noisy = torch.stack([distribution.log_prob(x) for _ in range(8)])
    head.eval()
    quiet = torch.stack([distribution.log_prob(x) for _ in range(8)])

    assert len(noisy.unique()) > 1
    assert len(quiet.unique()) == 1


def test_tied_tables_are_one_parameter_and_free_ones_two():
    tied = LSTMTokenHead(WIDTH, VALUES, (None,), embed_width=6, hidden=6)
    free = LSTMTokenHead(WIDTH, VALUES, (None,), embed_width=6, hidden=6, tied=False)

    assert tied.projection.table is tied.table.weight
    assert sum(p.numel() for p in free.parameters()) - sum(p.numel() for p in tied.parameters()) == VALUES * 6


def test_the_report_divides_by_tokens_sentences_and_characters():
    head = SoftmaxTokenHead(WIDTH, VALUES, (None,))
    totals = [torch.tensor(number, dtype=torch.float64) for number in (60.0, 3, 20)]

    report = head.report(*totals, {"character": torch.tensor(30.0)})

    assert report["nats_per_token"] == pytest.approx(3.0)
    assert report["nats_per_sentence"] == pytest.approx(20.0)
    assert report["perplexity"] == pytest.approx(math.exp(3.0))
    assert report["bits_per_character"] == pytest.approx(2.0 / math.log(2.0))
    assert head.rate_name in report


def test_texts_of_one_length_are_blocks_and_no_sentences():
    head = SoftmaxTokenHead(WIDTH, VALUES, (5,))
    totals = [torch.tensor(number, dtype=torch.float64) for number in (60.0, 4, 20)]

    report = head.report(*totals, {"byte_lossy": torch.tensor(30.0), "word": torch.tensor(6.0)})

    assert report["nats_per_block"] == pytest.approx(15.0)
    assert report["bits_per_byte_lossy"] == pytest.approx(2.0 / math.log(2.0))
    assert report["word_perplexity"] == pytest.approx(math.exp(10.0))
    assert "nats_per_sentence" not in report


@pytest.mark.parametrize("head_class", [SoftmaxTokenHead, LSTMTokenHead, TransformerTokenHead])
def test_pictures_are_refused_with_what_to_change(head_class):
    with pytest.raises(ValueError, match=r"shape \[3, 8, 8\].*model\.head"):
        head_class(WIDTH, 256, (3, 8, 8))


@pytest.mark.parametrize("name", ["dropout_in", "dropout_out", "word_dropout"])
def test_a_dropout_that_leaves_nothing_is_refused(name):
    with pytest.raises(ValueError, match=rf"model\.head\.init_args\.{name}"):
        LSTMTokenHead(WIDTH, VALUES, (None,), **{name: 1.0})


def test_the_causal_head_is_seen_only_as_a_distribution(causal_head):
    assert isinstance(causal_head(features_of_one(2)), AutoregressiveTokens)
    assert causal_head(features_of_one(2)).batch_shape == (2,)
    assert causal_head(features_of_one(2)).event_shape == (LENGTH,)


def test_the_latent_enters_where_it_is_told():
    x = torch.tensor([[0, 1, 2]])
    features = torch.randn(1, LENGTH, WIDTH)
    later = features.clone()
    later[:, 1:] += 1.0
    scores = {}
    for latent in ("both", "state", "steps"):
        torch.manual_seed(0)
        head = LSTMTokenHead(WIDTH, VALUES, (None,), embed_width=4, hidden=6, latent=latent).eval()
        scores[latent] = [head(f).logits(x) for f in (features, later)]

    same_start = [torch.equal(before[:, 0], after[:, 0]) for before, after in scores.values()]
    same_rest = {latent: torch.equal(before, after) for latent, (before, after) in scores.items()}
    assert all(same_start)
    assert same_rest == {"both": False, "state": True, "steps": False}


@torch.no_grad()
def test_a_text_scores_as_the_lstm_written_out_for_it_alone():
    torch.manual_seed(0)
    head = LSTMTokenHead(WIDTH, VALUES, (None,), embed_width=4, hidden=6, dropout_in=0.5, word_dropout=0.5).eval()
    x, lengths = torch.tensor([[0, 2, 1, 2], [1, 1, 0, 2], [2, 0, 0, 1]]), [4, 2, 1]
    mask = torch.arange(4) < torch.tensor(lengths).unsqueeze(1)
    z = torch.randn(3, 1, WIDTH)

    log_prob = head(z.expand(-1, 4, -1), mask).log_prob(x)

    for text, length in enumerate(lengths):
        cell = head.initial(z[text])
        state, read, total = (cell.tanh(), cell), head.reader.start, 0.0
        for token in x[text, :length]:
            output, state = head.lstm(torch.cat([read, z[text, 0]]).unsqueeze(0), state)
            scores = head.projection.bridge(output[0]) @ head.table.weight.T + head.projection.bias
            total += scores.log_softmax(-1)[token].item()
            read = head.table.weight[token]
        assert log_prob[text].item() == pytest.approx(total, abs=1e-5)


def test_uniform_initialisation_is_that_of_he_et_al():
    head = LSTMTokenHead(WIDTH, VALUES, (None,), embed_width=64, hidden=6, tied=False, uniform=0.01)

    bounds = {name: parameter.abs().max().item() for name, parameter in head.named_parameters()}

    assert 0.09 < bounds["table.weight"] <= 0.1
    assert 0.008 < bounds["lstm.weight_hh_l0"] <= 0.01
    assert all(bound <= 0.01 for name, bound in bounds.items() if name.startswith(("lstm", "projection", "initial")))


def test_a_table_of_its_own_leaves_the_encoders_to_the_encoder():
    head = LSTMTokenHead(WIDTH, VALUES, (None,), embed_width=6, hidden=6, own_table=True)

    head(torch.randn(2, LENGTH, WIDTH)).log_prob(ALL_TEXTS[:2]).sum().backward()

    assert head.table.weight.grad is None
    assert head.projection.table is head.reader.table.weight


@torch.no_grad()
def test_word_dropout_hides_every_token_at_its_rate_but_never_the_start():
    torch.manual_seed(0)
    reader = LSTMTokenHead(WIDTH, VALUES, (None,), word_dropout=0.25).reader
    ids = torch.randint(VALUES, (50, 41))

    read = reader.before(ids, None)

    dropped = (read == reader.dropped).all(-1)
    assert dropped[:, 1:].float().mean().item() == pytest.approx(0.25, abs=0.05)
    assert (read[:, 0] == reader.start).all()
    kept = ~dropped[:, 1:]
    assert torch.equal(read[:, 1:][kept], reader.table(ids[:, :-1])[kept])


@torch.no_grad()
@pytest.mark.parametrize("make", [LSTMTokenHead, partial(TransformerTokenHead, dropout=0.0)])
def test_a_token_that_word_dropout_hides_is_scored_all_the_same(make):
    torch.manual_seed(0)
    head = make(WIDTH, VALUES, (None,), embed_width=4, hidden=8, tied=False, word_dropout=0.9)
    for parameter in head.reader.parameters():
        parameter.zero_()  # nothing is read of any token: hidden or not is one
    features, ids = torch.randn(5, 7, WIDTH), torch.randint(VALUES, (5, 7))

    scored = head.train()(features).log_prob(ids)

    torch.testing.assert_close(scored, head.eval()(features).log_prob(ids))


@torch.no_grad()
def test_there_is_no_start_and_no_padding_to_be_scored_or_drawn(head):
    distribution = head(torch.randn(200, LENGTH, WIDTH))

    drawn = head.show(distribution, Decoding(), StreamNoise(0))

    assert set(drawn.unique().tolist()) <= set(range(VALUES))
    if isinstance(distribution, AutoregressiveTokens):
        assert distribution.logits(drawn).shape[-1] == VALUES


@torch.no_grad()
def test_a_person_is_shown_a_text_up_to_its_end(head):
    distribution = head(torch.randn(100, LENGTH, WIDTH))

    shown, drawn = head.show(distribution, Decoding(), StreamNoise(3)), distribution.draw(Decoding(), StreamNoise(3))

    end = VALUES - 1
    over = (drawn == end).cumsum(1) > 0
    assert torch.equal(shown, torch.where(over, end, drawn))


@torch.no_grad()
def test_texts_of_a_fixed_length_have_no_end_symbol():
    torch.manual_seed(0)
    head = LSTMTokenHead(WIDTH, VALUES, (LENGTH,), embed_width=4, hidden=6).eval()
    distribution = head(torch.randn(100, LENGTH, WIDTH))

    shown = head.show(distribution, Decoding(), StreamNoise(3))

    assert torch.equal(shown, distribution.draw(Decoding(), StreamNoise(3)))
    assert (shown[shown[:, 0] == VALUES - 1] != VALUES - 1).any()


def test_a_way_in_for_the_latent_that_is_none_lists_those_that_are():
    with pytest.raises(ValueError, match=r"model\.head\.init_args\.latent is 'both', 'state' or 'steps'"):
        LSTMTokenHead(WIDTH, VALUES, (None,), latent="everywhere")


class Largest(TorchDispatchMode):
    """Remembers the size of the largest tensor that is made."""

    numbers = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self.numbers = max(self.numbers, tensor.numel())
        return made


@pytest.mark.parametrize("cutoffs", [None, [100, 400]])
def test_a_step_never_makes_a_score_of_every_token_at_every_position(monkeypatch, cutoffs):
    monkeypatch.setattr(linear_cross_entropy, "SCRATCH_BYTES", 4 * 20_000 * 16)
    values, texts, length = 20_000, 16, 20
    head = LSTMTokenHead(WIDTH, values, (None,), embed_width=8, hidden=8, cutoffs=cutoffs)
    x, features = torch.randint(values, (texts, length)), torch.randn(texts, length, WIDTH)

    with Largest() as largest:
        head(features).log_prob(x).sum().backward()

    assert largest.numbers <= 16 * values < texts * length * values / 10
