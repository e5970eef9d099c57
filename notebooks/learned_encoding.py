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
# # Learned encodings
#
# **A network may keep only six numbers for every word. Should it find those numbers while it learns the task, or take
# them from a compressor that has never seen the task?**
#
# Seed document 004 says: find them yourself {footcite:p}`bee2025learned`. An autoencoder keeps what it needs to rebuild its
# input, and what the task needs may be something else. If that is right, a code that is learned together with the
# task should lose less than an autoencoder's code of the same width, and it should get by with fewer numbers.
#
# Four dull things would look the same. Both codes may be useless, so that neither beats the other. The task may be so
# easy that any code will do. The autoencoder may have been given nothing worth compressing. Or the network behind the
# code may build what the code lacks. This chapter first runs the experiment as printed and then lets each of the
# four speak. *What it shows:* eight claims are judged, E1 to E7 and E9; fifteen minutes to read, one to run.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
import torch

from helpers import chapter, encoding, figures
from helpers.chapter import Per
from helpers.encoding import codes, config, networks, quantities, sentences, tables, tasks
from helpers.encoding import figures as draw
from helpers.encoding.run import run_stages

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: a minute on two CPU cores, or the reference on one GPU
seeds: int = None  # 2..64: repetitions of every condition, data and start drawn anew; None takes the profile's own
device: str = "auto"  # auto | cpu | cuda: where to train; auto takes the GPU when there is one
vocab_size: int = 50  # 35..128: tokens in the synthetic vocabularies
traditional_dim: int = 64  # 8..64: full width D, and the width of the vectors that the autoencoder compresses
learned_dim: int = 6  # 1..32: width d of the code in the printed experiment and at which the claims are judged
epochs: int = 30  # 1..1000: epochs of the printed experiment
learning_rate: float = 0.01  # 0.00001..1: learning rate of the printed experiment
steps: int = None  # 20..100000: gradient steps of every other model; None takes the profile's own

# %% jupyter={"source_hidden": true} tags=["settings", "hide-input"]
given = {"vocab_size": vocab_size, "traditional_dim": traditional_dim, "learned_dim": learned_dim, "steps": steps}
given |= {"seeds": seeds, "epochs": epochs, "learning_rate": learning_rate}
here = chapter.start("learned_encoding", profile=profile, device=device, **given)
own = config.QUICK if profile == "quick" else config.FULL  # grids of widths and of learning rates
s = here.settings(seeds=Per(3, 12), steps=Per(450, 2000), rule_steps=Per(steps or 450, steps or 3000), **own)
sizes = {"vocab": vocab_size, "full": traditional_dim, "code": learned_dim, "seeds": s.seeds}
printed = encoding.Printed(epochs=epochs, rate=learning_rate, **sizes)
chains = encoding.Chains(steps=s.steps, **s.chains, **sizes)
rules = encoding.Rules(code=learned_dim, seeds=s.seeds, steps=s.rule_steps, **s.rules)
log = here.log(encoding.CHAPTERS[here.name])

# %% [markdown]
# ## As printed
#
# The published script takes fifty tokens, sequences of twenty, and four motifs such as 1-2-3-4-5 that repeat. The *traditional* arm draws a random
# vector of 64 numbers for every token, trains an autoencoder to squeeze those vectors into six numbers and back, freezes
# the six, and trains a network on them. The *learned* arm gives the network a table of six numbers per token and
# trains everything at once. The network has no attention: twice it adds $\mathrm{relu}(h W_v W_1) W_2$ to its state $h$,
# then it reads out the next token.
#
# The published script never follows a gradient. As long as the loss exceeds one half it adds Gaussian noise to every
# parameter and keeps the result, better or worse [^noise]. Here both arms get true gradients (Adam, at the printed
# learning rate), and the noise update runs beside them.
#
# If the claim holds, the learned curve falls as low as the traditional one, or lower. If the noise update does not learn,
# its curves stay at chance, $\ln V$, whatever the code.
#
# [^noise]: `learned_encoding_experiment.py`, method `train_step`, at commit
# [3079eb0](https://github.com/MikeyBeez/learned-encoding-experiment/tree/3079eb043104c0c874f89dbaa3b86efa1cf4f4f2).
# The document itself lists "replace approximation with backprop" among its future work.

# %%
encoding.run_printed(printed, log)
sides = log.at(part="printed", end=True)
sides.say_all(sentences.SAID["printed"])
sentences.told(sides, "printed_stronger")

# %%
ends = [sides.mean(sentences.last(arm), ".3g") for arm in ("learned", "traditional", "walk_learned")]
figures.show(
    draw.printed(log.at(part="printed")),
    f"Last losses with gradients: {ends[0]} nats learned, {ends[1]} with the autoencoder's code. "
    f"Under the noise update the learned arm ends at {ends[2]}; the dotted line is chance." + sides.dashed,
)  # fmt: skip

# %% [markdown]
# With gradients the learned arm ends at {glue:text}`printed_learned` and the traditional one at
# {glue:text}`printed_traditional`. Under the noise update they end at {glue:text}`printed_walk_learned` and
# {glue:text}`printed_walk_traditional`; a curve that stays on the dotted line has learned nothing. {glue:text}`compared`
#
# The document does not say whether the autoencoder's code passes a ReLU; its script has one. The arm above has none. With one, {glue:text}`printed_relu` of the seeds
# never get below a tenth of chance. {glue:text}`printed_stronger` Text that the learned arm writes diverges from the motifs by {glue:text}`printed_writes` more than the traditional arm's.
#
# The document asks for four things. The table holds both kinds of training to them.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
criteria = tables.criteria(log.frame())
here.say("compared", log.say_run())
here.say("pass_at_chance", criteria["noise update"][0])
here.say("pass_gradients", criteria["true gradients"][0])
here.store("experiment_results", tables.results(log.frame()))
tables.write_results(log.frame(), here.folder)
chapter.table(criteria, "The document's four success criteria, computed")

# %% [markdown]
# **A surprise, and it is worth a stop.** Under the noise update, which follows no gradient, the first criterion passes for
# {glue:text}`pass_at_chance`; under true gradients for {glue:text}`pass_gradients`. At
# chance the two losses are equal and their ratio is one. When both losses are nearly zero, their ratio is a ratio of
# rounding errors. A ratio of losses cannot tell success from failure at either end.
#
# The third criterion is a division of two settings. The second and the fourth are not defined by the document. And the
# task cannot discriminate: the next token is a function of the current one, so any code that keeps fifty tokens apart is
# enough.

# %% [markdown]
# ## Made precise
#
# **Measure against what is possible.** A loss means little until we know the best one. So the sources below are
# Markov chains whose entropy we can compute, and every model is judged by its *excess*: test loss less the entropy, in
# nats a token. The *recovered share* rescales it, from 0 for a model that ignores its input to 1 for the best possible
# model. The test loss is an expectation under the chain itself and has no sampling error.
#
# **Give the compressor something to compress.** The published autoencoder squeezes random vectors. Random vectors have no
# structure, so what is left is, by symmetry, a random projection of a random table. A *fair two-stage* arm stands
# beside it: train a full-width model first, compress *its* embeddings by principal components, freeze, and train again.
# Both arms get the same number of gradient steps in all, stage one included.
#
# **Ask what no learning at all would give.** A frozen random code knows which token it is and nothing more. If it does as
# well as the learned one, then the network behind it needs no "signal" in the code.
#
# **Plant the answer.** In one chain the log-odds have rank six exactly, in another they have no rank to speak of. A linear
# read-out of $d$ numbers gives logits of rank $d$ at most, plus a bias {footcite:p}`yang2018softmax`: six numbers
# should be enough for the first, and never enough for the second. The published network ends in a linear layer on a
# stream as narrow as the code, so it meets the same bottleneck. A network that widens after the code (`mlp` below) does not.

# %% [markdown]
# **The two arms in a dozen lines.** The joint arm gives the code to the optimiser, the two-stage arm hands over what a
# compressor made of random vectors; everything else is the same. With $p_{ij}$ the share of pairs in which $j$ follows $i$, both minimise
# $-\sum_{ij} p_{ij} \log \mathrm{softmax}(c_i W + b)_j$. The last line holds this plain loop to the stacked engine
# that trains everything below.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
chain = encoding.example(rank=6, vocab=vocab_size)
start = networks.one("linear", vocab_size, learned_dim, 0, seed=0)  # code (V, d), w (d, V), b (1, V)
frozen = codes.standardised(codes.principal(codes.vectors(vocab_size, traditional_dim, seed=0), learned_dim))

# %%
joint, plain = torch.tensor(chain.joint).float(), []
for code, learns in ((start["code"], True), (frozen, False)):
    c, w, b = (x.clone().requires_grad_() for x in (code, start["w"], start["b"]))
    adam = torch.optim.Adam([c, w, b] if learns else [w, b], lr=networks.RATE)
    for _ in range(100):
        loss = -(joint * torch.log_softmax(c @ w + b, -1)).sum()
        adam.zero_grad(), loss.backward(), adam.step()
    plain.append(loss.item())
stacked = networks.alone(chain, [start, start | {"code": frozen}], "linear", 100, frozen=[1], log=[99])[1][0]
torch.testing.assert_close(torch.tensor(plain), stacked, atol=1e-4, rtol=0)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("plain", f"{plain[0]:.3f} and {plain[1]:.3f} nats, where the best possible loss is {chain.bayes:.3f}")

# %% [markdown]
# After a hundred steps on a chain of rank six the joint and the two-stage loss are {glue:text}`plain`. Now the same with
# every width, several networks and seeds, the learning rate chosen for each arm on validation data.

# %%
encoding.run_chains(chains, log)
run_stages(chains, s.firsts, log)  # the length of stage one, on top of the budget

# %% [markdown]
# ## How wide must a code be?
#
# Choose a chain and a network in the menu. If learning the code matters, the curve of the learned code reaches one before the
# others. If identity is enough, the curve of the frozen random code rises with it. If the published autoencoder is a random
# code in disguise, its curve lies on the random one.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
sides = log.at()
sides.say_all(sentences.SAID["width"] | sentences.explained(learned_dim))
here.say("explained_best", f"{codes.best_explained(vocab_size, traditional_dim, learned_dim):.0%}")

# %%
gap = lambda source, readout: sides.mean(quantities.gap(source, readout, "random", "learned"), ".2g")
figures.show(
    draw.share_by_width(sides),
    f"At d = {learned_dim} a frozen random code's loss less the learned one's is "
    f"{gap('planted6', 'linear')} nats behind a linear read-out (rank 6), "
    f"{gap('dirichlet', 'residual')} in the published network and {gap('dirichlet', 'mlp')} "
    "in a network that widens after the code (full rank). "
    "Thin lines are seeds, bands 95 % intervals of the mean." + sides.dashed,
)  # fmt: skip

# %% [markdown]
# The menu holds more arms than the text compares: with a ReLU, with a code that is fine-tuned after it was compressed, a one-hot autoencoder, a code from counts alone. They show how far each idea goes.
#
# Three readings of one figure.
#
# *Behind a linear read-out there is no network to build what the code lacks.* There, at the printed width, the frozen random
# code's loss less the learned one's is {glue:text}`random_linear`.
#
# *A network that widens can compute what it needs from identity.* There the difference is {glue:text}`random_wide`, and
# {glue:text}`random_bottleneck` in the published network, which ends in a linear layer.
#
# *The published autoencoder and a random code* differ by {glue:text}`ae_random_linear` (linear) and
# {glue:text}`ae_random_bottleneck` (published network, full rank). The fair two-stage code differs from the learned one
# by {glue:text}`fair_linear` and {glue:text}`fair_bottleneck`.

#
# Is the autoencoder at least a good autoencoder? It keeps {glue:text}`explained` of the variance of its random vectors. The best
# possible linear compressor keeps {glue:text}`explained_best`, because random vectors have no direction that matters more than
# another {footcite:p}`marchenko1967`. What no compressor can keep, the baseline cannot be blamed for.

# %% [markdown]
# ## What a narrow code cannot say
#
# Below, on the left, the transitions of a chain with planted rank six: a bright cell is a likely next token. On the right,
# what a linear model with a learned code of width $d$ makes of it. If rank is the limit, the right side should be
# blurred below six and stop changing above.

# %%
predicted = encoding.predict(chain, widths=(1, 2, 3, 4, 5, 6, 8, 12), readout="linear", steps=s.steps)
missing = {d: f"{tasks.cross_entropy(chain.joint, p) - chain.bayes:.2g}" for d, p in predicted.items()}
figures.show(
    draw.matrices(chain.transition, predicted, "What can six numbers say?"),
    f"Nats over Bayes: {missing[1]} at d = 1, {missing[3]} at 3, {missing[6]} at 6, {missing[12]} at 12.",
)  # fmt: skip

# %% [markdown]
# ## Where narrowing starts to cost
#
# Scenario 3 of the document asks for the limit of compression. With a linear read-out theory names it: the rank. The
# dotted lines mark planted ranks of 2, 6 and 12, and each curve should reach the floor at its line. The chain without a
# planted rank is the negative control: its curve should fall without a corner.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
sides.say_all(sentences.SAID["elbow"])

# %%
width = lambda source: sides.mean(quantities.elbow_of(source), ".1f")
figures.show(
    draw.elbow(sides),
    f"The width that recovers {quantities.ELBOW:.1%} of what can be learned is "
    f"{width('planted2')} for rank 2, {width('planted6')} for rank 6, {width('planted12')} for rank 12, "
    f"and {width('dirichlet')} for the chain without one." + sides.dashed,
)  # fmt: skip

# %% [markdown]
# That width is {glue:text}`elbow_planted2` for rank two, {glue:text}`elbow_planted6` for rank six, {glue:text}`elbow_planted12` for
# rank twelve, and {glue:text}`elbow_dirichlet` for the chain without one. A limit that follows the planted rank belongs to the
# task and the read-out, not to the method: "ten to one" is then what one gets when 64 is divided by the rank of a task of
# rank six.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
chapter.table(
    tables.compressions(log.frame()), "Compression at 99 % of what can be learned, D / d99, median over seeds"
)

# %% [markdown]
# ## Who gets there first
#
# The document expects faster convergence from a single objective. Stage one of a two-stage arm takes steps too, so its
# curve starts later. If the code's quality matters for speed as well, the two-stage curves should also rise more slowly once
# they have started.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
for source in ("pattern", "planted6", "dirichlet"):
    here.say(f"speed_{source}", tables.slower(sides, source))
sides.say_all(sentences.SAID["speed"])

# %%
times = lambda source: sides.mean(quantities.times(source), ".1f").replace("no value", "never both")
figures.show(
    draw.convergence(sides, learned_dim),
    "Steps to nine tenths, the autoencoder arm's over the learned one's, stage one counted: "
    f"{times('pattern')} (motifs), {times('planted6')} (rank 6) and {times('dirichlet')} (full rank).",
)  # fmt: skip

# %% [markdown]
# How many steps does the autoencoder arm need for each of the learned one's? On the motifs: {glue:text}`speed_pattern`. On the rank-6
# chain: {glue:text}`speed_planted6`. On the full-rank chain: {glue:text}`speed_dirichlet`. A seed counts where both get to nine
# tenths at this width. Where its curve starts is the price of stage one; how it rises after that is the code's.
#
# Most of that ratio is the length of stage one, which the budget fixed and nobody tuned. So stage one is given several lengths, down to none, on top of the budget, and both arms the learning rate that is
# fastest. At its best length the two-stage arm takes {glue:text}`best_pattern` doublings of the learned one's steps on the motifs and {glue:text}`best_planted6` on the rank-6 chain.

# %% [markdown]
# ## Watch a code being learned
#
# Two numbers per token, the four motifs, a network that widens. Press *Play*. An autoencoder would spread the tokens out so that it can tell
# them apart. Does the task ask for anything else? If tokens that share a motif must be near each other, the four polygons
# should come apart.

# %%
snapshots = encoding.watch(tasks.pattern(vocab_size), d=2, steps=s.steps)
figures.show(
    draw.dance(snapshots, "Where do the tokens go?"),
    f"Four motifs over {max(snapshots)} gradient steps: do polygons come apart, or only tokens?",
)  # fmt: skip

# %% [markdown]
# ## When the next token depends on context
#
# Scenario 2 was described and never run. Here is one version of it. A sequence opens with a rule token $s$; after that
# $x_{t+1} = x_t + s$ modulo $m$, with a little noise. The current token alone says nothing about the next one. A model without
# attention should therefore stay at $\ln m$ whatever its code, and attention should bring the loss down to the entropy of
# the noise. If joint training helps a code in context, the learned curve should lie below the frozen ones.

# %%
encoding.run_rules(rules, log)
encoding.run_rules(rules.equal(), log)  # as many steps on the task for every arm, stage one on top

# %% jupyter={"source_hidden": true} tags=["hide-input"]
sides = log.at()
sides.say_all(sentences.SAID["rules"])

# %%
mean = lambda name: sides.mean(quantities.named(name), ".2g")
figures.show(
    draw.rules(sides),
    f"With attention the full width ends {mean('e6_full_excess')} nats above Bayes. "
    f"At d = {learned_dim} the autoencoder's frozen code ends {mean('e6_gap')} nats above the learned one. "
    "Crosses: the same arms with attention off." + sides.dashed,
)  # fmt: skip

# %% [markdown]
# Does the instrument work? The full width with attention ends {glue:text}`rules_full` above Bayes, and without attention
# it recovers {glue:text}`rules_blind` of what can be learned. At the printed width the autoencoder's frozen code ends
# {glue:text}`rules_gap` above the learned one, and the fair two-stage code {glue:text}`rules_fair`.
#
# That comparison charges stage one to the budget, so the two-stage arms take fewer steps on the task. With equally many steps on the task the differences are {glue:text}`equal_gap` and
# {glue:text}`equal_fair`: what is left is the code's, and the rest was time. The autoencoder of noise differs from a random code by {glue:text}`equal_random`.

# %% [markdown]
# ## Does generation suffer?
#
# A model that is run as a source of its own feeds on its errors. So we draw text from each model and compare its
# pairs of tokens with the true chain's, by Kullback–Leibler divergence. A sample from the true chain itself shows how much
# of that is sampling noise. If six numbers are enough to generate, the narrow code's divergence should be the full
# width's.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
sides.say_all(sentences.SAID["generation"])
chapter.table(tables.generated(log.frame()), "Divergence of generated bigrams from the chain's, nats, mean over seeds")

# %% [markdown]
# On the chain of rank six the narrow code costs {glue:text}`generation_rank` of extra divergence, on the full-rank chain
# {glue:text}`generation_full`. The column of the chain itself says how much of a divergence is sampling noise.

# %% [markdown]
# ## Verdict
#
# Each claim is judged twice: by the document's own criterion where it prints one, and by the precise one. A badge is the
# verdict of the committed run. The table is of this page's run, or of the committed one with the same parameters; where these are
# not the claims' own, the committed verdict stands beside it.

# %%
judged = log.verdict()
figures.show(
    judged.forest("The differences that decide", "difference of excess loss (nats a token)", ("E1", "E3", "E5", "E6")),
    "Each row: two arms' difference and its 95 % interval over seeds; shaded: what was wanted. "
    "Green lies inside it, red wholly outside, yellow straddles the border.",
)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
judged.tell_all(sentences.VERDICTS, "as_good", "tenfold", "one_objective", "signal")
judged.table()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.box()

# %% [markdown]
# Could the tests have said otherwise? Move the means, and nothing else, to where the answer is known.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("passed", judged.passed)
judged.probe_table()

# %% [markdown]
# {glue:text}`passed` tests tell the planted answer from the absent one; a claim whose tests do not stays undecided. The second table
# tries each test on its own scatter: how small an effect it would have seen, how often it cries wolf at its border, and how often
# it sees twice the margin.
#
# Can six numbers do what sixty-four do? {glue:text}`as_good` {glue:text}`tenfold` {glue:text}`one_objective` {glue:text}`signal`
#
# **Limits.** Fifty tokens and a few thousand parameters are a toy. On a toy the code is a large part of the model, and at scale
# it is not. The chains are first order; [the next chapter](encoding_limits.ipynb) takes real text and a real genome. All arms
# use Adam at a constant learning rate chosen on validation data; a schedule could move the speed comparison. The fair two-stage arm
# spends its first steps on a full-width model that is then thrown away: with a budget of its own it would do better.
#
# ## Exercises
#
# :::{exercise} Two numbers a word
# :run: ruc run learned_encoding -p learned_dim 2
# :minutes: 2
# :check: e3_gap_planted6 below 0.02
# Which of the claims change their verdict when the code has two numbers, and on which chain? E2 asks for the width that suffices,
# whatever the code's, so it must stay as it was.
#
# +++
# The table of verdicts shows this run's verdicts beside those of the claims' own parameters. The check looks at the chain that needs
# six numbers: how far the fair two-stage code stays behind the learned one when neither has room.
# :::
#
# :::{exercise} A narrow full table
# :run: ruc run learned_encoding -p traditional_dim 16
# :minutes: 2
# :check: e2_printed_ratio below 3
# What happens to the printed criteria, and to the precise ones, when the full table has sixteen numbers instead of 64?
#
# +++
# The third printed criterion is a division of two settings, 16 by 6. The width at which the rank-6 chain behind a linear read-out
# reaches its floor does not know the full table, and has not moved.
# :::
#
# :::{exercise} A slow walk
# :run: ruc run learned_encoding -p learning_rate 0.001 -p epochs 300
# :minutes: 2
# :check: e1_walk_ratio above 0.95
# The published loop takes a learning rate of 0.01. Which of the four curves of the first figure change with a tenth of it and ten times
# the epochs?
#
# +++
# The curves with true gradients end about where they did. The noise update's curves stay on the dotted line, however long they walk: its
# learned and its traditional loss are as good as one another, for neither learns.
# :::
#
# ## References
#
# ```{footbibliography}
# ```
