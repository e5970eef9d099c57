"""What a file is that was given for a pickle and is none, told by how it begins."""

from __future__ import annotations

import zipfile
from pathlib import Path

UNPACK = {
    b"\x1f\x8b": ("packed with gzip", "gunzip -k"),
    b"BZh": ("packed with bzip2", "bunzip2 -k"),
    b"\xfd7zXZ\0": ("packed with xz", "unxz -k"),
    b"\x28\xb5\x2f\xfd": ("packed with zstd", "unzstd"),
}
OTHER = {
    b"version https://git-lfs": "a git-lfs pointer, not the file it stands for; run `git lfs pull` in its folder",
    b"\x93NUMPY": "a numpy array (.npy), and a dict of weights was expected; give the published .pkl",
    b"\x89HDF": "an HDF5 file; give the published .pkl",
    b"<": "a web page or XML, as a download gives that went wrong; fetch the file itself",
}
TORCH = (
    "written by torch.save, which has another layout; read it with torch.load(FILE, weights_only=True), and write it with "
    "safetensors.torch.save_file"
)
MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # how torch.save began before it wrote archives


def other(path: Path) -> str:
    """What is wrong with a file that is no pickle, and what to do, in words; '' where it may be one. Raises FileNotFoundError,
    or IsADirectoryError for a folder and whatever else is no file.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    if not path.is_file():
        what = "a folder; name a .pkl in it" if path.is_dir() else "no file that can be read twice; copy it into one"
        raise IsADirectoryError(f"{path} is {what}")
    size = path.stat().st_size
    if not size:
        return "the file is empty (0 bytes); fetch it again"
    with path.open("rb") as file:
        head = file.read(64)
    for start, (what, unpack) in UNPACK.items():
        if head.startswith(start):
            return f"the file is {what}; unpack it first: {unpack} {path}"
    if head.startswith(b"PK\x03\x04"):
        return f"the file is {TORCH if _of_torch(path) else 'a zip archive; unpack it, and give the .pkl in it'}"
    if head.startswith(MAGIC):
        return f"the file is {TORCH}"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= size - 8:
        return "the file is safetensors, which needs no conversion; give it as it is"
    return next((f"the file is {what}" for start, what in OTHER.items() if head.lstrip().startswith(start)), "")


def _of_torch(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/data.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):  # cut short: its list stands at the end
        return path.suffix in (".pt", ".pth", ".bin")
