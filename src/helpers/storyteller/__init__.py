"""The storyteller: a small language model of a world whose every probability is known, its grammar and its family.

`grammar` holds the world: corpora, exact probabilities, entropy; `probes` indirect-object pairs, questions and
violations; `evaluate` and `samples` put a model to them. `tokens` gives held-out sequences for any model. `family` trains
storytellers of every size and the priors made from them, `make` one of them; `sizes` builds untrained ones, `card` writes
and checks the folder of a trained one. `lm.load("storyteller")` loads the one that comes with the book.
"""

from helpers.storyteller import card, grammar, probes, sizes
from helpers.storyteller.evaluation import evaluate, samples, write
from helpers.storyteller.held import speaks, tokens
from helpers.storyteller.members import Member, family, make, member, recipe, tune

__all__ = [
    "Member",
    "card",
    "evaluate",
    "family",
    "grammar",
    "make",
    "member",
    "probes",
    "recipe",
    "samples",
    "sizes",
    "speaks",
    "tokens",
    "tune",
    "write",
]
