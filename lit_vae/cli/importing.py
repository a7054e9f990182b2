"""The verb that turns a reference system's checkpoint into a run: import-checkpoint."""

from __future__ import annotations

from typing import Any, get_args

from lit_vae.callbacks import SaveConfig
from lit_vae.claim import Claim
from lit_vae.cli import configs, preflight
from lit_vae.cli.quiet import quieten
from lit_vae.cli.train import TrainCLI
from lit_vae.cli.words import take
from lit_vae.commands import command
from lit_vae.finite import learned, refuse_not_finite
from lit_vae.importing import SYSTEMS, Which, read, translate
from lit_vae.trust.signature import sign
from lit_vae.vae import LitVAE

USAGE = "import-checkpoint FILE --from SYSTEM --out RUN [--config NAME_OR_FILE] [--weights ema|raw] [fit's own flags]"


def import_checkpoint(words: list[str]) -> None:
    """Make a run of a checkpoint of a reference system; it evaluates, samples and trains on like any other.

    Raises:
        FileExistsError: If the run exists.
        ValueError: If a word is missing or wrong, or the checkpoint is another model's.
    """
    quieten()
    if not words or any(word in ("-h", "--help") for word in words):
        print(f"usage: {command()} {USAGE}\n\nSYSTEM: {', '.join(SYSTEMS)}")
        return
    words, systems = take(words, "--from")
    words, outs = take(words, "--out")
    words, names = take(words, "--config", "-c")
    words, which = take(words, "--weights")
    if not words or words[0].startswith("--") or not systems or not outs:
        raise ValueError(f"expected {USAGE}")
    if systems[-1] not in SYSTEMS:
        raise ValueError(f"--from is one of {', '.join(SYSTEMS)}, got {systems[-1]}")
    if which and which[-1] not in get_args(Which):
        raise ValueError(f"--weights is one of {', '.join(get_args(Which))}, got {which[-1]}")
    config = configs.resolve(names[-1] if names else SYSTEMS[systems[-1]].config)
    preflight.check(preflight.read(config), f"--config {config}")
    preflight.check_flags(words[1:], preflight.read(config))
    given = [f"--config={config}", f"--run_dir={outs[-1]}", *words[1:]]
    with Claim() as claim:
        ImportCLI(words[0], systems[-1], "raw" if which[-1:] == ["raw"] else "ema", given, claim)


class ImportCLI(TrainCLI):
    """What ``fit`` would train, with a reference's weights.

    Args:
        file: The checkpoint.
        system: Whose it is.
        which: Which of its weights.
        words: As for ``fit``.
        claim: Makes and locks the run's directory.
    """

    def __init__(self, file: str, system: str, which: Which, words: list[str], claim: Claim) -> None:
        self._file = file
        self._system = SYSTEMS[system]
        self._weights = read(file, which)
        super().__init__("fit", words, "imported", None, claim=claim)

    def before_fit(self) -> None:
        """Nothing is trained, and the data is not read: what its integers stand for, its settings say."""

    def fit(self, **_: Any) -> None:
        """Write the run, in which no step has been taken."""
        vae: LitVAE = self.model
        vae.load_state_dict(translate(self._system, vae.backbone, vae.head, self._weights), strict=False)
        refuse_not_finite(learned(vae), f"import-checkpoint {self._file}")
        vae.learn(self.datamodule.symbols)
        trainer = self.trainer
        trainer.strategy.connect(vae)
        vae.trainer = trainer
        assert self._run_dir is not None, "fit has a run directory"
        self._claim.begin()
        callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
        (save_config,) = (callback for callback in callbacks if isinstance(callback, SaveConfig))
        save_config.write(self._run_dir)
        checkpoint = trainer._checkpoint_connector.dump_checkpoint(weights_only=True)
        save_config.on_save_checkpoint(trainer, vae, checkpoint)
        sign(checkpoint)
        unstarted: dict[str, Any] = {"callbacks": {}, "optimizer_states": [], "lr_schedulers": []}
        trainer.strategy.save_checkpoint(checkpoint | unstarted, self._run_dir / "checkpoints" / "last.ckpt")

    def after_fit(self) -> None:
        """Say where the run is."""
        print(f"run: {self._run_dir}; evaluate it with: {command('test', '--ckpt_path', self._run_dir)}")
