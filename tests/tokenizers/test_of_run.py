"""The tokenizer of a run: it reads other text as the run's model does."""

import pytest
from contracts.registry import WIDTH, vae_of

from lit_vae.corpora.sources import TextList
from lit_vae.data import DigitsDataModule, TextDataModule
from lit_vae.heads import SoftmaxPixelHead, SoftmaxTokenHead
from lit_vae.tokenizers import OfRun, Words


class Given(TextDataModule):
    corpus = "given"

    def __init__(self, texts, tokenizer):
        super().__init__(tokenizer, max_length=10)
        self.given = texts

    def read(self):
        return {split: TextList(self.given) for split in ("train", "val", "test")}


def checkpoint_of(make_trainer, vae, data, path):
    trainer = make_trainer(max_steps=0)
    trainer.fit(vae, datamodule=data)
    trainer.save_checkpoint(path)
    return str(path)


@pytest.fixture
def run(make_trainer, tmp_path):
    data = Given(["the cat sat", "a dog sat"], Words(min_count=1))
    vae = vae_of(SoftmaxTokenHead(WIDTH, data.num_values, data.shape, embed_width=4))
    return vae, checkpoint_of(make_trainer, vae, data, tmp_path / "run.ckpt")


def test_other_text_can_be_evaluated_with_the_tokenizer_of_the_run_alone(run, make_trainer):
    vae, path = run

    other = Given(["a cat ran", "the dog"], OfRun(path))

    assert other.num_values == 7
    assert "test/nelbo" in make_trainer().test(vae, datamodule=other, verbose=False)[0]
    with pytest.raises(ValueError, match=r"stand for something else.*lit_vae\.tokenizers\.OfRun"):
        make_trainer().test(vae, datamodule=Given(["a cat ran", "the dog"], Words()), verbose=False)


def test_a_run_on_pictures_has_no_tokenizer(make_trainer, tmp_path):
    data = DigitsDataModule()
    path = checkpoint_of(
        make_trainer, vae_of(SoftmaxPixelHead(WIDTH, data.num_values, data.shape)), data, tmp_path / "run.ckpt"
    )

    with pytest.raises(ValueError, match=r"tokenizer\.init_args\.run"):
        OfRun(path)


def test_a_missing_run_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^data\.init_args\.tokenizer\.init_args\.run .*nowhere is neither"):
        OfRun(str(tmp_path / "nowhere"))
