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
# # Self-repair
#
# **Switch off the part of a language model that gives the answer, and often the answer stays. Who stepped in, and did they have to shout?**
#
# Seed document 003 says that they shout: when heads that carry an answer are lost, the layers after them write with a larger amplitude, and what others call self-repair
# {footcite:p}`mcgrath2023hydra` is that. Its example is GPT-2 small on sentences like *When Mary and John went to the store, John gave a drink to*, where three *name mover* heads
# write most of "Mary" {footcite:p}`wang2023interpretability`. If the document is right, then without these heads the stream behind them should be longer than before, and it should be this length that brings the
# answer back.
#
# Something else would look the same in the answer alone. Before a model speaks, its final norm divides the stream by its own length. Take a head away and the stream gets *shorter*; the division makes everything that is left louder.
# That is repair by a loss of amplitude, the opposite of the claim, and no part of the model has to do anything for it {footcite:p}`rushing2024self`. So the length has to be measured, and the repair has to be traced to those who do it.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
from dataclasses import replace

from helpers import chapter, figures
from helpers.chapter import Per
from helpers.separability import repair
from helpers.separability.repair import figures as draw
from helpers.separability.repair import quantities, sentences, tables

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: a minute on two CPU cores, or the reference on one GPU
seeds: int = None  # 2..32: toy models trained, or draws of names for another model; None takes the profile's own
device: str = "auto"  # auto | cpu | cuda: where to run; auto takes the GPU when there is one
model: str = "toy"  # toy | storyteller | HUB-NAME | FOLDER: trained here, embedded, or one with GPT-2's or Llama's blocks, such as gpt2
n_examples: int = None  # 1..20000: prompts at least, of all templates and orders alike; None takes the profile's own
steps: int = None  # 50..20000: gradient steps of the toy; None takes the profile's own
condition: str = "all"  # all | baseline | critical | random: the document's flag; what the printed experiment ablates
seed: int = 42  # 0..1000000: the document's; it draws the names of the printed experiment
heads: str = "found"  # the heads to ablate, as in 9.9,9.6,10.0, counted from 0; found searches for them

# %% jupyter={"source_hidden": true} tags=["settings", "hide-input"]
given = {"seeds": seeds, "model": model, "n_examples": n_examples, "steps": steps, "condition": condition, "seed": seed}
here = chapter.start("separability_repair", profile=profile, device=device, heads=heads, **given)
s = here.settings(
    seeds=Per(2, 10),
    steps=Per(350, 1500),
    batch=Per(96, 256),
    n_examples=Per(192, 960),
    beside=Per(48, 960),
    triples=Per(20, 100),
)
symbols = repair.Symbols(seeds=s.seeds, steps=s.steps, batch=s.batch)
config = repair.Repair(
    model=model,
    n_examples=s.n_examples,
    seeds=s.seeds,
    heads=repair.parse_heads(heads),
    condition=condition,
    seed=seed,
    symbols=symbols,
)
other = replace(config, model="storyteller", n_examples=s.beside, seeds=1, triples=s.triples, heads=(), beside=True)
log = here.log(repair.CHAPTERS[here.name])

# %% [markdown]
# ## Which models
#
# The claim is about GPT-2 small. Its weights have to be downloaded, so a page that anyone can build asks smaller models, and says which. The *toy* is a transformer of three blocks that is trained
# here on the bare task: nine symbols, two of sixty names among them, one of the two again, and the other has to follow. It is trained twice from each seed: plainly, and with heads left out at random, so that it has a reason to keep
# spares. The *storyteller* is this book's small language model, whose stories contain such sentences. With `-p model gpt2` the same page is about GPT-2.

# %%
repair.run_repair(config, log)
if model == "toy":
    repair.run_repair(other, log)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
sides = log.at()
here.say("compared", log.say_run())
chapter.table(
    tables.ran(sides.this),
    "What ran: blocks and heads count from 0, the logit difference is right name minus wrong name",
)

# %% [markdown]
# Prompts come in twenty-four templates and in both orders of the names. Heads are found on half of the templates, by how much each writes in the direction of the right name less the wrong
# one, and judged on the other half. A name that a tokenizer splits is left out, and counted. {glue:text}`compared`
#
# ## The answer
#
# The stream $r$ at the last position is a sum of what the embedding, each head and each MLP wrote. With $u$ the direction of right minus wrong name and $s$ what the final norm divides by, the logit difference is
# $\langle r, u\rangle / s + c$, and its change under ablation is exactly
#
# $$\Delta = \underbrace{\tfrac{1}{s}\langle \Delta r_{\text{ablated}}, u\rangle}_{\text{direct}} + \underbrace{\tfrac{1}{s}\langle \Delta r_{\text{other heads}}, u\rangle}_{\text{heads}} + \underbrace{\tfrac{1}{s}\langle \Delta r_{\text{MLPs}}, u\rangle}_{\text{MLPs}} + \underbrace{\langle r', u\rangle\left(\tfrac{1}{s'} - \tfrac{1}{s}\right)}_{\text{final norm}}.$$
#
# What the last three give back of the first is the repair. If later layers compensate, the bars *other heads* or *MLPs* rise above zero. If only the division helps, *final norm* rises. If nothing is repaired, *in all* is
# as deep as *direct*, or deeper.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
mean = lambda q, spec=".0%": sides.mean(q, spec)
plain = sides.where(judged=True)
back = lambda part: plain.mean(quantities.given_back(part), ".0%")
plain.say_all(sentences.OF_JUDGED)
plain.tell_all(sentences.TOLD, "who", "beyond")

# %%
figures.show(
    draw.account(sides),
    f"The account of the three heads, means over templates with 95 % intervals. In the judged model ({config.model}) zero ablation takes "
    f"{plain.mean(quantities.lost, '.0%')} of the logit difference where the direct path alone would take {plain.mean(quantities.taken, '.0%')}. Of what is taken directly the final norm "
    f"gives back {back('norm')}, other heads {back('heads')} and MLPs {back('mlps')} (a negative share is taken on top).",
)  # fmt: skip

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("gap", plain.mean(quantities.gap, ".1g") + " logits")
chapter.table(
    tables.returned(sides.this),
    "The same in numbers: lost and direct as shares of the logit difference, repaired and by whom as shares of the direct effect",
)

# %% [markdown]
# The two sides of the equation differ by at most {glue:text}`gap` in any template. Of the direct effect the final norm gives back {glue:text}`by_norm`, other heads {glue:text}`by_heads`, MLPs {glue:text}`by_mlps`.
# Three ablations are shown because they ask different questions: *zero* removes a head, *mean* puts its average over prompts with three unrelated names in its place, *resample* what it says on one such prompt. The last leaves the
# stream about as long as it was, so that less is left for the norm to give back.
#
# ## As printed
#
# The document ablates heads 9.9, 9.6 and 10.0 of GPT-2 small, and head 2.3 as a control; it expects a change of −3.5 and a *compensation*, the ratio of norms in "layers 10–12", above 1.3, and for the control −0.1 and 1.0. Blocks
# count from 0 here, so that these layers are blocks 9, 10 and 11; in a model of another depth they are the last quarter, and where a model has not those heads the three that were found stand for them.
# The published code takes norms over all positions. The first one has nothing before it to attend to, and in GPT-2 its norm is so large that it hides the others.

# %%
chapter.table(tables.printed(sides.this), "The printed experiment: means over templates")

# %% [markdown]
# If amplitude compensates, the cells of the late blocks are red, above one. If the stream only lost what the heads wrote, they are blue.

# %%
late = plain.mean(quantities.ratio, ".2f")
figures.show(
    draw.compensation_heatmap(sides),
    f"The stream's norm after each block with the three heads zeroed, over the norm without, first at the last position, where the answer is read. In the late "
    f"blocks of the judged model the ratio is {late}; the document expects 1.3.",
)  # fmt: skip

# %% jupyter={"source_hidden": true} tags=["hide-input"]
tale = sides.where(model="storyteller")
tale.say_all(sentences.OF_TALE)
tale.tell_all(sentences.TALE)
here.say("planted_ratio", plain.mean(quantities.planted_ratio, ".2f"))
sides.say_all(sentences.OF_ALL)
sides.tell_all(sentences.TOLD, "spare", "differ")

# %% [markdown]
# In the late blocks the ratio is {glue:text}`late_ratio`. Could the instrument have seen a rise? A stream that is made twice as long before the late blocks, with no head ablated, is read there as {glue:text}`planted_ratio`:
# less than two, since these blocks go on writing what they wrote.
#
# Amplitude and repair can also part the other way. In the storyteller the late stream's norm is {glue:text}`tale_ratio` times what it was, and the repaired share of the direct effect is {glue:text}`tale_repaired`. If amplitude were what repairs,
# a ratio above one would come with a share above zero, and a ratio below one with none.
#
# ## Made precise
#
# Is this about three heads, or about any? Each head is taken out alone. On the dotted line a head costs what its direct path says. Above it something was repaired; far below it, with no direct effect, lie heads that work through others: they
# tell the name movers where to look.

# %%
figures.show(
    draw.census(sides),
    f"Every head of every model taken out alone, by zero ablation. Over all heads that write for the right name in the judged model, "
    f"{plain.mean(quantities.census_repair, '.0%')} of the direct effect is given back.",
)  # fmt: skip

# %% [markdown]
# The document's control is a single head in an early block, which proves little: it is neither where the name movers are, nor as loud. A fair control is a random triple in the same blocks with about the same output norm. If random
# heads do nothing, all points lie in the box.

# %%
figures.show(
    draw.triples(sides),
    f"Random triples of heads, matched in block and output norm, and as stars the heads that were found. Of the judged model's triples {plain.mean(quantities.within_norm, '.0%')} leave the norm within ±5 % and "
    f"{plain.mean(quantities.within_logit, '.0%')} the logit difference.",
)  # fmt: skip

# %% [markdown]
# Over all its templates the judged model loses {glue:text}`cost_found` of its logit difference without the heads that were found, and {glue:text}`cost_random` without matched random ones: a difference of
# {glue:text}`cost_beyond`. {glue:text}`beyond`
#
# Does a reason to keep spares make repair? The toys that were trained with heads left out answer it: their repaired share less that of the plain ones from the same seeds is {glue:text}`spared`. {glue:text}`spare` Other heads
# give back {glue:text}`spare_heads` of the direct effect there, where in the plain ones they give {glue:text}`by_heads`.
#
# ## Verdict

# %%
judged = log.verdict()
figures.show(
    judged.forest("What do the tests say?", "as each row names it", ("S6", "S7", "S8")),
    "Precise tests with 95 % intervals over models. Green lies inside the shaded region, red wholly outside, yellow straddles its border.",
)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
judged.tell_all(sentences.VERDICTS)
judged.table()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("told_apart", judged.passed)
display(
    judged.probe_table(),
    chapter.table(tables.verdicts(log, sides.this), "The precise criteria asked of each model that ran, alone"),
)
here.box()

# %% [markdown]
# **Who stepped in?** By the direct path the three heads take {glue:text}`direct_share` of the logit difference, and {glue:text}`lost_share` is lost in the end. Of what they take {glue:text}`repaired_share` comes back: the final norm's
# division gives {glue:text}`by_norm` of it, other heads give {glue:text}`by_heads` and MLPs {glue:text}`by_mlps` (below zero they take). The late stream is {glue:text}`late_ratio` times as long as it was. {glue:text}`who`
#
# {glue:text}`costs` Found heads cost {glue:text}`cost_found`, matched random ones {glue:text}`cost_random`. {glue:text}`shouts` {glue:text}`bystanders` The two known answers were told apart for {glue:text}`told_apart` claims.
#
# The unit is a model that was trained from its own seed, so the second table gives a verdict on the toys alone; of every other model there is one. In the storyteller three heads take {glue:text}`tale_lost` of the logit difference,
# {glue:text}`tale_direct` by the direct path; the repaired share is {glue:text}`tale_repaired`, and the late stream is {glue:text}`tale_ratio` times as long. {glue:text}`tale_says` {glue:text}`differ`
#
# **Limits.** A toy with three blocks has no head that does nothing, and three heads are a large part of it; nothing here is a statement about GPT-2. Heads are found by their direct
# path only. The logit difference is one direction: a model may repair another.
#
# ## Exercises
#
# :::{exercise} One head
# :run: ruc run separability_repair -p heads 2.0
# :minutes: 2
# :check: s6_relative_zero below 0.05
# Ablate one head of the last block in place of the three: nothing but the norm comes after its attention and one MLP. Predict *other heads* in the first figure.
#
# +++
# That bar is exactly zero: no head reads what the last block's heads write.
# :::
#
# :::{exercise} Half the training
# :run: ruc run separability_repair -p steps 175
# :minutes: 2
# :check: s6_baseline above 1
# Does the toy repair before it has learned the task well?
#
# +++
# The check looks at the logit difference with nothing ablated: has the task been learned at all? Of the direct effect {glue:text}`repaired_share` comes back on this page; for the new run *repaired* stands in the table beneath the first figure. If you have GPT-2 small on disk, or the storyteller, `-p model FOLDER` (or `storyteller`) asks it of them; GPT-2 takes a GPU or half an hour.
# :::
#
# ## References
#
# ```{footbibliography}
# ```
