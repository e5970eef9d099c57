# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: jupyter,tags,mystnb,-all
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
# # Why models differ
#
# **Two models give every text the same probability. One loses a fifth of its transformed coefficients and hardly notices, the other babbles. How can that be?**
#
# The document *DTDR* puts its finding into a table {footcite:p}`unrealjon2026dtdr`: conventional weights that are partly lost degrade and still function, transformed ones do not function. The table has no data behind it.
# [A fair comparison](dtdr_emergence.ipynb) finds next to nothing of it in a storyteller. If the document is right about *stores*, every model shows it. If it is right about *some models*, something in
# their weights decides, and one should be able to put that something in and take it out.
#
# Two dull things would look alike: a model of another size may have another threshold, raw and transformed alike, and one mask may hit a weight that matters. So the unit here is the model.
# *What it shows:* two claims are judged, D5 and D5b; ten minutes to read, one to run.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
from helpers import chapter, dtdr, figures, lm, storyteller
from helpers.chapter import Per
from helpers.dtdr import figures as draw
from helpers.dtdr import sentences, tables
from helpers.dtdr.sentences import tell

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: a minute on two CPU cores, or the reference on one GPU
seeds: int = None  # 1..64: masks drawn for every judged condition; None takes the profile's own
device: str = "auto"  # auto | cpu | cuda: where to run; auto takes the GPU when there is one
model: str = "storyteller"  # storyteller | HUB-NAME | FOLDER: the embedded model, or any causal LM by name or folder
text: str = "embedded"  # embedded | tinyshakespeare | PATH: what a model other than the storyteller is scored on
prompt: str = ""  # text to continue; empty takes the beginning of a held-out text
texts: int = None  # 4..4096: pieces of held-out text that losses are measured on; None takes the profile's own
block: int = 128  # 16 | 32 | 64 | 128 | 256: largest block of the transform

# %% jupyter={"source_hidden": true} tags=["settings", "hide-input"]
given = {"seeds": seeds, "model": model, "text": text, "prompt": prompt, "texts": texts, "block": block}
here = chapter.start("dtdr_models", profile=profile, device=device, **given)
s = here.settings(
    seeds=Per(3, 12),
    texts=Per(16, 256),
    grid=Per((0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 1.0), dtdr.Models.grid),  # shares kept
    times=Per((1 / 32, 1 / 8, 8, 32), (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 4, 8, 16, 32)),  # size of outlier channels
    family=Per(False, model == "storyteller"),
)
config = dtdr.Models(block=block, **vars(s))
log = here.log(dtdr.CHAPTERS[here.name])

# %%
found = lm.load(model, device=here.device)
tokens = storyteller.tokens(found, count=config.texts, length=config.length, seed=0, text=text)
begin = lm.held.prompt(found, prompt) if prompt else tokens[0, :12]
subject = dtdr.Subject(found, tokens, [begin], cap=block)
dtdr.run(subject, config.claimed, log)
dtdr.run(subject, config.spoiled, log)

# %% [markdown]
# ## The table without data
#
# *Functional* against *non-functional* is a difference of about half of the loss that there is. So the claim is held to a quarter of it, at the share of 60, 70 and 80 % where it does best, with the model as the unit:
# the storyteller, two other trainings of it, and a ladder of deeper, shallower, wider and narrower ones. That the transform is worse by at least 0.05 nat, at 80 and at 90 %, is a smaller claim.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
if s.family:
    dtdr.run_family(subject, config.members, log)
judged = log.at(part=("arms", "ladder"))
draw.say(judged, "share_gap", "worse_80", "worse_90", "gap_80")
draw.show("domains", log.at(part="arms"))
ladder = judged.having(part="ladder")
ladder = (ladder if len(ladder.this) else log.alone(part=("arms", "ladder"))).map(tables.rungs)
ladder = ladder.map(tables.of_common_width)
draw.say(ladder, "shallow", "deep", "fewest_layers", "most_layers")
tell(ladder, "deeper")
draw.show("depth", ladder)

# %% [markdown]
# The largest of the three differences of recovered share is {glue:text}`share_gap`, and at 90 % kept transformed minus raw is {glue:text}`worse_90`.
# {glue:text}`deeper`: half of the loss is back at {glue:text}`shallow` of the coefficients with {glue:text}`fewest_layers` layers and at {glue:text}`deep` with
# {glue:text}`most_layers`, means over raw and transformed.
#
# ## A small difference, and its cause
#
# Look closely at 90 % kept. What could part raw and transformed weights there? Rotations keep lengths. Losing raw weights
# hits each weight in proportion to its size: what is small loses little. A rotation spreads the error evenly over a row, small weights included. If that
# is the cause, plain noise shows it without any loss of coefficients: noise in proportion to each weight does as the raw domain does, *even noise* as
# the transformed one.

# %%
dtdr.run(subject, config.cause, log)
cause = log.at(part="cause")
draw.say(cause, "domain", "shape", "even_equal", "part_even", prefix="cause_")
tell(cause, "shape_is_all")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
table = tables.means(cause.this, tables.ERRORS, tables.SMALL_LOSS, "error")
chapter.table(table, "Loss (nats a token) under four errors of the same cosine", digits=4)

# %% [markdown]
# At 90 % kept, transformed minus raw is {glue:text}`cause_domain`, and even noise minus proportional noise is {glue:text}`cause_shape`: {glue:text}`cause_part_even` of the first, without a transform and with
# nothing to reconstruct. What is left between the transform and even noise is {glue:text}`cause_even_equal`. {glue:text}`shape_is_all`
#
# ## A model for which the document is right
#
# If size is what matters, a model can be made for which the document's table comes true. A norm hands each channel on with a weight of its own, and the matrices behind it
# read that channel in one column. Divide a few of the norms' weights by a large power of two, multiply those columns by it, and the model computes the same function from weights of very
# unequal size: it has *outlier channels*.
#
# Raw weights should not mind more than before when some are lost, for a lost entry takes the same part of the function with it. A transform spreads the loss of a large entry over
# small ones. Corruption should do the opposite: one outlier sets the scale of a raw block, so that a flipped code in it is a large error. Rotations are used in
# quantisation to tame just that {footcite:p}`ashkboos2024quarot`.

# %%
dtdr.run_outliers(found, tokens, config.outliers, log, block)
outliers = log.at(part="outliers")
draw.say(outliers, "gap_80", "even_gap", "spoiled_gap", "outliers_share", prefix="outliers_")
tell(outliers, "comes_true", "below_nothing")
here.say("outliers_times", f"{max(s.times):g}")
here.say(
    "whose",
    ""
    if outliers.reference is not None and len(outliers.reference)
    else "No committed run holds it yet: these numbers are this build's.",
)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
draw.show("outliers", outliers)

# %% [markdown]
# {glue:text}`whose` With weights {glue:text}`outliers_times` times as large in a few channels, transformed minus raw is {glue:text}`outliers_gap_80` at 80 % kept; as trained it was {glue:text}`gap_80`. {glue:text}`comes_true` No constraint
# has to close for it: even noise has none, and puts raw weights {glue:text}`outliers_even_gap` above raw loss. With one code in a thousand spoiled, transformed minus raw INT8 is
# {glue:text}`outliers_spoiled_gap`; a negative number is a grace that plain INT8 lacks. The difference of recovered share, by which D5 is judged and whose bar is a quarter, is {glue:text}`outliers_outliers_share` here. {glue:text}`below_nothing`
#
# How unequal must the weights be? Channels may also be given *small* weights, with large activations to match. That is the kind that large language models grow by
# themselves {footcite:p}`dettmers2022llmint8`: an even error, however small, meets a large activation there.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
draw.show("dose", log.at(part=("arms", "damage", "dose", "outliers")).map(tables.dose))

# %% [markdown]
# What would the tests of this part have said of that model? The table judges both sets of weights by this run alone, a mask standing for a model.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
sets = {"as_trained": log.at(part=("arms", "damage")).this, "with_outlier_channels": outliers.this}
both = tables.verdicts(dtdr.CHAPTERS, **sets)
here.say("turned", tables.turned(both))
chapter.table(both, "One function, two sets of weights, judged alike")

# %% [markdown]
# Claims that turn to supported: {glue:text}`turned`. Where two models that give every text the same probability get different verdicts, the claim speaks of the sizes of the weights, which the function leaves open. A large model, with
# outlier channels of its own, may well behave as the document reports; that would tell of its channels, and nothing of a solution manifold.
#
# ## Other models
#
# Two more committed runs take apart models that were not trained on the made-up world: stories260K, a public model of a quarter of a million parameters that was trained
# on children's stories {footcite:p}`karpathy2023llama2c`, and one of GPT-2's shape that was trained on novels, in [the appendix](storyteller.ipynb).

# %% jupyter={"source_hidden": true} tags=["hide-input"]
for name in ("stories260K", "novels"):
    draw.say(log.alone(name, part="cause"), "domain", "shape", prefix=f"{name}_")
caption = (
    "The committed runs. f50 and width (f90 − f10) are shares kept; the rest are differences of losses in nats a token. "
    "T: transformed, R: raw, random loss; even, prop.: even noise, noise in proportion. At 90 % of the named training alone"
)
chapter.table(tables.across(log), caption)

# %% [markdown]
# At 90 % kept the transformed store of stories260K minus raw weights is {glue:text}`stories260K_domain`, and even minus proportional noise is {glue:text}`stories260K_shape`; for the novels model the two are
# {glue:text}`novels_domain` and {glue:text}`novels_shape`. A model whose weights differ much in size has many small ones that matter, and a rotation makes them pay for the large ones. That is a price of mixing.
#
# ## Verdict

# %% jupyter={"source_hidden": true} tags=["hide-input"]
verdict = log.verdict()
caption = "Each row is a test, the shaded part is where the claim wants it, the bar is its interval over models."
shares = verdict.forest("Silent where raw weights speak?", "raw − transformed, share of the loss", of=("D5",))
figures.show(shares, caption)
figures.show(verdict.forest("Worse by 0.05 nat?", "transformed − raw (nats a token)", of=("D5b",)), caption)
verdict.table()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
verdict.tell_all(sentences.VERDICTS, "answer", "at_least")
tell(judged, "a_little")
here.box()

# %% [markdown]
# How can two equal models differ so much? The sizes of their weights differ, and a rotation mixes large with small. {glue:text}`answer` {verdict}`D5` {glue:text}`at_least` {verdict}`D5b`
# {glue:text}`a_little` {glue:text}`worse_90` at 90 % kept and {glue:text}`worse_80` at 80 %. One model outside the family, stories260K, pays {glue:text}`stories260K_domain` at 90 %. The criteria were sharpened when the
# committed run was known; what the earlier ones say of the same records stands in the table.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
verdict.probe_table()

# %% [markdown]
# ## Open questions
#
# Outlier channels were planted here, not found in a large model; the ladder is too short to say what a model of 7 B parameters needs. The parameter `model` takes one.
#
# ## Exercises
#
# :::{exercise} A small block
# :run: ruc run dtdr_models -p block 16
# :minutes: 2
# :check: d5_transform_minus_raw_0.8 below 0.25
# Would outlier channels hurt less under a transform whose blocks hold 16 entries?
#
# +++
# An outlier's column lies in one block of a row. A small block spreads its loss over fewer weights, but loses as much. Compare the figures of the model with outlier channels.
# :::
#
# ```{footbibliography}
# ```
