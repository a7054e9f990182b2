"""A language model made to read embeddings of the data's tokens."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from lit_vae.pretrained.loading import Loaded, check_weights, plain_tokens, without_table

ROUNDING = 1e-4
"""Most that two ways to compute a state may differ by, for each unit of the largest state and one more."""


class Encoder(NamedTuple):
    """A language model in parts.

    Args:
        network: Takes ``inputs_embeds`` and ``attention_mask``.
        reads: Channels of what it reads.
        hidden: Channels of its states.
    """

    network: Any
    reads: int
    hidden: int


def encoder_of(loaded: Loaded, key: str, folder: str) -> Encoder:
    """What of a model reads a text, once it is proven to read embeddings, padded or not, as it reads ids.

    Args:
        loaded: The model; it is changed.
        key: The argument that names the folder, for messages.
        folder: Where the model was read.

    Raises:
        ValueError: If it does not, or weights are missing.
    """
    kind = loaded.model.config.model_type
    try:
        model = loaded.model.eval()
        model = model.get_encoder() if model.config.is_encoder_decoder else model
        if getattr(model, "pooler", None) is not None:
            model.pooler = None
        model.config.use_cache = False
        table = model.get_input_embeddings()
        ids = torch.tensor(plain_tokens(model, len(table.weight), 6)).expand(2, -1)
        mask = torch.arange(6) < torch.tensor([[6], [4]])
        own = [states_of(model, input_ids=row[None, keep])[0] for row, keep in zip(ids, mask, strict=True)]
        read = table(ids).detach()
        ours = states_of(without_table(model), inputs_embeds=read, attention_mask=mask.long())[mask]
    except Exception as error:  # of transformers, which has no kind of its own for them
        raise refused(key, folder, kind, f"{type(error).__name__}: {error}") from error
    check_weights(loaded, model, folder, key)
    theirs = torch.cat(own)
    most = float((ours - theirs).abs().amax())
    if not most <= ROUNDING * (1 + float(theirs.abs().amax())):
        raise refused(key, folder, kind, f"its states differ from those that it makes of ids by {most:.2g}")
    return Encoder(model.train(), read.shape[-1], theirs.shape[-1])


@torch.no_grad()
def states_of(model: Any, **read: Tensor) -> Tensor:
    """States of texts, [B, L, hidden]."""
    return model(**read).last_hidden_state


def refused(key: str, folder: str, kind: str, reason: str) -> ValueError:
    """The error for a model that cannot be used."""
    return ValueError(
        f"{key}: the model of {folder!r}, of type {kind!r}, cannot read texts as embeddings: {reason}. Name a folder "
        f"with a language model of another type, such as bert, roberta, t5, gpt2 or llama"
    )
