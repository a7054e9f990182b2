"""Callbacks: recipes of training; progress, examples to the logger, the config and a checkpoint at every end."""

from lit_vae.callbacks.aggressive import AggressiveEncoder
from lit_vae.callbacks.changed_settings import ChangedSettings
from lit_vae.callbacks.collapse import CollapseWatch
from lit_vae.callbacks.compile import Compile
from lit_vae.callbacks.ema import EMA
from lit_vae.callbacks.examples import Examples
from lit_vae.callbacks.keep_best import KeepBest
from lit_vae.callbacks.keep_last import KeepLast
from lit_vae.callbacks.monitors import CheckMonitors
from lit_vae.callbacks.optimizer_monitor import OptimizerMonitor
from lit_vae.callbacks.progress import Progress
from lit_vae.callbacks.save_config import SaveConfig
from lit_vae.callbacks.stages import Stage, Stages
from lit_vae.callbacks.stop_on_signal import StopOnSignal
from lit_vae.callbacks.throughput import Throughput
from lit_vae.callbacks.token_accuracy import TokenAccuracy
from lit_vae.callbacks.update_guard import UpdateGuard
from lit_vae.callbacks.validation_lines import ValidationLines

__all__ = [
    "EMA",
    "AggressiveEncoder",
    "ChangedSettings",
    "CheckMonitors",
    "CollapseWatch",
    "Compile",
    "Examples",
    "KeepBest",
    "KeepLast",
    "OptimizerMonitor",
    "Progress",
    "SaveConfig",
    "Stage",
    "Stages",
    "StopOnSignal",
    "Throughput",
    "TokenAccuracy",
    "UpdateGuard",
    "ValidationLines",
]
