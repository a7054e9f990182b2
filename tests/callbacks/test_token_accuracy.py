import pytest

from lit_vae.callbacks import TokenAccuracy
from lit_vae.draws import posterior_mean
from lit_vae.noise import IndexedNoise


def test_a_test_logs_how_many_symbols_and_examples_come_back(vae, data, make_short_trainer):
    trainer = make_short_trainer(TokenAccuracy())

    trainer.fit(vae, data)
    fitted = dict(trainer.callback_metrics)
    (tested,) = trainer.test(vae, data)

    right = total = 0
    for batch in data.test_dataloader():
        mode = vae.eval()(batch, posterior_mean, IndexedNoise(batch.index))[0].mode
        right, total = right + (mode == batch.x).sum().item(), total + batch.x.numel()
    assert tested["test/token_accuracy"] == pytest.approx(right / total, abs=1e-6)
    assert 0 <= tested["test/exact_match"] <= 1
    assert "val/token_accuracy" not in fitted


def test_a_validation_logs_them_where_it_is_asked_to(vae, data, make_short_trainer):
    trainer = make_short_trainer(TokenAccuracy("both"))

    trainer.fit(vae, data)

    assert 0 <= trainer.callback_metrics["val/token_accuracy"] <= 1


def test_an_unknown_split_names_the_key():
    with pytest.raises(ValueError, match=r"split of TokenAccuracy under trainer\.callbacks.*'train'"):
        TokenAccuracy("train")
