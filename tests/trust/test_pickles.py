"""A pickle in a checkpoint, in latents or in an imported file is not loaded."""

import os

import pytest
import torch

from lit_vae import LatentStack, LitVAE
from lit_vae.cli import main
from lit_vae.importing import read
from lit_vae.symbols import restore


class Shell:
    def __reduce__(self):
        return os.system, ("touch PWNED",)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("where", ["state_dict", "hyper_parameters", "config", "callbacks", "symbols", "anything"])
def test_a_pickle_in_a_checkpoint_is_not_loaded(where, legacy, scene, capsys):
    torch.save({**scene.content, where: Shell()}, scene.file, _use_new_zipfile_serialization=not legacy)

    with pytest.raises(ValueError, match="checkpoint"):
        LitVAE.load_from_checkpoint(scene.file)
    for verb in ("fit", "validate", "test", "sample", "reconstruct", "encode", "interpolate", "traverse"):
        assert main([verb, "--ckpt_path", "theirs"]) == 2
        assert "Traceback" not in capsys.readouterr().err
    assert scene.marks() == []


def test_a_pickle_in_latents_or_an_imported_file_is_not_loaded(scene):
    torch.save({"lit_vae_latents": 1, "layers": Shell()}, "latents.pt")

    with pytest.raises(ValueError, match="no file of latents"):
        LatentStack.load("latents.pt")
    with pytest.raises(ValueError, match="weights_only"):
        read("latents.pt", "ema")
    assert scene.marks() == []


@pytest.mark.parametrize(
    "state", [{"kind": "evil.Foo"}, {"kind": "tokens", "name": "x", "tokenizer": {"kind": "evil.Foo"}}, {}, []]
)
def test_symbols_of_an_unknown_kind_are_refused(state, scene):
    with pytest.raises(ValueError, match=r"symbols|tokenizer"):
        restore(state)
    assert scene.marks() == []
