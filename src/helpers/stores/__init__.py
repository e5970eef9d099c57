"""Whole models as codes, in memory (`Coded`) and in files (`StoreFile`), and the published .pkl, read without trust."""

from helpers.stores.coded import Coded, encode_model
from helpers.stores.legacy import import_pkl, read_pkl
from helpers.stores.parts import Part, matrices, parts
from helpers.stores.store import StoreFile, write_store
from helpers.stores.unpickle import PickleRefused

__all__ = [
    "Coded",
    "Part",
    "PickleRefused",
    "StoreFile",
    "encode_model",
    "import_pkl",
    "matrices",
    "parts",
    "read_pkl",
    "write_store",
]
