"""Texts, genomes and downloads: known answers on files made here, real data where it is at hand, and every bad file."""

import gzip
import itertools

import numpy as np
import pytest

from helpers import data, files
from helpers.data import genome, protein
from helpers.data.fetch import Remote

SENTENCE = "The cat sat on the mat, and the dog sat on the log. "


def text_file(tmp_path, content, name="a.txt"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def test_embedded_text_is_there_and_has_many_words():
    text = data.load_text()
    assert len(text.content) > 300_000
    tokens, names = text.tokens(256)
    assert tokens.max() == 255
    assert len(names) == 256


def test_plain_and_gzip_are_the_same_text(tmp_path):
    content = SENTENCE * 300
    plain = data.load_text(text_file(tmp_path, content))
    zipped = data.load_text(text_file(tmp_path, gzip.compress(content.encode()), "a.txt.gz"))
    assert plain.content == zipped.content
    assert plain.digest == zipped.digest == files.digest(content)


def test_tokens_rebuild_the_text(tmp_path):
    text = data.load_text(text_file(tmp_path, "".join(f"line {i} of {i * i}\n" for i in range(2000))))
    tokens, names = text.tokens(64)
    assert "".join(names[t] for t in tokens).replace("Ġ", " ").replace("Ċ", "\n") == text.content
    with pytest.raises(ValueError, match="use a larger vocab"):
        text.tokens(8)
    with pytest.raises(ValueError, match="use a smaller vocab"):
        text.tokens(20_000)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89PNG\r\n\x1a\n\xff\xfe" * 5000, "is not UTF-8 text"),
        (b"abc\0def" * 5000, "binary file"),
        (b"", "has 0 characters"),
        (b"short", "has 5 characters; at least"),
        (b"\x1f\x8b\x08\x00broken", "is not valid gzip"),
    ],
)
def test_bad_texts(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        data.load_text(text_file(tmp_path, content))


def test_missing_text_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*nowhere.txt; give an existing path, or one of"):
        data.load_text(str(tmp_path / "nowhere.txt"))
    with pytest.raises(IsADirectoryError, match="is a folder"):
        data.load_text(str(tmp_path))


def fasta(tmp_path, body, head=">test sequence\n"):
    return text_file(tmp_path, head + body, "a.fa")


def test_fasta_is_read_with_case_gaps_and_records(tmp_path):
    found = data.load_genome(fasta(tmp_path, "acgtN\n" + "ACGT" * 1000 + "\n>second\nGGCC\n\n"))
    assert found.name == "test sequence"
    assert list(found.bases[:5]) == [0, 1, 2, 3, -1]
    assert list(found.bases[-5:]) == [-1, 2, 2, 1, 1]
    assert found.gc == pytest.approx((2 + 2000 + 4) / (4 + 4000 + 4))


def test_rna_is_read_as_the_dna_it_copies(tmp_path):
    dna = "".join("ACGT"[b] for b in np.random.default_rng(1).integers(0, 4, 4200))
    first = data.load_genome(fasta(tmp_path, dna))
    second = data.load_genome(fasta(tmp_path, dna.replace("T", "U")))
    third = data.load_genome(fasta(tmp_path, dna.replace("T", "U").lower()))
    assert np.array_equal(first.bases, second.bases)
    assert np.array_equal(first.bases, third.bases)
    assert first.gc == second.gc == pytest.approx(sum(b in "GC" for b in dna) / len(dna))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "head", [">Neotyphodium ×siegelii|1\x0b2\x852\u20283".encode(), ">Epichlo\xeb".encode("latin-1")]
)
def test_headers_in_any_encoding_and_lines_that_end_as_lines_do(tmp_path, end, head):
    """What only Python's splitlines takes for the end of a line is none: half of a header would be read as bases."""
    body = ("ACGT" * 20 + end) * 60
    path = text_file(tmp_path, b"\xef\xbb\xbf" + head + end.encode() + body.encode(), "a.fa")
    found = data.load_genome(path)
    assert len(found.bases) == 4800
    assert list(found.kmers(4)) == [0b00011011] * 1200


def test_kmers_do_not_span_records(tmp_path):
    """Records of A alone and of C alone: no k-mer holds both."""
    found = data.load_genome(
        fasta(tmp_path, "A" * 2501 + "\n>second\n" + "C" * 2501 + "\n;a comment\n>third\n" + "A" * 9)
    )
    assert set(found.kmers(2).tolist()) == {0, 0b0101}
    assert found.gc == pytest.approx(2501 / (2501 + 2501 + 9))


def test_a_byte_order_mark_is_no_letter_of_a_text(tmp_path):
    body = "one line\rand one\r\nand one\n" * 600
    found = data.load_text(text_file(tmp_path, "\ufeff" + body, "bom.txt"))
    assert found.content == body.replace("\r\n", "\n").replace("\r", "\n")


def test_kmers_against_spelling(tmp_path):
    bases = np.random.default_rng(0).integers(0, 4, 4200)
    letters = "".join("ACGT"[b] for b in bases)
    letters = letters[:30] + "N" + letters[31:]
    found = data.load_genome(fasta(tmp_path, letters))
    words = ["".join(w) for w in itertools.product("ACGT", repeat=3)]
    expected = [words.index(letters[i : i + 3]) for i in range(0, 4200, 3) if "N" not in letters[i : i + 3]]
    assert list(found.kmers(3)) == expected
    with pytest.raises(ValueError, match="k=9"):
        found.kmers(9)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("ACGT\n", "is not FASTA: its first line is 'ACGT'"),
        (">only a name\n", "holds 0 bases"),
        (">x\nACGTJ\n", r"line 2: 'J' is no base"),
        (">x\nACGT1\n", "'1' is no base"),
        (">x\nACGT\n", "holds 4 bases; at least"),
        (b"\xff\xfe>x", "bytes that are not text"),
    ],
)
def test_bad_fasta(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        data.load_genome(text_file(tmp_path, content, "bad.fa"))


def test_synthetic_genome_has_the_entropy_it_claims():
    """Empirical conditional entropy of order 2 on 400,000 bases agrees with the stated rate to 0.002 nat."""
    found = data.load_genome()
    context = found.bases[:-2].astype(int) * 4 + found.bases[1:-1]
    counts = np.bincount(context * 4 + found.bases[2:], minlength=64).reshape(16, 4)
    rows = counts / counts.sum(1, keepdims=True)
    entropy = -(counts / counts.sum() * np.log(rows)).sum()
    assert entropy == pytest.approx(found.entropy, abs=2e-3)
    assert np.array_equal(genome.synthetic(1000).bases, genome.synthetic(1000).bases)


def test_e_coli_has_the_published_composition(real_data):
    found = data.load_genome(str(real_data / "genomes" / "GCF_000005845.2_ASM584v2_genomic.fna.gz"))
    assert len(found.bases) == 4_641_652
    assert found.gc == pytest.approx(0.5079, abs=5e-5)


def test_tinyshakespeare(real_data):
    path = real_data / "tinyshakespeare" / "input.txt"
    assert files.digest(path) == "sha256:" + data.FILES["tinyshakespeare"].sha256
    assert data.load_text(str(path)).content.startswith("First Citizen:")


def remote(tmp_path, content=b"hello", sha=None):
    source = tmp_path / "published" / "file.txt"
    source.parent.mkdir(exist_ok=True)
    source.write_bytes(content)
    return {"x": Remote(source.as_uri(), sha or files.digest(b"hello")[7:], "a file")}


def test_fetch_downloads_once_and_checks(tmp_path):
    files = remote(tmp_path)
    got = data.fetch("x", files, tmp_path / "cache")
    assert got.read_bytes() == b"hello"
    (tmp_path / "published" / "file.txt").unlink()
    assert data.fetch("x", files, tmp_path / "cache") == got


def test_fetch_keeps_nothing_that_is_not_expected(tmp_path):
    with pytest.raises(ValueError, match="it was not kept"):
        data.fetch("x", remote(tmp_path, b"tampered"), tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_fetch_replaces_a_damaged_copy(tmp_path):
    files = remote(tmp_path)
    data.fetch("x", files, tmp_path / "cache").write_bytes(b"damaged")
    assert data.fetch("x", files, tmp_path / "cache").read_bytes() == b"hello"


def test_fetch_without_network_says_what_to_do(tmp_path):
    files = {"x": Remote((tmp_path / "gone").as_uri(), "0" * 64, "")}
    with pytest.raises(ConnectionError, match=r"could not download x .* give its path instead"):
        data.fetch("x", files, tmp_path / "cache")
    with pytest.raises(KeyError, match="no data set is called 'y'"):
        data.fetch("y", files)


def test_the_cache_can_be_named(monkeypatch, tmp_path):
    from helpers.data.fetch import cache_folder

    monkeypatch.setenv("RUC_DATA", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("RUC_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
    assert cache_folder().parent == tmp_path / "c"


def test_code_is_real_source_that_every_vocabulary_fits():
    found = data.load_code()
    assert 300_000 < len(found.content) < 600_000
    assert found.content.isascii()
    assert "class ConfigParser(" in found.content
    for vocab in (128, 4096):
        assert found.tokens(vocab)[0].max() == vocab - 1


def test_a_file_of_code_is_read_as_a_text_is(tmp_path):
    path = text_file(tmp_path, "x = 1\n" * 3000, "a.py")
    assert data.load_code(path) == data.load_text(path)
    with pytest.raises(ValueError, match="characters; at least"):
        data.load_code(text_file(tmp_path, "x = 1\n", "b.py"))


DNA = dict(zip("ACGT", range(4), strict=True))


def spelled(letters):
    return np.array([DNA.get(letter, -1) for letter in letters], np.int8)


def acids(codes):
    return "".join((protein.ACIDS + "*")[c] for c in codes)


def test_the_genetic_code_is_the_standard_one():
    """NCBI's table 1, by a few codons that everybody knows and by how many codons each letter has."""
    word = lambda codon: acids([protein.TABLE[spelled(codon) @ (16, 4, 1)]])
    known = {"ATG": "M", "TGG": "W", "TAA": "*", "TAG": "*", "TGA": "*", "AAA": "K", "GGC": "G", "TTT": "F", "CGA": "R"}
    assert {codon: word(codon) for codon in known} == known
    counts = [acids(protein.TABLE).count(letter) for letter in "LSRMW*"]
    assert counts == [6, 6, 6, 1, 1, 3]


@pytest.mark.parametrize("shift", range(3))
@pytest.mark.parametrize("back", [False, True])
def test_an_open_frame_is_found_in_every_frame_and_on_both_strands(shift, back):
    """A planted gene between stops in all frames: it is read from its first ATG on, and nothing else is."""
    rng, codon = np.random.default_rng(shift), {acids([a]): i for i, a in enumerate(protein.TABLE)}
    chain = "M" + "".join(rng.choice(list("ADEGHIKLPQRSTVY"), 40))
    letters = "".join("ACGT"[codon[a] // k % 4] for a in chain + "*" for k in (16, 4, 1))
    whole = spelled("TAATTAATTAA" + "C" * shift + letters + "TTAATTAATTAA")
    whole = (3 - whole)[::-1] if back else whole
    assert acids(protein.translated(whole, least=30)) == chain + "*"
    assert not len(protein.translated(whole, least=42))


def test_of_two_frames_that_overlap_the_longer_is_kept():
    found = data.load_protein("genome", data.Genome("g", genome.synthetic(60_000).bases))
    lengths = np.diff(np.flatnonzero(np.r_[protein.END, found.acids] == protein.END)) - 1
    assert found.chains == len(lengths)
    assert min(lengths, default=protein.FRAME) >= protein.FRAME
    assert 3 * (lengths + 1).sum() <= 60_000 + 3 * len(lengths)


def test_a_protein_file_with_known_statistics(tmp_path):
    """Twenty letters drawn evenly, two chains, and letters that stand for no single one: these are left out."""
    letters = "".join(np.random.default_rng(0).choice(list(protein.ACIDS), 6000))
    found = data.load_protein(fasta(tmp_path, letters[:3000] + "*\n>b\n" + letters[3000:].lower() + "\nXUB\n"), None)
    assert acids(found.acids) == letters[:3000] + "*" + letters[3000:] + "*"
    assert (found.name, found.chains) == ("test sequence", 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("MKV\n", "is not FASTA: its first line is 'MKV'"),
        (">only a name\n", "holds 0 amino acids"),
        (">x\nMKV1\n", r"line 2: '1' is no amino acid"),
        (">x\nMKV\n", "holds 3 amino acids; at least"),
        (">x\n" + "ACGT" * 2000, "holds bases, not amino acids; give it as the genome"),
        (b"\xff\xfe>x", "bytes that are not text"),
    ],
)
def test_bad_protein(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        data.load_protein(text_file(tmp_path, content, "bad.faa"), None)
