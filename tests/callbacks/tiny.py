"""Models that train in a moment, on digits, and what keeps what they log."""

import torch
from lightning.pytorch.loggers import Logger

from lit_vae.backbones import ConvVAE
from lit_vae.heads import LogisticPixelHead
from lit_vae.objectives import ELBO


class NormedConvVAE(ConvVAE):
    """Batch-normalised at its end, and with a buffer that is no statistic."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.norm = torch.nn.BatchNorm1d(self.width)
        self.register_buffer("controller", torch.zeros(()))

    def top_down(self, *args):
        features, latents = super().top_down(*args)
        if self.training:
            self.controller += 1
        return self.norm(features.flatten(0, -2)).view_as(features), latents


def parts(data, backbone=ConvVAE):
    """Backbone, head and objective, the same at each call."""
    torch.manual_seed(5)
    head = LogisticPixelHead(width=4, num_values=data.num_values, shape=data.shape, components=1)
    built = backbone(head.embed_width, head.positions, width=4, latent=2, halvings=1)
    return {"backbone": built, "head": head, "objective": ELBO(per="symbol")}


class Kept(Logger):
    """Keeps what is logged of a kind."""

    name = version = "kept"

    def __init__(self, ending):
        super().__init__()
        self.ending = ending
        self.found = {}

    def log_metrics(self, metrics, step=None):
        for name, value in metrics.items():
            if name.endswith(self.ending):
                self.found.setdefault(name, {})[step] = value

    def log_hyperparams(self, *args, **kwargs):
        """Nothing."""
