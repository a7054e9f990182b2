"""The tokenizer of a run, for other text."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from lit_vae.tokenizers.base import Tokenizer, TokenizerTrainer

KEY = "data.init_args.tokenizer.init_args.run"


class OfRun(TokenizerTrainer):
    """The tokenizer that a run was trained with, so that it can be evaluated on other text; nothing is learned.

    Args:
        run: The run directory, or a checkpoint.

    Raises:
        FileNotFoundError: If there is no checkpoint.
        ValueError: If it is none, or of a run that was trained on no text.
    """

    def __init__(self, run: str) -> None:
        from lit_vae import checkpoints

        try:
            symbols = checkpoints.read(checkpoints.find(run, "best"))["symbols"]
        except (FileNotFoundError, ValueError) as error:
            raise type(error)(str(error).replace("--ckpt_path", KEY)) from error
        if symbols is None or "tokenizer" not in symbols:
            raise ValueError(f"{run} was trained on no text and has no tokenizer: change {KEY}")
        self.run = run
        self._state: dict[str, Any] = symbols["tokenizer"]

    def train(self, texts: Iterable[str]) -> Tokenizer:
        from lit_vae.tokenizers import restore_tokenizer

        return restore_tokenizer(self._state)

    @property
    def key(self) -> Any:
        return [type(self).__qualname__, sha256(json.dumps(self._state).encode()).hexdigest()]
