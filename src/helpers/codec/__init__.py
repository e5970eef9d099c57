"""Matrices as partial, quantised transform coefficients (seed document 000), one at a time or many in one launch.

`Codec`, `Encoded`, `encode`, `decode` for one matrix, `Live` for many, decoded again and again; `Fill` and the orders in
`ORDERS` for what is missing; `corrupt` and `noisy` for the controls; `cosine`, `error`, `wiener` for what arithmetic predicts.
"""

from helpers.codec.codec import Codec, Encoded, encode
from helpers.codec.decoding import decode, jitter
from helpers.codec.fills import Fill, cosine, error, noisy, wiener
from helpers.codec.live import Live
from helpers.codec.orders import ORDERS, corrupt, kept_share

__all__ = [
    "ORDERS",
    "Codec",
    "Encoded",
    "Fill",
    "Live",
    "corrupt",
    "cosine",
    "decode",
    "encode",
    "error",
    "jitter",
    "kept_share",
    "noisy",
    "wiener",
]
