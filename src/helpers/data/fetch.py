"""Downloads, kept in a cache and never used before their sha256 has been checked."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from helpers import files


@dataclass(frozen=True)
class Remote:
    """Where a file is published, and what it must be."""

    url: str
    sha256: str
    what: str


FILES = {
    "tinyshakespeare": Remote(
        "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        "1.1 MB of Shakespeare's plays, public domain",
    ),
    "ecoli": Remote(
        "https://ftp.ncbi.nlm.nih.gov/genomes/all/GCF/000/005/845/GCF_000005845.2_ASM584v2/GCF_000005845.2_ASM584v2_genomic.fna.gz",
        "254606e2722f64ca0906dfc1d41bceac41be72c335627c23f831b007939c8a48",
        "Escherichia coli K-12 MG1655, 4.6 million bases, RefSeq",
    ),
    "squad-v1.1-dev": Remote(
        "https://rajpurkar.github.io/SQuAD-explorer/dataset/dev-v1.1.json",
        "95aa6a52d5d6a735563366753ca50492a658031da74f301ac5238b03966972c9",
        "SQuAD v1.1, development set, CC BY-SA 4.0",
    ),
    "squad-v1.1-train": Remote(
        "https://rajpurkar.github.io/SQuAD-explorer/dataset/train-v1.1.json",
        "3527663986b8295af4f7fcdff1ba1ff3f72d07d61a20f487cb238a6ef92fd955",
        "SQuAD v1.1, training set, CC BY-SA 4.0",
    ),
    "squad-v2.0-train": Remote(
        "https://rajpurkar.github.io/SQuAD-explorer/dataset/train-v2.0.json",
        "68dcfbb971bd3e96d5b46c7177b16c1a4e7d4bdef19fb204502738552dede002",
        "SQuAD v2.0, training set, CC BY-SA 4.0",
    ),
    "squad-v2.0-dev": Remote(
        "https://rajpurkar.github.io/SQuAD-explorer/dataset/dev-v2.0.json",
        "80a5225e94905956a6446d296ca1093975c4d3b3260f1d6c8f68bc2ab77182d8",
        "SQuAD v2.0, development set, CC BY-SA 4.0",
    ),
}


def cache_folder() -> Path:
    """RUC_DATA, or a folder of this project's in the user's cache."""
    named = os.environ.get("RUC_DATA")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(named) if named else base / "representations-under-constraint"


def fetch(name: str, remotes: dict[str, Remote] | None = None, folder: Path | None = None) -> Path:
    """The local path of a published file, downloaded once.

    Raises KeyError for an unknown name, ConnectionError when it cannot be reached, and ValueError when what came is
    not what is expected: nothing is kept then.
    """
    known = remotes or FILES
    if name not in known:
        raise KeyError(f"no data set is called {name!r}; there are {', '.join(known)}, or give a path")
    remote = known[name]
    target = (folder or cache_folder()) / Path(remote.url).name
    if target.is_file() and files.digest(target) == f"sha256:{remote.sha256}":
        return target
    try:
        with urllib.request.urlopen(remote.url, timeout=60) as answer:
            data = answer.read()
    except (urllib.error.URLError, OSError) as error:
        raise ConnectionError(
            f"could not download {name} from {remote.url}: {error}; download it elsewhere and give its path instead"
        ) from error
    if files.digest(data) != f"sha256:{remote.sha256}":
        raise ValueError(
            f"{name} from {remote.url} has {files.digest(data)}, expected sha256:{remote.sha256}; it was not kept. "
            "The file may have changed at its source: compare, and give a path to a copy that you trust"
        )
    return files.write_atomic(target, data)


def lines_of(text: str) -> list[str]:
    """The lines of a text: they end with LF, CR LF or CR, and with nothing else. A byte order mark is no letter."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")


def read_bytes(path: str | Path, limit: int = 2**31) -> bytes:
    """A local file's content, gunzipped when it is gzip. Raises FileNotFoundError, IsADirectoryError or ValueError."""
    import gzip
    import zlib

    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; a file was expected")
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; give an existing path, or one of {', '.join(FILES)}, or 'embedded'")
    data = path.read_bytes()
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        with gzip.open(path) as f:
            data = f.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is not valid gzip: {error}; unpack it and give the plain file") from error
    if len(data) > limit:
        raise ValueError(f"{path} unpacks to more than {limit} bytes; give a part of it")
    return data
