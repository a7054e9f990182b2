"""Ways in which disks, copies and networks damage a file."""

from collections.abc import Callable
from random import Random


def flip_bit(content: bytearray, chance: Random) -> None:
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def change_byte(content: bytearray, chance: Random) -> None:
    content[chance.randrange(len(content))] = chance.randrange(256)


def zero_block(content: bytearray, chance: Random) -> None:
    start = chance.randrange(len(content))
    size = min(chance.choice([4, 64, 512, 4096]), len(content) - start)
    content[start : start + size] = bytes(size)


def cut(content: bytearray, chance: Random) -> None:
    del content[chance.randrange(len(content)) :]


def append(content: bytearray, chance: Random) -> None:
    content += chance.randbytes(chance.choice([1, 16, 1000]))


def swap_blocks(content: bytearray, chance: Random) -> None:
    size = chance.choice([1, 16, 128])
    if len(content) < 2 * size:
        return
    one, other = sorted(chance.sample(range(len(content) // size), 2))
    first = slice(one * size, (one + 1) * size)
    second = slice(other * size, (other + 1) * size)
    content[first], content[second] = content[second], content[first]


WAYS: list[Callable[[bytearray, Random], None]] = [flip_bit, change_byte, zero_block, cut, append, swap_blocks]


def mangled(content: bytes, chance: Random) -> bytes:
    """A damaged copy."""
    copy = bytearray(content)
    chance.choice(WAYS)(copy, chance)
    return bytes(copy)
