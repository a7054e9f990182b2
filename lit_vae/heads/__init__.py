"""Decoder heads: how features become a distribution over symbols."""

from lit_vae.heads.base import DecoderHead
from lit_vae.heads.pixel import PixelHead
from lit_vae.heads.pixel_bernoulli import BernoulliPixelHead
from lit_vae.heads.pixel_beta_binomial import BetaBinomialPixelHead
from lit_vae.heads.pixel_cauchy import CauchyPixelHead
from lit_vae.heads.pixel_l2 import L2PixelHead
from lit_vae.heads.pixel_laplace import LaplacePixelHead
from lit_vae.heads.pixel_logistic import LogisticPixelHead
from lit_vae.heads.pixel_normal import NormalPixelHead
from lit_vae.heads.pixel_softmax import SoftmaxPixelHead
from lit_vae.heads.pixel_student import StudentTPixelHead
from lit_vae.heads.token import TokenHead
from lit_vae.heads.token_lstm import LSTMTokenHead
from lit_vae.heads.token_softmax import SoftmaxTokenHead
from lit_vae.heads.token_transformer import TransformerTokenHead

__all__ = [
    "BernoulliPixelHead",
    "BetaBinomialPixelHead",
    "CauchyPixelHead",
    "DecoderHead",
    "L2PixelHead",
    "LSTMTokenHead",
    "LaplacePixelHead",
    "LogisticPixelHead",
    "NormalPixelHead",
    "PixelHead",
    "SoftmaxPixelHead",
    "SoftmaxTokenHead",
    "StudentTPixelHead",
    "TokenHead",
    "TransformerTokenHead",
]
