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
# # Encoding limits
#
# **How few numbers per word can a language model live on, and does a genome need fewer?**
#
# [The chapter before](learned_encoding.ipynb) plants the answer: where a task has rank six, six numbers should do. Nobody knows the rank of English. Seed document 004 names compressions of 5:1, 20:1 and 50:1, real
# language and genomes as future work {footcite:p}`bee2025learned`, and promises a tenth of the memory. Here is
# that future work, small: a transformer reads a real text, another reads DNA, and the code is squeezed step by step.
#
# If the claim carries over, what is kept stays near one down to a few numbers per token. A dull
# alternative looks the same: a model that has not learned much has little to lose. So everything is a
# share of what the full-width model gains over plain token frequencies, and that gain has to be there. *What it shows:* five claims are judged, E8, E8b, E10, E10b and E11; ten minutes to read, one to run.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
from dataclasses import replace

from helpers import chapter, data, encoding, figures
from helpers.chapter import Per
from helpers.encoding import corpora as reading
from helpers.encoding import figures as draw
from helpers.encoding import quantities, sentences, tables, trials, widths
from helpers.encoding.run import run_widths

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: a minute on two CPU cores, or the reference on one GPU
seeds: int = None  # 2..64: repetitions; a seed draws the start and which parts of the data are held out; None takes the profile's own
device: str = "auto"  # auto | cpu | cuda: where to train; auto takes the GPU when there is one
text: str = "embedded"  # embedded | tinyshakespeare | PATH: Python's own documentation, a download, or any UTF-8 file, plain or gzip
fasta: str = "embedded"  # embedded | ecoli | PATH: a synthetic chain, a download, or any FASTA file, plain or gzip
code: str = "embedded"  # embedded | PATH: source of Python's standard library, or any UTF-8 file, plain or gzip
protein: str = "genome"  # genome | PATH: what the genome's open frames spell, or a FASTA file, plain or gzip
vocab: int = None  # 64..65536: byte-pair tokens of the text; None takes the profile's own
k: int = None  # 1..8: bases in one token of the genome; None takes the profile's own
steps: int = None  # 20..100000: gradient steps of every model; None takes the profile's own

# %% jupyter={"source_hidden": true} tags=["settings", "hide-input"]
given = {"seeds": seeds, "text": text, "fasta": fasta, "code": code, "protein": protein}
given |= {"vocab": vocab, "k": k, "steps": steps}
here = chapter.start("encoding_limits", profile=profile, device=device, **given)
s = here.settings(
    seeds=Per(3, 10),
    steps=Per(300, 1000),
    chain_steps=Per(steps or 300, steps or 2000),
    vocab=Per(256, 2048),
    k=Per(3, 4),
    stream=Per(32, 128),
    heads=Per(2, 4),
    length=Per(32, 64),
    batch=Per(16, 64),
    held=Per(64, 128),
    rates=Per((0.006,), (0.001, 0.003, 0.01)),
    arms=Per(encoding.Limits.arms, (*encoding.Limits.arms, "again")),
    others=Per((2, 10), encoding.Limits.ratios),  # compressions of code and protein
    own=Per(widths.QUICK, widths.FULL),
)
cut = {"length": s.length, "held": s.held}
size = cut | {"stream": s.stream, "heads": s.heads, "batch": s.batch}
limits = encoding.Limits(arms=s.arms, seeds=s.seeds, rates=s.rates, steps=s.steps, **size)
smaller = reading.trials(limits, s.others)  # by their names below: start, longer, letters, others
own_width = widths.Widths(seeds=s.seeds, steps=s.chain_steps, **s.own)
encoding.check_vocabulary(text, s.vocab)
log = here.log(encoding.CHAPTERS[here.name])

# %% [markdown]
# ## What the models read
#
# The text is cut into byte-pair tokens learned from it {footcite:p}`sennrich2016`, the genome into words of a few bases that do not
# overlap. Each seed tests on two of twenty contiguous blocks and stops training by two others, so that no test window stands next to its training text by accident of shuffling. The claims are about these two; code and protein come later.

# %%
words, genome = data.load_text(text), data.load_genome(fasta)
corpora = {
    "text": encoding.Corpus(words.name, words.tokens(s.vocab)[0], s.vocab, **cut),
    "genome": encoding.Corpus(genome.name, genome.kmers(s.k), 4**s.k, **cut),
}
more = reading.others(code, protein, s.vocab, genome, **cut)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("gc", f"{genome.gc:.1%}")
chapter.table(tables.known(corpora | more, s.seeds), "Test loss of two untrained models (nats a token)")

# %% [markdown]
# The share of G and C among the genome's bases is {glue:text}`gc`. The difference of the last two columns says how much a token tells about the next one: where it is small, a code has little to lose.

# %% [markdown]
# ## Squeezing the code
#
# The model is a small causal transformer. Its table holds $d$ numbers per token, and a trained matrix projects them up to the stream
# of width $D$, as in ALBERT {footcite:p}`lan2020albert`; the compression is $D/d$. Codes come in whole numbers: claims are named by what was asked, figures show what it truly is.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
chapter.table(tables.ratios(limits), "What was asked for, and what whole numbers give")

# %% [markdown]
# The $d$ numbers are learned with the task, or come from one of three frozen codes: the published autoencoder of random vectors; the fair two-stage code, compressed from a full-width
# model of this very text; a random code. Full width is at one, token frequencies at zero. If ten to one is free, the learned code's curve is still at one at ten.

# %%
encoding.run_limits(limits, corpora, log)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("compared", log.say_run())
sides = sentences.section(log, "limits", "limits")

# %%
mean = lambda name: sides.mean(quantities.named(name), ".0%")
figures.show(
    draw.kept_by_ratio(sides, {kind: corpus.name for kind, corpus in corpora.items()}),
    f"Asked for 10 : 1, which is {limits.true(10):.3g} : 1 here, the learned code keeps "
    f"{mean('e8_text_10')} of the full width's gain on the text and {mean('e8_genome_10')} "
    f"on the genome; the published autoencoder's keeps {mean('e8_text_10_seed_ae')} and "
    f"{mean('e8_genome_10_seed_ae')}." + sides.dashed,
)  # fmt: skip

# %% [markdown]
# On the text the learned code keeps {glue:text}`e8_text_2` of the gain when 2:1 is asked for, {glue:text}`e8_text_10` at 10:1 and
# {glue:text}`e8_text_50` at 50:1; on the genome {glue:text}`e8_genome_2`, {glue:text}`e8_genome_10` and {glue:text}`e8_genome_50`. {glue:text}`compared`
#
# A frozen random code keeps {glue:text}`e8_text_10_random` of the text's gain at 10:1; the published autoencoder, whose stage one is paid out of the
# same budget, {glue:text}`e8_text_10_seed_ae`, and the fair two-stage code {glue:text}`e8_text_10_trained_pca`. {glue:text}`identity`
#
# The committed runs differ in what is read, some in size. A ratio that is free whatever is read would have a column of ones.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
chapter.table(
    tables.kept(tables.committed(log), limits.ratios), "Committed runs: the share that the learned code keeps"
)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
chapter.table(tables.sight(log.frame()), "Does the rest of the sentence matter? Test loss, nats a token")

# %% [markdown]
# {glue:text}`past_pairs` In the column *without*, attention is off and the model sees one token. Where a row's two numbers are close, the chapter speaks of a bigram model.

# %% [markdown]
# ## Was it the code, or the time?
#
# Let the two-stage code go on learning, and give both three times the steps. If compressed codes are better, more time leaves the frozen one ahead;
# if the budget ended too early, the learned code catches up. The sentence speaks of this build's genome.

# %%
for trial in ("start", "longer"):
    encoding.run_limits(smaller[trial], {"genome": corpora["genome"]}, log)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
trial = sentences.section(log, "time", "start", "longer")
caption = "Was it the code or the time? Test loss on the genome, nats a token, mean over seeds"
mine = replace(trial, label=f"this run: {corpora['genome'].name}")
chapter.table(tables.trials([mine, *tables.committed(log, part=("start", "longer"))]), caption, digits=5)

# %% [markdown]
# Going on from the compressed code ends {glue:text}`gain_tuned` below the learned code at the same budget, and three times the steps lower the learned code's loss by {glue:text}`gain_longer`. With three times the
# steps for both, the first is {glue:text}`gain_both_longer` below the second. A gain whose interval holds zero decides nothing. {glue:text}`time_lack`
#
# ## Other things to read
#
# Does it matter what is squeezed? The document asks for code and for protein, too. The code is the source of a few modules of Python. No package that the
# book installs carries a real protein, so *protein* is what long open frames of the genome spell, an amino acid a token. In a real genome most of these are genes; in the synthetic chain they are
# chance, and no protein.
#
# If the price of a compression is the method's, the four curves are one. If it is the corpus's, they part.

# %%
encoding.run_limits(smaller["others"], more, log)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
sides = sentences.section(log, "others", "limits", "others")
mean = lambda kind: sides.mean(trials.kept(kind), ".0%")
figures.show(
    draw.kept_by_corpus(sides),
    f"Asked for 10 : 1, the learned code keeps {mean('text')} of the full width's gain on the text, {mean('code')} on code, "
    f"{mean('genome')} on the genome and {mean('protein')} on protein or what stands for it." + sides.dashed,
)  # fmt: skip

# %% [markdown]
# The full width's loss lies {glue:text}`gain_code` below that of token frequencies on code, and {glue:text}`gain_protein` below it on protein. Asked for 10:1, the learned code keeps
# {glue:text}`kept_code` and {glue:text}`kept_protein` of it. {glue:text}`code_text` {glue:text}`protein_learned` {glue:text}`others_lack`
#
# ## Does a code find its width by itself?
#
# So far somebody chose the width. The document would put an L1 or L2 penalty on the code, or let the width adapt. The trial is on a chain with a known answer: sixteen numbers a token are offered, and
# behind a linear read-out the six that are planted are enough. *L1* {footcite:p}`tibshirani1996` and *L2* weigh on the numbers, *group* {footcite:p}`yuan2006` on the size of a whole dimension, and a *nested* code is trained to be
# cut {footcite:p}`kusupati2022`. In use are the fewest dimensions with which, the others held at their means, the loss rises by at most a hundredth of what can be learned.
#
# If a penalty finds the width for nothing, its curve meets the dotted line where the plain codes end. If it only shrinks numbers, the read-out undoes it, and dimensions stay in use until the loss
# goes. The sentences take each penalty at the largest strength that costs at most another hundredth on validation data: it may spend twice what a plain code may.

# %%
run_widths(own_width, log)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
sides = sentences.section(log, "widths", "widths")
mean = lambda arm: sides.mean(trials.own_width(arm), ".1f")
figures.show(
    draw.own_width(sides),
    f"In use: {mean('learned')} dimensions of the plain code, {mean('l1')} with L1, {mean('l2')} with L2, {mean('group')} with "
    f"the group penalty, {mean('nested')} of the nested code. The loss is that with these alone; low and left is better. Small "
    "points are seeds, the dotted line is the planted rank.",
)  # fmt: skip

# %% jupyter={"source_hidden": true} tags=["hide-input"]
chapter.table(tables.own_width(log.frame()), "Codes that may find their width, each at the strength that was chosen")

# %% [markdown]
# {glue:text}`finds_any` {glue:text}`finds_nested` In use: {glue:text}`used_l1` (L1), {glue:text}`used_l2` (L2), {glue:text}`used_group` (group), {glue:text}`used_nested` (nested). With these alone, the group penalty's
# loss is {glue:text}`over_group` above that of a plain code given as many, the nested code's {glue:text}`over_nested`. {glue:text}`group_cost`
#
# Turn the plain code, and the read-out against it, so that the model stays the same: then {glue:text}`used_turned` of its {glue:text}`used_learned` dimensions are in use. {glue:text}`turned` On the chain of full
# rank there is no width to be found. The penalties weigh on the code alone, as the document asks; one on the read-out too was not tried. {glue:text}`widths_lack`
#
# ## Eight symbols
#
# The document's genome has eight symbols, A, C, G, T, N, START, END and PAD, and 64 numbers for each: no compression but an *expansion*, since eight numbers tell eight symbols apart. Reads of
# sixty bases between START and END are learned with 64, 8, 4 and 2 numbers a symbol. If width beyond the alphabet helps, 64 beats 8.

# %%
letters = encoding.Corpus(f"{genome.name}, letters", reading.letters(genome.kmers(1)), 8, **cut)
encoding.run_limits(smaller["letters"], {"genome": letters}, log)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
alphabet = sentences.section(log, "letters", "letters")
chapter.table(tables.alphabet(alphabet.this), "Eight symbols: test loss, nats a token", digits=4)

# %% [markdown]
# Sixty-four numbers a symbol end {glue:text}`expansion` below eight. {glue:text}`letters_lack`
#
# ## What has to be stored
#
# The document counts 3,200 parameters against 300, and concludes that memory falls tenfold. It leaves out the
# network behind the table, and that after stage one the codes are
# stored in a table like the learned one. If deployed memory fell tenfold, the learned arm's bar would be
# a tenth of the full width's, and shorter than the folded two-stage bar.

# %%
encoding.run_deployed(limits, corpora["text"], log)
stored = log.at(part="deployed")
for name, quantity in sentences.STORED.items():
    here.say(name, stored.mean(quantities.named(quantity), ".2f"))

# %% jupyter={"source_hidden": true} tags=["hide-input"]
mean = lambda name: stored.mean(quantities.named(name), ".2f")
figures.show(
    draw.stored_bytes(stored),
    f"Asked for 10 : 1, the table shrinks {mean('e10_table')} times and the whole model {mean('e10_model')} times. The two-stage arm, "
    f"folded, stores {mean('e10_two_stage')} times what the learned one does.",
)  # fmt: skip

# %% [markdown]
# With the projection up to the stream, the table shrinks {glue:text}`e10_embedding` times, and the model {glue:text}`e10_model` times. What joint learning can save is the training of stage one: folded, the two-stage arm deploys {glue:text}`e10_two_stage` times the learned arm's bytes.
#
# The document hopes for a whole genome in one context window. But attention keeps keys and values that are as wide as the stream whatever the code. With memory for twice the full model's weights,
# the learned code has room for {glue:text}`e11` times the full width's context {verdict}`E11`.

# %% [markdown]
# ## Verdict
#
# What counts is the committed run on a real text and a real genome. A run on other data is judged by its own numbers.

# %%
judged = log.verdict()
how = "Green lies inside the shaded region, red wholly outside, yellow straddles its border."
figures.show(
    judged.forest("Is the learned code as good as the autoencoder's?", "learned − autoencoder (nats)", ("E8",), "_less"),
    f"Differences of loss, in nats a token, with 95 % intervals over seeds, at each compression that was asked for. {how}",
)  # fmt: skip
figures.show(
    judged.forest("Is compression free?", "share of the full width's gain", ("E8b",)),
    f"The share of the full width's gain that the learned code keeps, with 95 % intervals over seeds. {how}",
)  # fmt: skip

# %% jupyter={"source_hidden": true} tags=["hide-input"]
judged.tell_all(sentences.VERDICTS, "carries", "free")
judged.table()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.box()

# %% [markdown]
# Could the tests have said otherwise? Move the means, and nothing else, to where the answer is known. A claim whose tests miss these answers stays undecided.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("told_apart", judged.passed)
judged.probe_table()

# %% [markdown]
# The two known answers were told apart for {glue:text}`told_apart` claims. The second table tries each test on its own scatter.

# %% [markdown]
# {glue:text}`carries` {glue:text}`free` The memory that is saved is the table's, for every arm whose code can be folded into one.
#
# **Limits.** The text is short and the models are small; a larger model could build what a narrow code lacks, or need a wider one, because it has more to say. The genome is read without any frame, and its shares are
# as certain as its gain over frequencies is large.
#
# ## Exercises
#
# :::{exercise} One letter a word
# :run: ruc run encoding_limits -p k 1
# :minutes: 2
# :check: e8_genome_10 above 0.9
# A genome in words of one base has a vocabulary of four letters, and the document proposes 64 numbers for each. How many does the
# model need? Predict what is kept at 10 : 1.
#
# +++
# Four numbers tell four letters apart, so the genome's curve is flat down to 10 : 1, within its band.
# :::
#
# :::{exercise} More time
# :run: ruc run encoding_limits -p steps 600
# :minutes: 3
# :check: e8_text_gain above committed
# Does the price of 10 : 1 shrink with twice the steps, because the narrow model catches up, or grow, because the wide one gets
# away? And how near does the full width's gain come to the committed run's, which read another text?
#
# +++
# The intervals under the first figure say whether the two numbers differ. A share of a larger gain is a larger loss.
# :::
#
# :::{exercise} A larger vocabulary
# :run: ruc run encoding_limits -p vocab 1024
# :minutes: 3
# :check: e8_text_50 below 0.9
# A larger vocabulary makes each token rarer. Predict whether the learned code keeps more or less at 50 : 1.
#
# +++
# The paragraph under the first figure gives what is kept at 50 : 1.
# :::
#
# ## References
#
# ```{footbibliography}
# ```
