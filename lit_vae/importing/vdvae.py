"""Names of VDVAE's parameters."""

from collections.abc import Iterator

from lit_vae.backbones import VDVAE
from lit_vae.backbones.hierarchy import Upsample
from lit_vae.importing.names import affine, cell


def names(backbone: VDVAE) -> Iterator[tuple[str, str]]:
    """The reference's name of each parameter, and ours."""
    yield from affine("encoder.in_conv", "backbone.read")
    for i in range(len(backbone.encoder)):
        yield from cell(convolutions(f"encoder.enc_blocks.{i}"), f"backbone.encoder.{i}.cell")
    yield "decoder.gain", "backbone.gain"
    yield "decoder.bias", "backbone.bias"
    maps = ["top"]
    for i, block in enumerate(backbone.decoder):
        reference, ours = f"decoder.dec_blocks.{i}", f"backbone.decoder.{i}"
        yield from cell(convolutions(f"{reference}.enc"), f"{ours}.posterior")
        yield from cell(convolutions(f"{reference}.prior"), f"{ours}.prior")
        yield from affine(f"{reference}.z_proj", f"{ours}.project")
        yield from cell(convolutions(f"{reference}.resnet"), f"{ours}.refine")
        if isinstance(block.enter, Upsample) and block.enter.bias is not None:
            maps.append(f"decoder.{i}.enter.bias")
    for i, name in enumerate(maps):
        yield f"decoder.bias_xs.{i}", f"backbone.{name}.map"
    yield from affine("decoder.out_net.out_conv", "head.output")


def convolutions(reference: str) -> list[str]:
    """Names of the convolutions of a cell."""
    return [f"{reference}.c{number}" for number in range(1, 5)]
