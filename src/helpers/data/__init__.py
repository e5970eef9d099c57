"""One loader a data set: an embedded default, a local file, or a download that is held to its checksum."""

from helpers.data.fetch import FILES, fetch
from helpers.data.genome import Genome, load_genome
from helpers.data.images import Images, load_images
from helpers.data.pairs import Pair, PairSet
from helpers.data.protein import Protein, load_protein
from helpers.data.text import Text, load_code, load_text
from helpers.data.tiers import load_pairs

__all__ = [
    "FILES",
    "Genome",
    "Images",
    "Pair",
    "PairSet",
    "Protein",
    "Text",
    "fetch",
    "load_code",
    "load_genome",
    "load_images",
    "load_pairs",
    "load_protein",
    "load_text",
]
