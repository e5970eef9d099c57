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
# # Encoding limits
#
# **How few numbers per word can a language model live on, and does a genome need fewer?**
#
# [The chapter before](learned_encoding.ipynb) found that the limit of a code is set by its task: a task of rank six needs
# six numbers. Nobody knows the rank of English. Seed document 004 names compressions of 5:1, 20:1 and 50:1, real
# language and genomes as future work {footcite:p}`bee2025learned`, and its arithmetic promises a tenth of the memory. So here is
# that future work, small: a transformer that reads a real text, and one that reads DNA, with the code squeezed step by step.
#
# If the claim carries over, the curve of what is kept should stay near one down to a few numbers per token. A dull
# alternative looks the same at first: a model that has not learned much has little to lose. Therefore everything is measured as
# the share of what the full-width model gains over plain token frequencies, and that gain has to be there.

# %% tags=["hide-input"]
import numpy as np
import pandas as pd

from helpers import chapter, data, encoding, figures
from helpers.encoding import plots
from helpers.live import LivePlot

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: a minute on two CPU cores, or the reference on one GPU
seeds: int = None  # 2..64: repetitions; a seed draws the start and which parts of the data are held out; None takes the profile's own
device: str = "auto"  # auto | cpu | cuda: where to train; auto takes the GPU when there is one
text: str = "embedded"  # embedded | tinyshakespeare | PATH: Python's own documentation, a download, or any UTF-8 file, plain or gzip
fasta: str = "embedded"  # embedded | ecoli | PATH: a synthetic chain, a download, or any FASTA file, plain or gzip
vocab: int = None  # 64..65536: byte-pair tokens of the text; None takes the profile's own
k: int = None  # 1..8: bases in one token of the genome; None takes the profile's own
steps: int = None  # 20..100000: gradient steps of every model; None takes the profile's own

# %% tags=["hide-input"]
here = chapter.start("encoding_limits", profile=profile, device=device)
settings = here.settings(
    quick={
        "seeds": 3,
        "steps": 300,
        "vocab": 256,
        "k": 3,
        "stream": 32,
        "heads": 2,
        "length": 32,
        "batch": 16,
        "held": 64,
        "rates": (0.006,),
        "arms": ("learned", "seed_ae", "trained_pca", "full"),
    },
    full={
        "seeds": 10,
        "steps": 1000,
        "vocab": 2048,
        "k": 4,
        "stream": 128,
        "heads": 4,
        "length": 64,
        "batch": 64,
        "held": 128,
        "rates": (0.001, 0.003),
        "arms": ("learned", "random", "seed_ae", "trained_pca", "full"),
    },
    seeds=seeds,
    steps=steps,
    vocab=vocab,
    k=k,
)
ratios = (2, 5, 10, 20, 50)
here.box()

# %% [markdown]
# ## What the models read
#
# The text is cut into byte-pair tokens learned from it {footcite:p}`sennrich2016`, the genome into words of a few bases that do not
# overlap. Each seed holds out two of twenty contiguous blocks to test on and two to stop training by, so that no window of the
# test stands next to its training text by accident of shuffling.

# %%
words = data.load_text(text)
genome = data.load_genome(fasta)
tokens, _ = words.tokens(settings["vocab"])
corpora = {
    "text": encoding.Corpus(words.name, tokens, settings["vocab"], settings["length"], settings["held"]),
    "genome": encoding.Corpus(
        genome.name, genome.kmers(settings["k"]), 4 ** settings["k"], settings["length"], settings["held"]
    ),
}

# %% tags=["hide-input"]
rows = []
for kind, corpus in corpora.items():
    base = [corpus.baselines(seed) for seed in range(settings["seeds"])]
    rows.append(
        {"": kind, "source": corpus.name, "tokens": f"{len(corpus.tokens):,}", "vocabulary": corpus.vocab}
        | {name: np.mean([b[name] for b in base]) for name in ("unigram", "bigram")}
    )
here.say("gc", f"{genome.gc:.1%}")
chapter.table(pd.DataFrame(rows), "Two corpora, with the test loss of two models that need no training (nats a token)")

# %% [markdown]
# The share of G and C among the genome's bases is {glue:text}`gc`. Pairs of neighbouring tokens tell much about the next word of a text
# and little about the next bases of a genome: compare the last two columns. A code can only matter where there is something to
# tell, so the genome is the harder instrument.

# %% [markdown]
# ## Squeezing the code
#
# The model is a small causal transformer. Its table holds $d$ numbers per token, and a trained matrix projects them up to the stream
# of width $D$, as in ALBERT {footcite:p}`lan2020albert`; the compression is $D/d$. Four arms differ in where the $d$ numbers come
# from: learned with the task; the published autoencoder of random vectors; the fair two-stage code, compressed from a full-width
# model that was trained on this very text; and, at full scale, a frozen random code.
#
# Full width is at one, token frequencies are at zero. If ten to one is free, the blue curve is still at one at ten.

# %%
records, live_title = [], "{}: validation loss while training"
for kind, corpus in corpora.items():
    shape = encoding.Shape(
        corpus.vocab, settings["stream"], 4 * settings["stream"], settings["heads"], 1, corpus.length
    )
    config = encoding.Readers(
        arms=settings["arms"],
        blind=("learned", "full"),
        seeds=settings["seeds"],
        rates=settings["rates"],
        steps=settings["steps"],
        batch=settings["batch"],
        device=here.device,
    )
    with LivePlot(live_title.format(kind), "gradient step", "nats a token") as live:
        records += encoding.run_limits(here.name, kind, corpus, config, shape, ratios, here.work, live)

# %% tags=["hide-input"]
found = encoding.frame(here.keep(records))
references = {name: here.committed(name) for name in ("", "novels")}
references = {name: encoding.frame(frame) for name, frame in references.items() if frame is not None}
reference = references.get("")


def keeps(kind: str, arm: str, ratio: float, frame: pd.DataFrame = found) -> list[float]:
    """Share of the full width's gain that an arm keeps at a compression, a value a seed."""
    ends = encoding.final(frame)
    return ends[(ends["condition"] == f"{kind}.attention.{arm}") & (ends["asked"] == ratio)]["kept"].tolist()


for kind in corpora:
    for arm in ("learned", "seed_ae", "trained_pca"):
        for ratio in ratios:
            beside = None if reference is None else keeps(kind, arm, ratio, reference)
            here.say(f"{kind}_{arm}_{ratio}", keeps(kind, arm, ratio), ".2g", reference=beside)
figures.show(
    plots.kept_by_ratio(found, reference, {"text": corpora["text"].name, "genome": corpora["genome"].name}),
    f"At 10 : 1 the learned code keeps {np.mean(keeps('text', 'learned', 10)):.0%} of the full width's gain on the text and "
    f"{np.mean(keeps('genome', 'learned', 10)):.0%} on the genome; the published autoencoder's keeps {np.mean(keeps('text', 'seed_ae', 10)):.0%} and "
    f"{np.mean(keeps('genome', 'seed_ae', 10)):.0%}" + ("." if reference is None else f". Dashed: the {here.label()}."),
)

# %% [markdown]
# On the text the learned code keeps {glue:text}`text_learned_2` of the gain at 2:1, {glue:text}`text_learned_10` at 10:1 and {glue:text}`text_learned_50` at 50:1. On the
# genome it keeps {glue:text}`genome_learned_2`, {glue:text}`genome_learned_10` and {glue:text}`genome_learned_50`. The fair two-stage code keeps {glue:text}`text_trained_pca_10` of
# the text's gain at 10:1 and the published autoencoder's {glue:text}`text_seed_ae_10`.
#
# So joint learning is worth a good deal on the text, more than on the toy chains, where the network could make up for a bad code. And what a
# compression costs depends on how much there is to learn: in the reference runs, tabulated below, a text seven times as long loses more at every
# ratio. No corner says "this much is free".

# %% tags=["hide-input"]
blind = encoding.final(found)
blind = blind[blind["arm"].isin(["learned", "full"])].assign(
    sight=lambda f: np.where(f["attend"].astype(bool), "with attention", "without")
)
table = (
    blind[blind["asked"].isin([1.0, 10.0])]
    .pivot_table(index=["condition", "d"], values="loss", aggfunc="mean")
    .reset_index()
)
table["corpus"] = table["condition"].str.partition(".")[0]
table["model"] = (
    table["condition"].str.split(".").str[2]
    + ", "
    + table["condition"].str.split(".").str[1].map({"attention": "with attention", "blind": "without"})
)
chapter.table(
    table[["corpus", "model", "d", "loss"]],
    "Does the rest of the sentence matter? Test loss, nats a token, at full width and at 10 : 1",
)

# %% [markdown]
# Attention is switched off in the rows marked *without*; such a model sees one token. Where the two rows of a pair are close, the model has learned
# little beyond pairs of tokens, and what the chapter says of codes it says of a bigram model.

# %% tags=["hide-input"]
if references:
    rows = []
    for name, frame in references.items():
        for kind in corpora:
            source = frame[frame["condition"] == f"{kind}.attention.full"]["corpus"].iloc[0]
            row = {"corpus": source, "reference": here.label(name)}
            rows.append(row | {f"{int(r)} : 1": np.mean(keeps(kind, "learned", r, frame)) for r in ratios})
    table = pd.DataFrame(rows).drop_duplicates("corpus")
    display(
        chapter.table(table, "The committed full-scale runs: share of the full width's gain kept by the learned code")
    )

# %% [markdown]
# ## A surprise in the genome
#
# In the reference run the learned code is ahead on the text at every compression. On *E. coli* it is not: at 10:1 the fair two-stage code keeps
# {glue:text}`genome_trained_pca_10` and the learned one {glue:text}`genome_learned_10`. That is the opposite of what the document expects.
#
# Two explanations come to mind. A code that is compressed after learning may simply be the better code for a genome. Or the learned code had a
# bad start: the genome's gain is small, so is the gradient that reaches a narrow table, and the budget may have ended before the code was found. They
# predict different things. Let the two-stage code go on learning, and give the learned one three times the steps. If compressed codes are better,
# going on should not help, and time should not either. If it was the start, both should.

# %%
shape = encoding.Shape(
    corpora["genome"].vocab, settings["stream"], 4 * settings["stream"], settings["heads"], 1, settings["length"]
)
trials = {
    "start": (settings["steps"], ("learned", "trained_pca", "trained_pca_tuned", "full")),
    "longer": (3 * settings["steps"], ("learned", "full")),
}
for kind, (budget, arms) in trials.items():
    config = encoding.Readers(
        arms=arms,
        blind=(),
        seeds=settings["seeds"],
        rates=settings["rates"],
        steps=budget,
        batch=settings["batch"],
        device=here.device,
    )
    records += encoding.run_limits(here.name, kind, corpora["genome"], config, shape, (10,), here.work)

# %% tags=["hide-input"]
found = encoding.frame(here.keep(records))


def trial(frame: pd.DataFrame, condition: str) -> np.ndarray:
    """Test loss of one condition of the smaller experiment, a value a seed."""
    ends = encoding.final(frame)
    return ends[ends["condition"] == condition].sort_values("seed")["loss"].to_numpy()


names = {
    "start.attention.full": "full width",
    "start.attention.trained_pca": "10 : 1, compressed, frozen",
    "start.attention.learned": "10 : 1, learned",
    "start.attention.trained_pca_tuned": "10 : 1, compressed, then learned on",
    "longer.attention.learned": "10 : 1, learned, three times the steps",
}
small = here.committed("ecoli")
runs = {corpora["genome"].name: found} | ({} if small is None else {here.label("ecoli") + ", E. coli": small})
rows = [
    {"code": name} | {label: trial(frame, key).mean() for label, frame in runs.items()} for key, name in names.items()
]
for key, better in (("tuned", "start.attention.trained_pca_tuned"), ("longer", "longer.attention.learned")):
    gains = [trial(frame, "start.attention.learned") - trial(frame, better) for frame in runs.values()]
    here.say(f"gain_{key}", gains[0], ".2g", "nats", gains[1] if len(gains) > 1 else None)
chapter.table(
    pd.DataFrame(rows), "Was it the code or the start? Test loss on the genome, nats a token, mean over seeds", digits=5
)

# %% [markdown]
# Both help, as the second explanation predicts. Going on from the compressed code lowers the learned code's loss by {glue:text}`gain_tuned` at the
# same total budget, and three times the steps lower it by {glue:text}`gain_longer`. The frozen code was not the better one; it was the earlier one. And
# "one objective" and "two stages" are not the opposites that the document makes of them: a code may be found in two stages, with the task in both.

# %% [markdown]
# ## What has to be stored
#
# The document counts 3,200 parameters against 300, and concludes that memory falls tenfold. Two things are left out. The table is only a part of a model: the
# network behind it stays. And after stage one, the two-stage arm does not need its autoencoder any more: the code of every token is
# computed once and stored in a table of the same size as the learned one. If the claim were about deployed memory, the learned arm's bar should be
# a tenth of the full width's, and shorter than the folded two-stage bar.

# %%
shape = encoding.Shape(
    corpora["text"].vocab, settings["stream"], 4 * settings["stream"], settings["heads"], 1, settings["length"]
)
found = encoding.frame(here.keep([*records, *encoding.run_deployed(here.name, shape, ratio=10)]))

# %% tags=["hide-input"]
bytes_of = found[found["part"] == "deployed"].to_dict("records")
size = {row["arm"]: row for row in bytes_of}
here.say("table_ratio", f"{size['full width']['table'] / size['learned']['table']:.1f}")
here.say("model_ratio", f"{size['full width']['deployed'] / size['learned']['deployed']:.2f}")
here.say("fold_ratio", f"{size['two-stage, folded']['deployed'] / size['learned']['deployed']:.2f}")
figures.show(
    plots.stacked_bytes(bytes_of),
    f"At 10 : 1 the table shrinks {size['full width']['table'] / size['learned']['table']:.1f} times and the whole model "
    f"{size['full width']['deployed'] / size['learned']['deployed']:.2f} times. The two-stage arm, folded, stores as much as the learned one.",
)

# %% [markdown]
# The table shrinks {glue:text}`table_ratio` times. The model as a whole shrinks {glue:text}`model_ratio` times, because the network and its output layer
# do not shrink with the code. And the folded two-stage arm deploys {glue:text}`fold_ratio` times the learned arm's bytes: there is nothing
# between them at inference. What joint learning saves is the training of stage one.
#
# The document hopes for more: a whole genome in one context window. The table of codes does not grow with the context, so a smaller one
# does not lengthen it. What grows with the context is the keys and values that attention keeps.

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
numbers = encoding.limited(found)
reference_numbers = None if reference is None else encoding.limited(reference)
verdicts = here.judge(numbers, reference_numbers)
figures.show(
    figures.forest(
        [o for v in verdicts if v.id == "E8" and v.criterion == "precise" for o in v.outcomes],
        "What each compression keeps",
        "share of the full width's gain",
    ),
    "The learned code's share of the full width's gain at each compression, with 95 % intervals over seeds. Shaded: above 0.99, as wanted. Green lies "
    "inside, red wholly outside, yellow straddles the border.",
)

# %% tags=["hide-input"]
chapter.verdict_table(verdicts)

# %% [markdown]
# In one sentence: on real text and on a genome a learned code beats every code that was made without the task, ten to one is not free, and how much it
# costs grows with what there is to learn; the memory that is saved is the table's, and both arms save it.
#
# **Limits.** The text is short and the models are small; a larger model trained on more text could hide a narrow code better, as wide networks did in the
# chapter before, or need a wider one, because it has more to say. The genome is read in words of a few bases without any frame, and the gain over
# frequencies is small, so its shares are less certain than the text's. Weights are counted in 32-bit floats; quantisation would shrink all arms alike.
#
# ## Exercises
#
# 1. Give `text` a file of your own: a novel, a log, source code. Predict first which of them can be squeezed most.
# 2. Set `k` to 1: a vocabulary of four letters. The document proposes 64 numbers for each. How many does the model need?
# 3. Double `steps`. Does the price of 10 : 1 shrink, because the narrow model catches up, or grow, because the wide one gets away?
#
# ## References
#
# ```{footbibliography}
# ```
