"""The two ways to let a causal network write: drawing token by token, and searching for the most probable text."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from lit_vae.decoding import Decoding
from lit_vae.distributions.grid import widest_float
from lit_vae.distributions.token_choice import choose_token
from lit_vae.distributions.token_scores import TokenScores
from lit_vae.distributions.tokens_causal import CausalNetwork

FEW = 0.75
"""Part of the texts at hand that are not over, below which those that are leave the batch."""


def write(network: CausalNetwork, scores: TokenScores, decoding: Decoding, uniform: Tensor) -> Tensor:
    """Texts drawn token by token, or the most probable found where a search is asked for, [B, L], int64.

    Args:
        network: The causal network of B texts.
        scores: The projection to the vocabulary.
        decoding: How a token is chosen, and which one ends a text.
        uniform: Strictly between 0 and 1, [B, L]: number (b, l) chooses token (b, l).
    """
    texts, length = uniform.shape
    if decoding.beams is not None:
        return search(network, scores, texts, length, decoding.beams, decoding.end)[0][:, 0]
    uniform, end = uniform.to(network.device), decoding.end
    written = torch.full_like(uniform, 0 if end is None else end, dtype=torch.int64)
    rows = torch.arange(texts, device=network.device)
    growing = torch.ones_like(rows, dtype=torch.bool)
    state, previous = network.start(), None
    for position in range(length):
        hidden, state = network.advance(state, position, previous)
        previous = choose_token(scores.logits(hidden), decoding, uniform[rows, position])
        if end is None:
            written[:, position] = previous
            continue
        written[rows, position] = previous = torch.where(growing, previous, end)
        growing = previous != end
        still = int(growing.sum())
        if still == 0:
            break
        if still < FEW * len(rows):
            some = growing.nonzero().squeeze(1)
            rows, previous, growing, state = rows[some], previous[some], growing[some], network.select(state, some)
    return written


def search(
    network: CausalNetwork, scores: TokenScores, texts: int, length: int, beams: int, end: int | None
) -> tuple[Tensor, Tensor]:
    """The most probable texts that a beam search finds, [B, K, L], int64, and their log p, [B, K], nats, falling.

    K is the number of beams, or that of all texts where they are fewer. A text that is over keeps its place among them,
    repeats its end, and pays nothing for it. Where K reaches the number of all texts, nothing is overlooked.

    Args:
        network: The causal network of B texts.
        scores: The projection to the vocabulary.
        texts: B.
        length: Most tokens of a text, L.
        beams: Most texts kept at each length.
        end: The token after which a text is over; None for none.
    """
    wide, device = widest_float(network.device), network.device
    written = torch.zeros(texts, 1, 0, dtype=torch.int64, device=device)
    log_prob = torch.zeros(texts, 1, dtype=wide, device=device)
    state, previous = network.start(), None
    for position in range(length):
        kept = written.shape[1]
        hidden, state = network.advance(state, position, previous)
        steps = scores.logits(hidden).log_softmax(-1).unflatten(0, (texts, kept))
        if end is not None and position > 0:
            over = (written[:, :, -1] == end).unsqueeze(-1)
            repeats = torch.arange(steps.shape[-1], device=device) == end
            steps = steps.where(~over, torch.where(repeats, 0.0, -torch.inf).to(steps))
        step, token = steps.topk(min(beams, steps.shape[-1]))
        candidates = (log_prob.unsqueeze(-1) + step.to(wide)).flatten(1)
        log_prob, best = candidates.topk(min(beams, candidates.shape[1]))
        if steps.shape[-1] < beams:  # a text that is over has one way to go on, and there may be fewer texts than beams
            possible = int((log_prob != -torch.inf).sum(1).amax())
            log_prob, best = log_prob[:, :possible], best[:, :possible]
        parent, token = best // step.shape[-1], token.flatten(1).gather(1, best)
        history = written.gather(1, parent.unsqueeze(-1).expand(-1, -1, position))
        written = torch.cat([history, token.unsqueeze(-1)], -1)
        if end is not None and bool((token == end).all()):
            return pad(written, (0, length - position - 1), value=end), log_prob
        rows = torch.arange(texts, device=device).unsqueeze(1) * kept + parent
        state, previous = network.select(state, rows.flatten()), token.flatten()
    return written, log_prob
