"""Learned token encodings against a two-stage autoencoder (seed document 004).

The face of the package: the experiments' settings (`Printed`, `Chains`, `Rules`, `Limits`), the data that
limits are found on (`Corpus`), what runs each of them into a log (`run_…`), and the chapters' studies. `example` is a chain to
look at, `watch` and `predict` train single models to look into.
"""

from helpers.encoding import controls, quantities
from helpers.encoding.config import Chains, Limits, Printed, Rules
from helpers.encoding.corpora import Corpus, check_vocabulary
from helpers.encoding.networks import predict, watch
from helpers.encoding.run import run_chains, run_deployed, run_limits, run_printed, run_rules
from helpers.encoding.tasks import example
from helpers.study import Study

CHAPTERS = {
    "learned_encoding": Study(
        frame=quantities.frame,
        judged=lambda rows: rows,
        quantities=quantities.learned,
        controls=controls.learned,
        planted=controls.PLANTED,
        same={"vocab_size": 50, "traditional_dim": 64, "learned_dim": 6, "learning_rate": 0.01}
        | {"epochs": 30, "steps": None},
    ),
    "encoding_limits": Study(
        frame=quantities.frame,
        judged=lambda rows: rows[rows["part"].isin(["limits", "deployed"])],
        quantities=quantities.limited,
        controls=controls.limited,
        planted=controls.PLANTED,
        same={"text": "tinyshakespeare", "fasta": "ecoli", "vocab": None, "k": None, "steps": None},
    ),
}
__all__ = [
    "CHAPTERS",
    "Chains",
    "Corpus",
    "Limits",
    "Printed",
    "Rules",
    "check_vocabulary",
    "example",
    "predict",
    "run_chains",
    "run_deployed",
    "run_limits",
    "run_printed",
    "run_rules",
    "watch",
]
