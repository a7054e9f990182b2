"""Names of Efficient-VDVAE's parameters."""

from collections.abc import Iterator

from torch import nn

from lit_vae.backbones import EfficientVDVAE
from lit_vae.backbones.efficient_vdvae import Level
from lit_vae.backbones.hierarchy import LatentBlock, Upsample
from lit_vae.importing.names import affine, cell


def names(backbone: EfficientVDVAE) -> Iterator[tuple[str, str]]:
    """The reference's name of each parameter, and ours: of a level's cells and layers, it keeps one apart."""
    yield from affine("bottom_up.input_conv", "backbone.read")
    for number, level in enumerate(backbone.encoder):
        assert isinstance(level, Level)
        yield from level_names(number, level)
    yield "top_down.trainable_h", "backbone.top.map"
    before, place, repeat = None, -1, 0
    for number, (read, block) in enumerate(zip(backbone.reads, backbone.decoder, strict=True)):
        assert isinstance(block, LatentBlock)
        place, repeat = (place, repeat + 1) if read == before else (place + 1, 0)
        before = read
        first = f"top_down.levels_down_upsample.{place}"
        if isinstance(block.enter, Upsample):
            if block.enter.bias is not None:
                yield f"{first}.unpool.scale_bias", f"backbone.decoder.{number}.enter.bias.map"
            yield from affine(f"{first}.unpool.ops.0", f"backbone.decoder.{number}.enter.change.0")
        yield from block_names(first if repeat == 0 else f"top_down.levels_down.{place}.{repeat - 1}", number)
    yield from affine("top_down.output_conv", "head.output")


def level_names(number: int, level: Level) -> Iterator[tuple[str, str]]:
    """Names of the parameters of a level of the bottom-up pass; the last of its cells leads to the skip."""
    reference, ours = f"bottom_up.levels_up_downsample.{number}", f"backbone.encoder.{number}"
    *extra, last = range(len(level.cells))
    for i in extra:
        cells = convolutions(f"bottom_up.levels_up.{number}.{i}.residual_block.0")
        yield from cell(cells, f"{ours}.cells.{i}")
    yield from cell(convolutions(f"{reference}.residual_block.0"), f"{ours}.cells.{last}")
    yield from affine(f"{reference}.skip_projection", f"{ours}.skip")
    if any(isinstance(part, nn.Conv2d) for part in level.pool):
        yield from affine(f"{reference}.pool.ops.0", f"{ours}.pool.0")


def block_names(reference: str, number: int) -> Iterator[tuple[str, str]]:
    """Names of a latent layer's parameters, but those that lead to it."""
    ours = f"backbone.decoder.{number}"
    yield from cell(convolutions(f"{reference}.residual_block.0"), f"{ours}.refine")
    yield from cell(convolutions(f"{reference}.posterior_net.0"), f"{ours}.posterior")
    yield from cell(convolutions(f"{reference}.prior_net.0"), f"{ours}.prior")
    yield from affine(f"{reference}.prior_layer.projection", f"{ours}.to_prior")
    yield from affine(f"{reference}.posterior_layer.projection", f"{ours}.to_posterior")
    yield from affine(f"{reference}.z_projection", f"{ours}.project")


def convolutions(reference: str) -> list[str]:
    """Names of the convolutions of a cell."""
    return [f"{reference}.convs.{place}" for place in (1, 3, 5, 7)]
