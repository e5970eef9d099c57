"""The likeliest wrong files, given for a published .pkl: each is called what it is, with what to do."""

import bz2
import gzip
import io
import lzma
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch
from safetensors.numpy import save as safetensors

from helpers.stores import PickleRefused, read_pkl

GOOD = pickle.dumps({"a.weight": {"type": "uncompressed", "data": np.ones((2, 2), np.float16)}}, protocol=4)


def torch_saved(**options):
    out = io.BytesIO()
    torch.save({"a": torch.ones(3)}, out, **options)
    return out.getvalue()


def zipped():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("weights.pkl", GOOD)
    return out.getvalue()


def npy():
    out = io.BytesIO()
    np.save(out, np.ones(3))
    return out.getvalue()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (torch_saved, r"written by torch\.save.*torch\.load\(FILE, weights_only=True\)"),
        (lambda: torch_saved(_use_new_zipfile_serialization=False), r"written by torch\.save"),
        (zipped, "a zip archive; unpack it"),
        (lambda: gzip.compress(GOOD), r"packed with gzip; unpack it first: gunzip -k .*weights\.pkl"),
        (lambda: bz2.compress(GOOD), "packed with bzip2.*bunzip2"),
        (lambda: lzma.compress(GOOD), "packed with xz"),
        (lambda: b"\x28\xb5\x2f\xfd" + GOOD, "packed with zstd"),
        (lambda: b"", r"empty \(0 bytes\); fetch it again"),
        (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
        (lambda: b"\n<!doctype html><html></html>", "a web page"),
        (lambda: safetensors({"a": np.ones(3)}), "is safetensors, which needs no conversion"),
        (npy, "a numpy array"),
    ],
)
def test_what_is_no_pickle_is_called_what_it_is(tmp_path, make, said):
    path = tmp_path / "weights.pkl"
    path.write_bytes(make())
    with pytest.raises(PickleRefused, match=said) as caught:
        read_pkl(path)
    assert str(caught.value).startswith(f"{path}: the file is ")


def test_what_is_no_file_is_not_said_to_be_missing(tmp_path):
    with pytest.raises(IsADirectoryError, match=r"is a folder; name a \.pkl in it"):
        read_pkl(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(IsADirectoryError, match="copy it into one"):
        read_pkl(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read_pkl(tmp_path / "none.pkl")


def test_a_good_file_is_read(tmp_path):
    (tmp_path / "good.pkl").write_bytes(GOOD)
    assert list(read_pkl(tmp_path / "good.pkl")) == ["a.weight"]
