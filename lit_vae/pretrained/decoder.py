"""A causal language model made to write the data's vocabulary."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lit_vae.pretrained.causal import Network, differ, fused, probe, whole
from lit_vae.pretrained.loading import without_table


class Decoder(NamedTuple):
    """A language model in parts.

    Args:
        table: The embedding of each token.
        network: From embeddings to states.
        scores: From states to logits: :class:`~lit_vae.distributions.token_scores.TokenScores`.
        start: The embedding that the model reads before the first token, [embed_width]; None where it has none.
    """

    table: nn.Embedding
    network: Network
    scores: Any
    start: Tensor | None


def decoder_of(model: Any, tokens: int, num_values: int, key: str, folder: str) -> Decoder:
    """A model that starts as the one it was, for its first tokens and perhaps an end symbol beside them.

    Where the model's logits are a linear map of its hidden states, they are computed in parts that fit into little
    memory; elsewhere, as for those that cap their logits, by the model itself.

    Args:
        model: As it was read, in evaluation; it is changed, and in training afterwards.
        tokens: Of the model's that are kept.
        num_values: Tokens and, where it is one more, an end symbol.
        key: The argument that names the folder, for messages.
        folder: Where the model was read.

    Raises:
        ValueError: If it is another model when it reads embeddings, or has another vocabulary.
    """
    kind = model.config.model_type
    try:
        own = probe(model, tokens)
        start, end = start_of(model), special_id(model, "eos")
        table = resize(model, num_values, end if tokens < num_values else None)
        read = table(own.ids).detach()
        without_table(model)
    except Exception as error:  # of transformers, which has no kind of its own for them
        raise refused(key, folder, kind, f"{type(error).__name__}: {error}") from error
    columns = [*range(tokens)] if tokens == num_values or end is None else [*range(tokens), end]
    reasons = []
    for make in (fused, whole):
        try:
            network, scores = make(model, num_values)
            reason = differ(network, scores, read, own.logits[..., columns])
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        if not reason:
            return Decoder(table, network.train(), scores, start)
        reasons.append(reason)
    raise refused(key, folder, kind, reasons[-1])


def refused(key: str, folder: str, kind: str, reason: str) -> ValueError:
    """The error for a model that cannot be used."""
    return ValueError(
        f"{key}: the model of {folder!r}, of type {kind!r}, cannot be told of a latent variable through its "
        f"embeddings: {reason}. Name a folder with a causal language model of another type, such as gpt2, llama, "
        f"qwen2, gemma2 or mamba"
    )


@torch.no_grad()
def resize(model: Any, num_values: int, end: int | None) -> nn.Embedding:
    """Give a model another number of tokens, and return its table.

    Args:
        model: Its tables are changed; those that were tied stay so.
        num_values: Tokens.
        end: The token that the last one starts as; None for none.
    """
    kept = [part[end].clone() for part in tables_of(model)] if end is not None else []
    table: nn.Embedding = model.resize_token_embeddings(num_values, mean_resizing=False)
    for part, row in zip(tables_of(model) if kept else [], kept, strict=True):
        part[-1] = row
    table.padding_idx = None  # a token as any other: padding is the mask's
    return table


def tables_of(model: Any) -> list[Tensor]:
    """What a model has a row of for each token: embeddings, output layer and its bias."""
    layers = model.get_input_embeddings(), model.get_output_embeddings()
    parts = [getattr(layer, name, None) for layer in layers for name in ("weight", "bias")]
    return [part for part in parts if part is not None]


def special_id(model: Any, name: str) -> int | None:
    """The id of a special token of a model, the first where there are several; None where there is none.

    Args:
        model: The model.
        name: ``bos`` or ``eos``.
    """
    found = getattr(model.config.get_text_config(), f"{name}_token_id", None)
    found = found[0] if isinstance(found, list) else found
    return found if found is not None and 0 <= found < len(model.get_input_embeddings().weight) else None


@torch.no_grad()
def start_of(model: Any) -> Tensor | None:
    """What a model reads before a text, [embed_width]: its start symbol or else its end symbol; None without both."""
    start = special_id(model, "bos")
    start = special_id(model, "eos") if start is None else start
    return None if start is None else model.get_input_embeddings()(torch.tensor(start))
