"""What the Transformer head promises beyond every head for text."""

import pytest
import torch

from lit_vae.heads import TransformerTokenHead

WIDTH, VALUES = 5, 7


def head_of(**options) -> TransformerTokenHead:
    torch.manual_seed(0)
    sizes = {"embed_width": 8, "hidden": 8, "depth": 2, "heads": 2}
    return TransformerTokenHead(WIDTH, VALUES, (None,), **{**sizes, **options}).eval()


@torch.no_grad()
@pytest.mark.parametrize("latent", ["both", "memory", "embedding"])
def test_a_latent_vector_acts_alike_however_long_the_text_is(latent):
    head, x, z = head_of(latent=latent), torch.randint(VALUES, (2, 12)), torch.randn(2, 1, WIDTH)

    long, short = (head(z.expand(-1, n, -1)).logits(x[:, :n]) for n in (12, 5))

    torch.testing.assert_close(long[:, :5], short)
    assert not torch.allclose(short, head(z.expand(-1, 5, -1) + 1.0).logits(x[:, :5]))


@torch.no_grad()
@pytest.mark.parametrize("latent", ["memory", "embedding"])
def test_the_latent_enters_where_it_is_told(latent):
    names = [name for name, _ in head_of(latent=latent).named_parameters()]

    assert any("slots.fill" in name for name in names) == (latent == "memory")
    assert any(name.startswith("added") for name in names) == (latent == "embedding")


@torch.no_grad()
@pytest.mark.parametrize("latent", ["memory", "embedding"])
def test_a_later_feature_is_not_seen_and_an_earlier_one_is(latent):
    head, x, features = head_of(latent=latent), torch.randint(VALUES, (1, 6)), torch.randn(1, 6, WIDTH)
    other = features.clone()
    other[:, 3] += 1.0

    before, after = (head(f).logits(x) for f in (features, other))

    changed = ~torch.isclose(before, after, rtol=1e-4, atol=1e-6).all(-1)[0]
    assert changed.tolist() == [False, False, False, True, True, True]


@torch.no_grad()
def test_a_text_may_be_longer_than_any_before():
    head, x = head_of(), torch.randint(VALUES, (1, 600))

    log_prob = head(torch.randn(1, 1, WIDTH).expand(-1, 600, -1)).log_prob(x)

    assert log_prob.isfinite().all()


@torch.no_grad()
def test_dropout_works_in_training_alone():
    head, x, features = head_of(dropout=0.3, word_dropout=0.3), torch.zeros(1, 4).long(), torch.randn(1, 4, WIDTH)

    quiet, again = (head(features).log_prob(x) for _ in range(2))
    noisy = head.train()(features).log_prob(x)

    assert torch.equal(quiet, again)
    assert not torch.equal(quiet, noisy)


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"latent": "prefix"}, "latent is 'both', 'memory' or 'embedding'"),
        ({"hidden": 9}, "hidden, 9"),
        ({"heads": 8}, "heads, 8"),
        ({"heads": 0}, "heads counts up"),
        ({"depth": 0}, "depth counts up"),
        ({"slots": 1}, "slots counts up from 2"),
        ({"dropout": 1.0}, "dropout is a part"),
    ],
)
def test_what_cannot_be_names_its_key(options, key):
    with pytest.raises(ValueError, match=rf"model\.head\.init_args\.{key}"):
        head_of(**options)
