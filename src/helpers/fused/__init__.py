"""GPU kernels that decode, encode and compare many matrices in one launch each; `codec` is their oracle, and chooses them.

`supports` and `fits` say what they cover, `available` where; a `Group` of `Item`s is decoded at once.
"""

from helpers.fused.device import FLOATS, FULL, available, fits, on, send
from helpers.fused.groups import BLOCKS, PLAIN, Group, Item, decode, encode, moments, supports

__all__ = [
    "BLOCKS",
    "FLOATS",
    "FULL",
    "PLAIN",
    "Group",
    "Item",
    "available",
    "decode",
    "encode",
    "fits",
    "moments",
    "on",
    "send",
    "supports",
]
