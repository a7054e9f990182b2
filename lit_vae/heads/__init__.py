"""Decoder heads: how features become a distribution over symbols."""

from lit_vae.heads.base import DecoderHead
from lit_vae.heads.pixel import PixelHead
from lit_vae.heads.pixel_bernoulli import BernoulliPixelHead
from lit_vae.heads.pixel_logistic import LogisticPixelHead
from lit_vae.heads.pixel_normal import NormalPixelHead
from lit_vae.heads.pixel_softmax import SoftmaxPixelHead
from lit_vae.heads.token import TokenHead
from lit_vae.heads.token_lstm import LSTMTokenHead
from lit_vae.heads.token_softmax import SoftmaxTokenHead

__all__ = [
    "BernoulliPixelHead",
    "DecoderHead",
    "LSTMTokenHead",
    "LogisticPixelHead",
    "NormalPixelHead",
    "PixelHead",
    "SoftmaxPixelHead",
    "SoftmaxTokenHead",
    "TokenHead",
]
