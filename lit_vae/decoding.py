"""How symbols are chosen from a distribution."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Decoding:
    """Choices made when a decoder's distribution is sampled.

    The distribution is sharpened by the temperature, then cut to its most probable tokens. The last four are for tokens
    alone.

    Args:
        temperature: 1 samples the distribution itself, below 1 is sharper, and 0 is greedy, the limit of ever colder
            draws: the most probable token or class; of a mixture the centre of the heaviest component. Symbol by symbol
            in the order in which the distribution factorizes.
        top_k: Only the so many most probable tokens are chosen from, and those that tie with the last of them.
        top_p: Only the smallest set of most probable tokens whose mass reaches this is chosen from, in (0, 1].
        beams: Texts kept in a search for the most probable text, which takes the place of sampling.
        end: The token after which a text is over: what follows repeats it and is not drawn. A token head fills it in
            when a person is shown its texts; None draws all positions.

    Raises:
        ValueError: If a value is out of its range, or a search for the most probable is told to sample as well.

    Source:
        Top-k: Fan et al., 2018, https://arxiv.org/abs/1805.04833; top-p, the nucleus: Holtzman et al., 2020,
        https://arxiv.org/abs/1904.09751.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    beams: int | None = None
    end: int | None = None

    def __post_init__(self) -> None:
        if not self.temperature >= 0:
            raise ValueError(
                f"a decoding temperature counts up from 0, got {self.temperature}: change --head_temperature"
            )
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"at least one token is chosen from, got {self.top_k}: change --top_k")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"the mass that is chosen from is above 0 and at most 1, got {self.top_p}: change --top_p")
        if self.beams is not None and self.beams < 1:
            raise ValueError(f"a search keeps at least one text, got {self.beams}: change --beams")
        sampled = self.temperature not in (0, 1) or self.top_k is not None or self.top_p is not None
        if self.beams is not None and sampled:
            raise ValueError(
                "a search for the most probable text does not sample: "
                "leave out --beams, or --head_temperature, --top_k and --top_p"
            )

    @property
    def temperature_alone(self) -> float:
        """The temperature, for a distribution over other things than tokens.

        Raises:
            ValueError: If a choice among tokens is asked for.
        """
        if (self.top_k, self.top_p, self.beams) != (None, None, None):
            raise ValueError("--top_k, --top_p and --beams choose among tokens; pictures take --head_temperature alone")
        return self.temperature


PLAIN = Decoding()
GREEDY = Decoding(temperature=0.0)
