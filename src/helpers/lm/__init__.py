"""Causal language models: one loader for all of them, and a small one, the storyteller, whose world is known.

`load` takes a hub name, a folder or 'storyteller'; `tokens`, `score`, `costs` and `generate` work on any of them, `Greedy`
repeats greedy texts fast.
`grammar` holds the storyteller's world: corpora, exact probabilities, entropy; `probes` its indirect-object pairs,
questions and violations; `evaluate` and `samples` put a model to them. `family` trains storytellers of every size and the
priors made from them, `make` one of them, `novels.make` a reference on natural language; `artefact` writes and checks.
"""

from helpers.lm import artefact, grammar, novels, probes, storyteller, train
from helpers.lm.evaluation import answers, evaluate, indirect_objects, samples, write
from helpers.lm.greedy import Greedy, recordable
from helpers.lm.loader import LM, load
from helpers.lm.members import Member, family, make, member, recipe, tune
from helpers.lm.scoring import costs, generate, score, tokens
from helpers.lm.train import Fitted, Recipe, fit

__all__ = [
    "LM",
    "Fitted",
    "Greedy",
    "Member",
    "Recipe",
    "answers",
    "artefact",
    "costs",
    "evaluate",
    "family",
    "fit",
    "generate",
    "grammar",
    "indirect_objects",
    "load",
    "make",
    "member",
    "novels",
    "probes",
    "recipe",
    "recordable",
    "samples",
    "score",
    "storyteller",
    "tokens",
    "train",
    "tune",
    "write",
]
