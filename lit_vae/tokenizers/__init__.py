"""Tokenizers: text to ids and back. In a config, ``data.init_args.tokenizer`` names what trains one."""

from typing import Any

from lit_vae.tokenizers.base import CountingTrainer, Tokenizer, TokenizerTrainer
from lit_vae.tokenizers.bpe import BPE, BPETokenizer
from lit_vae.tokenizers.bytes import Bytes, ByteTokenizer
from lit_vae.tokenizers.characters import Characters, CharacterTokenizer
from lit_vae.tokenizers.of_run import OfRun
from lit_vae.tokenizers.pretrained import Pretrained
from lit_vae.tokenizers.words import Words, WordTokenizer

__all__ = [
    "BPE",
    "BPETokenizer",
    "ByteTokenizer",
    "Bytes",
    "CharacterTokenizer",
    "Characters",
    "CountingTrainer",
    "OfRun",
    "Pretrained",
    "Tokenizer",
    "TokenizerTrainer",
    "WordTokenizer",
    "Words",
    "restore_tokenizer",
]

KINDS: dict[str, type[Tokenizer]] = {
    cls.kind: cls for cls in (ByteTokenizer, CharacterTokenizer, WordTokenizer, BPETokenizer)
}


def restore_tokenizer(state: dict[str, Any]) -> Tokenizer:
    """The tokenizer that :meth:`Tokenizer.state` described.

    Raises:
        ValueError: If its kind is unknown: another version wrote it.
    """
    if state["kind"] not in KINDS:
        raise ValueError(f"a tokenizer is one of {', '.join(KINDS)}, the checkpoint has {state['kind']!r}")
    return KINDS[state["kind"]].from_state(state)
