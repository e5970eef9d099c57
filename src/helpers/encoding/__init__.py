"""Learned token encodings against a two-stage autoencoder (seed document 004).

The face of the package: settings (`Printed`, `Chains`, `Rules`, `Readers`, `Shape`, `Corpus`); the experiments
(`run_printed`, `run_chains`, `run_rules`, `run_limits`, and `run_deployed`, which counts bytes) that give records;
`frame` and `final` to read them; `learned` and `limited` for the quantities that the claims name; `example`,
`predict` and `watch` for single models to look into.
"""

from helpers.encoding.attention import Shape
from helpers.encoding.chains import ARMS
from helpers.encoding.chains import Config as Chains
from helpers.encoding.limits import Corpus, deployed, width
from helpers.encoding.printed import Printed
from helpers.encoding.quantities import at, learned, limited, suffices
from helpers.encoding.readers import Config as Readers
from helpers.encoding.rules import Rules
from helpers.encoding.single import example, predict, watch
from helpers.encoding.study import final, frame, run_chains, run_deployed, run_limits, run_printed, run_rules

__all__ = [
    "ARMS",
    "Chains",
    "Corpus",
    "Printed",
    "Readers",
    "Rules",
    "Shape",
    "at",
    "deployed",
    "example",
    "final",
    "frame",
    "learned",
    "limited",
    "predict",
    "run_chains",
    "run_deployed",
    "run_limits",
    "run_printed",
    "run_rules",
    "suffices",
    "watch",
    "width",
]
