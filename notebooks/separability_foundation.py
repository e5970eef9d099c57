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
# # Frozen routing
#
# **If you nail down where most of a network's attention heads look, does the network shout to make up for it?**
#
# A document calls this *conservation of separability*. What a model can tell apart, Ψ, is paid for in two coins: geometry G, where
# attention looks, and amplitude A, how long the vectors are. Take G away and the model must raise A, as a body under stress raises its
# blood pressure. Clamp A as well, and it collapses.
#
# If that were so, a model with three of four heads frozen would carry longer vectors than its free twin, and the length itself
# would be what holds its accuracy up. Two dull things look alike at first. A constrained model may simply be worse, at any length.
# And a clamp may hurt because it disturbs a trained model, not because it takes amplitude away. So beside every constrained model we
# train its free twin from the same start on the same prompts, and beside every clamp one that sets the model to its own norm.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
from helpers import chapter, figures
from helpers.chapter import Per
from helpers.separability import foundation, plots
from helpers.separability.foundation import figures as draw
from helpers.separability.foundation import quantities, sentences

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: a minute on two CPU cores, or the reference on one GPU
seeds: int = None  # 2..64: repetitions; a seed draws the start and the prompts; None takes the profile's own
device: str = "auto"  # auto | cpu | cuda: where to train; auto takes the GPU when there is one
condition: str = "all"  # all | control | constraint | naive_clamp | mean_preserving_clamp: one of the document's conditions, or all with every control
n_epochs: int = None  # 1..1000: epochs of every model; None takes the profile's own
seed: int = 42  # 0..1000000: the first seed, as the document's command line has it
dataset: str = "interleaved"  # interleaved | modular: two interleaved streams, or modular addition
d_head: int = None  # 1..64: width of a head; None takes the profile's own: in full the smallest that solves the task
site: str = "resid_mid"  # resid_pre | attn_out | resid_mid | mlp_out | resid_post: where the precise clamps are

# %% jupyter={"source_hidden": true} tags=["settings", "hide-input"]
given = {"seeds": seeds, "condition": condition, "n_epochs": n_epochs, "seed": seed}
given |= {"dataset": dataset, "d_head": d_head, "site": site}
here = chapter.start("separability_foundation", profile=profile, device=device, **given)
s = here.settings(
    seeds=Per(3, 10),
    n_epochs=Per(10, 100),
    d_head=Per(2, None),
    vocab=Per(256, 4096),
    d=Per(32, 128),
    length=Per(32, 128),
    periods=Per((2, 4), (2, 7)),
    batch=Per(32, 64),
    rates=Per((0.005,), (0.001, 0.003)),
    epoch=Per(32, 40),
    held=Per(256, 128),
    prime=Per(23, 113),
)
size = {
    k: getattr(s, k) for k in ("seeds", "d_head", "vocab", "d", "length", "periods", "batch", "rates", "held", "prime")
}
wide = {"doses": foundation.FULL, "clamps": foundation.TRAINED} if profile == "full" else {}
config = foundation.Foundation(condition, dataset, seed, epochs=s.n_epochs, site=site, **size, **wide)
log = here.log(foundation.CHAPTERS[here.name])
here.box()

# %% [markdown]
# ## As printed
#
# The document trains one small transformer in four conditions: *control*, all four heads free; *constraint*, three of four frozen;
# *naive clamp*, the constraint and the whole stream scaled to a fixed norm; *mean-preserving clamp*, the constraint and only the
# spread about the mean fixed. It expects at least 95 % accuracy, 55 to 65 %, less than 5 %, and at least nine tenths of the
# constrained accuracy, with six times the amplitude under constraint.
#
# The task is to continue two interleaved patterns. Each repeats with a period of its own, and the vocabulary is far larger than
# the stream is wide, so that tokens cannot all have directions of their own. Our model is causal: no position sees its successor.
# Heads are narrow, and for the reference their width is not chosen by hand: it is the smallest at which the control is right 97 %
# of the time, found on seeds that are not reported.
#
# If amplitude is the coin that replaces geometry, fixing heads should leave accuracy high and raise amplitude with every head.
# If not, accuracy falls and amplitude does what it likes.

# %%
foundation.run_foundation(config, log)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
sides = log.at()
here.say("compared", log.say_run())
for name in quantities.NAMES:
    sides.say(name, quantities.named(name), ".2g")
sides.say_all(sentences.SAID)
sides.tell_all(sentences.TOLD)
mean = lambda name: sides.mean(quantities.named(name), ".2f")

# %%
figures.show(
    draw.price(sides.map(quantities.doses)),
    f"Fixing three heads' patterns costs {mean('s2_drop_patterns')} of accuracy, and the amplitude after the block is "
    f"{mean('s3_ratio')} times the control's. The menu shows amplitude." + sides.dashed,
)  # fmt: skip

# %% [markdown]
# With three patterns fixed accuracy is {glue:text}`s2_accuracy_patterns`; the control's is {glue:text}`s1_accuracy`. The
# amplitude after the block is {glue:text}`s3_ratio` times the control's. {glue:text}`compared`
#
# "Frozen" has two meanings, and they differ. Fixing a head's *pattern* fixes where it looks, whatever it reads. Freezing its
# *weights* at their random start leaves a head that still looks at different places for different inputs, while everything around
# it learns to use what it does. The second costs {glue:text}`s2_drop_weights`. Frozen only after training, and trained on for a quarter of the time,
# three heads cost {glue:text}`s2_drop_frozen_while_training_on` against models that train on with all four.
#
# The document's first figure lays Ψ, A and σ² over each other, a line a condition. Under its hypothesis the constrained lines of A and σ² rise
# above the control's, and the naive clamp's Ψ falls to the floor.

# %%
logs = {arm: here.folder / "records" / f"audit_log_exp_a_{arm}_seed_{seed}.json" for arm in foundation.CONDITIONS}
figures.show(
    plots.plot_overlay_time_series({arm: path for arm, path in logs.items() if path.is_file()}),
    f"The document's figure 1 for seed {seed}, from its own log files, recorded at its adaptive pace. Over all seeds, the naive clamp "
    f"as printed leaves an accuracy of {mean('s4_accuracy_printed')}, the mean-preserving one {mean('s5_ratio')} of the constrained model's.",
)  # fmt: skip

# %% [markdown]
# As printed, the naive clamp leaves {glue:text}`s4_accuracy_printed`. There is a reason in the place. The published
# clamp stands before the last LayerNorm, and LayerNorm divides by the length: put on a trained model, a clamp of length there
# changes no answer at all.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
for clamp in ("naive", "token_norm", "mean_preserving"):
    sides.say(f"last_{clamp}", quantities.put_on(clamp, "resid_post"), ".3g")
sides.say("free", quantities.of_arm("psi_accuracy", "constraint"), ".3g")

# %% [markdown]
# Put on after training, at that place, the constrained model's {glue:text}`free` becomes {glue:text}`last_naive` under the naive
# clamp and {glue:text}`last_token_norm` when every token is set to one norm.
#
# ## Made precise
#
# *Where* is amplitude measured, and *where* is it clamped? After the block the stream is read through a LayerNorm, which
# forgets its length; between attention and MLP the length matters, because what the MLP adds is added to it. So we measure at every
# site, and clamp in the middle. If amplitude compensates anywhere, the constraint's dots should stand well above one there, and
# above those of a second control that differs by its start alone.

# %%
figures.show(
    draw.sites(sides),
    f"In the middle of the block the constrained model's vectors are {sides.mean(quantities.over_control('A_activation_resid_mid_L0', 'constraint'), '.2f')} "
    f"times as long as the control's, after it {mean('s3_ratio')} times. Dots are seeds.",
)  # fmt: skip

# %% [markdown]
# With three patterns fixed the vectors are {glue:text}`log2_mid` times as long as the control's in the middle, and {glue:text}`s3_ratio` times after
# the block. {glue:text}`pays`
#
# Is that the price of frozen routing? Two other models say. One never had the three heads: it is {glue:text}`removed_mid` times as loud as the control in the
# middle and {glue:text}`removed_after` times after the block, and its accuracy is {glue:text}`removed_accuracy`, its difference to the model with
# fixed patterns {glue:text}`removed_better`. {glue:text}`better_without` In the other the three heads' weights are frozen at their start, so that they still look here and there: it
# is {glue:text}`weights_mid` times as loud in the middle, {glue:text}`weights_after` times after the block, and loses {glue:text}`cost_weights`.
# {glue:text}`loudness`
#
# Could the instrument read a larger stream? Write the same network three times as large: all that goes into the stream is
# tripled, and what reads it divides by its length. Its accuracy changes by {glue:text}`s3_louder_accuracy`, and the binary logarithm of its
# amplitude ratio is read as {glue:text}`s3_log2_ratio_planted_mid` in the middle and {glue:text}`s3_log2_ratio_planted` after the block. So three times the amplitude
# can also mean nothing at all.
#
# Is the length in the middle the mechanism? A clamp takes it away: to the control's
# norm, for all tokens at once, for each token, for the mean vector μ alone, for what is left without it. If length carries the
# answer, setting the norm must be far worse than the sham, which sets every token to the model's *own* mean norm. If any
# disturbance does it, the sham hurts too.

# %%
figures.show(
    draw.clamped(sides, site),
    f"Setting every token to the control's norm leaves {mean('s4_accuracy')} when put on afterwards and {mean('s4_accuracy_trained')} "
    "when trained with it. The menu moves the clamp to other sites.",
)  # fmt: skip

# %% [markdown]
# Put on afterwards, the norm clamp leaves {glue:text}`s4_accuracy`: of the constrained model's accuracy {glue:text}`lost_norm` is lost. The sham, which takes
# no amplitude away, costs it {glue:text}`lost_sham`, and leaves {glue:text}`s4_sham_ratio` of the free control's. {glue:text}`sham_says` Trained with the
# clamp, it reaches {glue:text}`s4_accuracy_trained`, and with the sham {glue:text}`s4_sham_trained` of the constrained accuracy. {glue:text}`collapse`
#
# Put on the trained model in the middle, the mean-preserving clamp leaves an accuracy of {glue:text}`kept_preserving`, and the naive one
# {glue:text}`kept_naive`. {glue:text}`bar` {glue:text}`other_way` Trained with the mean-preserving clamp, the model keeps
# {glue:text}`s5_corrected_ratio` of the constrained accuracy above chance; its accuracy less that of the naive one is {glue:text}`trained_difference`, and
# preserving a random vector in place of the mean gives {glue:text}`s5_random_minus_naive` over the naive one. {glue:text}`either` {glue:text}`keeps`
#
# **Mean against variance.** The document says that the mean shift is the mechanism and variance its by-product. The two
# parts add up, $\mathrm{E}\|r\|^2 = \|\mu\|^2 + \mathrm{E}\|r-\mu\|^2$, so each can lose the same amount. The mean holds
# {glue:text}`s14_mean_share` of the squared norm; shrinking it costs {glue:text}`s14_mean_minus_variance_cost` more than shrinking the rest by
# as much, by which the mean loses half of itself and the rest far less. By the same share of each the difference is {glue:text}`s14_mean_minus_alike_cost`. A random shift of equal length costs
# {glue:text}`s14_random_cost`, which is {glue:text}`s14_mean_minus_random_cost` less. {glue:text}`mechanism`
#
# ## Is Ψ = G + A a law?
#
# The equation has no units: G lies between 0 and 1, A anywhere. We give it the best chance: any constant before each
# term. The document also gives G two readings, "one less the drift of attention" and "still exploring", and they exclude each
# other; we take the first, the stability of attention on prompts that never change. A law must predict a condition
# that it has not seen. If the sum is the law, it does so better than the product and better than G alone.
#
# Mind what this G does: it is {glue:text}`g_control` in the control, and {glue:text}`g_fixed` with three patterns fixed. {glue:text}`stiff`

# %%
figures.show(
    draw.laws(sides, quantities.means(sides.this)),
    f"Each dot is a condition. With A after the block the log error of the product over the sum is {mean('s13_log_product_over_additive')} over all of them, "
    f"and {mean('s13_after_product_over_additive')} without the models that cannot look; above zero the sum is the better law." + sides.source,
)  # fmt: skip

# %% [markdown]
# Over all conditions the log ratio of the errors, product over sum, is {glue:text}`s13_log_product_over_additive`. Two of them decide that: the models
# whose four heads all look at fixed places, or are all removed, which cannot do the task at any amplitude. Among those that can look
# it is {glue:text}`s13_after_product_over_additive`, and for G alone over the sum {glue:text}`s13_after_g_over_additive`. With A read between attention and MLP the two
# are {glue:text}`s13_mid_product_over_additive` and {glue:text}`s13_mid_g_over_additive`. {glue:text}`law` Planted into the same G and A, sums were recognised in a share of
# {glue:text}`s13_after_sum_found` (after the block) and {glue:text}`s13_mid_sum_found` (in the middle) of trials, products in
# {glue:text}`s13_after_product_found` and {glue:text}`s13_mid_product_found`.
#
# ## Verdict

# %%
judged = log.verdict()
figures.show(
    judged.forest("What do the tests say?", "accuracy, ratio or difference"),
    "Every test of the precise criteria with its 95 % interval over seeds. Green lies inside the shaded region, red wholly outside, "
    "yellow straddles its border.",
)  # fmt: skip

# %% jupyter={"source_hidden": true} tags=["hide-input"]
judged.tell_all(sentences.VERDICTS)
judged.table()

# %% [markdown]
# Could the tests have said otherwise? Move the means to where the answer is known, and nothing else.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("told_apart", judged.passed)
judged.probe_table()

# %% [markdown]
# The two known answers were told apart for {glue:text}`told_apart` claims.
#
# {glue:text}`solves` Its accuracy is {glue:text}`s1_accuracy`. Fixing three patterns costs {glue:text}`cost_patterns`, freezing three heads' weights
# {glue:text}`cost_weights`; the document expects 55 to 65 % with frozen heads, and with fixed patterns accuracy is {glue:text}`s2_accuracy_patterns`. {glue:text}`price`
#
# {glue:text}`pays` In the middle of the block the ratio is {glue:text}`log2_mid` with three patterns fixed, {glue:text}`removed_mid` without those heads, and
# {glue:text}`weights_mid` with their weights frozen. {glue:text}`loudness`
#
# {glue:text}`collapse` {glue:text}`keeps` {glue:text}`other_way` Clamping the mean costs {glue:text}`mean_cost` more than as large a clamp of the rest, and the mean
# holds {glue:text}`mean_holds` of the squared norm, where the claim asks for more than half. {glue:text}`mechanism`
#
# {glue:text}`law`
#
# **Limits.** One block, four heads and a synthetic task; patterns that are fixed at random, not at ones that a trained model would
# choose. A constrained model may also learn more slowly, and part of what a constraint costs may be time. The law was asked of conditions that we chose.
#
# ## Exercises
#
# :::{exercise} Wider heads
# :run: ruc run separability_foundation -p d_head 4
# :minutes: 2
# :check: s2_drop_patterns below 0.5
# With heads twice as wide, does fixing three of them cost more or less?
#
# +++
# Here it costs {glue:text}`cost_patterns`. The check looks at that cost in the new run; the first figure has it on the line of fixed patterns at three heads. A wider head that stays free can carry more of what the others did.
# :::
#
# :::{exercise} A clamp that changes nothing
# :run: ruc run separability_foundation -p site resid_post
# :minutes: 2
# :check: s4_sham_ratio above 0.98
# Move the clamp before the last LayerNorm. What should the norm clamp of a trained model cost there?
#
# +++
# Nothing: the LayerNorm behind it divides by the length. The accuracy put on afterwards, in the figure of clamps, lies on the line without a clamp.
# :::
#
# :::{exercise} Twice the time
# :run: ruc run separability_foundation -p n_epochs 20
# :minutes: 3
# :check: s1_accuracy above 0.95
# Give all models twice the time. Does the constraint's price shrink?
#
# +++
# The check looks at the control's accuracy, here {glue:text}`s1_accuracy`. With three patterns fixed it is {glue:text}`s2_accuracy_patterns` here; the sentence under the first figure says what twice the time makes of it.
# :::
