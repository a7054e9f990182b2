"""A causal language model that reads embeddings: at once, step by step, and whether it still is the model it was."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lit_vae.distributions import at_least_float32
from lit_vae.heads.vocabulary import VocabularyProjection
from lit_vae.pretrained.loading import plain_tokens

PROBED = 6
"""Tokens of each text on which a model is compared with itself."""

ROUNDING = 1e-4
"""Most that two ways to compute a log-probability may differ by, nats, and again for each nat between the largest and
the least."""


class Network(nn.Module):
    """A model of transformers from embeddings to what its scores are made of.

    Args:
        model: Takes ``inputs_embeds``; returns ``logits``, or else a ``last_hidden_state``.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, read: Tensor) -> Tensor:
        """All positions at once, [B, L, hidden].

        Args:
            read: [B, L, embed_width].
        """
        return states_of(self.model(inputs_embeds=read, use_cache=False))

    def step(self, read: Tensor, caches: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """One position, [B, hidden], and what the next one needs.

        A model hands its cache back under the name under which it takes it: transformers has had several.

        Args:
            read: [B, 1, embed_width].
            caches: Of the positions before, by their names; empty at the first. They are changed in place.
        """
        from transformers import Cache

        found = self.model(inputs_embeds=read, use_cache=True, **caches)
        caches = {name: value for name, value in found.items() if isinstance(value, Cache)}
        if not caches:
            raise ValueError("it keeps no cache of the tokens that it has read")
        return states_of(found).squeeze(1), caches


def states_of(found: Any) -> Tensor:
    """The logits of a model, or the hidden states where it has none."""
    return found["logits"] if "logits" in found else found["last_hidden_state"]


def select(caches: dict[str, Any], rows: Tensor) -> dict[str, Any]:
    """The caches of some texts, in a given order.

    Args:
        caches: By their names; changed in place.
        rows: Numbers of texts, [N], int64.
    """
    for cache in caches.values():
        cache.reorder_cache(rows)
    return caches


class OwnScores(nn.Module):
    """The scores of a model that computes them itself."""

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of each token, [*, num_values], float32 or better, from themselves."""
        return at_least_float32(hidden)

    def nats(self, hidden: Tensor, ids: Tensor) -> Tensor:
        """-log p of each token, [N], float32 or better, from [N, num_values] and [N]."""
        return cross_entropy(at_least_float32(hidden), ids, reduction="none")


class Probe(NamedTuple):
    """Some texts, and what a model itself says of the token after each of their beginnings.

    Args:
        ids: [B, L], int64.
        logits: [B, L, vocabulary].
    """

    ids: Tensor
    logits: Tensor


@torch.no_grad()
def probe(model: Any, tokens: int) -> Probe:
    """What a model says of the tokens after a few, each of two texts read anew from its beginning.

    Args:
        model: As it was read, in evaluation.
        tokens: Only the first this many ids are used.
    """
    text = torch.tensor(plain_tokens(model, tokens, PROBED))
    ids = torch.stack([text, text.flip(0)])
    return Probe(ids, torch.stack([model(input_ids=ids[:, : n + 1]).logits[:, -1] for n in range(ids.shape[1])], 1))


@torch.no_grad()
def differ(network: Network, scores: Any, read: Tensor, own: Tensor) -> str:
    """How the log-probabilities of a network differ from a model's own; nothing where they do not.

    Args:
        network: In evaluation.
        scores: From its states to logits.
        read: The embeddings of some texts, [B, L, embed_width].
        own: What the model itself says of the token after each, logits, [B, L, values]; the network may have more
            values after these.
    """
    own = own.log_softmax(-1)
    # What is read is cloned: some models scale it in place.
    allowed = ROUNDING * (1 + float(own.amax() - own.amin()))
    values = own.shape[-1]
    at_once = scores.logits(network(read.clone()))[..., :values].log_softmax(-1)
    if not (most := float((at_once - own).abs().amax())) <= allowed:
        return f"read at once, its log-probabilities differ from the model's own by {most:.2g} nats"
    caches: dict[str, Any] = {}
    for position in range(read.shape[1]):
        states, caches = network.step(read[:, position : position + 1].clone(), caches)
        stepwise = scores.logits(states)[..., :values].log_softmax(-1)
        if not (most := float((stepwise - own[:, position]).abs().amax())) <= allowed:
            return f"read step by step, its log-probabilities differ from the model's own by {most:.2g} nats"
        caches, read, own = select(caches, torch.tensor([1, 0])), read.flip(0), own.flip(0)
    return ""


def fused(model: Any, num_values: int) -> tuple[Network, nn.Module]:
    """The network below a model's output layer, and that layer as a projection that never holds all scores.

    Args:
        model: Whose logits are a linear map of its hidden states.
        num_values: Rows of the output layer.
    """
    layer = model.get_output_embeddings()
    projection = VocabularyProjection(layer.weight.shape[1], num_values, layer.weight)
    if getattr(layer, "bias", None) is not None:
        projection.bias = layer.bias
    return Network(model.base_model), projection


def whole(model: Any, num_values: int) -> tuple[Network, nn.Module]:
    """A model with all that it does to its scores; they exist for all tokens of a batch."""
    return Network(model), OwnScores()
