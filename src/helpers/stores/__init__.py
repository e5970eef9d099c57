"""Whole models as codes, in memory (`Coded`) and in files (`StoreFile`), and the published .pkl, read without trust."""

from helpers.stores.coded import Coded, encode_model, matrices, role, transposed
from helpers.stores.legacy import import_pkl, read_pkl
from helpers.stores.store import StoreFile, write_store
from helpers.stores.unpickle import PickleRefused

__all__ = [
    "Coded",
    "PickleRefused",
    "StoreFile",
    "encode_model",
    "import_pkl",
    "matrices",
    "read_pkl",
    "role",
    "transposed",
    "write_store",
]
