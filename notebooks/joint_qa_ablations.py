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
# tokens, of which nothing is shared. The page judges M5 to M9; the criteria stand before the verdict.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
from helpers import chapter, figures, quiz, softprompt
from helpers.chapter import Per
from helpers.softprompt import figures as draw
from helpers.softprompt import quantities, sentences, shapes, tables, targets

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: a minute on two CPU cores, or the reference on one GPU
seeds: int = None  # 2..2000: questions with their answers; each is a unit, with texts and starts of its own; None takes the profile's own
device: str = "auto"  # auto | cpu | cuda: where to optimise; auto takes the GPU when there is one
model: str = "storyteller"  # storyteller | random-160m | random-0.5b | random-1b | random-7b | FOLDER | HUB-NAME: who has to say it; random ones are only shapes
questions: str = "own"  # own | arithmetic | sudoku | squad | PATH: of the storyteller's world, made, downloaded, or a file of SQuAD, TriviaQA, NQ-open, HotpotQA or ARC
k: int = None  # 1..96: vectors of a content outside of the sweep; None takes the profile's own
steps: int = None  # 2..20000: updates of every start; None takes the profile's own
rate: float = 1.0  # 0.001..10: Adam's rate, in units of the spread of the model's embeddings
others: str = "none"  # none | width | depth: storytellers of other sizes that are asked too; they are trained where they are missing, a minute each on a GPU

# %% jupyter={"source_hidden": true} tags=["settings", "hide-input"]
given = {"seeds": seeds, "model": model, "questions": questions, "k": k, "steps": steps, "rate": rate, "others": others}
here = chapter.start("joint_qa_ablations", profile=profile, device=device, **given)
sizes = {"seeds": Per(3, 200), "k": Per(8, 8), "steps": Per(80, 500), "grid": Per((1, 8), (1, 2, 4, 8, 16, 32, 64))}
sizes |= {"known": Per(2, 120), "solved": Per(3, 240), "places": Per(5, 17), "starts": Per(3, 4), "few": Per(2, 60)}
sizes |= {"rates": Per((0.3,), (0.1, 0.3, 3.0)), "modes": Per(("tokens", "none"), softprompt.Ablations.modes)}
sizes |= {"worded": Per(2, 200), "budgets": Per((40,), (30, 40, 50, 60)), "blocks": Per(1, 50), "drawn": Per(12, 300)}
s = here.settings(**sizes, tier_grid=Per((8,), softprompt.Contest.grid))
shapes.check(model)
names = ("k", "steps", "known", "grid", "starts", "solved", "places", "few", "rates", "modes")
config = softprompt.Ablations(pairs=s.seeds, rate=rate, **{name: getattr(s, name) for name in names})
asking = {"budgets": s.budgets, "blocks": s.blocks, "drawn": s.drawn, "grid": s.tier_grid}
contest = softprompt.Contest(pairs=s.worded, steps=s.steps, rate=rate, **asking)
base = softprompt.Pairing(pairs=s.seeds, k=s.k, steps=s.steps, rate=rate, draws=4)
log = here.log(softprompt.CHAPTERS[here.name])

# %% [markdown]
# ## How many vectors, and why more
#
# Every pair is asked for at every $K$, from one vector up, until both texts win at every token or the updates are spent. If vectors are room, a pair that is less probable to the model, which has more bits, should need more
# of them: on logarithmic axes the points would rise along a line. That has to hold among questions of one family. A family that is hard for a reason of its own, and has many bits by chance, would draw the same line through all points together.

# %%
found = softprompt.load(model, device=here.device)
asked = softprompt.draw(found, max(config.pairs, config.solved), tier=questions)
softprompt.run_baselines(base, found, asked[: config.pairs], log)
known = softprompt.draw(found, config.known, tier=questions, known=True)
softprompt.run_sweep(config, found, asked[: config.pairs], known, log)
sides = log.at()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("compared", log.say_run())
sides.say_all(sentences.TOLD["sweep"])
mean = lambda name, spec: sides.mean(quantities.ablated(name), spec)

# %%
figures.show(
    draw.needed_by_bits(sides),
    f"Each point is a pair, by the family of its question. The slope of log2 K on log2 bits in blocks of twenty pairs is {mean('m5_slope_block', '.2f')}; within families it is {mean('m5_slope_within_block', '.2f')}.",
)  # fmt: skip

# %% [markdown]
# {glue:text}`compared` With one vector {glue:text}`m5_share_1` of pairs are said, from one start each; with two {glue:text}`m5_share_2`, with 64 {glue:text}`m5_share_64`. The more pairs two vectors say, the fewer are left for a slope to be seen in. The slope of log2 $K$ on log2 bits is {glue:text}`m5_slope_block` over all pairs, and {glue:text}`m5_slope_within_block` when
# every pair is measured from the mean of its family. {glue:text}`bits`
#
# ## Whose answer it is
#
# Sharing is possible only where the answer follows from the question. Most questions of the stories are about people of whom nothing is told here; only sums and materials can be known. So these are asked for alone, each
# with its own answer and with *another pair's*: of the same kind, as long, and of as many bits. If the two texts share what they are about, the curve of matched pairs lies to the left of the shuffled ones'. If they share only room,
# the two are one, and random tokens lie to the right of both.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
sides.say_all(sentences.TOLD["sharing"])
sides.tell_all(sentences.SEEN_APART, "planted")

# %%
figures.show(
    draw.sharing(sides),
    f"Matched pairs need 2 to the power of {mean('m6_known_matched_minus_shuffled', '+.2f')} as many vectors as shuffled ones (mean of log2 over pairs); "
    f"random tokens 2 to the power of {mean('m6_known_random_minus_matched', '+.2f')} as many as matched ones." + sides.dashed,
)  # fmt: skip

# %% jupyter={"source_hidden": true} tags=["hide-input"]
told = "The smallest sufficient K, of sums and materials; one step above the largest where none sufficed"
chapter.table(tables.vectors(sides.this), told)

# %% [markdown]
# In units of log2 $K$, a matched pair differs from a shuffled one by {glue:text}`m6_known_matched_minus_shuffled`, random tokens differ from a matched pair by {glue:text}`m6_known_random_minus_matched`, and a question that is its
# own answer by {glue:text}`m6_known_repeat_minus_matched`. An interval that holds zero says that the pairing made no difference that so many pairs can show. {glue:text}`control`
#
# By family the three differences are, for materials, {glue:text}`matched_minus_shuffled_fact`, {glue:text}`random_minus_matched_fact` and {glue:text}`repeat_minus_matched_fact`; for sums, {glue:text}`matched_minus_shuffled_sum`,
# {glue:text}`random_minus_matched_sum` and {glue:text}`repeat_minus_matched_sum`. {glue:text}`planted`
#
# Where random tokens need fewer vectors than sums do, room is not all that is missing: they are less probable by far, as the table says. A model that is sure of another word may be harder to turn than one that is sure of none; that would
# explain it, and is not shown here. Teacher-forced and free-running exactness agree in {glue:text}`m_teacher_equals_free` of texts.
#
# ## Other words for the same
#
# Where the two texts fight over the vectors, the document averages the loss over paraphrases, so that what is only wording cancels. A dull reason why this would look good: more texts are more computing. So one start is averaged over three wordings of
# each side for half of its updates, and then goes on with the asked wording alone; against it stand two plain starts, with as many updates in a row, and together the same cost. To tell meaning from noise, a third arm is averaged with sentences of other pairs.
# The storyteller knows one wording of each question. The *quizmaster*, a model of its size, was trained for this page on stories whose questions come in four. All have one vector, and updates are counted out.

# %%
master = quiz.quizmaster(here.device)
softprompt.run_paraphrases(contest, master, targets.worded(master, contest.pairs), log)
sides = log.at()
figures.show(
    draw.wordings(sides),
    f"One vector, and so many updates that about a third of the pairs succeed. Other wordings gain {mean('m7_gain', '+.0%')} over plain starts of the same cost, other pairs' sentences {mean('m7_sham', '+.0%')}.",
)  # fmt: skip

# %% jupyter={"source_hidden": true} tags=["hide-input"]
sides.tell_all(sentences.SEEN_APART, "wording")
sides.say_all(sentences.TOLD["words"])

# %% [markdown]
# Plain starts say {glue:text}`m7_base` of the pairs; with other wordings the share changes by {glue:text}`m7_gain`, with other pairs' sentences by {glue:text}`m7_sham`. The gradients of the two losses have a cosine of
# {glue:text}`conflict`; a cosine that is lower by one standard deviation goes with a gain that is larger by {glue:text}`m7_gain_by_conflict`. {glue:text}`words` Against other pairs' sentences paraphrases differ by {glue:text}`words_over_sham`. {glue:text}`wording`
#
# ## Harder tasks
#
# The document orders its data: answers that stand in the text, knowledge, arithmetic, Sudoku, ARC. If what is hard to work out is hard to hold, the smallest sufficient $K$ rises in that order. If a content holds words and not work, tasks of equal length and
# equal bits need equal $K$, whatever the work. Bits are counted after the vector of a mode alone, a beginning that no training has shown, so they are many. The quizmaster was trained on all five, in the stories' own words, and blocks of one task a tier are matched in both.

# %%
softprompt.run_tiers(contest, master, log)
sides = log.at()
figures.show(
    draw.tiers(sides),
    f"Each point is a task. In a block the order of the tiers and that of K have a rank correlation of {mean('m8_tau_block', '+.2f')}; with the tiers shuffled {mean('m8_tau_permuted', '+.2f')}.",
)  # fmt: skip

# %% jupyter={"source_hidden": true} tags=["hide-input"]
sides.say_all(sentences.TOLD["tiers"])
sides.tell_all(sentences.SEEN_APART, "even")
chapter.table(tables.tasks(sides.this), "The tiers: what is equal in a block, and what is not")

# %% [markdown]
# Kendall's τ of a block is {glue:text}`m8_tau_block`. In it bits differ by {glue:text}`bits_apart` between the least and the most, lengths by {glue:text}`length_apart`. {glue:text}`tiers` In log2 $K$ extraction needs {glue:text}`needed_extractive`, knowledge {glue:text}`needed_knowledge`, arithmetic {glue:text}`needed_arithmetic`, Sudoku {glue:text}`needed_sudoku` and ARC {glue:text}`needed_arc`, where a task that no $K$ says counts as one doubling
# above the largest. {glue:text}`even` Read the last two columns of the table together: what the model can work out, and what it needs to be told.
#
# ## Where solutions lie
#
# Start the same pair again from elsewhere. If there is one address, the second search should end near the first, on a path without a wall. If solutions are everywhere, it should end as far from the first as any two random contents
# lie, and a straight line between them should cross high ground. As a check of the instrument, a third start lies a hundredth of the spread beside the first, and a line leads to another pair's content, which says other texts.

# %%
softprompt.run_geometry(config, found, asked[: config.solved], log)
solved = log.at(part="geometry")
figures.show(
    draw.places(solved),
    f"Two starts of one pair end nearer to each other than two pairs do by {solved.mean(quantities.ablated('m9_cosine_within_minus_between'), '+.2f')} in cosine; a slot's nearest token has "
    f"{solved.mean(quantities.ablated('m9_nearest_token'), '.2f')}, a start and its own end {solved.mean(quantities.ablated('moved'), '.2f')}.",
)  # fmt: skip

# %%
figures.show(
    draw.landscape(log.at(part="landscape")),
    "The loss in the plane through three solutions of one pair, marked ×: dark is low. Wells apart, with a ridge between them, are solutions apart; one valley would be one basin.",
)  # fmt: skip

# %%
figures.show(
    draw.barriers(solved),
    f"The loss rises by {solved.mean(quantities.ablated('m9_barrier'), '.1f')} nats on the way to another start's solution, by {solved.mean(quantities.ablated('m9_barrier_near_start'), '.1f')} "
    f"from a start close by, and by {solved.mean(quantities.ablated('m9_barrier_other_pair'), '.1f')} on the way to another pair's. The dotted line is the claim's border.",
)  # fmt: skip

# %% jupyter={"source_hidden": true} tags=["hide-input"]
solved.say_all(sentences.TOLD["places"])

# %% [markdown]
# Two solutions of one pair have a cosine of {glue:text}`within`, those of two pairs {glue:text}`between`. The cosine between two starts' solutions exceeds that between pairs by {glue:text}`m9_cosine_within_minus_between`. The nearest token of a slot has a cosine of {glue:text}`m9_nearest_token`, and would have one if the slots were words. On the line to another start's solution the loss
# rises by {glue:text}`m9_barrier` nats, from a start close by {glue:text}`m9_barrier_near_start`, to another pair's content {glue:text}`m9_barrier_other_pair`. It rises by less than one nat for {glue:text}`barrier_below_one` of pairs. (The verdict reads as many of these pairs as the claim plans for, so its means may differ a little.) A start and its own end have a cosine of {glue:text}`moved`: at one a solution would be its start, at zero it would have forgotten it.
# A second network that is to guess contents, as the document plans, needs one target a pair; the cosine and the barrier say how far two valid ones lie apart.
#
# ## Modes, rates, models
#
# The vector before the content can be two tokens' embeddings, two random vectors, learned, exchanged, or nothing. Without it one prompt has to say two different texts, which greedy decoding cannot do, so that row has to be zero.

# %%
ladder = shapes.members(others, here.device)
softprompt.run_settings(config, found, asked, log, ladder)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
rungs = (
    chapter.table(tables.ladder(log.frame()), "Storytellers of other sizes: the share of pairs decoded")
    if ladder
    else None
)
chapter.table(tables.settings(log.frame()), "What stands before the content, and how fast it is moved, at the same K")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
rungs

# %% [markdown]
# Any causal model of the hub can be asked, by its name as the parameter `model`, and given `questions` that it reads. What it takes is known before it is loaded:

# %% jupyter={"source_hidden": true} tags=["hide-input"]
told = "Models by name in bfloat16, K = 32, texts of 24 tokens: how many contents half of the memory holds beside the weights (computed; 0: too large)"
chapter.table(shapes.memory(softprompt.Pairing().joint), told)

# %% [markdown]
# ## Verdict

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.box()

# %%
judged = log.verdict()
how = "The bar is the 95 % interval over pairs, or over blocks of them; the shaded part is where the claim wants it."
figures.show(judged.forest("Shared vectors, or shared room?", "log2 K, slope, share, τ, cosine or nats"), how)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
judged.tell_all(sentences.ABLATIONS)
here.say("control", tables.failed(judged.verdicts, "M6"))
judged.table()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("told_apart", judged.passed)
judged.probe_table()

# %% [markdown]
# {glue:text}`share` {glue:text}`basin` A smallest sufficient $K$: {verdict}`M5`. Shared structure: {verdict}`M6`. Paraphrases: {verdict}`M7`. The order of tiers: {verdict}`M8`. One basin: {verdict}`M9`. Known answers were told apart for {glue:text}`told_apart` claims.
#
# ## Limits
#
# $K$ goes up in doublings, so a sixth is a quarter of a step, seen only in the mean over many pairs. A larger model may share what this one does not. The quizmaster's paraphrases are made by rule, its Sudoku have four rows and its ARC tasks
# five rules; it answers some tiers better than others, as the table says. Straight lines are the cruellest paths; curved ones may avoid a wall.
#
# ## Exercises
#
# :::{exercise} Patience or room
# :run: ruc run joint_qa_ablations -p steps 320
# :minutes: 4
# :check: m5_share_8 above 0.6
# With four times the updates of the quick run, which share rises more: that of pairs that one vector says, or that of eight?
#
# +++
# That of eight. With the page's updates one vector says {glue:text}`m5_share_1` of pairs from one start, two say {glue:text}`m5_share_2`; on the page before, one vector says more of them from several starts.
# Which of the two is missing, room or a way there, these runs do not separate; more starts help.
# :::
#
# :::{exercise} A smaller step
# :run: ruc run joint_qa_ablations -p rate 0.1
# :minutes: 2
# :check: m7_base below 0.1
# The paraphrases are compared where updates are short. What does a tenth of the rate do to plain starts there, and can other wordings make up for it?
#
# +++
# Plain starts say nothing any more, and neither do the others: where nothing is said in time, averaging over wordings does not help, though the document wants it just there.
# :::
#
# ## References
#
# ```{footbibliography}
# ```
