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
# # Guided reconstruction
#
# **Most of a model is lost. Somebody whispers a faint version of what was there, and the model speaks again. How much of the answer was in the
# whisper?**
#
# The document *DTDR* fills the gaps of a partly known model in three ways {footcite:p}`unrealjon2026dtdr`: with zeros, with random numbers, and with a
# *weak compatible prior*. Zeros leave it silent, random numbers give stable nonsense, the prior brings language back gradually. It concludes that
# the problem was not missing information but missing constraints: the prior makes an unsolvable problem solvable.
#
# If that is right, a prior should help because it is *compatible*, not because it holds the numbers that are missing. But the published prior is
# 0.15 times the same model, with one byte in a million changed [^anchor]. A faint copy of the answer helps for a dull reason: it moves the weights
# nearer to the truth. So beside it stand priors that know less and less: the model after a quarter of its training, the model before it was fine-tuned, one
# trained from another seed, that one with its neurons put into this model's order, the wrong layers of the right model, and what can be guessed from the kept part alone.
#
# *What it shows:* three claims are judged, D3, D4 and D9; twelve minutes to read, one to run.
#
# [^anchor]: `compressed_mistral_7b_f1e-06_s0.pkl` in folder
# [06_emergence_from_distribution](https://github.com/UnrealJon/DTDR/tree/main/experiments/06_emergence_from_distribution); missing rows are
# filled with 0.15 times this file's rows.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
import torch

from helpers import chapter, codec, dtdr, figures, lm, storyteller
from helpers.chapter import Per
from helpers.dtdr import alignment, playground, priors, quantities, sentences, tables
from helpers.dtdr import figures as draw
from helpers.dtdr.run import write_curve
from helpers.dtdr.sentences import tell

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: a minute on two CPU cores, or the reference on one GPU
seeds: int = None  # 1..64: masks drawn for every condition; None takes the profile's own
device: str = "auto"  # auto | cpu | cuda: where to run; auto takes the GPU when there is one
model: str = "storyteller"  # storyteller | HUB-NAME | FOLDER: the embedded model, or any causal LM by name or folder
relative: str = "none"  # none | HUB-NAME | FOLDER: a relative of the model, to use as a prior
pkl: str = "none"  # none | PATH: weights in the document's own file format, instead of the model's
anchor_pkl: str = "none"  # none | PATH: the guided mode's prior in that format, instead of the leaked copy
mode: str = "all"  # all | zero | random | guided: the document's flag; which fills the printed experiment shows
text: str = "embedded"  # embedded | tinyshakespeare | PATH: what a model other than the storyteller is scored on
prompt: str = ""  # text to continue; empty takes the beginning of a held-out text
texts: int = None  # 4..4096: pieces of held-out text that losses are measured on; None takes the profile's own
block: int = 128  # 16 | 32 | 64 | 128 | 256: largest block of the transform

# %% jupyter={"source_hidden": true} tags=["settings", "hide-input"]
given = {"seeds": seeds, "model": model, "relative": relative, "pkl": pkl, "anchor_pkl": anchor_pkl, "mode": mode}
given |= {"text": text, "prompt": prompt, "texts": texts, "block": block}
here = chapter.start("dtdr_guided", profile=profile, device=device, **given)
s = here.settings(
    seeds=Per(3, 48),
    texts=Per(24, 256),
    new=Per(24, 60),  # tokens written
    weights=Per((0.15, 0.6, 1.0), (0.05, 0.15, 0.3, 0.6, 1.0)),  # of a prior
    family=Per(False, model == "storyteller" and pkl == "none"),
)
config = dtdr.Guided(block=block, mode=mode, **vars(s))
log = here.log(dtdr.CHAPTERS[here.name])

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("beside", log.say_run())

# %% [markdown]
# {glue:text}`beside`
#
# ## The model and its relatives

# %%
found = lm.load(model, device=here.device)
if pkl != "none":
    priors.load_pkl(found.model, pkl)
tokens = storyteller.tokens(found, count=config.texts, length=config.length, seed=0, text=text)
begin = lm.held.prompt(found, prompt) if prompt else tokens[0, :12]
subject = dtdr.Subject(found, tokens, [row[:12] for row in tokens[:4]], cap=block, begin=begin)

# %%
leaked = priors.pkl_weights(found.model, anchor_pkl) if anchor_pkl != "none" else None
subject.priors["leaked"] = leaked or priors.leaked(subject.whole, cap=block)
subject.priors["neighbour"] = priors.neighbour(subject.whole)
if found.source == "embedded":
    subject.priors |= {name: priors.embedded(name) for name in ("earlier", "other")}
    heads = found.model.config.num_attention_heads
    subject.priors["aligned"] = alignment.aligned(subject.whole, subject.priors["other"], heads)
if relative != "none":
    kin = lm.load(relative, device=here.device)
    subject.priors["relative"] = priors.relative(subject.whole, kin)
# prior: cosine of its weights to the model's, ratio of norms
known = {name: priors.similarity(subject.whole, prior) for name, prior in subject.priors.items()}

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("anchor_cosine", f"{known['leaked'][0]:.4f}")
chapter.table(tables.similar(known), "What each prior knows: the cosine of its weights to the model's")

# %% [markdown]
# The table says what each prior knows before anything is rebuilt. The anchor has a cosine of {glue:text}`anchor_cosine`; at one, it is the answer.
#
# ## As printed
#
# Keep the leading rows of every matrix at 20, 40 and 60 %, fill the rest, and let the model continue a prompt greedily. Random numbers have the spread of the
# kept weights; guided rows are 0.15 times the anchor's. The document judges by reading. If it is right, only the guided rows' text comes back with what is kept.

# %%
dtdr.run_printed(subject, config.printed, log)
printed = log.at(part="printed")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
write_curve(tables.told(printed.this, config.modes), here.folder, "guided")
for name, damage in {name: damage for damage, name in config.modes.items()}.items():
    printed.say(f"printed_{name}", quantities.loss(damage, 0.6, "cosine_last"), ".2f")
tell(printed, "printed_back")
caption = "Greedy text by fill: which of the rows comes back with what is kept?"
draw.texts(printed, config.modes, found.tokenizer.decode(begin), caption, head="filled with")

# %% [markdown]
# Did it bring language back? At 60 % kept the cosine of the next token's logits to the whole model's is {glue:text}`printed_zero` with zeros, {glue:text}`printed_random` with random numbers and {glue:text}`printed_guided`
# with the prior. {glue:text}`printed_back` The curve is kept as `guided_curve.csv` and `guided_curve.png`.
#
# ## Made precise
#
# Again all fills lose the same hashed positions of the transformed coefficients, and the loss on held-out text is measured.
#
# Arithmetic has a prediction. Write $A$ for the stored coefficients, keep a random share $f$ of them and put $b\,P$ into the gaps, where the prior $P$ has cosine $\rho$ to $A$
# and equal length. What comes out has cosine
#
# $$\frac{f + b\rho(1-f)}{\sqrt{f + b^2(1-f)}}$$
#
# to the whole model. For $\rho = 1$ and $b = 0.15$ that is more than zero fill's $\sqrt f$ at every $f$; random numbers ($\rho = 0$, $b = 1$) give $f$, which is less. Nothing in it is a
# constraint that closes. If the document is right, losses should improve beyond what the cosine gives, and with compatible priors that are not the answer. Here is the formula on random numbers,
# with a prior that knows a third of the answer.

# %%
f, b, rho = 0.4, 0.6, 0.3
A, noise = torch.randn(2, 1_000_000, generator=torch.Generator().manual_seed(0))
P = rho * A + (1 - rho**2) ** 0.5 * noise  # a prior of cosine rho to A, and as long
kept = torch.rand(len(A), generator=torch.Generator().manual_seed(1)) < f
rebuilt = torch.where(kept, A, b * P)
achieved = float(torch.cosine_similarity(rebuilt, A, dim=0))
arithmetic = (f + b * rho * (1 - f)) / (f + b**2 * (1 - f)) ** 0.5
assert abs(achieved - arithmetic) < 0.005
assert abs(arithmetic - codec.cosine(f, "guided", weight=b, rho=rho)) < 1e-12
print(f"achieved {achieved:.3f}, predicted {arithmetic:.3f}")
print(f"zero fill reaches this cosine at f = {arithmetic**2:.2f}")

# %%
for trial in (config.zero, config.random, *config.fills(subject.priors)):
    dtdr.run(subject, trial, log)

# %% [markdown]
# One relation needs another model to be rebuilt: the storyteller after fine-tuning, whose prior is the storyteller *before*. That is what
# an instruction-tuned model and its base are to each other.

# %%
if found.source == "embedded":
    tuned = priors.with_weights(found, priors.embedded("tuned"), name=f"{found.name}-tuned")
    cut = {"length": config.length, "split": "held"}
    brisk = storyteller.grammar.corpus(config.texts, 0, style="brisk", **cut)
    child = dtdr.Subject(tuned, torch.from_numpy(brisk), cap=block)
    child.priors["before"] = subject.whole
    known["before"] = priors.similarity(child.whole, subject.whole)
    dtdr.run(child, config.tuned, log)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
if s.family:  # other seeds of the same training
    dtdr.run_family(subject, config.members, log)
every, own = log.at(part="priors"), log.at(part="priors", model=found.name)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
draw.say(every, "other_whole", "zero_20", "aligned_20", "aligned_40", "aligned_60")
draw.say(own, "neighbour_60", "low_rank_60", "row_mean_60", "gain_60")
tell(every, "renamed", "from_itself")
draw.say(every, "guided", "random", "recovered_20", "recovered_40", "recovered_60", "other_20", "other_40", "other_60")
worths = tables.worths(every.this if every.reference is None else every.reference, known, 0.4)
draw.show("priors", every.map(tables.against_zero), least=tables.LEAST, helpful=tables.helpful(worths))

# %% [markdown]
# Up to the next heading, committed numbers of zeros, of the anchor, of random numbers and of another seed are means over three trainings, the book's own and two of other seeds; all others are of the book's own alone, as is what this build found, in a number's card.
#
# At 40 % kept, the published anchor at $b = 0.15$ changes the loss by {glue:text}`guided`, random numbers by
# {glue:text}`random`; a negative number is help. Help is not language yet: of the loss between nothing and the whole model the anchor
# brings back {glue:text}`recovered_20` at 20 % kept, {glue:text}`recovered_40` at 40 % and {glue:text}`recovered_60` at 60 %; below zero is worse than no model.
#
# Another seed of the same training, a prior that is well formed and knows nothing, changes the loss by {glue:text}`other_20`, {glue:text}`other_40` and {glue:text}`other_60` at these shares. It may hold the
# same neurons under other numbers; with its neurons, heads and channels renamed to lie as near as renaming brings them, it changes the loss by {glue:text}`aligned_20`, {glue:text}`aligned_40` and {glue:text}`aligned_60`. {glue:text}`renamed`
# But the renaming was found by looking at the whole model: somebody who has only a part of it could not have made this prior.
# At full weight and 20 % kept, its loss is {glue:text}`other_whole` where zero fill's is {glue:text}`zero_20`. That is no reconstruction: four fifths of the weights then *are* the other model, and it speaks for itself.
#
# With 60 % kept and $b = 0.15$ the wrong layers change the loss by {glue:text}`neighbour_60`. Of what is made of the kept part alone, row means change it by {glue:text}`row_mean_60` and leading directions by
# {glue:text}`low_rank_60`; the kept coefficients enlarged by $1/f$, with nothing in the gaps, by {glue:text}`gain_60`, at the cosine of zero fill. {glue:text}`from_itself`
#
# The other priors sort themselves by what they know. The table puts the best weight that was tried beside the one that arithmetic would choose,
# $b^* = \langle A, P\rangle / \langle P, P\rangle$, which is $\rho$ over the ratio of norms. Where the two are near each other, a prior is worth what it knows. A worth whose ± reaches over
# zero is not told from none.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
chapter.table(worths, "At 40 % kept: what a prior knows, and its worth at its best weight, ± over n masks (95 %)")

# %% [markdown]
# ## Does arithmetic predict it?
#
# Every rebuilt model has a cosine to the whole one that can be computed beforehand from $f$, $b$ and $\rho$. If priors worked by closing
# constraints, the achieved weights would still lie on the line, for that is algebra; but the losses would not follow the cosine.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
points = own.map(lambda rows: quantities.predictions(rows, known))
zipped = points.this.assign(rho=points.this["prior"].map(lambda p: known.get(p, (0.0, 1.0))[0]))
near = zipped[zipped["prior"].isin([p for p, (_, ratio) in known.items() if abs(ratio - 1) < 0.05])]
playground.whisper(
    "Blue: the closed formula; the other line is zero fill. Points are rebuilt models of this run, of priors as long as the weights, where their "
    "weight and cosine come near the sliders'. The page computes it as you move.",
    near[["kept", "weight", "rho", "cosine"]].to_numpy(),
)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("away", f"{(points.this['cosine'] - points.this['predicted']).abs().max():.3f}")
draw.show("predicted", points, count=len(points.this))

# %% jupyter={"source_hidden": true} tags=["hide-input"]
draw.say(own, "worth_leaked", "worth_earlier", "worth_other", "worth_aligned")
draw.show("by_cosine", own, each=tables.worth_of_each(own.this))

# %% [markdown]
# The prediction of the cosine holds to {glue:text}`away`. But is the cosine all that counts? At $b = 0.15$ and equal cosine the published anchor differs from zero fill by
# {glue:text}`worth_leaked`, the model's own earlier checkpoint by {glue:text}`worth_earlier`, another seed of the same training by {glue:text}`worth_other`, and that one renamed by {glue:text}`worth_aligned`; a negative number is a lower loss.
# A faint copy of the answer should be worth what its cosine says, and no more.
# Where its number lies above zero it is worth less than that: more coefficients kept and nothing in the gaps does better at the same cosine. A checkpoint is a whole model that works by itself, and a patchwork of two models
# that agree on most things may work better than its distance from one of them tells. Where that number is below zero, it is the part of the document's idea that survives: *compatible* can mean more than
# *near*. Whether it takes a relative from the same training is what the other seed says, as it is and renamed.
#
# ## Stable nonsense
#
# Random numbers give text too. Is it *stable nonsense*? Repetition is the share of word 4-grams that occurred before in the same text, entropy that of the
# next-token distribution. Nonsense is what the whole model would not have written: the last column is the loss that it gives the texts, the mean over the masks of this build that wrote, and
# {glue:text}`own_text` its own. Loss and text need not agree: one is measured on stories that were written well, the other on what a damaged model says by itself.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
whole = subject.texts([tokens[0, :12]], s.new)
tell(every, "steadies", "steadies_other")
draw.say(
    every,
    "steadier_40",
    "steadier_other_40",
    "apart_40",
    "apart_60",
    "repeats_40",
    "repeats_60",
    "prompts_40",
    "prompts_60",
)
here.say("own_text", f"{lm.sense(found, tokens[0, :12], whole)[0]:.2f} nats to")
caption = "Loss and entropy in nats a token, repetition of greedy text, and the loss of that text to the whole model (its text)"
chapter.table(tables.nonsense(own.this), caption)

# %% [markdown]
# *Stable* should mean that it matters little which coefficients arrived. The entropy of the next token under one mask lies {glue:text}`apart_40` from the mean of the other masks at 40 % kept, and
# {glue:text}`apart_60` at 60 %; the claim is held to 0.25. Texts can be held to it too: the share of repeated 4-grams under one mask lies {glue:text}`repeats_40` and {glue:text}`repeats_60` from that of the other masks, and after
# one prompt {glue:text}`prompts_40` and {glue:text}`prompts_60` from that after the other prompts. The document says that a weak prior *stabilises*. At 40 % kept {glue:text}`steadies`: against zeros, the published one changes
# how far a mask's entropy lies from the others' by {glue:text}`steadier_40`, another seed by {glue:text}`steadier_other_40`; {glue:text}`steadies_other`.
#
# ## Could the tests have said otherwise?
#
# Each claim gets two answers that are known: the measured losses with the claimed effect planted into them, and with every trace of it taken out. Only means are
# moved, masks scatter as they did, but for the entropies, whose scatter is what is planted. The first must come out as supported, the second as refuted; otherwise the claim stays undecided.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
verdict = log.verdict()
verdict.probe_table()

# %% [markdown]
# ## Verdict

# %% jupyter={"source_hidden": true} tags=["hide-input"]
caption = "Each row is a test, the shaded part is where the claim wants it, the bar is the interval over masks"
losses, shares = ("d3_random", "d4_relative"), ("d4_recovered", "D9")
figures.show(verdict.forest("Fills against zero fill", "difference of losses (nats a token)", of=losses), f"{caption}.")
figures.show(verdict.forest("What came back", "share of the loss", of=shares), f"{caption}; D9's, over models.")
figures.show(
    verdict.forest("Stability over masks", "entropy, away from other masks (nats)", of=("d3_entropy",)), f"{caption}."
)
verdict.table()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
verdict.tell_all(sentences.VERDICTS, "weak_prior", "nonsense", "solvable")
draw.say(every, "training_least", "training_most")
here.box()

# %% [markdown]
# {glue:text}`weak_prior` {verdict}`D4` {glue:text}`nonsense` {verdict}`D3` {glue:text}`solvable` {verdict}`D9` At 40 % kept one training recovers {glue:text}`training_least` of the loss, and another {glue:text}`training_most`.
# These criteria were sharpened when a committed run was known; what the earlier ones say of the same records stands in the table.
#
# Where parts of D4 hold, read them with the tables above. How much of the answer a prior contains is its cosine. What it is worth beyond that, at equal cosine, is
# {glue:text}`worth_earlier` for the model after a quarter of its training, and {glue:text}`worth_other` for another seed, which shares the recipe and nothing else. Only a number
# clearly below zero says that *compatible* means more than *near*.
#
# ## Open questions
#
# Neurons were aligned by weights, one layer after the other; alignment by activations may find more. D9 lacks trainings: a fourth that scatters as the three do would decide it, against the claim. And the storyteller is small: how much of a 7B model an instruction-tuned relative shares is a number to be measured, by the parameter `relative`.
#
# ## Exercises
#
# :::{exercise} The cosine of a whisper
# :run: ruc run dtdr_guided -p mode guided
# :minutes: 2
# :check: d4_guided_minus_zero_0.2 below 0
# Predict the cosine of the weights at 20 %, guided, with the formula. Then run it and read the text. Is the loss lower than with zeros, and is anything said?
#
# +++
# With $f = 0.2$, $b = 0.15$ and $\rho = 1$ it is 0.69. The figure *Does arithmetic predict the rebuilt weights?* shows it: point at the marks of the same model, a millionth of it wrong.
# One has a predicted cosine of 0.69, and its achieved one beside it. There the lost positions are hashed; the published rows are kept whole or not at all, and come near it.
# :::
#
# :::{exercise} Its own best relative
# :run: ruc run dtdr_guided -p relative storyteller
# :minutes: 2
# :check: d4_guided_minus_zero_0.6 below 0
# A model is its own best relative. What will $b^*$ be for it, and what will it be worth? And what would a prior with $\rho = 0.3$ be worth at $b = 0.6$ and 40 % kept: at which
# share does zero fill reach the same cosine?
#
# +++
# The table of what a prior is worth has a row for it. The second answer is read off where the formula stands in code.
# :::
#
# ```{footbibliography}
# ```
