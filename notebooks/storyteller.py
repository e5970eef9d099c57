# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: jupyter,tags,mystnb,-all
#     formats: ipynb,py:percent
#     notebook_metadata_filter: jupytext,kernelspec,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The storyteller
#
# **If we knew every probability of a language, could we say exactly what a language model has learned of it, and what a damaged one has lost?**
#
# Real text has no known entropy. A loss of 3.2 nats may be a poor model or a hard text. So part I of this book takes apart a model of a
# made-up world, in which somebody gives a ball to somebody else, asks who has it, and does small sums. Each story is drawn by a program of
# explicit choices, so that every word's true probability can be computed. A right answer has probability one.
#
# The model that the other chapters load as `storyteller` was trained by this notebook's own code on a GPU. Here a small one is trained
# anew on your machine, and both are put to the same questions.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
import os
import shutil

import numpy as np
import pandas as pd

from helpers import chapter, figures, frames, lm, records, storyteller
from helpers.chapter import Per
from helpers.figures import ROLE
from helpers.live import LivePlot
from helpers.storyteller import tables

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: a small model on one CPU core, or the committed recipe on one GPU
seeds: int = None  # 1..8: trainings, one a seed; None takes the profile's own
device: str = "auto"  # auto | cpu | cuda: where to train; auto takes the GPU when there is one
size: str = None  # small | default | depth2 | depth4 | depth8 | depth16 | width64 | width256 | width512: which model; None takes the profile's own
steps: int = None  # 20..1000000: gradient steps; None takes the recipe's own
novels: str = "none"  # none | PATH: also train a GPT-2-shaped model on this text or archive of novels
novels_steps: int = 3000  # 1..1000000: gradient steps of that model
family: bool = False  # also train the family of depths, widths and seeds that the other chapters' ladders take
keep: bool = False  # keep the trained folder as checkpoint of this run, to be committed as the artefact

# %% jupyter={"source_hidden": true} tags=["settings", "hide-input"]
here = chapter.start("storyteller", profile=profile, device=device, seeds=seeds, size=size, steps=steps)
s = here.settings(
    seeds=Per(2, 3),
    size=Per("small", "default"),
    steps=None,  # the recipe's own
    workers=Per(1, min(8, os.cpu_count() or 1)),  # processes that write the stories
)
recipes = [storyteller.recipe(s.size, seed, steps=s.steps) for seed in range(s.seeds)]
novel = lm.novels.recipe(novels_steps)

# %% [markdown]
# ## The world
#
# A story names a few people and things, moves them about, and asks. Two clauses with two names hide the task by which indirect objects are studied in
# larger models {footcite:p}`wang2023interpretability`: after *when mary and john went to the garden , john gave the ball to*, the next word must be *mary*.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
stories = [" ".join(words) for words in storyteller.grammar.documents(4, 0)]
chapter.table(pd.DataFrame({"story": stories}), "Four held-out stories, as the grammar tells them")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
known = storyteller.grammar.entropy("plain")
here.say("entropy", f"{known['rate']:.3f}")
documents = storyteller.grammar.documents(2000, 1)
drawn = storyteller.grammar.corpus(2000, 1, split="held")
exact = float(storyteller.grammar.costs(drawn).mean())
here.say("exact", f"{exact:.3f}")

# %% [markdown]
# By its closed form the language has {glue:text}`entropy` nats a word. Sequences are cut to 64 tokens and begin at the start of a story, where more is open; on those the
# grammar's own loss is {glue:text}`exact` nats a token. No model can be expected to go below it.
#
# ## Training
#
# The loss should fall towards that floor. A model that knows only which words are common stays near the top of the figure; one that has learned the
# forms of sentences but not who did what ends in between.

# %%
cards, runs = [], [records.Record(here.name, f"{s.size}.fit", recipe.seed) for recipe in recipes]
for record in runs:
    name = f"{s.size}-seed{record.seed}"
    with LivePlot("training", "gradient step", "nats a token") as live:
        how = {"device": here.device, "workers": s.workers, "work": here.work / name, "report": live, "record": record}
        cards.append(
            storyteller.make(here.folder / "checkpoints" / name, size=s.size, seed=record.seed, steps=s.steps, **how)
        )
    record.write(here.folder / "records")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
shown = records.frame(record.as_dict() for record in runs)
fig = figures.figure("How near to the truth?", "gradient step", "held-out loss (nats a token)")
figures.level(fig, exact, "the grammar itself")
figures.bands(fig, *frames.curve(shown, "held", "step"), f"{s.size}, this run", ROLE["precise"])
committed = storyteller.card.verify()
figures.level(fig, committed["result"]["loss"], "the committed storyteller")
losses = [c["result"]["loss"] for c in cards]
figures.show(
    fig,
    f"The {s.size} model ends at {np.mean(losses):.3f} nats a token over {len(losses)} seeds; the grammar has {exact:.3f}, the committed model "
    f"{committed['result']['loss']:.3f}.",
)

# %% [markdown]
# ## What has been learned?
#
# Loss is a mean. The table asks four separate questions: is the right name likelier than the wrong one after a giving sentence, are questions
# answered, and how many of a thousand sentences that the model writes could the grammar not have written (its form), or contradict the story so far (its world)?

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("committed_excess", f"{committed['result']['excess']:.4f}")
here.say("committed_violations", f"{committed['result']['violations']:.0f}")
chapter.table(
    tables.learned(cards, committed, f"{s.size}, this run"),
    f"This run, and the committed model ({committed['device']}, {committed['parameters']:,} parameters)",
)

# %% [markdown]
# The committed model is {glue:text}`committed_excess` nats above the grammar, and {glue:text}`committed_violations` of a thousand of its sentences are wrong in form or fact.
# Here is what it writes when it is left alone:

# %% jupyter={"source_hidden": true} tags=["hide-input"]
found = lm.load("storyteller", device=here.device)
told = storyteller.samples(found, 3)
chapter.table(
    pd.DataFrame({"after a given opening": told["greedy"], "sampled": told["sampled"]}),
    "Six texts of the committed model",
)

# %% [markdown]
# ## Making it again
#
# With `profile = "full"` and `size = "default"` the cell above trains the committed recipe. On the same kind of device, with the same versions, it gives the same bytes: compare
# `model.safetensors` of the run's checkpoints with the checksum in the card. `keep` leaves the folder there to be copied.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
if not keep:
    shutil.rmtree(here.folder / "checkpoints", ignore_errors=True)
chapter.table(tables.checksums(cards, committed), "Checksums of the models trained here")

# %% [markdown]
# ## A natural language beside it
#
# A world of two hundred words is not English. With `novels` set to an archive of public-domain novels the same loop trains a byte-pair vocabulary and a model of GPT-2's shape on it,
# whose folder can be given to the other chapters as `model`.

# %%
if novels != "none":
    here.store("novels", lm.novels.make(here.work.with_name("novels"), novels, recipe=novel, device=here.device))
else:
    print("No novels were given.")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
card = here.stored("novels")
if card:
    row = {"parameters": f"{card['parameters']:,}", "tokens read": f"{card['corpus']['tokens']:,}", **card["result"]}
    display(chapter.table(pd.DataFrame([row]), f"Trained on {card['corpus']['novels']} novels, {card['device']}"))

# %% [markdown]
# ## The family
#
# For the ladders of part I the same recipe was trained at other depths and widths, with a fixed number of tokens. If the toy had no use for depth, all rows would have the same loss.
# The parameter `family` trains it again.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
if family:
    asked = ("size", "parameters", "recipe", "stopped_at_step", "corpus", "result", "device", "torch", "sha256")
    here.store(
        "family",
        {m.name: {k: m.card[k] for k in asked} for m in storyteller.family(device=here.device, workers=s.workers)},
    )
members = here.stored("family")
devices = sorted({c["device"] for c in members.values()})
chapter.table(
    tables.family(members),
    f"The family, {', '.join(devices)}: loss above the grammar's own, and questions answered",
)

# %% [markdown]
# ## Limits
#
# The world is closed and its grammar is shallow: nothing is ever forgotten for good, and no sentence refers further back than a story. That is the price of knowing every
# probability. Read the numbers of the other chapters as those of such a world.
#
# ## Exercises
#
# :::{exercise} Narrow or shallow
# :run: ruc run storyteller -p size depth2 -p steps 300 -p seeds 2
# :minutes: 2
# :check: held below 2
# Train two models that end at about the same loss, this shallow one and a narrow one (`-p size width64`). Which of them answers more questions?
#
# +++
# The row *questions answered* of each run tells. A question asks for what stood two sentences before, and a model of two layers has few steps to carry it.
# :::
#
# :::{exercise} More time
# :run: ruc run storyteller -p steps 2000 -p seeds 2
# :minutes: 9
# :check: held below 1.2
# Give the small model more time. Which row of the table moves first, and which last?
#
# +++
# The loss falls early. What it cannot show, sentences that contradict their story, is what the last steps are for.
# :::
#
# ```{footbibliography}
# ```
