"""Objectives: what is minimised, with the true bound beside it."""

from lit_vae.objectives.balance import GammaBalance, KLBalance, SquareBalance
from lit_vae.objectives.base import Objective, Terms, stack_kls
from lit_vae.objectives.elbo import ELBO
from lit_vae.objectives.free_bits import FreeBits
from lit_vae.objectives.schedules import Constant, Cyclical, KLSchedule, Linear, Logistic
from lit_vae.objectives.target_kl import TargetKL

__all__ = [
    "ELBO",
    "Constant",
    "Cyclical",
    "FreeBits",
    "GammaBalance",
    "KLBalance",
    "KLSchedule",
    "Linear",
    "Logistic",
    "Objective",
    "SquareBalance",
    "TargetKL",
    "Terms",
    "stack_kls",
]
