"""The choices of a decoder, and what it says to those that cannot be."""

import pytest
import torch
from contracts.registry import HEADS

from lit_vae.decoding import Decoding
from lit_vae.noise import StreamNoise


@pytest.mark.parametrize(
    ("choices", "flag"),
    [
        ({"temperature": -0.1}, "--head_temperature"),
        ({"temperature": float("nan")}, "--head_temperature"),
        ({"top_k": 0}, "--top_k"),
        ({"top_p": 0.0}, "--top_p"),
        ({"top_p": 1.1}, "--top_p"),
        ({"beams": 0}, "--beams"),
        ({"beams": 4, "top_k": 3}, "--beams.*--top_k"),
        ({"beams": 4, "temperature": 0.7}, "--beams.*--head_temperature"),
    ],
)
def test_a_choice_that_cannot_be_names_its_flag(choices, flag):
    with pytest.raises(ValueError, match=flag):
        Decoding(**choices)


@pytest.mark.parametrize("choices", [{"top_k": 2}, {"top_p": 0.5}, {"beams": 3}])
@pytest.mark.parametrize("name", ["logistic", "softmax pixels"])
def test_choices_among_tokens_are_refused_for_pictures(name, choices):
    head = HEADS[name].build()
    distribution = head(torch.zeros(1, *HEADS[name].shape[1:], head.width))

    with pytest.raises(ValueError, match="choose among tokens"):
        distribution.draw(Decoding(**choices), StreamNoise(0))
