"""The verbs that run a trainer: fit, validate, test."""

from __future__ import annotations

import sys
from argparse import SUPPRESS
from pathlib import Path
from typing import Any, Literal

import yaml
from jsonargparse.typing import NonNegativeInt, PositiveInt
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from lightning.pytorch.utilities import rank_zero_only

from lit_vae import changes, checkpoints, runs
from lit_vae.callbacks import (
    ChangedSettings,
    CheckMonitors,
    CollapseWatch,
    Examples,
    KeepBest,
    KeepLast,
    OptimizerMonitor,
    Progress,
    SaveConfig,
    StopOnSignal,
    Throughput,
    ValidationLines,
)
from lit_vae.claim import Claim
from lit_vae.cli import configs, evaluations, fallback, loggers, opening, preflight, retired
from lit_vae.cli.initial import take_weights
from lit_vae.cli.parsing import own_words, parse
from lit_vae.cli.portion import portion
from lit_vae.cli.quiet import quieten
from lit_vae.cli.resuming import begun_anew, changed_settings, nothing_left, resumed
from lit_vae.cli.words import take
from lit_vae.commands import command
from lit_vae.data import AnySplit, SymbolDataModule
from lit_vae.files import WholeCheckpointIO
from lit_vae.notices import notice
from lit_vae.trust.admission import admitted_config
from lit_vae.trust.config_file import content_of
from lit_vae.trust.given import trusting
from lit_vae.trust.guard import guarded
from lit_vae.trust.unsigned import warning
from lit_vae.vae import LitVAE


def fit(words: list[str]) -> None:
    """Train a model, or resume a run."""
    run("fit", words)


def validate(words: list[str]) -> None:
    """Evaluate a run on its validation split."""
    run("validate", words)


def test(words: list[str]) -> None:
    """Evaluate a run on its test split."""
    run("test", words)


def run(verb: str, words: list[str]) -> None:
    """Run a verb.

    Args:
        verb: fit, validate or test.
        words: What follows it on the command line.

    Raises:
        FileNotFoundError: If a config or a checkpoint is not there.
        ValueError: If neither is given, or a config is wrong.
    """
    quieten()
    words, ckpt_paths = take(words, "--ckpt_path")
    words, names = take(words, "--config", "-c")
    words, resumes = take(words, "--resume")
    words, origins = take(words, "--init_from")
    if origins and (verb != "fit" or ckpt_paths):
        raise ValueError(f"--init_from is for fit, and starts a new run, without --ckpt_path; got {verb}")
    if resumes:
        words, ckpt_paths = resumed(verb, words, resumes[-1], ckpt_paths)
    begun: Path | None = None
    if verb == "fit" and ckpt_paths and runs.is_begun(Path(ckpt_paths[-1])):
        begun = Path(ckpt_paths[-1])
        words, ckpt_paths, resumes = begun_anew(words, begun), [], ["auto"]
    asks_for_help = any(word in ("-h", "--help") or word.endswith(".help") for word in words)
    if not (ckpt_paths or begun or asks_for_help or ((names or origins) and verb == "fit")):
        needs = "--config NAME_OR_FILE or --ckpt_path RUN" if verb == "fit" else "--ckpt_path RUN"
        raise ValueError(f"{verb} needs {needs}; {command('configs')} lists the packaged configs")
    with Claim() as claim:
        _run(verb, words, names, ckpt_paths, origins, begun, bool(resumes), claim)


def _run(
    verb: str,
    words: list[str],
    names: list[str],
    ckpt_paths: list[str],
    origins: list[str],
    begun: Path | None,
    again: bool,
    claim: Claim,
) -> None:
    """Run a verb, its own flags taken out of its words and given as lists of their values.

    Args:
        verb: The verb.
        words: The other words.
        names: Configs.
        ckpt_paths: What to go on from or to evaluate.
        origins: Where a new run has its weights from.
        begun: A run without a checkpoint, which begins anew by its own config.
        again: Whether a new run may be where there is a directory already.
        claim: Of the run directory.
    """
    checkpoint = checkpoints.find(ckpt_paths[-1], "last" if verb == "fit" else "best") if ckpt_paths else None
    run_dir = None if checkpoint is None else runs.of_checkpoint(checkpoint)
    if verb == "fit" and run_dir is not None:
        claim.go_on(run_dir)
    if verb == "fit" and ckpt_paths:
        checkpoint = fallback.to_resume(ckpt_paths[-1])
    origin = checkpoints.find(origins[-1], "best", "--init_from") if origins and not ckpt_paths else None
    source, flag = (origin, "--init_from") if origin else (checkpoint, "--ckpt_path")
    files = [configs.resolve(name) for name in names]
    said = preflight.own(words, files)
    with trusting(config=said):
        content: dict[str, Any] | None
        if begun is not None:
            source, content = begun / runs.CONFIG, content_of(begun / runs.CONFIG)
        else:
            content = checkpoints.read(source) if source else None
        saved = admitted_config(content, f"{flag} {source}") if content else None
    if source is not None and saved is None and not names:
        raise ValueError(f"{flag} {source} was built in Python and holds no config: say one with --config")
    own = yaml.safe_load(saved) if saved else {}
    config = retired.without(own, f"{flag} {source}")
    preflight.check(config, f"{flag} {source}" if source else "")
    sources = [] if not saved else [f"--config={saved}" if config is own else retired.as_word(config)]
    for file in files:
        given = preflight.read(file)
        changes = retired.without(given, f"--config {file}")
        config = preflight.overlay(config, changes)
        preflight.check(config, f"--config {file}")
        sources.append(f"--config={file}" if changes is given else retired.as_word(changes))
    retired.refuse(words)
    preflight.check_flags(words, config)
    words = loggers.placed(words, preflight.dig(config, ["trainer", "logger"]))
    try:
        with trusting(config=said), guarded(content):
            TrainCLI(verb, [*sources, *words], files[0].stem if files else "run", checkpoint, again, origin, claim)
    except BaseException as error:
        loggers.finish(exit_code=1)
        if isinstance(error, FloatingPointError) and rank_zero_only.rank != 0:  # type: ignore[attr-defined]
            # all processes found it, and the first one says it; Lightning kills that one if another ends with a failure
            raise SystemExit(0) from error
        if isinstance(error, SystemExit) and isinstance(error.__context__, KeyboardInterrupt):
            raise SystemExit(130) from error  # Lightning's is 1, as of any failure
        raise
    loggers.finish(exit_code=0)


class TrainCLI(LightningCLI):
    """LightningCLI for one verb of a :class:`LitVAE`.

    Args:
        verb: fit, validate or test.
        words: The verb's arguments, configs resolved, without ``--ckpt_path``.
        name: Names a new run.
        checkpoint: What is resumed or evaluated; None to start anew.
        again: Whether a new run may start where one ended before its first checkpoint.
        origin: The checkpoint whose weights a new run begins with; None for fresh ones.
        claim: Makes and locks the directory of a new run; None for one that lasts as long as this.
    """

    def __init__(
        self,
        verb: str,
        words: list[str],
        name: str,
        checkpoint: Path | None,
        again: bool = False,
        origin: Path | None = None,
        claim: Claim | None = None,
    ) -> None:
        self._verb = verb
        self._words = words
        self._name = name
        self._checkpoint = checkpoint
        self._again = again
        self._origin = origin
        self._claim = claim or Claim()
        self._changes: changes.Changes = {}
        self._taken: list[str] = []
        self._wandb: list[WandbLogger] = []
        self._run_dir = None if checkpoint is None else runs.of_checkpoint(checkpoint)
        options = {"exit_on_error": False, "allow_abbrev": False}
        super().__init__(
            LitVAE,
            SymbolDataModule,
            subclass_mode_data=True,
            auto_configure_optimizers=False,
            seed_everything_default=0,
            save_config_callback=None,
            parser_kwargs={**options, "prog": command(), verb: options},
            trainer_defaults={"enable_model_summary": False},
        )

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]
        """Only the verb that was asked for: each costs a parser."""
        return {
            self._verb: {"model", "dataloaders", "train_dataloaders", "val_dataloaders", "datamodule", "weights_only"}
        }

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        self.config = parse(parser, [self._verb, *self._words], self._parser(self._verb))

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument(
            "--run_dir", type=str | None, default=None, help="Where a new run goes; must not exist yet."
        )
        if self._verb == "fit":
            parser.add_argument(
                "--init_from",
                type=str,
                default=SUPPRESS,
                help="A run or a checkpoint whose weights, and config unless it is changed, a new run begins with.",
            )
            parser.add_argument(
                "--resume",
                type=Literal["auto"],
                default=SUPPRESS,
                help="auto: go on from the newest checkpoint in --run_dir, start there where there is none; so that a "
                "scheduler can repeat the command.",
            )
        if self._verb == "test":
            parser.add_argument(
                "--importance_samples",
                type=NonNegativeInt,
                default=0,
                help="Samples of the importance-weighted bound, reported beside the bound; 0 for none.",
            )
            parser.add_argument(
                "--limit", type=PositiveInt | None, default=None, help="Test on so many of the first examples; all."
            )
            parser.add_argument("--split", type=AnySplit, default="test", help="Test on train, val, test or all.")
        parser.add_lightning_class_args(CollapseWatch, "collapse")
        parser.add_lightning_class_args(Examples, "examples")
        parser.add_lightning_class_args(KeepBest, "checkpoint")
        parser.add_class_arguments(KeepLast, "last", skip={"folder"}, sub_configs=True)
        parser.callback_keys.append("last")
        parser.set_defaults({"trainer.logger": [loggers.WANDB]})
        for source, target in {
            "data.num_values": "model.head.init_args.num_values",
            "data.shape": "model.head.init_args.shape",
            "model.head.embed_width": "model.backbone.init_args.embed_width",
            "model.head.positions": "model.backbone.init_args.shape",
        }.items():
            parser.link_arguments(source, target, apply_on="instantiate")
        parser.link_arguments("model.backbone.init_args.width", "model.head.init_args.width", apply_on="parse")

    def before_instantiate_classes(self) -> None:
        config = self.config[self._verb]
        given, config.run_dir = config.run_dir, None  # what is saved can be run again
        self._yaml = self._parser(self._verb).dump(config, skip_none=False)
        if self._checkpoint is not None:
            self._changes = changed_settings(self._checkpoint, yaml.safe_load(self._yaml), self._verb == "fit")
        if self._run_dir is None and self._verb == "fit":
            self._run_dir = self._claim.start(given, self._name, self._again)
        elif any(word.partition("=")[0] == "--run_dir" for word in self._words):
            raise ValueError(f"--run_dir {given}: {self._verb} writes into the checkpoint's own run; leave it out")
        if self._run_dir is not None:
            config.trainer.default_root_dir = str(self._run_dir)
        given = config.trainer.logger
        if self._verb == "fit":
            assert self._run_dir is not None
            resumed_at = None if self._checkpoint is None else checkpoints.step(self._checkpoint)
            config.trainer.logger = loggers.of_training(given, self._run_dir, resumed_at)
        else:
            named = any(word.startswith("--trainer.logger") for word in self._words)
            config.trainer.logger = loggers.of_evaluation(given, named, self._run_dir)

    def instantiate_classes(self) -> None:
        """Report what a constructor refuses in its own words."""
        try:
            super().instantiate_classes()
        except ValueError as error:
            raise ValueError(own_words(error)) from error
        if self._origin is not None:
            self._taken = take_weights(self.model, self.datamodule, self._origin)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        config = self.config_init[self._verb].trainer
        given = config.callbacks or []
        callbacks = list(given) if isinstance(given, list) else [given]
        bars = config.enable_progress_bar is not False and sys.stdout.isatty()
        if any(isinstance(callback, ProgressBar) for callback in callbacks):
            bars = True  # the user's own
        elif bars:
            callbacks.append(Progress())
        elif self._verb == "fit":
            callbacks.append(ValidationLines())
        if self._verb == "fit":
            assert self._run_dir is not None
            keep_last = self.config_init[self._verb].last
            callbacks = [OptimizerMonitor(), *callbacks, Throughput(keep_last)]
            self._save_config = SaveConfig(self._yaml, self._changes)
            callbacks += [ChangedSettings(self._changes)] * (self._checkpoint is not None)
            callbacks += [self._save_config, StopOnSignal(keep_last), CheckMonitors()]
        else:
            callbacks.append(StopOnSignal())
            # they would write what is found as the history of step 0
            self._wandb = [logger for logger in config.logger or [] if isinstance(logger, WandbLogger)]
            kwargs["logger"] = [logger for logger in config.logger or [] if logger not in self._wandb]
        trainer: Trainer = super().instantiate_trainer(callbacks=callbacks, enable_progress_bar=bars, **kwargs)
        if isinstance(trainer.strategy, SingleDeviceStrategy | DDPStrategy) and not config.plugins:
            trainer.strategy.checkpoint_io = WholeCheckpointIO()
        return trainer

    def _prepare_subcommand_kwargs(self, subcommand: str) -> dict[str, Any]:
        checkpoint = {"ckpt_path": self._checkpoint, "weights_only": True} if self._checkpoint else {}
        return {**super()._prepare_subcommand_kwargs(subcommand), **checkpoint}

    def before_fit(self) -> None:
        """Begin the run, now that everything that can be checked has been, data and optimizer too."""
        assert self._run_dir is not None
        if not self.trainer.is_global_zero:
            return
        self.datamodule.prepare_data()
        identity = self.datamodule.identity
        if self._checkpoint is not None:
            run = runs.of_checkpoint(self._checkpoint) or self._checkpoint
            identity.refuse_other(checkpoints.read(self._checkpoint), str(run))
            fallback.put_aside(self._run_dir)
        self.model.configure_optimizers()
        self._claim.begin()
        self._save_config.write(self._run_dir, anew=self._checkpoint is None)
        loggers.keep_id(self.trainer, self._run_dir)

    def fit(self, **arguments: Any) -> None:
        """Train, where there is something left to; what fails before its first step leaves nothing behind."""
        assert self._run_dir is not None
        trainer, begun_at = self.trainer, 0
        if self._checkpoint is not None:
            begun_at = checkpoints.step(self._checkpoint)
            if nothing_left(trainer, self._checkpoint):
                limits = "trainer.max_epochs, max_steps or max_time, or the patience of EarlyStopping"
                if trainer.is_global_zero:
                    print(f"nothing was left to train after step {begun_at}: raise {limits}")
                return
        if trainer.is_global_zero:
            loggers.announce(trainer, self._run_dir)
            changed = [f"changed: {line}" for line in changes.lines(self._changes)]
            print("\n".join([*opening.lines(self.model, self.datamodule), *self._taken, *changed]), flush=True)
            if unsigned := warning(self._yaml):
                notice(unsigned)
        try:
            trainer.fit(**arguments)
        except BaseException:
            if trainer.is_global_zero and trainer.global_step in (0, begun_at):
                loggers.discard()
                self._claim.discard()
            raise

    def before_test(self) -> None:
        """Hand the flags of a test to what they change, and say on what it is done."""
        flags = self.config_init.test
        self.model.importance_samples = flags.importance_samples
        self.datamodule.test_limit = flags.limit
        self.datamodule.test_split = flags.split
        self.say_portion(flags.split, flags.limit)

    def before_validate(self) -> None:
        """Say on what the validation is done."""
        self.say_portion("val")

    def say_portion(self, split: AnySplit, limit: int | None = None) -> None:
        """Say which part of the data is evaluated."""
        if self.trainer.is_global_zero:
            self.datamodule.prepare_data()
            print(portion(self.datamodule, split, limit, "--limit"))

    def after_test(self) -> None:
        """Keep what was found."""
        self._keep_found()

    def after_validate(self) -> None:
        """Keep what was found."""
        self._keep_found()

    def _keep_found(self) -> None:
        kept = self._run_dir is not None and self.config[self._verb].trainer.logger is not False
        if not (kept and self.trainer.is_global_zero):
            return
        assert self._run_dir is not None
        assert self._checkpoint is not None
        found = {name: float(value) for name, value in self.trainer.callback_metrics.items()}
        words = [word for word in self._words if "\n" not in word]  # the run's own config is one of them
        evaluations.record(self._verb, self._run_dir, self._checkpoint, words, found, self._wandb)

    def after_fit(self) -> None:
        """Say where everything is."""
        if not self.trainer.is_global_zero:
            return
        assert self._run_dir is not None
        if any(checkpoints.of_run(self._run_dir)):
            print(f"run: {self._run_dir}; evaluate it with: {command('test', '--ckpt_path', self._run_dir)}")
        else:
            print(f"run: {self._run_dir}; it holds no checkpoint: nothing was trained")
