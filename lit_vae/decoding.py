"""How symbols are chosen from a distribution."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Decoding:
    """Choices made when a decoder's distribution is sampled.

    Args:
        temperature: 1 samples the distribution itself, below 1 is sharper, 0 is greedy: the heaviest component, then
            its mode, symbol by symbol in the order in which the distribution factorizes.

    Raises:
        ValueError: If ``temperature`` is negative.
    """

    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not self.temperature >= 0:
            raise ValueError(
                f"a decoding temperature counts up from 0, got {self.temperature}: change --head_temperature"
            )


PLAIN = Decoding()
GREEDY = Decoding(temperature=0.0)
