import errno
import hashlib
import os

import numpy as np
import pytest

from helpers import files


def test_root_is_found_upwards_and_by_name(root, monkeypatch, tmp_path):
    monkeypatch.chdir(root / "notebooks")
    assert files.root() == root
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="RUC_ROOT"):
        files.root()
    monkeypatch.setenv("RUC_ROOT", str(root))
    assert files.root() == root


def test_digest_is_sha256_of_bytes_text_and_files(tmp_path):
    file = tmp_path / "f"
    file.write_bytes("ψ".encode())
    expected = "sha256:" + hashlib.sha256("ψ".encode()).hexdigest()
    assert files.digest("ψ") == files.digest("ψ".encode()) == files.digest(file) == expected


def test_atomic_write_replaces_whole_and_leaves_nothing_else(tmp_path):
    target = tmp_path / "deep" / "file.json"
    files.write_atomic(target, "one")
    files.write_atomic(target, b"two")
    assert target.read_text() == "two"
    assert [p.name for p in target.parent.iterdir()] == ["file.json"]


def test_full_disk_keeps_the_old_file_and_says_so(tmp_path, monkeypatch):
    target = files.write_atomic(tmp_path / "file", "old")

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"could not write .*file: No space left.*untouched") as caught:
        files.write_atomic(target, "new")
    assert caught.value.errno == errno.ENOSPC
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="could not write"):
        files.write_atomic(tmp_path / "file" / "below.json", "x")


def test_json_is_strict():
    text = files.strict_json(
        {"a": float("nan"), "b": [np.float32(0.5), np.inf], 3: np.arange(2), "c": (True, None, "ä")}
    )
    assert files.strict_json({"x": np.nan}, compact=True) == '{"x":null}'
    assert '"a": null' in text
    assert "Infinity" not in text
    assert '"3": [' in text
    assert "ä" in text
    with pytest.raises(TypeError, match="cannot store"):
        files.strict_json({"a": object()})


@pytest.mark.parametrize("broken", ['{"a": NaN}', '{"a": 1', "", '{"a": Infinity}'])
def test_corrupt_json_names_the_file_and_the_remedy(tmp_path, broken):
    file = tmp_path / "record.json"
    file.write_text(broken)
    with pytest.raises(ValueError, match=r"record\.json is corrupt: .* run the notebook again"):
        files.read_json(file)


def test_json_with_bytes_that_are_not_text(tmp_path):
    file = tmp_path / "record.json"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="is corrupt"):
        files.read_json(file)


def test_a_file_is_read_once_until_it_changes(tmp_path, monkeypatch):
    path, read = tmp_path / "a", []
    whole = files.digest
    monkeypatch.setattr(files, "digest", lambda p: read.append(p) or whole(p))
    path.write_text("one")
    assert files.digest_once(path) == files.digest_once(path) == whole(path)
    assert read == [path]
    path.write_text("other")
    assert files.digest_once(path) == whole(path)
    assert files.digest_once(tmp_path) == whole(tmp_path), "a folder is read anew"
    assert read[:3] == [path, path, tmp_path]
