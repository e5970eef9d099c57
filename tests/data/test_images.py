"""Images from scikit-learn, npz and IDX; what is no such file is refused with its name and what is wrong."""

from __future__ import annotations

import gzip
import shutil

import numpy as np
import pytest

from helpers.data import load_images
from helpers.data.images import IDX

RNG = np.random.default_rng(0)


def arrays(count=40, classes=4, size=9):
    part = lambda n: (RNG.integers(0, 256, (n, size, size), dtype=np.uint8), np.arange(n, dtype=np.uint8) % classes)
    (x, y), (u, v) = part(count), part(count // 2)
    return {"x_train": x, "y_train": y, "x_test": u, "y_test": v}


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + b"".join(int(n).to_bytes(4, "big") for n in array.shape) + array.tobytes()


def folder_of(path, found, pack=lambda b: b, end=""):
    path.mkdir(exist_ok=True)
    for part, names in IDX.items():
        for kind, name in zip("xy", names, strict=True):
            (path / (name + end)).write_bytes(pack(idx(found[f"{kind}_{part}"])))
    return path


def test_the_embedded_digits_are_split_once_for_all():
    images = load_images()
    assert (images.size, images.classes) == (8, 10)
    assert len(images.train) + len(images.test) == 1797
    assert min(np.bincount(images.train_labels)) >= 128
    pixels, labels = images.scaled()
    assert pixels.shape == (len(labels), 1, 8, 8)
    assert pixels.dtype == np.float32
    assert (pixels.min(), pixels.max()) == (-1, 1)
    assert images.digest == load_images().digest


def test_npz_and_idx_plain_or_gzip_are_the_same_images(tmp_path):
    found = arrays()
    np.savez_compressed(tmp_path / "a.npz", **found)
    one = load_images(str(tmp_path / "a.npz"))
    plain = load_images(str(folder_of(tmp_path / "plain", found)))
    packed = load_images(str(folder_of(tmp_path / "packed", found, gzip.compress, ".gz")))
    assert one.digest == plain.digest == packed.digest
    assert load_images(str(tmp_path / "packed" / f"{IDX['test'][1]}.gz")).digest == one.digest
    np.testing.assert_array_equal(one.test, found["x_test"])
    np.testing.assert_array_equal(one.train_labels, found["y_train"])
    assert one.name == "a.npz"


def test_images_of_a_class_are_drawn_without_replacement():
    images = load_images()
    pixels, labels = images.each(20, np.random.default_rng(0))
    assert pixels.shape == (200, 1, 8, 8)
    np.testing.assert_array_equal(labels, np.repeat(np.arange(10), 20))
    with pytest.raises(ValueError, match=r"60 are wanted; use \d+ or fewer"):
        images.each(60, np.random.default_rng(0))
    with pytest.raises(ValueError, match="use 'train' or 'test'"):
        images.scaled("all")


def changed(**more):
    return arrays() | more


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({k: v for k, v in arrays().items() if k != "y_test"}, "lacks y_test; it holds x_train"),
        (changed(y_train=np.zeros(39, np.uint8)), "40 train images and 39 labels"),
        (changed(y_train=np.zeros(40, np.uint8)), "only class 0"),
        (changed(y_train=np.arange(40, dtype=np.uint8) % 2 * 2), "no image of class 1"),
        (changed(y_train=np.ones((40, 10), np.uint8)), "one label an image"),
        (changed(y_train=np.linspace(0, 1, 40)), "whole numbers from 0"),
        (changed(y_test=np.full(20, 7, np.uint8)), "other classes"),
        (changed(x_test=np.full((20, 8, 8), 9, np.uint8)), "another size"),
        (changed(x_train=np.zeros((40, 9, 8))), r"shape \(40, 9, 8\)"),
        (changed(x_train=np.zeros((40, 4, 4))), "8 pixels or more"),
        (changed(x_train=np.full((40, 9, 9), np.nan)), "whole numbers from 0 to 255"),
        (changed(x_train=np.full((40, 9, 9), -3)), "whole numbers from 0 to 255"),
        (changed(x_train=np.full((40, 9, 9), 0.5)), "whole numbers from 0 to 255"),
        (changed(x_train=np.ones((40, 9, 9))), "look like shares"),
        (changed(x_train=np.zeros((0, 9, 9)), y_train=np.zeros(0, np.uint8)), "0 train images"),
    ],
)
def test_data_that_cannot_be_learned_from_is_refused(found, told, tmp_path):
    np.savez(tmp_path / "bad.npz", **found)
    with pytest.raises(ValueError, match=told):
        load_images(str(tmp_path / "bad.npz"))


@pytest.mark.parametrize("keep", [3, 10, 300, -1])
def test_a_file_that_is_cut_short_is_told(keep, tmp_path):
    found = arrays()
    folder = folder_of(tmp_path / "idx", found)
    name = folder / IDX["train"][0]
    name.write_bytes(name.read_bytes()[:keep])
    with pytest.raises(ValueError, match=f"{name.name}.*(cut short|is no IDX)"):
        load_images(str(folder))
    np.savez_compressed(tmp_path / "a.npz", **found)
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(whole[:keep])
    with pytest.raises(ValueError, match=r"a\.npz cannot be read as npz"):
        load_images(str(tmp_path / "a.npz"))


def test_what_is_not_there_or_longer_than_it_says_is_told(tmp_path):
    folder = folder_of(tmp_path / "idx", arrays())
    name = folder / IDX["test"][1]
    name.write_bytes(name.read_bytes() + b"1")
    with pytest.raises(ValueError, match="more behind it"):
        load_images(str(folder))
    name.unlink()
    with pytest.raises(FileNotFoundError, match="holds no t10k-labels"):
        load_images(str(folder))
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.npz"):
        load_images(str(tmp_path / "none.npz"))
    shutil.copy(folder / IDX["test"][0], tmp_path / "b.npz")
    with pytest.raises(ValueError, match="cannot be read as npz"):
        load_images(str(tmp_path / "b.npz"))


def test_fashion_mnist_of_the_shared_data(real_data):
    from helpers import files, topology

    path = real_data / "fashion_mnist" / "fashion_mnist.npz"
    images = load_images(str(path))
    assert (images.train.shape, images.test.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert (np.bincount(images.train_labels) == 6000).all()
    assert files.digest(path) == topology.FASHION
