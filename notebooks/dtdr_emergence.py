# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,mystnb,-all
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
# # Emergence from part of a model
#
# **Throw away four fifths of the numbers that make up a language model, and it falls silent. Is that because information is missing, or
# because the way it was stored has to be nearly complete before it means anything at all?**
#
# Seed document 000 says the second {footcite:p}`unrealjon2026dtdr`. It stores a model as transformed coefficients, rebuilds it from a
# growing share of them, and sees language appear late and suddenly. Ordinary weights, it says, degrade and still function; a transformed
# store does not function *until constraints close*. If that is right, a transformed model that has lost 40 % of its coefficients should be
# much worse than an ordinary one that has lost 40 % of its weights.
#
# Three dull things would look the same. Any model that loses that much may fall silent, transformed or not. The loss may not be spread
# out: if whole rows of the matrices go first, so do whole words of the vocabulary. And a curve of one prompt's logits may
# jump where the model itself changes smoothly. So the same shares are taken from raw weights, from transformed ones, and from weights that
# were merely shuffled; and noise of the same strength stands beside all of them. Last, the weights are changed and the function is not, to see which claims
# speak of what a model knows, and which of how large its weights happen to be.

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
import torch

from helpers import chapter, dtdr, figures, lm, storyteller
from helpers import records as records_module
from helpers.dtdr import plots
from helpers.live import LivePlot

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: a minute on two CPU cores, or the reference on one GPU
seeds: int = None  # 1..64: masks drawn for every condition; None takes the profile's own
device: str = "auto"  # auto | cpu | cuda: where to run; auto takes the GPU when there is one
model: str = "storyteller"  # storyteller | HUB-NAME | FOLDER: the embedded model, or any causal LM by name or folder
text: str = "embedded"  # embedded | tinyshakespeare | PATH: what a model other than the storyteller is scored on
prompt: str = ""  # text to continue; empty takes the beginning of a held-out text
texts: int = None  # 4..4096: pieces of held-out text that losses are measured on; None takes the profile's own
block: int = 128  # 16 | 32 | 64 | 128 | 256: largest block of the transform

# %% tags=["hide-input"]
here = chapter.start("dtdr_emergence", profile=profile, device=device)
settings = here.settings(
    quick={
        "seeds": 3,
        "texts": 16,
        "length": 64,
        "new": 24,
        "batch": 32,
        "grid": (0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 1.0),
        "fewer": (0.4, 0.6, 0.8, 0.9),
        "times": (1 / 32, 1 / 8, 8, 32),
        "further": False,
        "family": False,
    },
    full={
        "seeds": 12,
        "texts": 256,
        "length": 64,
        "new": 40,
        "batch": 256,
        "grid": dtdr.GRID,
        "fewer": (0.2, 0.4, 0.6, 0.7, 0.8, 0.9),
        "times": (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 4, 8, 16, 32),
        "further": True,
        "family": model == "storyteller",
    },
    seeds=seeds,
    texts=texts,
)
here.box()

# %% [markdown]
# ## The model
#
# The published runs take Mistral-7B. This page takes the *storyteller* unless it is told otherwise: a small language model of a made-up
# world, whose exact entropy is known (see [the appendix](storyteller.ipynb)). Every step below works for any causal language
# model on the Hugging Face hub or on disk, by the parameter `model`.

# %%
found = lm.load(model, device=here.device)
tokens = storyteller.tokens(found, count=settings["texts"], length=settings["length"], seed=0, text=text)
begin = torch.tensor(found.tokenizer(prompt)["input_ids"]) if prompt else tokens[0, :12]
subject = dtdr.Subject(found, tokens, prompts=[row[:12] for row in tokens[:4]], cap=block, batch=settings["batch"])
subject.priors = {"leaked": dtdr.leaked(subject.whole, cap=block)}

# %% tags=["hide-input"]
opening = found.tokenizer.decode(begin)
store = subject.stored()
here.say("parameters", f"{subject.size:,}")
here.say("store_share", f"{store['bytes'] / store['weights']:.1%}")
here.say("intact", f"{subject.intact['nll']:.3f}")
here.say("nothing", f"{subject.nothing:.3f}")
here.say("int8_snr", f"{store['snr']:.1f}")

# %% [markdown]
# It has {glue:text}`parameters` parameters. On held-out text its loss is {glue:text}`intact` nats a token; with every coefficient gone it
# is {glue:text}`nothing`. Stored as INT8 codes with one half-precision scale per block, its matrices take {glue:text}`store_share` of their 32-bit size at a
# signal-to-noise ratio of {glue:text}`int8_snr` dB.

# %% [markdown]
# ## As printed
#
# Keep the first rows of every matrix, put zeros into the rest, and ask for the next token after one prompt. Two numbers say how much is left:
# the cosine between the logits and those of the whole model, and the share of the ten likeliest tokens that both have. Fractions run from half a per cent to one.
#
# The published scripts [^transform] cut the rows of *untransformed* weights: they hold no transform. So both readings are run, rows of the
# weights and rows of the transformed coefficients. If the claim holds, both numbers stay low for long and then rise at once.
#
# [^transform]: `progressive_emergence_demo.py` and its second version, in folder
# [06_emergence_from_distribution](https://github.com/UnrealJon/DTDR/tree/main/experiments/06_emergence_from_distribution), decode
# each block from 8-bit codes and stack the blocks; neither a Hadamard nor a cosine transform is applied or undone.

# %%
printed_arms = {
    "identity.rows.zero": "raw rows (as published)",
    "hadamard.rows.zero": "transformed rows",
    "hadamard.iid.zero": "transformed, random loss",
}
records = dtdr.run_printed(
    here.name,
    subject,
    (dtdr.Arm("identity", "rows"), dtdr.Arm("hadamard", "rows"), dtdr.Arm("hadamard")),
    begin,
    dtdr.PUBLISHED,
    settings["new"],
)

# %% tags=["hide-input"]
shown = dtdr.frame(here.keep(records))
printed = shown[shown["part"] == "printed"]
rows = printed[printed["arm"] == "identity.rows.zero"].set_index("fraction")
dtdr.write_curve(shown, here.folder, printed_arms)
here.say("printed_cosine_0.8", f"{rows['cosine_last'][0.8]:.2f}")
here.say("printed_top10_0.8", f"{rows['top10'][0.8]:.1f}")
drops = int((np.diff(rows.sort_index()["cosine_last"]) < -0.01).sum())
here.say("printed_drops", str(drops))
figures.show(
    plots.emergence(shown, printed_arms),
    f"With 80 % of the rows the next token's logits have cosine {rows['cosine_last'][0.8]:.2f} to the whole model's and share "
    f"{rows['top10'][0.8]:.0%} of the ten likeliest tokens. Between neighbouring fractions the published curve falls {drops} times.",
)

# %% [markdown]
# At 80 % of the rows the cosine is {glue:text}`printed_cosine_0.8` and the overlap {glue:text}`printed_top10_0.8`. The published curve is not even monotone: it
# falls {glue:text}`printed_drops` times on its way up. That is a hint. More of the model should not be worse than less of it, unless the measure is about
# something else. The run keeps this curve as `emergence_curve.csv` and, where the `png` extra is installed, as a picture.
#
# What does a model with a part of itself say? Move the slider.

# %% tags=["hide-input"]
figures.show(
    plots.texts(printed, printed_arms, opening),
    "The same prompt, continued greedily at every fraction. Cut by rows, the text turns into language only when nearly everything is there; "
    "with random loss of the same size it does so earlier.",
)

# %% [markdown]
# ## Made precise
#
# A fair comparison loses the same share in the same places. Each coefficient gets a number between 0 and 1 from a hash of its position;
# a model at fraction $f$ keeps those below $f$. So a larger fraction contains the smaller one, and all domains lose the same positions.
#
# What should we expect? The transform is a rotation. Losing a random share $1 - f$ of the coefficients takes that share of the squared length, in any
# rotation: the weights that remain have cosine $\sqrt f$ to the whole ones, raw or transformed. A rotation does change what the error looks like:
# many zeros among raw weights, a little noise on every transformed one. If the document is right, that should matter a great deal, and the
# two curves should part. If not, they lie on each other, and on that of plain Gaussian noise with the same cosine.
#
# The rows have a third reading. Shuffle the raw weights once, *store them in that order*, and cut the leading rows of the store. No transform, no
# mixing; only the order of sending differs from the published one.

# %%
with LivePlot("loss while arms are tried", "condition", "nats a token") as live:
    plan = dtdr.Plan("arms", dtdr.domains(), settings["grid"], settings["seeds"])
    records += dtdr.run(here.name, subject, plan, here.work, live, sample=settings["new"])

# %% tags=["hide-input"]
shown = dtdr.frame(here.keep(records))
main = shown[(shown["part"] == "arms") & (shown["model"] == found.name)]
which = "" if found.source == "embedded" else found.name  # a reference of this very model, or none
committed = here.committed(which)
reference = None if committed is None else dtdr.frame(committed)
beside = None if reference is None else reference[reference["part"].isin(["arms", "further", "damage", "collapse"])]


def of_reference(part: str) -> pd.DataFrame | None:
    """The rows of a part of the reference run, or None where it has none."""
    mine = None if reference is None else reference[reference["part"] == part]
    return None if mine is None or mine.empty else mine


def with_controls(frame: pd.DataFrame) -> tuple[dict, list]:
    """What a run measured, with the controls that its tests passed or failed, and these in detail."""
    controls, probes = here.probe(dtdr.emergence_controls(frame))
    return dtdr.emergence(frame) | controls, probes


def gap(frame: pd.DataFrame | None, a: str, b: str, f: float) -> np.ndarray | None:
    """Loss of one arm minus another's at a fraction, a value a mask seed."""
    return None if frame is None else dtdr.difference(frame, a, b, f)


pair = ("hadamard.iid.zero", "identity.iid.zero")
for f in (0.6, 0.8):
    here.say(f"gap_{f:g}", gap(main, *pair, f), ".3f", "nats", gap(beside, *pair, f))
here.say(
    "rows_gap",
    gap(main, "identity.rows.zero", pair[1], 0.8),
    ".2f",
    "nats",
    gap(beside, "identity.rows.zero", pair[1], 0.8),
)
here.say(
    "vocabulary_gap",
    gap(main, "identity.rows.zero.protected", pair[1], 0.8),
    ".2f",
    "nats",
    gap(beside, "identity.rows.zero.protected", pair[1], 0.8),
)
figures.show(
    plots.loss(main, beside),
    f"At 60 % kept, transformed minus raw is {gap(main, *pair, 0.6).mean():.3f} nats; at 80 % it is {gap(main, *pair, 0.8).mean():.3f}. "
    f"The published leading rows lose {gap(main, 'identity.rows.zero', pair[1], 0.8).mean():.2f} nats more than random loss at 80 %."
    + ("" if reference is None else f" Dashed: the {here.label(which)}."),
)

# %% [markdown]
# Transformed minus raw is {glue:text}`gap_0.6` at 60 % kept and {glue:text}`gap_0.8` at 80 %. Where such an interval holds both zero and the margin of 0.05, the
# masks do not settle the claim: in a model this small, one mask hits a weight that matters and another does not. What they do settle is the size. Nothing like the
# document's *functional* against *non-functional* is to be seen between the two domains of this model.
#
# The curve that stands apart is the published one: leading rows
# cost {glue:text}`rows_gap` more than random loss at 80 %. Most of that is the vocabulary. Row $r$ of the embedding is the word number $r$; with a fifth of the
# rows gone, a fifth of all words can be neither read nor said. With embedding and output head kept whole, the difference shrinks to
# {glue:text}`vocabulary_gap`. And rows of shuffled weights do as well as anything else, without a transform.

# %% tags=["hide-input"]
names = {arm: look[0] for arm, look in plots.STYLE.items()}
chapter.table(
    dtdr.summary(main, names), "Where half of the loss is recovered (f50), how wide the rise is, and two losses"
)

# %% tags=["hide-input"]
said = main[main["text"].notna()]
figures.show(
    plots.texts(
        said,
        {k: v for k, v in names.items() if k != "identity.rows.zero.protected"},
        found.tokenizer.decode(tokens[0, :12]),
    ),
    "What each damaged model writes at every fraction. Compare the rows with the arms whose loss is spread out: which of them tell a story at 80 and 90 %?",
)

# %% [markdown]
# ## Is there a threshold?
#
# A sharp threshold would show as a short way from little to nearly everything. Recovered share is the part of the loss, between nothing and the whole
# model, that has come back. The claim is fixed at a width of 0.1 between a tenth and nine tenths. A smooth curve can hide a sudden change in what
# a reader sees, so the agreement of the likeliest token is drawn as well.

# %% tags=["hide-input"]
width = dtdr.emergence(main)["d2_width"]
here.say("width", width, ".2f", "", None if beside is None else dtdr.emergence(beside)["d2_width"])
figures.show(
    plots.loss(
        main,
        beside,
        arms=pair,
        column="top1",
        axis="agreement of the likeliest token",
        title="How often is the likeliest token the same?",
        whole=1.0,
    ),
    f"From a tenth to nine tenths of the loss takes {width.mean():.2f} of the fraction axis. Agreement of the likeliest token rises over the same range, in both domains.",
)

# %% [markdown]
# The way from a tenth to nine tenths is {glue:text}`width` wide.
#
# The document judged by reading. So let something read: the whole model. It gives every text of the damaged ones a loss. Word salad is unlikely to it, a
# story is likely, and where a text comes within half a nat a token of the whole model's own, a reader would call it language. If there is a threshold in the
# *model*, losses and texts should both jump, and only in the transformed store.

# %% tags=["hide-input"]
read, told = said.assign(sense=subject.sense(tokens[0, :12], said["text"])), None
if beside is not None:  # the same model, prompt and mask
    told = beside[(beside["model"] == found.name) & (beside["part"] == "arms") & beside["text"].notna()]
    told = told.assign(sense=subject.sense(tokens[0, :12], told["text"]))
own = float(read.loc[read["fraction"] == 1.0, "sense"].mean())
since = [dtdr.readable(read, arm) for arm in pair]
for arm, name, first in zip(pair, ("transformed", "raw"), since, strict=True):
    more = "" if told is None else f" (reference {dtdr.readable(told, arm):.0%})"
    here.say(f"readable_{name}", f"{first:.0%}{more}")
figures.show(
    plots.loss(
        read,
        told,
        arms=(*pair, "noise", "permutation.rows.zero", "identity.rows.zero"),
        column="sense",
        axis="loss of the text (nats a token)",
        title="Would the whole model have written that?",
        whole=own,
    ),
    f"The whole model's own text costs it {own:.2f} nats a token. Texts stay within half a nat of that from {since[0]:.0%} kept in the "
    f"transformed store and from {since[1]:.0%} in raw weights.",
)

# %% [markdown]
# One text a fraction is read here, with one mask. They are likely to the whole model from {glue:text}`readable_transformed` kept in the transformed store, and from
# {glue:text}`readable_raw` in raw weights. A greedy text is all or nothing: each token is a choice of one, and a wrong one takes all that follow with it. So texts
# can jump where the loss climbs steadily. Where the two fractions are near each other, a reader sees the same threshold in ordinary weights.
#
# ## Is a missing coefficient worse than a wrong one?
#
# The document sets truncation against corruption. They were never put side by side at the same strength: corruption touched a few codes in a
# thousand, truncation took most of them. Here codes are spoiled (seven of eight bits flipped) at several rates, in the transformed store and in plain INT8, and both
# are drawn against the cosine that they leave. If they are different kinds of damage, the points should form different curves.

# %%
damage = (dtdr.Arm("hadamard", dtdr.CORRUPT), dtdr.Arm("identity", dtdr.CORRUPT))
orders = (dtdr.Arm("hadamard", "planes"), dtdr.Arm("identity", "planes"), dtdr.Arm("identity", "magnitude"))
trials = {"arms": dtdr.domains(), "damage": damage + orders, "collapse": dtdr.collapse()}
records += dtdr.run(
    here.name, subject, dtdr.Plan("damage", damage + orders, settings["grid"], settings["seeds"]), here.work
)

# %% tags=["hide-input"]
shown = dtdr.frame(here.keep(records))
main = shown[shown["part"].isin(["arms", "damage"]) & (shown["model"] == found.name)]
numbers = dtdr.emergence(main)
expected = None if beside is None else dtdr.emergence(beside)
for key, name in (
    ("d6_difference", "damage_gap"),
    ("d8_loss_increase", "rise"),
    ("d8_transform_minus_int8", "rise_gap"),
):
    here.say(name, numbers[key], ".3f", "nats", None if expected is None else expected[key])
here.say("damage_sign", numbers["d6_signed"], ".3f", "nats", None if expected is None else expected["d6_signed"])
figures.show(
    plots.damage(main),
    f"At equal cosine, truncated and corrupted models differ by {numbers['d6_difference'].mean():.3f} nats on average. "
    f"One spoiled code in a thousand costs the transformed store {numbers['d8_loss_increase'].mean():.3f} nats.",
)

# %% [markdown]
# At equal cosine the two differ by {glue:text}`damage_gap`; truncated minus corrupted is {glue:text}`damage_sign`. A flipped code is a large error in few places, a mask a
# moderate one in many, so equal length does not make them equal. One spoiled code in a thousand raises the loss of the transformed store by
# {glue:text}`rise`, a graceful answer. But plain INT8 is as graceful: the difference between the two is {glue:text}`rise_gap`, and the claim needs it to be negative.
#
# ## Which bits first?
#
# How much of a model must be there depends on the order in which it is sent. Any coefficient is as good as any other after a rotation, so
# sending them one after the other is a poor code: half of the coefficients is half of the length. Sending the leading bits of *all* coefficients is a better one.

# %% tags=["hide-input"]
planes = dtdr.values(main, "hadamard.planes.zero", 0.5).mean()
here.say(
    "planes_loss",
    dtdr.values(main, "hadamard.planes.zero", 0.5) - subject.intact["nll"],
    ".3f",
    "nats",
    None if beside is None else dtdr.values(beside, "hadamard.planes.zero", 0.5) - beside["intact"].mean(),
)
here.say("iid_loss", dtdr.values(main, "hadamard.iid.zero", 0.6) - subject.intact["nll"], ".2f", "nats")
figures.show(
    plots.orders(main, beside),
    f"With half of the bits, the four leading planes of every code, the loss is {planes:.3f} nats. With 60 % of the coefficients, whole, it is "
    f"{dtdr.values(main, 'hadamard.iid.zero', 0.6).mean():.2f}.",
)

# %% [markdown]
# With half the bits of every code the loss is {glue:text}`planes_loss` above the whole model's. With 60 % of the coefficients, all bits, it is
# {glue:text}`iid_loss` above it.
#
# ## One curve for all?
#
# "Not degraded but underdetermined" sounds deep, but known coefficients leave a flat space of possible models in *every* basis, the identity included. What could be
# tested is this: does the domain matter beyond how near the weights are to the whole model's? Three fills (zeros, random numbers, a
# faint copy of the truth) move the cosine up and down at equal fraction. If only the distance matters, all points of a model fall on one curve.

# %%
records += dtdr.run(
    here.name, subject, dtdr.Plan("collapse", dtdr.collapse(), settings["fewer"], settings["seeds"]), here.work
)

# %% tags=["hide-input"]
shown = dtdr.frame(here.keep(records))
mine = shown[shown["part"].isin(list(trials)) & (shown["model"] == found.name)]
numbers = dtdr.emergence(mine)
with_reference = [] if beside is None else [f"reference {dtdr.emergence(beside)['d7_p_domain'][0]:.3f}"]
here.say("p_domain", "; ".join([f"{numbers['d7_p_domain'][0]:.3f}", *with_reference]))
spread = dtdr.residuals(mine)
here.say("collapse_sd", f"{spread['all']:.3f}")
here.say("collapse_domain", f"{spread['domain']:.3f}")
figures.show(
    plots.collapse(mine, [found.name]),
    f"All domains and fills. Around one falling curve the points scatter by {spread['all']:.3f} nats; the domains' means lie at most {spread['domain']:.3f} nats from it.",
)

# %% [markdown]
# Points scatter by {glue:text}`collapse_sd` nats around one falling curve, and no domain's mean lies further than {glue:text}`collapse_domain` nats from it. Shuffling the
# names of the domains within each mask does as well as the true names with probability {glue:text}`p_domain`. A mask's points change their names together:
# masks are nested, and one that hits an important weight does so at every fraction, so its points are one observation and not many. A small $p$ would speak for the
# document; it would not make a small effect large.

# %% [markdown]
# ## When losses come in bursts
#
# A network loses packets, a disk loses a stretch of bytes. One may hope that a transform spreads such a loss. It does so *within* its block.
# A shard, one of many contiguous pieces of each matrix, takes whole blocks with it, and whole rows of raw weights. Storing the entries in shuffled order spreads it over everything, and transforms
# nothing. Columns lost in every row at once, and a gain that puts the lost length back, stand beside it. These arms run in the full profile only.

# %%
if settings["further"]:
    plan = dtdr.Plan("further", dtdr.further(), settings["grid"], min(5, settings["seeds"]))
    records += dtdr.run(here.name, subject, plan, here.work)

# %% tags=["hide-input"]
shown = dtdr.frame(here.keep(records))
second = shown if settings["further"] or reference is None else reference
second = second[second["part"].isin(["arms", "further"]) & (second["model"] == found.name)]
second = second[second["seed"] < 5]  # the masks that all of these arms have
chapter.table(
    dtdr.summary(second, dtdr.PATTERNS),
    "Patterns of loss: where half of the loss is recovered (f50), how wide the rise is, and two losses"
    + ("" if settings["further"] or reference is None else f"; the {here.label(which)}"),
)

# %% tags=["hide-input"]
for name in ("identity", "hadamard", "permutation"):
    lost = dtdr.values(second, f"{name}.shards.zero", 0.8)
    here.say(f"shards_{name}", f"{lost.mean():.2f} nats" if len(lost) else "(full profile only)")

# %% [markdown]
# With 80 % of the shards kept, raw weights are at {glue:text}`shards_identity`, transformed ones at {glue:text}`shards_hadamard`, and raw weights in shuffled order at
# {glue:text}`shards_permutation`. If the first two are alike and the third is near the loss of scattered entries, it is the order of
# storing that spreads a burst, and not the transform, whose blocks are shorter than the burst.

# %% [markdown]
# ## A small difference, and its cause
#
# Look closely at 90 % kept, and raw and transformed weights part by a little. Rotations keep lengths, so where could it come from? Losing raw weights
# hits each weight in proportion to its size: what is small loses little. A rotation spreads the error evenly over a row, small weights included. If that
# is the cause, plain noise should show it without any loss of coefficients: noise in proportion to each weight should do as the raw domain does, noise of one
# size per row as the transformed one.

# %%
causes = (dtdr.Arm("identity"), dtdr.Arm("hadamard"), dtdr.Arm(dtdr.NOISE_ENTRY), dtdr.Arm(dtdr.NOISE))
records += dtdr.run(here.name, subject, dtdr.Plan("cause", causes, (0.8, 0.9), max(6, settings["seeds"])), here.work)

# %% tags=["hide-input"]
shown = dtdr.frame(here.keep(records))
cause = shown[shown["part"] == "cause"]
cause_there = of_reference("cause")
for name, a, b in (("domain", "hadamard.iid.zero", "identity.iid.zero"), ("shape", "noise", "noise_entry")):
    here.say(f"cause_{name}", gap(cause, a, b, 0.9), ".3f", "nats", gap(cause_there, a, b, 0.9))
rows = [
    {"error": label, "80 % kept": dtdr.values(cause, arm, 0.8).mean(), "90 % kept": dtdr.values(cause, arm, 0.9).mean()}
    for arm, label in (
        ("identity.iid.zero", "raw weights lost"),
        ("noise_entry", "noise in proportion to each weight"),
        ("hadamard.iid.zero", "transformed coefficients lost"),
        ("noise", "noise of one size per row"),
    )
]
chapter.table(pd.DataFrame(rows), "Loss (nats a token) under four errors of the same cosine", digits=4)

# %% [markdown]
# At 90 % kept, transformed minus raw is {glue:text}`cause_domain`, and even noise minus proportional noise is {glue:text}`cause_shape`. So the domain is not without
# any effect. The effect is one of how an error of given length is shared out among large and small weights, and no constraint has to
# close for it. How large it is depends on the model; see stories260K below.

# %% [markdown]
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
subject = None  # its weights make room for those of the next one
pieces = (dtdr.Arm("identity"), dtdr.Arm("hadamard"), *damage)
try:
    for times in settings["times"]:
        with dtdr.outlier_channels(found, tokens[:4], times=times) as unequal:
            other = dtdr.Subject(unequal, tokens, cap=block, batch=settings["batch"])
            plan = dtdr.Plan("dose", pieces, (0.8,), settings["seeds"], shares=(0.001,))
            if times == max(settings["times"]):
                grid = (0.0, 0.2, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
                masks = max(5, settings["seeds"])
                plan = dtdr.Plan("outliers", (*pieces, dtdr.Arm(dtdr.NOISE)), grid, masks, shares=(0.001, 0.01, 0.1))
            records += dtdr.run(here.name, other, plan, here.work)
            other = None
except dtdr.OutliersRefused as error:
    print(f"Not tried: {error}")

# %% tags=["hide-input"]
shown = dtdr.frame(here.keep(records))
outliers = shown[shown["part"] == "outliers"]
outliers_there = of_reference("outliers")
for name, a, b, f in (
    ("raw", *pair, 0.8),
    ("noise", dtdr.NOISE, pair[1], 0.8),
    ("spoiled", "hadamard.corrupt", "identity.corrupt", 0.999),
):
    if len(outliers):
        here.say(f"outliers_{name}", gap(outliers, a, b, f), ".2f", "nats", gap(outliers_there, a, b, f))
    else:
        here.say(f"outliers_{name}", "(not tried for this model)")
here.say("outliers_times", f"{max(settings['times']):g}")
if len(outliers):
    figures.show(
        plots.loss(
            outliers, outliers_there, arms=(*pair, dtdr.NOISE), title="The same function, some weights very large"
        ),
        f"With outlier channels and 80 % kept, raw weights reach {dtdr.values(outliers, pair[1], 0.8).mean():.2f} nats, transformed ones "
        f"{dtdr.values(outliers, pair[0], 0.8).mean():.2f}, and raw ones with noise of one size per row {dtdr.values(outliers, dtdr.NOISE, 0.8).mean():.2f}. "
        f"Whole, the model is at {outliers['intact'].mean():.2f}, as before.",
    )

# %% [markdown]
# With weights {glue:text}`outliers_times` times as large in a few channels, transformed minus raw is {glue:text}`outliers_raw` at 80 % kept; as trained it was {glue:text}`gap_0.8`. Where the first is large
# and the second is not, conventional weights degrade and the transformed store is silent until nearly all of it is there, as the document says. Must a constraint close for it? Plain noise of one size per row
# has none, and puts raw weights {glue:text}`outliers_noise` above raw loss. With one code in a thousand spoiled, transformed minus raw INT8 is {glue:text}`outliers_spoiled`; a negative number is a grace that
# plain INT8 lacks.
#
# How unequal must the weights be? Channels may also be given *small* weights, with large activations to match. That is the kind that large language models grow by
# themselves {footcite:p}`dettmers2022llmint8`: an even error, however small, meets a large activation there.

# %% tags=["hide-input"]
sizes = sorted({1.0, *settings["times"]})
if len(outliers):
    by_size = [main if t == 1 else shown[shown["model"] == f"{found.name}-outliers{t:g}"] for t in sizes]
    lost, spoiled = (
        np.array([gap(mine[mine["seed"] < settings["seeds"]], a, b, f) for mine in by_size]).T  # (masks, sizes)
        for a, b, f in ((*pair, 0.8), ("hadamard.corrupt", "identity.corrupt", 0.999))
    )
    figures.show(
        plots.dose(sizes, lost, spoiled),
        f"With 80 % kept the transformed store is {lost.mean(0)[0]:.2f} nats worse than the raw one at the smallest weights, {lost.mean(0)[-1]:.2f} at the largest. "
        f"With one code in a thousand spoiled, transformed minus raw is {spoiled.mean(0)[0]:z.2f} and {spoiled.mean(0)[-1]:z.2f}.",
    )

# %% [markdown]
# What would the tests of this chapter have said of that model? The table judges both sets of weights by this run alone.

# %% tags=["hide-input"]
rows, masks = [], []
for weights, mine in (
    ("as trained", shown[shown["part"].isin(list(trials)) & (shown["model"] == found.name)]),
    ("with outlier channels", outliers),
):
    if len(mine):
        verdicts = here.examine(with_controls(mine)[0])
        rows.append({"weights": weights} | {v.id: v.verdict for v in verdicts if v.id != "D7"})
        masks.append(str(mine["seed"].nunique()))
changed = rows[1] if len(rows) > 1 else {}
chapter.table(
    pd.DataFrame(rows),
    f"One function, two sets of weights: verdicts by {' and '.join(masks)} masks. D7 needs more arms",
)

# %% [markdown]
# Where the two rows differ, two models that give every text the same probability get different verdicts. Then a claim speaks of the sizes of the weights, which the function leaves open. A large model, with
# outlier channels of its own, may well behave as the document reports; that would tell of its channels, and nothing of a solution manifold. Where the rows agree, the claim does not hang on those sizes.

# %% [markdown]
# ## Deeper and wider models
#
# A toy has few layers, and errors add up over layers. So the threshold may move with depth. In the full profile a ladder of storytellers, 2 to 16 layers, is
# trained and taken apart in the same way, and at six layers a ladder of widths. If depth adds noise, the fraction at which half of the loss is recovered rises with depth.

# %%
if settings["family"]:
    for member in storyteller.family(device=here.device, workers=8):
        if member.variant != "final" or member.name == "default-seed0":  # the embedded model is this one
            continue
        other = lm.load(str(member.folder), device=here.device)
        taken = dtdr.Subject(other, tokens, cap=block, batch=settings["batch"], model_seed=member.seed)
        taken.priors = {"leaked": dtdr.leaked(taken.whole, cap=block)}
        for part, arms in (trials if member.size == "default" else {"ladder": dtdr.domains()[:2]}).items():
            masks = min(5, settings["seeds"]) if part == "ladder" else settings["seeds"]
            plan = dtdr.Plan(part, arms, settings["fewer"] if part == "collapse" else settings["grid"], masks)
            records += dtdr.run(here.name, taken, plan, here.work)

# %% tags=["hide-input"]
shown = dtdr.frame(here.keep(records))
ladder = shown if (shown["part"] == "ladder").any() else reference
if ladder is not None and (ladder["part"] == "ladder").any():
    rungs = ladder["part"].isin(["ladder", "arms"]) & ladder["arm"].isin(pair)  # the default model is a rung of both
    table = dtdr.by_model(ladder[rungs])
    depth = table[(table["arm"] == pair[0]) & (table["width"] == table["width"].mode()[0])]
    means = depth.groupby("depth")["f50"].mean()
    figures.show(
        plots.scaling(depth, "depth", "layers"),
        f"Half of the loss is recovered at {means.iloc[0]:.2f} with {means.index[0]} layers and at {means.iloc[-1]:.2f} with {means.index[-1]}. "
        "The six-layer rung is the book's own model, which has read more stories than the others."
        + ("" if ladder is shown else f" From the {here.label(which)}."),
    )

# %% tags=["hide-input"]
if ladder is not None and (ladder["part"] == "ladder").any():
    across = table[(table["arm"] == pair[0]) & (table["depth"] == 6)]
    if len(across) > 1:
        ends = across.sort_values("width")["f50"]
        figures.show(
            plots.scaling(table[table["depth"] == 6], "width", "width of the stream"),
            f"At six layers, half of the loss is recovered at {ends.iloc[0]:.2f} in the narrowest model and at {ends.iloc[-1]:.2f} in the widest.",
        )

# %% [markdown]
# ## Other models
#
# Two more references take apart models that were not trained on the made-up world. One is stories260K, a public model of a quarter of a million parameters that was trained
# on children's stories {footcite:p}`karpathy2023llama2c`; it was not made here. The other has GPT-2's shape and was trained on novels, in [the appendix](storyteller.ipynb). If the
# picture above is the storyteller's own, these should look different.

# %% tags=["hide-input"]
COMMITTED = {"storyteller": "", "stories260K": "stories260K", "novels": "novels"}
rows = []
for name, folder in COMMITTED.items():
    if (found_there := here.committed(folder)) is None:
        continue
    frame = dtdr.frame(found_there)
    tried, frame = frame[frame["part"] == "cause"], frame[frame["part"].isin(list(trials))]
    run = records_module.header(here.reference / folder)
    row = {
        "run": f"{name}, {run['provenance']['device'].removeprefix('NVIDIA ')[:4]}",
        "masks": run["seeds"],
        "f50": dtdr.emergence(frame)["d2_f50"].mean(),
        "width": dtdr.emergence(frame)["d2_width"].mean(),
    }
    row |= {f"T − R, {f:.0%}": gap(frame, *pair, f).mean() for f in (0.8, 0.9)}
    row["rows − R, 80%"] = gap(frame, "identity.rows.zero", pair[1], 0.8).mean()
    row["even − prop., 90%"] = gap(tried, "noise", "noise_entry", 0.9).mean() if len(tried) else np.nan
    if len(tried):
        here.say(f"{folder}_domain", gap(tried, *pair, 0.9), ".3f", "nats")
        here.say(f"{folder}_shape", gap(tried, "noise", "noise_entry", 0.9), ".3f", "nats")
    row["p, D7"] = dtdr.emergence(frame)["d7_p_domain"][0]
    here.say(f"{folder or 'all'}_0.8", gap(frame, *pair, 0.8), ".3f", "nats")
    here.say(f"{folder or 'all'}_few", gap(frame[frame["seed"] < 5], *pair, 0.8), ".3f", "nats")
    here.say(f"{folder or 'all'}_size", f"{int(frame['parameters'].iloc[0]):,}")
    rows.append(row)
chapter.table(
    pd.DataFrame(rows),
    "The committed runs, full profile. f50 and width (f90 − f10) are fractions; the rest are differences of losses in nats a token at the share "
    "kept. T: transformed, random loss; R: raw, random loss; rows: raw, leading rows; even, prop.: noise of one size per row, in proportion",
)

# %% [markdown]
# stories260K does look different, in the document's favour. At 90 % kept its transformed store loses {glue:text}`stories260K_domain` more than raw weights with the same
# positions lost. So *conventional weights degrade more gently* is true of this model. The reason is the small one from above, grown large: noise of one size per row
# costs {glue:text}`stories260K_shape` more than noise in proportion to each weight, without any transform and with nothing to reconstruct. A model whose weights differ much in size has many
# small ones that matter, and a rotation makes them pay for the large ones. It is a price of mixing; a constraint that closes is not needed to explain it.
#
# The novels model, of {glue:text}`novels_size` parameters, says how much of that carries over: transformed minus raw is {glue:text}`novels_domain` at 90 % kept, and even minus proportional
# noise {glue:text}`novels_shape`. Where the first of the two is not zero, look at the second before you believe in the transform.
#
# How much would fewer masks have said? At 80 % kept the storyteller's transformed minus raw is {glue:text}`all_0.8`. Its first five masks alone give {glue:text}`all_few`.
# A handful of masks is a small sample of a wide spread, so read the interval before the mean. The same holds for the last column: a $p$ above its level is no proof
# that the domain does not matter, and a small one does not say which domain does. In stories260K both mixing transforms lie above both stores of raw weights.

# %% [markdown]
# ## Could the tests have said otherwise?
#
# A test that cannot fail says nothing, and neither does one that cannot pass. So each gets two answers that are known: the measured losses with the claimed effect planted into
# them, and the same losses with every trace of it taken out. Where two stores are compared only means are moved, so that masks scatter as they did. The first must come out as supported,
# the second must not. Where that fails, the claim stays undecided, whatever was measured.

# %% tags=["hide-input"]
(numbers, probes), expected = with_controls(shown[shown["part"].isin(list(trials))]), None
if reference is not None:
    expected, probes = with_controls(reference[reference["part"].isin(list(trials))])
here.say("told", f"{sum(p.passed for p in probes)} of {len(probes)}")
chapter.probe_table(probes, dtdr.PLANTED)

# %% [markdown]
# {glue:text}`told` tests tell the two apart.

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
verdicts = here.judge(numbers, expected)
figures.show(
    figures.forest(
        [o for v in verdicts if v.id in ("D5", "D6", "D8") and v.criterion == "precise" for o in v.outcomes],
        "Losses compared",
        "nats a token",
    ),
    "Each row is a test, the shaded part is where the claim wants it, the bar is the interval over masks.",
)
turned = [v.id for v in verdicts if v.criterion == "precise" and changed.get(v.id) == "supported" != v.verdict]
here.say("turned", ", ".join(turned) or "none")
chapter.verdict_table(verdicts)

# %% [markdown]
# Too few coefficients, no language: {verdict}`D1`. A sharp threshold: {verdict}`D2`. Transformed stores fail where conventional weights still work: {verdict}`D5`.
# Truncation and corruption differ in kind: {verdict}`D6`. Underdetermined, not degraded: {verdict}`D7`. Graceful under corruption: {verdict}`D8`.
#
# These are verdicts on the weights as they were trained. The same function with outlier channels turned these to supported: {glue:text}`turned`.
#
# ## Limits
#
# The storyteller is a small model of a small world. Its thresholds are its own, and the ladder of depths is too short to say what a 7B model needs. What carries over is
# arithmetic: a rotation cannot change how much of a vector is left. What does not carry over without a test is how a model answers to an error of a given
# size and shape: two small models already answer differently. Outlier channels were
# planted here, not found in a large model.
#
# ## Exercises
#
# 1. Predict the figure of losses for `block = 16` before you run it. What would have to be true of the weights for the block to matter?
# 2. Give `model` a folder or a hub name with GPT-2 in it. Which arm moves most, and why that one?
# 3. The published curve is not monotone. Find a prompt for which it is.
#
# ```{footbibliography}
# ```
