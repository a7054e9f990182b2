"""Files that hold a program: none of it runs, whatever reads the file, and the file is refused by its name."""

import pickle
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from lit_vae import LitVAE, checkpoints
from lit_vae.data import CIFAR10DataModule
from lit_vae.data.images_batches import read_batch
from lit_vae.data.images_stores import ArrayStore
from lit_vae.importing.reading import read as read_foreign
from lit_vae.latent_stack import LatentStack

PROGRAM = "__import__('pathlib').Path('PWNED').touch()"


class Payload:
    """What calls a function when it is unpickled.

    Args:
        module: Of the function.
        name: Of the function.
        arguments: Of the call.
    """

    def __init__(self, module, name, *arguments):
        self.function = getattr(sys.modules.get(module) or __import__(module, fromlist=[name]), name)
        self.arguments = arguments

    def __reduce__(self):
        return self.function, self.arguments


PAYLOADS = {
    "os.system": Payload("os", "system", "touch PWNED"),
    "eval": Payload("builtins", "eval", PROGRAM),
    "exec": Payload("builtins", "exec", PROGRAM),
    "popen": Payload("subprocess", "getoutput", "touch PWNED"),
    "import": Payload("importlib", "import_module", "payload_of_test"),
    "getattr": Payload("builtins", "getattr", Path("PWNED"), "touch"),
    "torch": Payload("torch", "load", "PWNED"),
    "numpy": Payload("numpy", "load", "PWNED.npy", None, True),
    "within": Payload("builtins", "map", eval, (PROGRAM,)),
}


def save_array(path, payload, save):
    array = np.empty(1, object)
    array[0] = payload
    save(path, array)


WRITERS = {
    "checkpoint": (".ckpt", lambda path, payload: torch.save({"state_dict": {}, "config": payload}, path)),
    "old checkpoint": (
        ".ckpt",
        lambda path, payload: torch.save({"state_dict": payload}, path, _use_new_zipfile_serialization=False),
    ),
    "array": (".npy", partial(save_array, save=np.save)),
    "archive": (".npz", partial(save_array, save=lambda path, array: np.savez(path, data=array))),
    **{
        f"pickle {protocol}": (
            "",
            lambda path, payload, protocol=protocol: path.write_bytes(pickle.dumps({"data": payload}, protocol)),
        )
        for protocol in range(6)
    },
}
READERS = {
    "checkpoint": checkpoints.read,
    "model": LitVAE.load_from_checkpoint,
    "latents": LatentStack.load,
    "imported": partial(read_foreign, which="ema"),
    "batch": partial(read_batch, size=8),
    "array": partial(ArrayStore, size=8),
}


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("writer", WRITERS)
def test_no_reader_runs_what_a_file_holds(tmp_path, monkeypatch, writer, payload):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "payload_of_test.py").write_text("import pathlib; pathlib.Path('PWNED').touch()")
    monkeypatch.syspath_prepend(tmp_path)
    suffix, write = WRITERS[writer]
    path = tmp_path / f"trap{suffix}"
    write(path, PAYLOADS[payload])
    (tmp_path / "PWNED").unlink(missing_ok=True)  # whoever wrote it may have run it
    sys.modules.pop("payload_of_test", None)

    for read in READERS.values():
        with pytest.raises(ValueError, match="trap"):
            read(path)

    assert not (tmp_path / "PWNED").exists()
    assert "payload_of_test" not in sys.modules


@pytest.mark.parametrize(
    "program",
    [
        b"cos\nsystem\n(S'touch PWNED'\ntR.",
        b"cposix\nsystem\n(S'touch PWNED'\ntR.",
        b"c__builtin__\neval\n(S'1'\ntR.",
        b"(S'touch PWNED'\nios\nsystem\n.",  # an instance of a named class
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0btouch PWNED\x85R.",  # from the stack
        b"\x80\x04\x8c\x05numpy\x8c\x0bload.system\x93)R.",  # a dotted name
        b"cnumpy\nndarray\n(I1000000000000\ntR.",  # an array that fills the memory
        b"\x80\x02r\xff\xff\xff\x7f.",  # a memo that fills the memory
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\x00\x00.",  # bytes that fill the memory
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'O8'\ntRS'\\x10\\x00\\x00\\x00\\x00\\x00\\x00\\x00'\ntR.",
        b"\x80\x02" + b"(" * 100_000 + b".",
        b"c_codecs\nencode\n(S'trap'\nS'zlib'\ntR.",  # another codec
        b"\x82\x01.",  # a registered extension
        b"P0\n.",  # a persistent id
    ],
)
def test_no_pickled_batch_runs_or_fills_the_memory(tmp_path, monkeypatch, program):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trap").write_bytes(program)

    with pytest.raises(ValueError, match="trap cannot be read as a batch of pictures"):
        read_batch(tmp_path / "trap", 8)

    assert not (tmp_path / "PWNED").exists()


def test_cifar_is_compared_with_its_published_checksums_before_it_is_unpickled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in ["batches.meta", "test_batch", *(f"data_batch_{number}" for number in range(1, 6))]:
        (folder / name).write_bytes(pickle.dumps(PAYLOADS["os.system"]))

    for split in ("train", "test"):
        with pytest.raises(ValueError, match="is incomplete or damaged"):
            CIFAR10DataModule(str(tmp_path)).read(split)

    assert not (tmp_path / "PWNED").exists()
