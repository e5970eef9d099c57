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
# # What the two share
#
# **Do a question and its answer share the vectors that make a model say them, or only the room?**
#
# [The chapter before](joint_qa.ipynb) finds contents of which one set of vectors says both. Seed document 002 reads such a content as an *address*: because an answer belongs to its question, one place in the
# model's space should serve both {footcite:p}`urverwirrung2026dcm`. If so, a question with its own answer should need fewer vectors than the same question with an answer that belongs to another.
#
# A dull alternative predicts the opposite. A few hundred free numbers are many, one vector of a large model can hold more than a thousand tokens {footcite:p}`kuratov2025cramming`, and what limits it is how
# improbable the text is. Then whatever is asked for fits when there is room, and the answer's owner does not matter. The instrument has to see sharing where it is: so beside both stand a question that is its own answer, and random
# tokens, of which nothing is shared.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
from helpers import chapter, figures, softprompt
from helpers.chapter import Per
from helpers.softprompt import figures as draw
from helpers.softprompt import quantities, tables

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: a minute on two CPU cores, or the reference on one GPU
seeds: int = None  # 2..2000: questions with their answers; each is a unit, with texts and starts of its own; None takes the profile's own
device: str = "auto"  # auto | cpu | cuda: where to optimise; auto takes the GPU when there is one
model: str = "storyteller"  # storyteller | random-160m | random-0.5b | random-1b | random-7b | FOLDER | HUB-NAME: who has to say it; random ones are only shapes
questions: str = "own"  # own | arithmetic | sudoku | squad | PATH: of the storyteller's world, made, downloaded, or a file of SQuAD, TriviaQA, NQ-open, HotpotQA or ARC
k: int = None  # 1..96: vectors of a content outside of the sweep; None takes the profile's own
steps: int = None  # 2..20000: updates of every start; None takes the profile's own
rate: float = 1.0  # 0.001..10: Adam's rate, in units of the spread of the model's embeddings

# %% jupyter={"source_hidden": true} tags=["settings", "hide-input"]
given = {"seeds": seeds, "model": model, "questions": questions, "k": k, "steps": steps, "rate": rate}
here = chapter.start("joint_qa_ablations", profile=profile, device=device, **given)
sizes = {"seeds": Per(3, 200), "k": Per(8, 8), "steps": Per(105, 500), "grid": Per((1, 8), (1, 2, 4, 8, 16, 32, 64))}
tried = {"starts": Per(3, 5), "few": Per(2, 100), "rates": Per((0.3,), (0.1, 0.3, 1.0, 3.0))}
s = here.settings(**sizes, **tried, modes=Per(("tokens", "none"), ("tokens", "random", "learned", "swapped", "none")))
chosen = {
    "grid": s.grid,
    "k": s.k,
    "steps": s.steps,
    "starts": s.starts,
    "few": s.few,
    "rates": s.rates,
    "modes": s.modes,
}
config = softprompt.Ablations(pairs=s.seeds, rate=rate, **chosen)
base = softprompt.Pairing(pairs=s.seeds, k=s.k, steps=s.steps, rate=rate, draws=4)
log = here.log(softprompt.CHAPTERS[here.name])
here.box()

# %% [markdown]
# ## A sweep of K
#
# Every pair is asked for at every $K$, from one vector up, until both texts win at every token or the updates are spent. *Another pair's answer* has as many tokens as the own one.
# If the two share what they are about, the curve of matched pairs lies to the left of the shuffled ones'. If they share only room, the two curves are one, and random tokens lie to the right of both.

# %%
found = softprompt.load(model, device=here.device)
asked = softprompt.draw(found, config.pairs, tier=questions)
softprompt.run_baselines(base, found, asked, log)
softprompt.run_sweep(config, found, asked, log)
sides = log.at()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("compared", log.say_run())
for name in (*quantities.LOGS, "m5_slope_block"):
    sides.say(name, quantities.ablated(name), "+.2f")
for name in ("m5_share_1", "m5_share_64", "m_teacher_equals_free"):
    sides.say(name, quantities.ablated(name), ".0%")

# %%
mean = lambda name, spec: sides.mean(quantities.ablated(name), spec)
figures.show(
    draw.sweep(sides),
    f"Matched pairs need 2 to the power of {mean('m6_log2_matched_minus_shuffled', '+.2f')} as many vectors as shuffled ones (mean of log2 over pairs); "
    f"random tokens 2 to the power of {mean('m6_log2_random_minus_matched', '+.2f')} as many as matched ones." + sides.dashed,
)  # fmt: skip

# %% [markdown]
# {glue:text}`compared` With one vector {glue:text}`m5_share_1` of pairs are said, with 64 {glue:text}`m5_share_64`. In units of log2 $K$, a matched pair differs from a shuffled one by {glue:text}`m6_log2_matched_minus_shuffled`,
# random tokens differ from a matched pair by {glue:text}`m6_log2_random_minus_matched`, and a question that is its own answer by {glue:text}`m6_log2_repeat_minus_matched`. An interval that holds zero says that the pairing made no difference
# that so many pairs can show. Teacher-forced and free-running exactness agree in {glue:text}`m_teacher_equals_free` of texts.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
chapter.table(tables.vectors(sides.this), "The smallest sufficient K; one step above the largest where none sufficed")

# %% [markdown]
# ## Bits
#
# If vectors are room, a pair that is less probable to the model, which has more bits, should need more of them. On logarithmic axes the points would lie along a line of slope one. If they lie along none,
# something else than the number of bits decides.

# %%
figures.show(
    draw.needed_by_bits(sides),
    f"Each point is a pair: the bits of both texts after their modes alone, and the smallest K that sufficed. The slope in blocks of twenty pairs is {mean('m5_slope_block', '.2f')}.",
)  # fmt: skip

# %% [markdown]
# The slope of log2 $K$ on log2 bits is {glue:text}`m5_slope_block`. The sum of bits is a crude measure: [the chapter before](joint_qa.ipynb) asks whether one token, the first of the question, is harder than all others.
#
# ## Where solutions lie
#
# Start the same pair again from elsewhere. If there is one address, the second search should end near the first, on a path without a wall. If solutions are everywhere, it should end as far from the first as any two random contents
# lie, and a straight line between them should cross high ground. As a check of the instrument, a third start lies a hundredth of the spread beside the first, and a line leads to another pair's content, which says other texts.

# %%
softprompt.run_geometry(config, found, asked, log)
solved = log.at(part="geometry")
figures.show(
    draw.places(solved),
    f"Two starts of one pair end nearer to each other than two pairs do by {solved.mean(quantities.ablated('m9_cosine_within_minus_between'), '+.2f')} in cosine; a slot's nearest token has "
    f"{solved.mean(quantities.ablated('m9_nearest_token'), '.2f')}, a start and its own end {solved.mean(quantities.ablated('moved'), '.2f')}.",
)  # fmt: skip

# %%
figures.show(
    draw.barriers(solved),
    f"The loss rises by {solved.mean(quantities.ablated('m9_barrier'), '.1f')} nats on the way to another start's solution, by {solved.mean(quantities.ablated('m9_barrier_near_start'), '.1f')} "
    f"from a start close by, and by {solved.mean(quantities.ablated('m9_barrier_other_pair'), '.1f')} on the way to another pair's. The dotted line is the claim's border.",
)  # fmt: skip

# %% jupyter={"source_hidden": true} tags=["hide-input"]
for name in (*quantities.PLACES, "moved"):
    solved.say(name, quantities.ablated(name), ".2f")

# %% [markdown]
# The cosine between two starts' solutions exceeds that between pairs by {glue:text}`m9_cosine_within_minus_between`. The nearest token of a slot has a cosine of {glue:text}`m9_nearest_token`, and would have one if the slots were words. On the line to another start's solution the loss
# rises by {glue:text}`m9_barrier` nats, from a start close by {glue:text}`m9_barrier_near_start`, to another pair's content {glue:text}`m9_barrier_other_pair`. A start and its own end have a cosine of {glue:text}`moved`: at one a solution would be its start, at zero it would have forgotten it.
# A second network that is to guess contents, as the document plans, needs one target a pair; the first two numbers say how far two valid ones lie apart.
#
# ## Modes and rates
#
# The vector before the content can be two tokens' embeddings, two random vectors, learned, exchanged, or nothing. Without it one prompt has to say two different texts, which greedy decoding cannot do, so that row has to be zero.

# %%
softprompt.run_settings(config, found, asked, log)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
told = "What stands before the content, and how fast it is moved, at the same K"
chapter.table(tables.settings(log.frame()), told)

# %% [markdown]
# ## Verdict

# %%
judged = log.verdict()
how = "The bar is the 95 % interval over pairs, or over blocks of them; the shaded part is where the claim wants it."
figures.show(
    judged.forest("Shared vectors, or shared room?", "log2 K, slope, share, cosine or nats", ("M5", "M6", "M9")), how
)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
judged.tell("share", "M6", {
    "supported": "A question and its own answer need fewer vectors than strangers do: they share more than room.",
    "refuted": "A question and its own answer need as many vectors as strangers do: they share the room, and nothing that saves a sixth of it.",
    "mixed": "Whether they share more than room depends on the test.",
    "undecided": "Whether a question and its answer share more than room is open.",
})  # fmt: skip
judged.table()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("told_apart", judged.passed)
judged.probe_table()

# %% [markdown]
# {glue:text}`share` There is a smallest sufficient $K$, and it rises with the bits: {verdict}`M5`. Shared structure: {verdict}`M6`. One basin: {verdict}`M9`. Paraphrases ({verdict}`M7`) and the order of tiers ({verdict}`M8`) are not measured here: the storyteller
# has one wording for each question, and reads no other tier. Known answers were told apart for {glue:text}`told_apart` claims.
#
# ## Limits
#
# $K$ goes up in doublings, so a sixth is a quarter of a step, seen only in the mean over many pairs. A larger model may share what this one does not. Straight lines are the cruellest paths; curved ones may avoid a wall.
#
# ## Exercises
#
# :::{exercise} A content without a mode
# :run: ruc run joint_qa_ablations -p k 4
# :minutes: 2
# :check: m_teacher_equals_free above 0.99
# With fewer vectors, which of the modes would you expect to suffer first? Predict the row *none* of the last table.
#
# +++
# The row *none* is zero at every K: one prompt has one greedy continuation. The others differ by chance as far as few pairs can tell.
# :::
#
# :::{exercise} A smaller step
# :run: ruc run joint_qa_ablations -p rate 0.1
# :minutes: 2
# :check: m5_share_1 below 0.5
# Contents that move less stay nearer to their start. Predict what that does to the cosine of a start and its end, and to the share that is said.
#
# +++
# The cosine rises towards one; fewer pairs are said within the same updates.
# :::
#
# ## References
#
# ```{footbibliography}
# ```
