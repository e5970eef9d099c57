"""Causal language models: one loader for all of them, and what can be done with any.

`load` takes a hub name, a folder or 'storyteller' (what is known of that one's world is in `helpers.storyteller`).
`tokens` draws held-out pieces of a text; `measure` and `score` give the loss on tokens, `log_probs` what `measure` compares
with; `sense` the loss of texts. `texts` and `generate` write, a `Writer` again and again. `fit` trains a model by a
`Recipe`, `novels.make` a reference on natural language.
"""

from helpers.lm import novels
from helpers.lm.greedy import Greedy
from helpers.lm.greedy import recordable as recordable
from helpers.lm.held import tokens
from helpers.lm.loader import LM, load
from helpers.lm.parts import embeddings
from helpers.lm.scoring import log_probs, measure, score, sense
from helpers.lm.train import Recipe, fit
from helpers.lm.writing import Writer, generate, texts

__all__ = [
    "LM",
    "Greedy",
    "Recipe",
    "Writer",
    "embeddings",
    "fit",
    "generate",
    "load",
    "log_probs",
    "measure",
    "novels",
    "score",
    "sense",
    "texts",
    "tokens",
]
