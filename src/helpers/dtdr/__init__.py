"""Distributed transform-domain representation (seed document 000): weights as partial, quantised transform coefficients.

The face of the package: `Codec`, `Encoded`, `encode`, `decode` for one matrix; `Fill` and the orders in `ORDERS` for what is
missing; `corrupt` and `noisy` for the controls; `cosine`, `error`, `wiener` for what arithmetic predicts.
"""

from helpers.codec.codec import Codec, Encoded, encode
from helpers.codec.decoding import decode
from helpers.codec.fills import Fill, cosine, error, noisy, wiener
from helpers.codec.orders import ORDERS, corrupt, kept_share
from helpers.dtdr.controls import PLANTED, emergence_controls, guided_controls
from helpers.dtdr.outliers import OutliersRefused, outlier_channels
from helpers.dtdr.priors import EMBEDDED, FROM_KEPT, embedded, leaked, load_pkl, neighbour, pkl_weights, similarity
from helpers.dtdr.quantities import (
    by_model,
    difference,
    emergence,
    equal_cosine,
    gain_of,
    guided,
    predictions,
    readable,
    residuals,
    summary,
    values,
)
from helpers.dtdr.study import (
    GRID,
    PATTERNS,
    PUBLISHED,
    Plan,
    collapse,
    domains,
    frame,
    further,
    run,
    run_printed,
    with_weights,
    write_curve,
)
from helpers.dtdr.subject import CORRUPT, NOISE, NOISE_ENTRY, Arm, Subject
from helpers.stores.coded import Coded, encode_model, matrices, role, transposed
from helpers.stores.legacy import import_pkl, read_pkl
from helpers.stores.store import StoreFile, write_store
from helpers.stores.unpickle import PickleRefused

__all__ = [
    "CORRUPT",
    "EMBEDDED",
    "FROM_KEPT",
    "GRID",
    "NOISE",
    "NOISE_ENTRY",
    "ORDERS",
    "PATTERNS",
    "PLANTED",
    "PUBLISHED",
    "Arm",
    "Codec",
    "Coded",
    "Encoded",
    "Fill",
    "OutliersRefused",
    "PickleRefused",
    "Plan",
    "StoreFile",
    "Subject",
    "by_model",
    "collapse",
    "corrupt",
    "cosine",
    "decode",
    "difference",
    "domains",
    "embedded",
    "emergence",
    "emergence_controls",
    "encode",
    "encode_model",
    "equal_cosine",
    "error",
    "frame",
    "further",
    "gain_of",
    "guided",
    "guided_controls",
    "import_pkl",
    "kept_share",
    "leaked",
    "load_pkl",
    "matrices",
    "neighbour",
    "noisy",
    "outlier_channels",
    "pkl_weights",
    "predictions",
    "read_pkl",
    "readable",
    "residuals",
    "role",
    "run",
    "run_printed",
    "similarity",
    "summary",
    "transposed",
    "values",
    "wiener",
    "with_weights",
    "write_curve",
    "write_store",
]
