"""Symbols are integers: whatever else comes is refused with what to do about it."""

import torch
from torch import Tensor


def refuse_other_than_integers(x: Tensor, what: str) -> None:
    """Refuse symbols of a type that would be rounded in silence.

    Args:
        x: Symbols, [*].
        what: Names them in the message.

    Raises:
        ValueError: If they are floating-point, complex or boolean numbers.
    """
    if x.is_floating_point() or x.is_complex():
        raise ValueError(
            f"{what} holds integer symbols, got {x.dtype}: quantise it; pictures in [0, 1] on 256 grey levels are "
            f"(255 * x).round().to(torch.uint8)"
        )
    if x.dtype == torch.bool:
        raise ValueError(f"{what} holds integer symbols, got torch.bool: make it x.to(torch.uint8)")


def refuse_outside(x: Tensor, num_values: int, what: str) -> None:
    """Refuse symbols that an alphabet does not have. Waits for the device.

    Args:
        x: Symbols, [*], integer.
        num_values: Size of the alphabet.
        what: Names them in the message.

    Raises:
        ValueError: If one is negative, or ``num_values`` or more.
    """
    if not x.numel() or (x.dtype == torch.uint8 and num_values > 255):
        return
    if x.dtype in (torch.uint16, torch.uint32, torch.uint64):
        x = x.long()  # torch compares no unsigned integers but bytes; beyond int64's range they turn negative
    least, greatest = (int(bound) for bound in x.aminmax())
    if least < 0 or greatest >= num_values:
        raise ValueError(
            f"{what} holds symbols 0 to {num_values - 1}, got {least} to {greatest}: "
            f"quantise the data to {num_values} values, or make the head (and data) for {greatest + 1}"
        )
