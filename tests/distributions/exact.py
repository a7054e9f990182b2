"""Log-masses in as many digits as it takes, for tests."""

import mpmath
from mpmath import mpf

mpmath.mp.dps = 60


def logistic(t):
    return 1 / (1 + mpmath.exp(t))


def normal(t):
    return mpmath.erfc(t / mpmath.sqrt(2)) / 2


def normal_hazard_slope(t):
    """Minus the second derivative of the logarithm of :func:`normal`."""
    hazard = mpmath.exp(-(mpf(t) ** 2) / 2) / mpmath.sqrt(2 * mpmath.pi) / normal(mpf(t))
    return float(hazard * (hazard - t))


def laplace(t):
    return mpmath.exp(-t) / 2 if t > 0 else 1 - mpmath.exp(t) / 2


def student(degrees):
    def survival(t):
        tail = mpmath.betainc(mpf(degrees) / 2, mpf(1) / 2, 0, degrees / (degrees + t * t), regularized=True) / 2
        return tail if t > 0 else 1 - tail

    return survival


def mass(survival, num_values, code, centre, log_scale):
    """Mass of a grey level under a symmetric family whose survival function is ``survival``."""
    scale = mpmath.exp(mpf(log_scale))
    lower = (mpf(2 * code - num_values) / (num_values - 1) - centre) / scale
    upper = (mpf(2 * code + 2 - num_values) / (num_values - 1) - centre) / scale
    if code == 0:
        return survival(-upper)
    if code == num_values - 1:
        return survival(lower)
    if lower + upper < 0:
        lower, upper = -upper, -lower
    return survival(lower) - survival(upper)
