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
# # Emergence from part of a model
#
# **Throw away four fifths of the numbers that make up a language model, and it babbles. Is that because information is missing, or
# because the way it was stored has to be nearly complete before it means anything at all?**
#
# The document *DTDR* says the second {footcite:p}`unrealjon2026dtdr`. It stores a model as transformed coefficients, rebuilds it from a growing share of them, and
# sees language appear late and suddenly. Ordinary weights, it says, degrade and still function; a transformed store does not function until *constraints close*,
# that is, until enough coefficients are known that only one model fits them. *Silent* here means: no coherent text. If the document is right, there is a share below which the transformed store is silent and above which it speaks, and raw weights have no such place.
#
# Three dull things would look the same. Any model that loses that much may fall silent, transformed or not. The loss may not be spread
# out: if whole rows of the matrices go first, so do whole words of the vocabulary. And a text of greedy choices may jump where the model itself changes smoothly.
#
# *What it shows:* two claims are judged, D1 and D2; ten minutes to read, one to run. [The next chapter](dtdr_damage.ipynb) sets missing against wrong
# coefficients, [the one after](dtdr_models.ipynb) asks why models differ, and judges whether the transform makes anything worse (D5).

# %% jupyter={"source_hidden": true} tags=["hide-input"]
import torch

from helpers import chapter, codec, dtdr, figures, lm, storyteller
from helpers.chapter import Per
from helpers.dtdr import figures as draw
from helpers.dtdr import playground, sentences, tables
from helpers.dtdr.run import run_kin, write_curve
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
here = chapter.start("dtdr_emergence", profile=profile, device=device, **given)
s = here.settings(
    seeds=Per(3, 48),
    texts=Per(16, 256),
    new=Per(24, 60),  # tokens written
    writes=Per(1, 8),  # masks that write
    grid=Per((0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0), dtdr.Emergence.grid),  # shares kept
    fine=Per((0.0, 0.1, 0.2, 0.4, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0), dtdr.Emergence.fine),
    family=Per(False, model == "storyteller"),  # whether another training is taken apart as well
)
config = dtdr.Emergence(block=block, **vars(s))
log = here.log(dtdr.CHAPTERS[here.name])

# %% [markdown]
# ## The model
#
# The published runs take Mistral-7B. This page takes the *storyteller* unless it is told otherwise: a small language model of a made-up
# world, whose exact entropy is known (see [the appendix](storyteller.ipynb)). Every step works for any causal language
# model on the Hugging Face hub or on disk, by the parameter `model`.

# %%
found = lm.load(model, device=here.device)
tokens = storyteller.tokens(found, count=config.texts, length=config.length, seed=0, text=text)
begin = lm.held.prompt(found, prompt) if prompt else tokens[0, :12]
subject = dtdr.Subject(found, tokens, [row[:12] for row in tokens[:4]], cap=block, begin=begin)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
store = subject.stored()
here.say("compared", log.say_run())
here.say("parameters", f"{subject.facts['parameters']:,}")
here.say("losses", f"{subject.intact['nll']:.3f} nats a token; with every coefficient gone it is {subject.nothing:.3f}")
here.say("store_share", f"{store['bytes'] / store['weights']:.1%}")
here.say("int8_snr", f"{store['snr']:.1f}")

# %% [markdown]
# It has {glue:text}`parameters` parameters. On held-out text its loss is {glue:text}`losses`. Stored as INT8 codes with one half-precision scale per block, its matrices take {glue:text}`store_share` of their 32-bit size at a
# signal-to-noise ratio of {glue:text}`int8_snr` dB. What is not a matrix, the weights of its norms say, stays whole throughout. {glue:text}`compared`
#
# Here is what happens to one matrix. Signs are flipped at random, each run of $B$ entries of a row is turned by a Hadamard matrix $H$, the
# coefficients are rounded to 8 bits with one scale a run, a share $f$ of them is kept ($m_{ij} = 1$ where a hash of the place is below $f$), and all of it is undone:
#
# $$\hat W = \big(m \odot q(W S H)\big)\, H\, S.$$

# %%
name, W = list(subject.whole.items())[-1]  # one matrix, (out, in)
coded = codec.encode(W.float(), codec.Codec(cap=block), name)
B, f, H = coded.block, 0.6, torch.ones(1, 1, device=W.device)
while len(H) < B:
    H = torch.cat([torch.cat([H, H], 1), torch.cat([H, -H], 1)]) / 2**0.5  # H @ H is the identity
flips = coded.codec.flips(name, W.shape[1], W.device)  # (in,) of ±1
A = (W.float() * flips).view(-1, B) @ H  # coefficients, a run of B in each row
scale = coded.scales.float().view(-1, 1)
kept = codec.orders.keep(coded, f)(0, len(W)).view(-1, B)  # the hashed positions that have arrived
rebuilt = ((A / scale).round() * scale * kept @ H).view_as(W) * flips
assert torch.dist(rebuilt, codec.decode(coded, f)) < 1e-3 * W.float().norm()

# %% [markdown]
# The last line holds it against the function that the rest of the page uses. Try it by hand. Which of the nine combinations below leaves a
# picture that one can still read at half of the numbers, and which cosine does it have?

# %% jupyter={"source_hidden": true} tags=["hide-input"]
playground.matrix(
    "Left, a matrix of 16 × 16; right, what is rebuilt of it. Rotated: signs flipped and each row turned by a Hadamard matrix. Shuffled: stored in "
    "another order, and not turned. The page computes it as you move."
)

# %% [markdown]
# Only *raw* or *rotated*, with whole rows or a burst lost, leaves parts of the picture intact; the cosine is near the square root of one half in all nine.
#
# ## As printed
#
# Keep the first rows of every matrix, put zeros into the rest, and ask for the next token after one prompt. Two numbers say how much is left:
# the cosine between the logits and those of the whole model, and the share of the ten likeliest tokens that both have. The
# published scripts [^transform] cut the rows of *untransformed* weights: they hold no transform. It would not matter: a transform turns entries within
# a row, so losing whole rows loses the same with it or without. The two curves must be one. {glue:text}`one_curve` No experiment on rows can test the transform.
# If the claim holds, both numbers stay low for long and then rise at once.
#
# [^transform]: `progressive_emergence_demo.py` and its second version, in folder
# [06_emergence_from_distribution](https://github.com/UnrealJon/DTDR/tree/main/experiments/06_emergence_from_distribution), decode
# each block from 8-bit codes and stack the blocks; neither a Hadamard nor a cosine transform is applied or undone.

# %%
dtdr.run_printed(subject, config.printed, log)
printed = log.at(part="printed")
draw.say(printed, "printed_cosine", "printed_top10")
here.say("printed_falls", printed.mean(*tables.NUMBERS["printed_falls"][:2]))
tell(printed, "falls", "one_curve")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
write_curve(tables.told(printed.this, draw.PRINTED), here.folder, "emergence")
draw.show("printed", printed)

# %% [markdown]
# At 80 % of the rows the cosine is {glue:text}`printed_cosine` and the overlap {glue:text}`printed_top10`. On its way up the published curve falls {glue:text}`printed_falls` times by more than a
# hundredth. {glue:text}`falls` The run keeps the curve as `emergence_curve.csv` and `emergence_curve.png`.
# What does a model with a part of itself say? Move the slider.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
caption = "The same prompt, continued greedily at every share kept. At which of them does each row tell a story?"
draw.texts(printed, draw.PRINTED, found.tokenizer.decode(begin), caption)

# %% [markdown]
# ## A fair comparison
#
# A fair comparison loses the same share in the same places. Each coefficient gets a number between 0 and 1 from a hash of its position;
# a model at share $f$ keeps those below $f$. So a larger share contains the smaller one, and raw and transformed weights (the two *domains*) lose the same positions.
#
# What should we expect? The transform is a rotation. Losing a random share $1 - f$ of the coefficients takes that share of the squared length, in any
# rotation: the weights that remain have cosine $\sqrt f$ to the whole ones, raw or transformed. If the document is right, the two
# curves part all the same. If it is not, they lie on each other, and on that of *even noise*, plain Gaussian noise that leaves the same cosine. What do you expect of the
# transformed store? Set the two sliders before you look.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
draw.guess(
    log.alone(part="arms"),
    "Grey, your guess. The button shows the committed runs: blue the transformed store, gold raw weights; means over masks and trainings.",
)

# %%
dtdr.run(subject, config.claimed, log)  # raw and transformed, the same positions lost
dtdr.run(subject, config.others, log)  # noise of the same cosine; rows, of three kinds
if s.family:
    run_kin(subject, config.kin, log)
arms = log.at(part="arms")
draw.say(arms, "gap_60", "gap_80", "rows_gap", "vocabulary_gap", "shuffled_gap", "loss_40", "loss_40_raw", "loss_none")
tell(arms, "trainings", "ahead_60", "worse_than_none", "mended")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
draw.show("loss", arms)

# %% [markdown]
# {glue:text}`trainings` What this build found, of the one model above, stands in a number's card.
#
# Transformed minus raw is {glue:text}`gap_60` at 60 % kept and {glue:text}`gap_80` at 80 %. {glue:text}`ahead_60` *Functional* against *non-functional* would be a difference of nats, as between the top and the bottom of the
# figure; whether there is one is judged over eighteen models, as {verdict}`D5`. With 40 % kept the loss is {glue:text}`loss_40` transformed and {glue:text}`loss_40_raw` raw, and with nothing at all it is
# {glue:text}`loss_none`. {glue:text}`worse_than_none`
#
# Leading rows cost {glue:text}`rows_gap` more than random loss at 80 %. Row $r$ of the embedding is the word number $r$; with a fifth of the
# rows gone, a fifth of all words can be neither read nor said. With embedding and output head kept whole, the difference is
# {glue:text}`vocabulary_gap`. Leading rows of *shuffled* weights, with no transform, cost {glue:text}`shuffled_gap` more than
# random loss. {glue:text}`mended`

# %% jupyter={"source_hidden": true} tags=["hide-input"]
caption = (
    "What each damaged model writes at every share kept. Compare the rows with the arms whose loss is spread out: "
    "which of them tell a story at 80 and 90 %?"
)
draw.texts(arms, draw.STORIES, found.tokenizer.decode(tokens[0, :12]), caption)

# %% [markdown]
# ## Is there a threshold?
#
# A sharp threshold would be a short way from little to nearly everything. *Recovered share* is the part of the loss, between nothing and the whole
# model, that has come back; the claim is held to a width of 0.1 between a tenth and nine tenths. A smooth curve can hide a sudden change in what
# a reader sees, so the agreement of the likeliest token is drawn as well.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
draw.say(arms, "width", "kl_few", "kl_few_raw")
draw.show("agreement", arms)

# %% [markdown]
# The way from a tenth to nine tenths is {glue:text}`width` wide.
#
# The document judged by reading. So let something read: the whole model. It gives every text of the damaged ones a loss. Word salad is unlikely to it, a
# story is likely. If there is a threshold in the *model*, losses and texts both jump, and only in the transformed store.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
draw.say(arms, "readable_transformed", "readable_raw", "text_width", "text_width_raw")
tell(arms, "texts_jump", "texts_jump_raw", "readable_later", "one_mask")
draw.show("sense", arms)

# %% [markdown]
# From salad to language, between a tenth and nine tenths of that way: {glue:text}`texts_jump`, over {glue:text}`text_width` of the axis. {glue:text}`texts_jump_raw`, over
# {glue:text}`text_width_raw`. {glue:text}`readable_later`: they come within half a nat a token of the whole model's own from {glue:text}`readable_transformed` kept, those of
# raw weights from {glue:text}`readable_raw`. {glue:text}`one_mask` Salad scatters, and scatter alone widens that way: even texts that turned in one step would rarely be read as
# narrower than a tenth of the axis, so texts can speak against a threshold here, hardly for one. The losses carry the verdict.
#
# ## Verdict

# %% jupyter={"source_hidden": true} tags=["hide-input"]
verdict = log.verdict()
caption = "Each row is a test, the shaded part is where the claim wants it, the bar is its interval over masks."
figures.show(verdict.forest("How sharply does it come back?", "share kept", of=("D2",)), caption)
verdict.table()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
verdict.tell_all(sentences.VERDICTS, "silence", "threshold")
tell(arms, "babbles_raw", "fifth_is_worse")
here.box()

# %% [markdown]
# Is information missing, or does the store have to be nearly complete? {glue:text}`silence` {verdict}`D1` {glue:text}`babbles_raw` With a fifth kept or less the next token is at least
# {glue:text}`kl_few` from the whole model's (KL) in the transformed store, and {glue:text}`kl_few_raw` in raw weights. {glue:text}`fifth_is_worse` {glue:text}`threshold` {verdict}`D2` The criteria were sharpened when a committed run was
# known; what the earlier ones say of the same records stands in the table.
#
# Could the tests have said otherwise? Each claim gets two answers that are known: the measured rows with the claimed effect planted into them, and with every
# trace of it taken out. The first must come out as supported, the second as refuted; otherwise the claim stays undecided.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
verdict.probe_table()

# %% [markdown]
# ## Open questions
#
# The storyteller is a small model of a small world, and its thresholds are its own. [A later chapter](dtdr_models.ipynb) tries deeper ones; no model above 92 M was run, and what 7 B parameters need is open. What carries over is
# arithmetic: a rotation cannot change how much of a vector is left. What does not carry over without a test is how a model answers to an error of a given
# size and shape.
#
# ## Exercises
#
# :::{exercise} A small block
# :run: ruc run dtdr_emergence -p block 16
# :minutes: 2
# :check: d2_width above 0.1
# Predict the figure of losses for a block of 16 in place of 128. What would have to be true of the weights for the block to matter?
#
# +++
# The block would matter if large and small weights lay apart from each other, so that a wide block could mix them and a narrow one could not. Hold
# transformed minus raw at 60 and 80 % against the two numbers under this page's figure of losses.
# :::
#
# :::{exercise} Two masks
# :run: ruc run dtdr_emergence -p block 16 -p seeds 2
# :minutes: 2
# :check: d1_kl above 1
# Two masks are a small sample. What will the verdicts be, and what will stand in the column *why*?
#
# +++
# Every precise criterion fixes how many masks it counts. With fewer its row says *too few*, however clear the means look that stand beside, and
# however narrow the interval is that the check prints. An earlier criterion fixed none: three units were enough for it.
# :::
#
# ```{footbibliography}
# ```
