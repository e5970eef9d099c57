import subprocess
import sys

import numpy as np
import pytest
import torch

from helpers import devices


def test_auto_is_what_is_there():
    assert devices.resolve("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    assert devices.resolve("cpu") == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_named_with_a_remedy():
    with pytest.raises(RuntimeError, match=r"'cuda' is not there: this machine shows 0 CUDA.*device='auto'"):
        devices.resolve("cuda")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "tpu", ""])
def test_a_name_that_is_no_device(name):
    with pytest.raises(ValueError, match="is unknown; use 'auto'"):
        devices.resolve(name)


def test_hidden_devices_do_not_count():
    code = "from helpers import devices; import sys; sys.exit(devices.cuda_count())"
    done = subprocess.run([sys.executable, "-c", code], env={"CUDA_VISIBLE_DEVICES": "", "PATH": ""}, check=False)
    assert done.returncode == 0


def test_asking_for_devices_does_not_import_torch():
    code = "from helpers import devices; devices.resolve('auto'); import sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_key_gives_one_stream_and_another_key_another():
    a, b, c = (devices.numpy_rng(*key).random(4) for key in (("x", 1), ("x", 1), ("x", 2)))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
    t = [torch.randn(3, generator=devices.torch_rng("x", 1)) for _ in range(2)]
    assert torch.equal(*t)
    assert 0 <= devices.seed_of("anything") < 2**63


def test_memory_is_refused_before_it_is_taken():
    devices.need_memory(1000, "cpu", "nothing much")
    with pytest.raises(MemoryError, match=r"the moon needs about 93132\d\.\d GiB and cpu has"):
        devices.need_memory(10**15, "cpu", "the moon")
    with pytest.raises(MemoryError, match=r"GiB free; take a smaller moon$"):
        devices.need_memory(10**15, "cpu", "the moon", "take a smaller moon")


def test_provenance_names_versions():
    facts = devices.provenance()
    assert facts["torch"] == torch.__version__
    assert facts["device"] == "CPU"
    assert facts["package"]


def test_commit_of_a_folder_without_repository(tmp_path):
    assert devices.commit(str(tmp_path)) is None


def test_a_repository_that_only_lies_around_the_book_is_not_its_own(tmp_path, monkeypatch):
    """A book unpacked inside somebody's checkout has no commit; one that this checkout tracks has its."""
    monkeypatch.delenv("RUC_COMMIT", raising=False)
    book = tmp_path / "book"
    book.mkdir()
    (book / "_toc.yml").write_text("x")
    (tmp_path / "own").write_text("x")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    say = lambda *words: subprocess.run([*git, *words], check=True, capture_output=True, text=True).stdout.strip()
    say("init", "-q")
    say("add", "own")
    say("commit", "-qm", "x")
    assert devices.commit(book) is None
    say("add", "book")
    say("commit", "-qm", "the book")
    devices.commit.cache_clear()
    assert devices.commit(book) == say("rev-parse", "--short=12", "HEAD")
    (tmp_path / "own").write_text("changed, and not of the book")
    devices.commit.cache_clear()
    assert devices.commit(book) == say("rev-parse", "--short=12", "HEAD")
    (book / "_toc.yml").write_text("y")
    devices.commit.cache_clear()
    assert devices.commit(book).endswith("+")


def test_a_gpu_asked_for_by_number_becomes_the_current_one(monkeypatch):
    """Kernels and recorded graphs run on the current device, whatever device their tensors are on."""
    chosen = []
    monkeypatch.setattr(devices, "cuda_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    assert [devices.use(d) for d in ("cpu", "cuda", "cuda:1")] == ["cpu", "cuda", "cuda:1"]
    assert chosen == [1]
    with pytest.raises(RuntimeError, match="is not there"):
        devices.use("cuda:2")
