import pytest
import torch

from helpers import checkpoints


def test_round_trip_and_digest(tmp_path):
    tensors = {"a": torch.randn(3, 2), "b": torch.arange(4)}
    sha = checkpoints.save(tmp_path / "x.safetensors", tensors)
    back = checkpoints.load(tmp_path / "x.safetensors", sha)
    assert all(torch.equal(back[k], tensors[k]) for k in tensors)


def test_changed_or_truncated_file_is_refused(tmp_path):
    file = tmp_path / "x.safetensors"
    checkpoints.save(file, {"a": torch.zeros(100)})
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(ValueError, match="does not match its checksum"):
        checkpoints.load(file)
    file.write_bytes(data[:20])
    with pytest.raises(ValueError, match="checksum"):
        checkpoints.load(file)


def test_something_else_with_a_true_checksum_is_refused(tmp_path):
    from helpers import files

    file = tmp_path / "x.safetensors"
    file.write_bytes(b"not safetensors at all")
    with pytest.raises(ValueError, match="is not a safetensors file"):
        checkpoints.load(file, files.digest(file))


def test_once_computes_once_and_again_when_damaged(tmp_path):
    calls = []

    def compute():
        calls.append(1)
        return {"a": torch.ones(2)}

    file = tmp_path / "deep" / "x.safetensors"
    for _ in range(3):
        assert torch.equal(checkpoints.once(file, compute)["a"], torch.ones(2))
    assert len(calls) == 1
    file.write_bytes(b"damaged")
    checkpoints.once(file, compute)
    assert len(calls) == 2
