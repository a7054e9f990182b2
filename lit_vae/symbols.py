"""What the integers of a batch stand for. Made by the data module, saved in the checkpoint."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from lit_vae.quantization import Rule, evaluation_noise, quantize, rule_of
from lit_vae.rendering import Pictures, Rendering, Texts
from lit_vae.tokenizers import Tokenizer


class Symbols(ABC):
    """An alphabet and the shape of an example.

    Attributes:
        name: What the data is called, in logs and messages.
        num_values: Size of the alphabet.
        shape: Shape of one example, E; None stands for a text's length.
        suffix: Of a file that holds examples: ``.png`` or ``.txt``.
        noun: What examples are called, more than one of them.
    """

    name: str
    num_values: int
    shape: tuple[int | None, ...]
    suffix: str
    noun: str = "examples"

    @abstractmethod
    def fill(self, positions: tuple[int | None, ...]) -> tuple[int, ...]:
        """Positions with an open text length set to the longest that generation writes."""

    @abstractmethod
    def render(self, x: Tensor, mask: Tensor | None = None) -> Rendering:
        """Symbols [N, *E] as a person sees them; only those under the mask."""

    @abstractmethod
    def read(self, words: Sequence[str]) -> tuple[Tensor, Tensor | None]:
        """Examples that a person spells out, symbols [N, *E] and what is observed of them (None for all).

        Args:
            words: Each a text as it stands, or the file of a picture.
        """

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Plain values from which :func:`restore` makes the object again."""

    def agrees_with(self, other: Symbols) -> bool:
        """Whether the integers of both stand for the same, whatever the data is called, made from, and however long."""
        mine, others = self.state(), other.state()
        passed_over = {"name", "max_length", "rule"}
        return all(mine.get(key) == others.get(key) for key in (mine | others).keys() - passed_over)


class Pixels(Symbols):
    """Grey levels 0..num_values-1, black to white.

    Args:
        name: What the data is called.
        num_values: Grey levels of each channel.
        shape: (C, H, W).
        rule: How the data makes its integers of pictures in 8 bits; None for ``floor``, the upper bits, where
            ``num_values`` is a power of two up to 256, and ``nearest`` otherwise.

    Raises:
        ValueError: If the rule is unknown, or is for another number of grey levels.
    """

    suffix = Pictures.suffix
    noun = "pictures"

    def __init__(self, name: str, num_values: int, shape: tuple[int, int, int], rule: Rule | None = None) -> None:
        self.name = name
        self.num_values = num_values
        self.shape: tuple[int, int, int] = shape
        self.rule = rule_of(num_values, rule)

    def fill(self, positions: tuple[int | None, ...]) -> tuple[int, ...]:
        return tuple(n for n in positions if n is not None)

    def render(self, x: Tensor, mask: Tensor | None = None) -> Pictures:
        bright = (x.double() * (255.0 / (self.num_values - 1))).round().to(torch.uint8)
        return Pictures((bright if mask is None else bright.masked_fill(~mask, 0)).cpu())

    def parse(self, pictures: Pictures) -> Tensor:
        """The integers that the data would make of pictures in 8 bits, numbered from 0, [N, C, H, W]."""
        noise = evaluation_noise(torch.arange(len(pictures)))
        return quantize(pictures.images, self.num_values, self.rule, noise)

    def read(self, words: Sequence[str]) -> tuple[Tensor, None]:
        """Pictures from files, of the size and the number of channels of the model's.

        Raises:
            ValueError: If a file holds no picture, more than one, one that would lose something, or one of another
                size, or the model's are neither grey nor RGB.
        """
        from lit_vae.data.images_decoding import UnsuitablePicture, as_array, read_picture

        channels, height, breadth = self.shape
        if channels not in (1, 3):
            raise ValueError(f"pictures of {channels} channels are in no file: choose examples of the data")
        try:
            pictures = [read_picture(Path(word), "grey" if channels == 1 else "rgb", None) for word in words]
        except UnsuitablePicture as error:
            raise ValueError(f"{error.fault}: {error.cure}") from error
        for word, picture in zip(words, pictures, strict=True):
            if picture.size != (breadth, height):
                raise ValueError(
                    f"{word} is {picture.width} pixels wide and {picture.height} high, the model's pictures are "
                    f"{breadth} and {height}: crop or resize it"
                )
        return self.parse(Pictures(torch.stack([torch.from_numpy(as_array(picture)) for picture in pictures]))), None

    def state(self) -> dict[str, Any]:
        return {
            "kind": "pixels",
            "name": self.name,
            "num_values": self.num_values,
            "shape": list(self.shape),
            "rule": self.rule,
        }


class Tokens(Symbols):
    """Tokens of a vocabulary, ended by its end symbol.

    Args:
        name: What the data is called.
        tokenizer: Text to ids and back.
        max_length: Most tokens of an example, end symbol included.
    """

    suffix = Texts.suffix
    noun = "texts"

    def __init__(self, name: str, tokenizer: Tokenizer, max_length: int) -> None:
        self.name = name
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.num_values = tokenizer.num_values
        self.shape: tuple[int | None, ...] = (None,)

    def fill(self, positions: tuple[int | None, ...]) -> tuple[int, ...]:
        return tuple(self.max_length if n is None else n for n in positions)

    def render(self, x: Tensor, mask: Tensor | None = None) -> Texts:
        """Texts up to their first end symbol."""
        rows = x.tolist() if mask is None else [row[keep].tolist() for row, keep in zip(x, mask, strict=True)]
        return Texts([self.tokenizer.decode(self._until_end(row)) for row in rows])

    def parse(self, texts: Texts) -> tuple[Tensor, Tensor]:
        """Ids and mask, [N, L] each, every text ended; padding repeats the end symbol under a False mask.

        Raises:
            ValueError: If there is no text, one is longer than the model was trained for, or one has a symbol that the
                vocabulary lacks and has none to stand for.
        """
        rows = [ids + [self.tokenizer.end] for ids in ids_of(self.tokenizer, texts)]
        for text, row in zip(texts.texts, rows, strict=True):
            if len(row) > self.max_length:
                raise ValueError(
                    f"the text {shortened(text)} has {len(row)} tokens with its end symbol, the model was trained on "
                    f"at most {self.max_length} (data.init_args.max_length): shorten it"
                )
        return pad(rows, self.tokenizer.end)

    def read(self, words: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Texts as they stand; see :meth:`parse`."""
        return self.parse(Texts(list(words)))

    def state(self) -> dict[str, Any]:
        return {
            "kind": "tokens",
            "name": self.name,
            "tokenizer": self.tokenizer.state(),
            "max_length": self.max_length,
        }

    def _until_end(self, ids: list[int]) -> list[int]:
        return ids[: ids.index(self.tokenizer.end)] if self.tokenizer.end in ids else ids


class Blocks(Symbols):
    """Stretches of a running text, each of as many tokens; nothing ends a stretch.

    Args:
        name: What the data is called.
        tokenizer: Text to ids and back; its end symbol is no part of the alphabet.
        length: Tokens of a stretch.
    """

    suffix = Texts.suffix
    noun = "stretches"

    def __init__(self, name: str, tokenizer: Tokenizer, length: int) -> None:
        self.name = name
        self.tokenizer = tokenizer
        self.length = length
        self.num_values = tokenizer.num_values - 1
        self.shape: tuple[int | None, ...] = (length,)

    def fill(self, positions: tuple[int | None, ...]) -> tuple[int, ...]:
        return tuple(self.length if n is None else n for n in positions)

    def render(self, x: Tensor, mask: Tensor | None = None) -> Texts:
        rows = x.tolist() if mask is None else [row[keep].tolist() for row, keep in zip(x, mask, strict=True)]
        return Texts([self.tokenizer.decode(row) for row in rows])

    def parse(self, texts: Texts) -> tuple[Tensor, Tensor]:
        """Ids and mask, [N, length] each; what a shorter text lacks is hidden.

        Raises:
            ValueError: If there is no text, one is longer than a stretch, or one has a symbol that the vocabulary lacks
                and has none to stand for.
        """
        rows = ids_of(self.tokenizer, texts)
        for text, row in zip(texts.texts, rows, strict=True):
            if len(row) > self.length:
                raise ValueError(
                    f"the text {shortened(text)} has {len(row)} tokens, the model reads {self.length} "
                    f"(data.init_args.length): shorten it"
                )
        lengths = torch.tensor([len(row) for row in rows])
        x = torch.tensor([row + [0] * (self.length - len(row)) for row in rows])
        return x, torch.arange(self.length) < lengths.unsqueeze(1)

    def read(self, words: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Texts as they stand; see :meth:`parse`."""
        return self.parse(Texts(list(words)))

    def state(self) -> dict[str, Any]:
        return {
            "kind": "blocks",
            "name": self.name,
            "tokenizer": self.tokenizer.state(),
            "length": self.length,
        }


def ids_of(tokenizer: Tokenizer, texts: Texts) -> list[list[int]]:
    """The ids of texts that a person wrote; says which of their symbols the model cannot tell apart.

    Raises:
        ValueError: If there is no text, or one has a symbol that the vocabulary lacks and has none to stand for.
    """
    if not len(texts):
        raise ValueError("there is no text to read: give at least one")
    unknown = dict.fromkeys(symbol for text in texts.texts for symbol in tokenizer.unknown_in(text))
    some = ", ".join(map(repr, list(unknown)[:5])) + (", ..." if len(unknown) > 5 else "")
    try:
        rows = list(tokenizer.encode_all(texts.texts))
    except ValueError as error:
        raise ValueError(
            f"the model knows no {some}: its training split has none, and nothing stands for what it does not know; "
            f"write it otherwise"
        ) from error
    if unknown:
        rank_zero_warn(f"the model knows no {some}: its training split has none; it reads its symbol for the unknown")
    return rows


def shortened(text: str) -> str:
    """The start of a text, quoted."""
    return repr(text if len(text) <= 40 else f"{text[:37]}...")


def pad(rows: list[list[int]], value: int) -> tuple[Tensor, Tensor]:
    """Rows of unequal length as one tensor and its mask, [N, L] each.

    Args:
        rows: Symbols of each example.
        value: A valid symbol for the places that the mask hides.
    """
    lengths = torch.tensor([len(row) for row in rows])
    x = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=value)
    return x, torch.arange(x.shape[1]) < lengths.unsqueeze(1)


def restore(state: dict[str, Any]) -> Symbols:
    """The symbols that :meth:`Symbols.state` described.

    Raises:
        ValueError: If they are of no known kind.
    """
    kind = state.get("kind") if isinstance(state, dict) else None
    if kind not in ("pixels", "tokens", "blocks"):
        raise ValueError(
            f"the symbols of a model are pixels, tokens or blocks, the file has {kind!r}: take another file"
        )
    if state["kind"] == "pixels":
        channels, height, breadth = state["shape"]
        return Pixels(state["name"], state["num_values"], (channels, height, breadth), state.get("rule"))
    from lit_vae.tokenizers import restore_tokenizer

    if state["kind"] == "blocks":
        return Blocks(state["name"], restore_tokenizer(state["tokenizer"]), state["length"])
    return Tokens(state["name"], restore_tokenizer(state["tokenizer"]), state["max_length"])
