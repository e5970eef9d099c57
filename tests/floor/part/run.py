"""Draws, and logs how far each estimate lies from the truth."""

import numpy as np

from helpers import devices
from helpers.chapter import Log
from helpers.part.config import Draws
from helpers.records import Record

ESTIMATES = {"mean": np.mean, "median": np.median}


def run_draws(config: Draws, log: Log) -> None:
    """A record an estimate and seed, a row a size."""
    for seed in range(config.seeds):
        log.once((config, seed), lambda seed=seed: [_record(config, name, seed) for name in ESTIMATES])
        log.progress(seed + 1, config.seeds)


def _record(config: Draws, name: str, seed: int) -> Record:
    record = Record("mean_or_median", name, seed, {"estimate": name})
    for size in config.sizes:
        numbers = devices.numpy_rng(config, size, seed).normal(0, config.scale, (config.trials, size))  # (trials, size)
        record.log(size, error=float(np.abs(ESTIMATES[name](numbers, axis=1)).mean()))
    return record
