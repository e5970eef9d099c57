"""What the chapters of Part I set side by side: tuples of damages."""

from helpers.dtdr.damage import Jitter, Keep, Noise, Planes, Spoil

PIECES = (Keep("identity"), Keep(), Spoil("hadamard"), Spoil("identity"))  # lost and spoiled, raw and transformed
DOMAINS = (  # same loss, same masks, different domains and patterns: the main figure of the chapter on emergence
    Keep("identity"), Keep("hadamard"), Noise(), Keep("permutation", "rows"), Keep("identity", "rows"),
    Keep("hadamard", "rows"), Keep("identity", "rows", protect=True),
)  # fmt: skip
CLAIMED = DOMAINS[:2]  # raw and transformed, which claims compare
SPOILS = (*PIECES[2:], Planes("hadamard"), Planes("identity"), Keep("identity", "magnitude"))
KINDS = (
    Spoil("hadamard", "byte"),
    Spoil("identity", "byte"),
    Jitter("hadamard"),
    Jitter("identity"),
)  # two more kinds of damage
FURTHER = (  # a second look: columns, shards, gain, and both with the vocabulary whole
    Keep(fill="gain"), Keep("hadamard", "columns"), Keep("identity", "columns"), Keep("hadamard", "shards"),
    Keep("identity", "shards"), Keep("permutation", "shards"), Keep(protect=True), Keep("identity", protect=True),
)  # fmt: skip
CAUSES = (Keep("identity"), Keep(), Noise("entry"), Noise("row"))
COLLAPSE = tuple(  # four domains, three fills that change the cosine; those of DOMAINS are not repeated
    Keep(domain, fill=fill, prior=prior, weight=weight)
    for domain in ("identity", "hadamard", "dct", "permutation")
    for fill, prior, weight in (("random", "", 0.0), ("guided", "leaked", 0.15))
) + (Keep("dct"), Keep("permutation"))
PRINTED = (Keep("identity", "rows"), Keep("hadamard", "rows"), Keep("hadamard"))
MODES = {  # the document's fills of missing rows
    "zero": Keep("identity", "rows"),
    "random": Keep("identity", "rows", "random"),
    "guided": Keep("identity", "rows", "guided", "leaked", 0.15),
}
