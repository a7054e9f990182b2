"""The reference systems whose checkpoints can be read, and how their weights become ours."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from lit_vae.backbones import NVAE, VDVAE, Backbone, EfficientVDVAE
from lit_vae.backbones.nvae_cells import lengths
from lit_vae.commands import command
from lit_vae.heads import BernoulliPixelHead, DecoderHead, LogisticPixelHead
from lit_vae.importing import efficient_vdvae, nvae, vdvae
from lit_vae.importing.names import Pairs, head_order


@dataclass(frozen=True)
class System:
    """A reference system.

    Args:
        backbone: What it is here.
        config: The packaged config of its model for CIFAR-10; those of its other models begin like it.
        names: The reference's name of each parameter of a backbone and its head, and ours.
        ignored: How names end that hold nothing that was learned.
    """

    backbone: type[Backbone]
    config: str
    names: Callable[[Any], Pairs]
    ignored: tuple[str, ...] = ()


SYSTEMS = {
    "vdvae": System(VDVAE, "vdvae_cifar", vdvae.names),
    "evdvae": System(EfficientVDVAE, "evdvae_cifar", efficient_vdvae.names),
    "nvae": System(NVAE, "nvae_cifar", nvae.names, (".weight_normalized", ".mask")),
}
"""By what ``import-checkpoint --from`` calls them."""


def translate(
    system: System, backbone: Backbone, head: DecoderHead, reference: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """A reference's state dict as the state dict of a :class:`lit_vae.LitVAE`'s backbone and head.

    Args:
        system: Whose it is.
        backbone: Of the architecture that was trained.
        head: Its head.
        reference: The state dict, without prefixes.

    Raises:
        ValueError: If the model is another: its backbone, its head or the number of its grey levels, names that are
            missing or too many, or a shape.
    """
    if not isinstance(backbone, system.backbone):
        raise ValueError(
            f"model.backbone is a {type(backbone).__name__}, but the checkpoint is read into a "
            f"{system.backbone.__name__}: name a config that has one with --config, such as {system.config}"
        )
    if not isinstance(head, LogisticPixelHead | BernoulliPixelHead):
        raise ValueError(
            f"model.head is a {type(head).__name__}, but what the references learned are the numbers of a "
            f"{LogisticPixelHead.__name__}, or of a {BernoulliPixelHead.__name__} for MNIST: name one of the two"
        )
    if system.backbone is not NVAE and head.num_values not in (2, 256):
        raise ValueError(
            f"the model has {head.num_values} grey levels: {system.config.partition('_')[0]} was trained on another "
            f"grid than the exact one there (its bins overlap), so that no weights of ours say what its weights do; "
            f"checkpoints of 8-bit models are imported"
        )
    names = dict(system.names(backbone))
    learned = {name: value for name, value in reference.items() if not name.endswith(system.ignored or ("\0",))}
    refuse_other_names(names, learned, system)
    ours = {names[name]: value for name, value in learned.items()}
    if (length := ours.pop(nvae.LENGTH, None)) is not None:
        weight = ours["head.output.weight"]
        ours["head.output.weight"] = weight * (length.exp() / (lengths(weight) + 1e-5))
    if isinstance(head, LogisticPixelHead) and head.channels == 3:
        order = head_order(head.layout.components)
        ours |= {name: permuted(ours[name], order) for name in ("head.output.weight", "head.output.bias")}
    if isinstance(backbone, EfficientVDVAE) and isinstance(head, BernoulliPixelHead):
        # the reference reads 0 and 1, ours -1 and 1
        weight, bias = ours["backbone.read.weight"], ours["backbone.read.bias"]
        ours |= {"backbone.read.weight": weight / 2, "backbone.read.bias": bias + weight.sum((1, 2, 3)) / 2}
    expected = nn.ModuleDict({"backbone": backbone, "head": head}).state_dict()
    if (top := "backbone.top.map") in ours and ours[top].dim() == 3:
        ours[top] = ours[top].unsqueeze(0)  # NVAE's has no batch
    if surplus := ours.keys() - expected.keys():
        raise ValueError(
            f"the config's model lacks what the reference learns, such as {min(surplus)}: an option of "
            f"model.backbone.init_args leaves it out; {other_configs(system)}"
        )
    for name, value in ours.items():
        if value.shape != expected[name].shape:
            theirs = next(reference for reference, our in names.items() if our == name)
            raise ValueError(
                f"the checkpoint's {theirs} has shape {list(value.shape)}, where the config's model has "
                f"{list(expected[name].shape)} ({name}): it is another model; {other_configs(system)}"
            )
    assert ours.keys() == expected.keys(), "no weight is left as it was made"
    return ours


def permuted(value: Tensor, order: Tensor) -> Tensor:
    """The output channels in our order; as they are where their number is wrong, which is told elsewhere."""
    return value[order] if len(value) == len(order) else value


def refuse_other_names(names: Mapping[str, str], learned: Mapping[str, Tensor], system: System) -> None:
    """Refuse a checkpoint of a model with other parts.

    Raises:
        ValueError: If there is a name too many or too few.
    """
    missing, unknown = [n for n in names if n not in learned], [n for n in learned if n not in names]
    if missing or unknown:
        lacks = f"it lacks {len(missing)}, such as {missing[0]}" if missing else "it lacks none"
        adds = f"has {len(unknown)} more, such as {unknown[0]}" if unknown else "has no other"
        raise ValueError(
            f"the checkpoint has other parameters than the config's model: of {len(names)}, {lacks}, and {adds}; "
            f"{other_configs(system)}"
        )


def other_configs(system: System) -> str:
    """What to change where the architecture is another."""
    return (
        f"name the config of the model that was trained with --config ({command('configs')} lists "
        f"{system.config.partition('_')[0]}_*), or change model.backbone.init_args and model.head.init_args in a copy"
    )
