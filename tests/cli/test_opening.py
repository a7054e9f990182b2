"""What a training says once at its start."""

import pytest

from lit_vae import LitVAE
from lit_vae.backbones import ConvVAE, Unconditional
from lit_vae.cli import opening
from lit_vae.data import DigitsDataModule
from lit_vae.heads import LogisticPixelHead
from lit_vae.objectives import ELBO


def model(data, backbone):
    head = LogisticPixelHead(width=4, num_values=data.num_values, shape=data.shape, components=1)
    return LitVAE(backbone(head), head, ELBO(per="symbol"))


def conv(head):
    return ConvVAE(head.embed_width, head.positions, width=4, latent=2, halvings=1)


def test_data_and_model_are_described_in_a_line_each():
    data = DigitsDataModule(batch_size=8)
    vae = model(data, conv)

    about_data, about_model = opening.lines(vae, data)

    assert about_data == "data: digits, pictures: 1,437 train, 180 val, 180 test"
    assert about_model == f"model: {sum(p.numel() for p in vae.parameters()):,} parameters, 1 latent layer"


def test_a_model_without_latents_has_0_layers():
    data = DigitsDataModule(batch_size=8)

    lines = opening.lines(model(data, lambda head: Unconditional(head.embed_width, head.positions, width=4)), data)

    assert lines[1].endswith(" parameters, 0 latent layers")


class Partial(DigitsDataModule):
    """Lacks a split."""

    def __init__(self, lacks):
        super().__init__(batch_size=8)
        self.lacks = lacks

    def num_examples(self, split):
        if split == self.lacks:
            raise FileNotFoundError(f"no {split} pictures")
        return super().num_examples(split)


def test_a_training_can_do_without_a_test_split_alone():
    lacking = Partial("test")

    assert opening.lines(model(lacking, conv), lacking)[0].endswith("180 val, no test")
    with pytest.raises(FileNotFoundError, match="no val pictures"):
        opening.lines(model(lacking, conv), Partial("val"))
