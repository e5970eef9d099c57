"""Causal language models: one loader for all of them, and what can be done with any.

`load` takes a hub name, a folder or 'storyteller' (what is known of that one's world is in `helpers.storyteller`);
`tokens`, `score`, `costs` and `generate` work on any model, `Greedy` repeats greedy texts fast; `fit` trains one by a
`Recipe`, and `novels.make` a reference on natural language.
"""

from helpers.lm import novels
from helpers.lm.greedy import Greedy, recordable
from helpers.lm.loader import LM, load
from helpers.lm.scoring import costs, generate, score, tokens
from helpers.lm.train import Fitted, Recipe, fit

__all__ = [
    "LM",
    "Fitted",
    "Greedy",
    "Recipe",
    "costs",
    "fit",
    "generate",
    "load",
    "novels",
    "recordable",
    "score",
    "tokens",
]
