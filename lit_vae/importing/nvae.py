"""Names of NVAE's parameters and batch statistics."""

from collections.abc import Iterator
from itertools import count

from torch import nn

from lit_vae.backbones import NVAE
from lit_vae.backbones.nvae import Group
from lit_vae.backbones.nvae_cells import Cell, Enlarge, Reduce, SqueezeExcitation
from lit_vae.importing.names import affine

LENGTH = "head.output.log_length"
"""The reference also learns the length of the output convolution's weights apart: it goes into our head's weights."""


def names(backbone: NVAE) -> Iterator[tuple[str, str]]:
    """The reference's name of each parameter and statistic, and ours."""
    yield "prior_ftr0", "backbone.top.map"
    yield from normed("stem", "backbone.read")
    for i, part in enumerate(backbone.enter):
        yield from encoder_cell(f"pre_process.{i}", f"backbone.enter.{i}", part)
    yield from normed("enc0.1", "backbone.summary.1")
    yield from tower_up(backbone)
    yield from tower_down(backbone)
    for i, part in enumerate(backbone.leave):
        yield from decoder_cell(f"post_process.{i}", f"backbone.leave.{i}", part)
    yield from affine("image_conditional.1", "head.output")
    yield "image_conditional.1.log_weight_norm", LENGTH


def tower_up(backbone: NVAE) -> Iterator[tuple[str, str]]:
    """The bottom-up pass: the cells of each group, then, but for the last, what joins them to the top-down pass."""
    place, last = count(), len(backbone.encoder) - 1
    for group, cells in enumerate(backbone.encoder):
        assert isinstance(cells, nn.Sequential)
        for i, part in enumerate(cells):
            yield from encoder_cell(f"enc_tower.{next(place)}", f"backbone.encoder.{group}.{i}", part)
        if group < last:
            yield from normed(f"enc_tower.{next(place)}.conv", f"backbone.decoder.{last - group}.look")


def tower_down(backbone: NVAE) -> Iterator[tuple[str, str]]:
    """The top-down pass: each group's cells and what absorbs z; its samplers and flows are numbered apart."""
    place, flows = count(), count()
    for i, group in enumerate(backbone.decoder):
        assert isinstance(group, Group)
        ours = f"backbone.decoder.{i}"
        yield from normed(f"enc_sampler.{i}", f"{ours}.posterior")
        if isinstance(group.enter, nn.Sequential):
            yield from normed(f"dec_sampler.{i - 1}.1", f"{ours}.prior.1")
            for j, part in enumerate(group.enter):
                yield from decoder_cell(f"dec_tower.{next(place)}", f"{ours}.enter.{j}", part)
        for pair in range(len(group.flow.shifts) // 2 if group.flow is not None else 0):
            reference = f"nf_cells.{next(flows)}"
            yield from shift(f"{reference}.cell1", f"{ours}.flow.shifts.{2 * pair}")
            yield from shift(f"{reference}.cell2", f"{ours}.flow.shifts.{2 * pair + 1}")
        yield from normed(f"dec_tower.{next(place)}.conv", f"{ours}.join")


def normed(reference: str, ours: str, bias: bool = True) -> Iterator[tuple[str, str]]:
    """Names of a convolution whose weights have learned lengths."""
    yield f"{reference}.weight", f"{ours}.weight"
    if bias:
        yield f"{reference}.bias", f"{ours}.bias"
    yield f"{reference}.log_weight_norm", f"{ours}.log_length"


def batch_norm(reference: str, ours: str) -> Iterator[tuple[str, str]]:
    """Names of a batch norm's parameters and statistics."""
    yield from affine(reference, ours)
    for statistic in ("running_mean", "running_var", "num_batches_tracked"):
        yield f"{reference}.{statistic}", f"{ours}.{statistic}"


def gate(reference: str, ours: str, cell: Cell) -> Iterator[tuple[str, str]]:
    """Names of a squeeze-and-excitation's parameters, where there is one."""
    if isinstance(cell.gate, SqueezeExcitation):
        for i in (0, 2):
            yield from affine(f"{reference}.se.se.{i}", f"{ours}.gate.gate.{i}")


def encoder_cell(reference: str, ours: str, cell: nn.Module) -> Iterator[tuple[str, str]]:
    """Names of a cell of the bottom-up pass."""
    assert isinstance(cell, Cell)
    for i in range(len(cell.skip.parts) if isinstance(cell.skip, Reduce) else 0):
        yield from normed(f"{reference}.skip.conv_{i + 1}", f"{ours}.skip.parts.{i}")
    for half in (0, 1):
        yield from batch_norm(f"{reference}._ops.{half}.bn_act", f"{ours}.branch.{3 * half}")
        yield from normed(f"{reference}._ops.{half}.conv_0", f"{ours}.branch.{3 * half + 2}")
    yield from gate(reference, ours, cell)


def decoder_cell(reference: str, ours: str, cell: nn.Module) -> Iterator[tuple[str, str]]:
    """Names of a cell of the top-down pass; where it enlarges, the reference numbers the enlargement, too."""
    assert isinstance(cell, Cell)
    up = isinstance(cell.skip, Enlarge)
    part = [f"{reference}._ops.0.conv.{i + up}" for i in range(5)]
    if up:
        yield from normed(f"{reference}.skip.1", f"{ours}.skip.change", bias=False)
    yield from batch_norm(f"{part[0]}.bn", f"{ours}.branch.1")
    yield f"{part[1]}.conv.0.weight", f"{ours}.branch.2.weight"
    yield from batch_norm(f"{part[1]}.conv.1", f"{ours}.branch.3")
    yield f"{part[2]}.conv.0.weight", f"{ours}.branch.5.weight"
    yield from batch_norm(f"{part[2]}.conv.1", f"{ours}.branch.6")
    yield f"{part[3]}.weight", f"{ours}.branch.8.weight"
    yield from batch_norm(f"{part[4]}.bn", f"{ours}.branch.9")
    yield from gate(reference, ours, cell)


def shift(reference: str, ours: str) -> Iterator[tuple[str, str]]:
    """Names of half a pair of shifts."""
    yield from normed(f"{reference}.conv.convz.0", f"{ours}.gather", bias=False)
    yield from normed(f"{reference}.conv.convz.2", f"{ours}.spread", bias=False)
    yield from normed(f"{reference}.mu.conv_0", f"{ours}.mean")
