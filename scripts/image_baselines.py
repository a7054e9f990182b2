"""What two simple models make of a picture data set's test split, in bits per dimension.

    python scripts/image_baselines.py --config digits.yaml [--data.root DIR ...]

Reads the ``data`` of a config, so that the pictures are those that the VAE is trained on. Both models are fitted on the
training split, each with one number chosen on the validation split:

    histogram            p(x_d = v) = (count_d(v) + a) / (N + a V), of each pixel and channel apart
    logistic regression  p(x_d = v | x_1 ... x_{d-1}) = softmax_v(b_dv + sum_{e < d} w_dve x_e), pixels in raster order,
                         channel after channel, grey levels scaled to [0, 1]; penalty l2 / 2 (|w|^2 + |b|^2)

The second has D V (D + 1) / 2 weights for D = C H W: it is for small pictures.
"""

import argparse

import torch
from torch import Tensor

from lit_vae.cli.data import of_config
from lit_vae.data import ImageDataModule, Split

SMOOTHINGS = torch.logspace(-3, 1, 33).tolist()
PENALTIES = torch.logspace(-1, -5, 9).tolist()
MOST_WEIGHTS = 20_000_000


def histogram(train: Tensor, num_values: int, smoothing: float) -> Tensor:
    """log p of each dimension's values, [D, V], nats.

    Args:
        train: Grey levels, [N, D], int64.
        num_values: V.
        smoothing: Added to each count.
    """
    counts = torch.zeros(train.shape[1], num_values, dtype=torch.float64)
    counts.scatter_add_(1, train.T, torch.ones_like(train.T, dtype=torch.float64))
    return ((counts + smoothing) / (len(train) + smoothing * num_values)).log()


def histogram_nats(table: Tensor, x: Tensor) -> float:
    """Mean of -log p, nats per dimension."""
    return -table.gather(1, x.T).mean().item()


class LogisticRegression:
    """Each dimension's grey level given all before it, linearly.

    Args:
        dimensions: D.
        num_values: V.
    """

    def __init__(self, dimensions: int, num_values: int) -> None:
        self.num_values = num_values
        self.weights = torch.zeros(dimensions, dimensions * num_values, requires_grad=True)
        self.bias = torch.zeros(dimensions * num_values, requires_grad=True)
        before = torch.ones(dimensions, dimensions).triu(1)
        self.seen = before.repeat_interleave(num_values, 1)

    def nats(self, x: Tensor) -> Tensor:
        """Mean of -log p, nats per dimension."""
        logits = x / (self.num_values - 1) @ (self.weights * self.seen) + self.bias
        return torch.nn.functional.cross_entropy(logits.view(-1, self.num_values), x.flatten())

    def fit(self, x: Tensor, penalty: float) -> None:
        """Minimise the sum over dimensions plus the penalty, from where it is."""
        optimizer = torch.optim.LBFGS([self.weights, self.bias], max_iter=300, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            optimizer.zero_grad()
            size = (self.weights * self.seen).square().sum() + self.bias.square().sum()
            loss = self.nats(x) * x.shape[1] + 0.5 * penalty * size
            loss.backward()
            return loss

        optimizer.step(closure)


def pictures(data: ImageDataModule, split: Split) -> Tensor:
    """A split, [N, D], int64."""
    dataset = data.dataset(split)
    return dataset.__getitems__(list(range(len(dataset)))).x.flatten(1).long()


def baselines(data: ImageDataModule) -> dict[str, float]:
    """Nats per dimension of each model on the test split."""
    train, val, test = (pictures(data, split) for split in ("train", "val", "test"))
    dimensions, num_values = train.shape[1], data.num_values
    tables = [histogram(train, num_values, smoothing) for smoothing in SMOOTHINGS]
    table = min(tables, key=lambda table: histogram_nats(table, val))
    found = {"histogram": histogram_nats(table, test)}
    if dimensions**2 * num_values <= MOST_WEIGHTS:
        regression, scores = LogisticRegression(dimensions, num_values), {}
        for penalty in PENALTIES:
            regression.fit(train, penalty)
            with torch.no_grad():
                scores[regression.nats(val).item()] = regression.nats(test).item()
        found["logistic regression"] = scores[min(scores)]
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="a file, or the name of a packaged config")
    words, overrides = parser.parse_known_args()
    data = of_config(words.config, overrides, ImageDataModule)
    print(
        f"{data.symbols.name}: {len(data.dataset('test'))} test pictures {list(data.shape)}, {data.num_values} levels"
    )
    for name, nats in baselines(data).items():
        print(f"{name:20} {nats / torch.log(torch.tensor(2.0)).item():.4f} bits/dim")


if __name__ == "__main__":
    main()
