"""Labelled images: the digits that come with scikit-learn, or a file or folder in the format of MNIST, npz or IDX."""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from helpers import files
from helpers.data.fetch import read_bytes

PARTS = ("train", "test")
IDX = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
HELD = 4  # of the embedded digits every fourth is for testing
LEAST = 8  # pixels of a side, below which no judge can look


@dataclass(frozen=True)
class Images:
    """Images (N, side, side) uint8 and labels (N,) int64 in 0 … classes − 1, for training and for testing."""

    name: str
    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray

    @property
    def size(self) -> int:
        return self.train.shape[1]

    @property
    def classes(self) -> int:
        return int(self.train_labels.max()) + 1

    @property
    def digest(self) -> str:
        """sha256 of all pixels and labels."""
        every = (self.train, self.train_labels, self.test, self.test_labels)
        return files.digest(b"".join(np.ascontiguousarray(a).tobytes() for a in every))

    def scaled(self, part: str = "train") -> tuple[np.ndarray, np.ndarray]:
        """(N, 1, side, side) float32 in [−1, 1], and the labels, of 'train' or 'test'."""
        if part not in PARTS:
            raise ValueError(f"part={part!r} is unknown; use 'train' or 'test'")
        pixels, labels = getattr(self, part), getattr(self, f"{part}_labels")
        return (pixels[:, None].astype(np.float32) / 127.5 - 1), labels

    def each(self, count: int, rng: np.random.Generator, part: str = "test") -> tuple[np.ndarray, np.ndarray]:
        """So many images of every class, (classes · count, 1, side, side), the classes in order, drawn without
        replacement.

        Raises ValueError when a class has fewer.
        """
        pixels, labels = self.scaled(part)
        few = np.bincount(labels, minlength=self.classes)
        if few.min() < count:
            told = f"{self.name}: class {few.argmin()} has {few.min()} {part} images, {count} are wanted"
            raise ValueError(f"{told}; use {few.min()} or fewer")
        rows = np.concatenate([rng.permutation(np.flatnonzero(labels == c))[:count] for c in range(self.classes)])
        return pixels[rows], labels[rows]


def load_images(source: str = "embedded") -> Images:
    """Images by name or place: 'embedded' (1,797 digits of 8 × 8 pixels), an npz file with x_train, y_train, x_test and
    y_test, or a folder with the four IDX files of MNIST, plain or gzip, or one of these files, which stands for its folder.

    Raises FileNotFoundError for what is not there, and ValueError, naming the file, for one that is cut short or no
    such file, for unequal numbers of images and labels, images that are not square or not whole numbers from 0 to 255,
    labels that leave a class out, and for fewer than two classes.
    """
    if source == "embedded":
        return _digits()
    path = Path(source).expanduser()
    one_of_four = any(path.name.replace(".idx", "-idx").startswith(name) for names in IDX.values() for name in names)
    path = path.parent if one_of_four and path.is_file() else path
    if path.is_dir():
        arrays = [_idx(_found(path, name)) for part in PARTS for name in IDX[part]]
    else:
        arrays = _npz(path)
    return _checked(path.name, arrays)


def _digits() -> Images:
    from sklearn.datasets import load_digits

    found = load_digits()
    pixels, test = np.round(found.images * (255 / 16)).astype(np.uint8), np.arange(len(found.target)) % HELD == 0
    labels = found.target.astype(np.int64)
    return Images("scikit-learn's digits", pixels[~test], labels[~test], pixels[test], labels[test])


def _found(folder: Path, name: str) -> Path:
    names = (name, f"{name}.gz", name.replace("-idx", ".idx"), name.replace("-idx", ".idx") + ".gz")
    if known := [folder / n for n in names if (folder / n).is_file()]:
        return known[0]
    raise FileNotFoundError(f"{folder} holds no {name} or {name}.gz; the four IDX files of MNIST are expected there")


def _idx(path: Path) -> np.ndarray:
    """One IDX file of bytes: two zeros, the type 8, the number of axes, their lengths, the entries."""
    raw = read_bytes(path)
    if len(raw) < 4 or raw[:3] != b"\0\0\x08" or raw[3] not in (1, 3):
        first = raw[:4].hex() or "nothing"
        raise ValueError(f"{path} is no IDX file of bytes: it begins with {first}, expected 00000801 or 00000803")
    head = 4 + 4 * raw[3]
    if len(raw) < head:
        raise ValueError(f"{path} ends after {len(raw)} bytes, within its header; it is cut short: fetch it again")
    shape = tuple(int(v) for v in np.frombuffer(raw, ">u4", raw[3], 4))
    announced = int(np.prod(shape, dtype=np.int64))
    if len(raw) != head + announced:
        told = "there is more behind it" if len(raw) > head + announced else "it is cut short: fetch it again"
        raise ValueError(f"{path} announces {' × '.join(map(str, shape))} bytes and holds {len(raw) - head}; {told}")
    return np.frombuffer(raw, np.uint8, offset=head).reshape(shape)


def _npz(path: Path) -> list[np.ndarray]:
    names = [f"{kind}_{part}" for part in PARTS for kind in ("x", "y")]
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; give an npz file, a folder with IDX files, or 'embedded'")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} cannot be read as npz; it is another kind of file, or cut short: fetch it again")
    try:
        with zipfile.ZipFile(path) as archive:
            held = [name.removesuffix(".npy") for name in archive.namelist()]
            if missing := sorted(set(names) - set(held)):
                raise ValueError(f"{path} lacks {', '.join(missing)}; it holds {', '.join(held) or 'nothing'}")
            return [np.load(io.BytesIO(archive.read(f"{name}.npy")), allow_pickle=False) for name in names]
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError) as error:
        raise ValueError(f"{path} cannot be read as npz ({error}); it may be cut short: fetch it again") from error


def _checked(name: str, arrays: list[np.ndarray]) -> Images:
    parts = []
    for part, x, y in zip(PARTS, arrays[::2], arrays[1::2], strict=True):
        x, y = (
            (x[..., 0] if x.ndim == 4 and x.shape[-1] == 1 else x),
            np.asarray(y).reshape(len(y), -1 if len(y) else 1),
        )
        if x.ndim != 3 or x.shape[1] != x.shape[2] or x.shape[1] < LEAST:
            wanted = f"(N, side, side), {LEAST} pixels or more"
            raise ValueError(f"{name}: {part} images have the shape {x.shape}; expected {wanted}")
        if len(x) != len(y) or not len(x) or y.shape[1] != 1:
            raise ValueError(f"{name}: {len(x)} {part} images and {y.size} labels; one label an image is needed")
        if not np.isfinite(x.astype(float)).all() or (x != np.round(x)).any() or x.min() < 0 or x.max() > 255:
            raise ValueError(
                f"{name}: {part} pixels lie in {x.min()} … {x.max()}; whole numbers from 0 to 255 are expected"
            )
        if x.max() <= 1:
            raise ValueError(
                f"{name}: {part} pixels lie in 0 … {x.max()}; they look like shares: multiply by 255 and round"
            )
        if not np.issubdtype(y.dtype, np.integer) or y.min() < 0:
            raise ValueError(f"{name}: {part} labels are {y.dtype} from {y.min()}; whole numbers from 0 are expected")
        parts += [x.astype(np.uint8), y[:, 0].astype(np.int64)]
    found = Images(name, *parts)
    counts = np.bincount(found.train_labels)
    if len(counts) < 2 or not counts.all():
        told = f"only class {counts.argmax()}" if (counts > 0).sum() == 1 else f"no image of class {counts.argmin()}"
        raise ValueError(f"{name}: the training part holds {told}; every class from 0 on, and two at least, are needed")
    if found.test_labels.max() >= len(counts) or found.test.shape[1] != found.size:
        raise ValueError(f"{name}: the test part has other classes or another size than the training part")
    return found
