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
# # A question and its answer
#
# **Can a few vectors, found by gradient descent, make a language model say a question, and the same vectors make it say the answer?**
#
# Seed document 002 plans a memory of such vectors: a *content* of $K$ vectors stands before a frozen model, one more vector says which side is asked
# for, and the content is optimised until both texts come out {footcite:p}`urverwirrung2026dcm`. Prompts that are optimised in this way are an old tool
# {footcite:p}`lester2021power`, and a single vector can hold a long text {footcite:p}`kuratov2025cramming`. So the plan is not far-fetched, and it has gates: if fewer than 70 % of
# single texts or 30 % of pairs *converge*, stop.
#
# Everything hangs on that word. The document calls a pair converged when its loss has fallen to 0.3 of what random vectors give, or to twice what the full text before it would leave. If that means that
# the model says the pair, the two should happen together. But a loss of a token is a mean over tokens, and a text is said only if every one of
# them is right, the first included, since the model goes on from its own words. So beside the loss we let the model speak. The page judges M1 to M4; the criteria stand before the verdict.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
import torch

from helpers import chapter, figures, softprompt
from helpers.chapter import Per
from helpers.softprompt import engine, prompts, quantities, sentences, shapes, tables
from helpers.softprompt import figures as draw
from helpers.softprompt.jobs import Job

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: a minute on two CPU cores, or the reference on one GPU
seeds: int = None  # 2..2000: questions with their answers; each is a unit, with texts and starts of its own; None takes the profile's own
device: str = "auto"  # auto | cpu | cuda: where to optimise; auto takes the GPU when there is one
model: str = "storyteller"  # storyteller | random-160m | random-0.5b | random-1b | random-7b | FOLDER | HUB-NAME: who has to say it; random ones are only shapes
questions: str = "own"  # own | arithmetic | sudoku | squad | PATH: of the storyteller's world, made, downloaded, or a file of SQuAD, TriviaQA, NQ-open, HotpotQA or ARC
k: int = None  # 1..96: vectors of a joint content, K; None takes the profile's own
restarts: int = None  # 1..20: starts of every pair; None takes the profile's own
steps: int = None  # 2..20000: updates of every start; None takes the profile's own
rate: float = 1.0  # 0.001..10: Adam's rate, in units of the spread of the model's embeddings

# %% jupyter={"source_hidden": true} tags=["settings", "hide-input"]
given = {"seeds": seeds, "model": model, "questions": questions, "rate": rate}
given |= {"k": k, "restarts": restarts, "steps": steps}
here = chapter.start("joint_qa", profile=profile, device=device, **given)
sizes = {"seeds": Per(4, 200), "k": Per(8, 32), "restarts": Per(2, 5), "steps": Per(120, 500)}
s = here.settings(**sizes, grid=Per((1, 4), (1, 2, 4, 8, 16)), draws=Per(4, 10))
chosen = {"k": s.k, "restarts": s.restarts, "steps": s.steps, "grid": s.grid, "draws": s.draws}
shapes.check(model)
config = softprompt.Pairing(pairs=s.seeds, rate=rate, **chosen)
log = here.log(softprompt.CHAPTERS[here.name])

# %% [markdown]
# ## What is asked, and how the loss is counted
#
# The model of this page is the storyteller, whose world asks questions such as *who has the key ?* and answers *john .* Each side ends in the model's own full stop or question mark. The document's loss, in its own
# words, is this function: the model reads the prompt and the text, and each token's label stands at its own place, since the library shifts labels by one itself.

# %%
found = softprompt.load(model, device=here.device)
asked = softprompt.draw(found, config.pairs, tier=questions)


def generator_loss_fn(model, target_tokens, prompt_embeds):
    full = torch.cat([prompt_embeds, model.get_input_embeddings()(target_tokens)])[None]  # (1, P + L, d)
    labels = torch.full(full.shape[:2], -100, device=full.device)
    labels[0, len(prompt_embeds) :] = target_tokens
    return model(inputs_embeds=full, labels=labels).loss


# %% jupyter={"source_hidden": true} tags=["hide-input"]
job = Job(("check",), asked[0].both, config.k)
front = prompts.front(found, job, config.joint)
alone = generator_loss_fn(found.model, prompts.ids(found, asked[0].question), front).item()
assert abs(engine.weigh(found, [job], config.joint)[0].nll[0] - alone) < 0.05  # models in half precision round

# %% [markdown]
# All pairs and starts are optimised at once, each with an Adam, a clipping and a clock of its own. What the printed loop would do one after another comes out the same.
#
# ## As printed: baselines, single texts, pairs

# %%
softprompt.run_baselines(config, found, asked, log)  # stage 0
softprompt.run_stages(config, found, asked, log)  # single texts, pairs, and what must fail
sides = log.at()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("compared", log.say_run())
for name in quantities.SHARES:
    sides.say(name, quantities.named(name), ".0%")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
for name in ("transfer_gain", "transfer_from_start"):
    sides.say(name, quantities.named(name), "+.2f", "nats")
sides.say("m4_auc_within", quantities.named("m4_auc_within"), ".2f")
sides.tell_all(sentences.SEEN)
told = "Stage 0: what a text costs after prompts that do not know it (nats a token)"
chapter.table(tables.baselines(sides.this), told)

# %% [markdown]
# If a loss that has fallen far means a text that is said, the two curves of the next figure lie on each other. If the rule fires first, the gap between them is
# the time in which a pair is called converged and cannot be said.

# %%
mean = lambda name, spec: sides.mean(quantities.named(name), spec)
figures.show(
    draw.rule_and_decoding(sides),
    f"The loss rule is met after {mean('met_steps', '.0f')} updates in the mean. At that moment {mean('m3_first_met_not_decoded', '.0%')} of the pairs are not "
    f"decoded; with every start at its best, {mean('m2_exact_both', '.0%')} are." + sides.dashed,
)  # fmt: skip

# %% [markdown]
# {glue:text}`compared` The rule is met by {glue:text}`m2_converged` of pairs. When it is first met, {glue:text}`m3_first_met_not_decoded` of them are not said yet; at the
# start of least loss {glue:text}`m3_rule_met_not_decoded` still are not. For {glue:text}`least_is_another` of pairs the start of least loss is not one that says it, and another start does. Both sides are decoded exactly from one content, of any start, for
# {glue:text}`m2_exact_both` of pairs, and {glue:text}`both_at_smallest` at the smallest $K$ that says half of the single texts. Where that $K$ says many more than half of them, the claim's second test has no value: it asks for a $K$ at which about half are said.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
told = "The document's gates, by its loss rule and by what the model says (shares)"
chapter.table(tables.gates(sides.this), told) + chapter.table(
    tables.tiers(sides.this), "Its thresholds, and where this run stands"
)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
both = chapter.table(tables.health(sides.this), "Loss curves by the document's classes")
(
    both
    + chapter.table(tables.restarts(sides.this), "Restarts that are needed")
    + chapter.table(tables.signals(sides.this), "Its signals to stop early")
)

# %% [markdown]
# ## A sentence forms
#
# What does the model say on the way? Take a few pairs, stop now and then, and let it speak. A loss that falls evenly would suggest that the words come in one after another, from the left or in any order.

# %%
softprompt.run_watch(config, found, asked, log)
watched = log.at(part="watch")
figures.show(
    draw.forming(watched),
    f"Losses of a question and its answer while one content is found for both. At the last look the questions' mean loss is "
    f"{watched.mean(quantities.last_loss('q'), '.2f')} nats a token and the answers' {watched.mean(quantities.last_loss('a'), '.3f')}.",
)  # fmt: skip

# %% jupyter={"source_hidden": true} tags=["hide-input"]
watched.say("first_word_wrong", quantities.named("first_word_wrong"), ".0%")
told = "What greedy decoding says from the first pair's content. Drag through the updates."
look = {"prefix": "updates: ", "format": "{:.0f}", "title": "What does the model say on the way?", "head": "asked for"}
both = {"question": "question", "answer": "answer"}
figures.texts(tables.spoken(watched.this), both, by="side", slider="step", caption=told, **look)

# %% [markdown]
# At the looks at which a watched question is not said whole, its first word is wrong in {glue:text}`first_word_wrong` of them. Where that is all of them, the words do not come in one after another from the left.
#
# Read the question's line together with its loss. With a wrong first word the model tells another sentence to its end, and a mean over tokens hides
# it: once the first is given, the other words of a question are cheap for a model that knows questions, and their small losses cover one large one.
#
# ## Made precise: said or not said
#
# Count a pair only when greedy decoding, fed with nothing but its own words, gives both texts with their terminators. That needs no second experiment. If the right token is the likeliest at every place *given the right
# ones before it*, then the first word that the model says is right, so the second is predicted from the right beginning and is right too, and so on to the end. Teacher-forced and free-running
# exactness are the same thing, up to ties; here they agree in {glue:text}`m_teacher_equals_free` of the texts. A gap between training and speaking, which the published notes fight
# with four remedies, cannot exist for a text of which every token is right.
#
# How then did they see losses of 10⁻⁴ and texts that begin with the second word? The published code puts the labels one place earlier than the document does. The library shifts once more, and every position learns the token after the next. Trained
# so, our model says {glue:text}`m4_shifted_labels_pass` of the pairs, and begins {glue:text}`shift_second` of the questions with their second word.
#
# What else could say a pair? If contents that were never optimised, or the content of another pair, or a model that was never trained say as many, the measure is worth nothing. Side by side that is less plain than it sounds: answers are of two words.

# %%
figures.show(
    draw.conditions(sides),
    f"Pairs of which both texts are decoded. Of contents made for another pair {mean('m2_other_content', '.0%')} say it, of an untrained model's "
    f"{mean('m2_untrained_model', '.0%')}, and with the published labels {mean('m4_shifted_labels_pass', '.0%')}.",
)  # fmt: skip

# %% [markdown]
# An untrained model, asked for single texts, says {glue:text}`m1_untrained_q` of the questions and {glue:text}`m1_untrained_a` of the answers: where that is many, a single text that comes out tells nothing of what the model knows. Pairs are another matter: from one content for both it says {glue:text}`m2_untrained_model`. And of contents that were never
# optimised {glue:text}`m3_random_meets_q` meet the question's half of the printed rule, and {glue:text}`m3_random_meets_a` the answer's, for twice the loss after the full question is not little where the question does not tell the answer.
#
# ## How many vectors does it take?
#
# If the two texts only share room, a joint content of $K$ vectors should do as well as two contents of $K/2$, one for each. If they share structure, it should do better. But where nearly everything fits, at many vectors,
# neither can be told.

# %%
figures.show(
    draw.said_by_vectors(sides),
    f"With K = 8, {mean('m1_exact_q', '.0%')} of questions and {mean('m1_exact_a', '.0%')} of answers are decoded, each from its own content. The third curve is both from one, from its first start." + sides.dashed,
)  # fmt: skip

# %% jupyter={"source_hidden": true} tags=["hide-input"]
chapter.table(
    tables.transfer(sides.this),
    "Does a question's content know the answer? Loss of the answer after contents that were made without it (nats a token)",
)

# %% [markdown]
# Two halves of their own say {glue:text}`separate_halves` of pairs, against {glue:text}`m2_exact_both` of the joint contents, which had several starts. The nearer both are to all pairs, the less this comparison can tell.
# Where little fits it could: two contents of one vector each say both texts of {glue:text}`two_alone_one_each` of pairs, and the [next page](joint_qa_ablations.ipynb) asks for pairs from one content of two vectors. A joint content that does better there
# need not share, either: where a question alone takes two vectors and its answer one, the answer comes along almost free.
#
# And a content that was made for a question alone: by how much is its answer cheaper with it than with another question's content? By {glue:text}`transfer_gain` a token; and than with vectors that were not optimised at all, by {glue:text}`transfer_from_start`. A number below zero says that it is dearer.
# {glue:text}`transfer_own` {glue:text}`transfer_away`

# %%
figures.show(
    draw.losses(sides),
    f"Every joint content by the larger of its two losses, K by K. The dotted line is {quantities.LOW:g} nats. At the smallest K a said pair has the lower loss of two with probability {mean('m4_auc_within', '.2f')}.",
)  # fmt: skip

# %% [markdown]
# ## Verdict

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.box()

# %%
judged = log.verdict()
figures.show(
    judged.forest("Do single texts, pairs and losses keep their promise?", "share of pairs"),
    "Each row is a test: the bar is its 95 % interval over pairs (the last one's over blocks of twenty), the shaded part is where the claim wants it.",
)  # fmt: skip
here.store("summary", tables.summary(sides.this, given))

# %% jupyter={"source_hidden": true} tags=["hide-input"]
judged.tell_all(sentences.JOINT)
here.say("single_held", tables.failed(judged.verdicts, "M1"))
here.say("held_back", tables.failed(judged.verdicts, "M3"))
judged.table()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
here.say("told_apart", judged.passed)
judged.probe_table()

# %% [markdown]
# {glue:text}`says_both` From one content with as many vectors and starts as this page asks for, {glue:text}`m2_exact_both` of pairs are said; an untrained model says {glue:text}`m2_untrained_model`, and contents made for another pair {glue:text}`m2_other_content`. At the smallest $K$ that says half of the single texts, with as many starts, it is {glue:text}`both_at_smallest`; of the single texts that $K$ says {glue:text}`single_at_smallest`. {glue:text}`joint`
#
# {glue:text}`single` Single questions are said for {glue:text}`m1_exact_q`, and by an untrained model for {glue:text}`m1_untrained_q`. {glue:text}`single_held` {glue:text}`rule` {glue:text}`held_back` {glue:text}`first`
#
# Both losses end below 0.1 nats for {glue:text}`low_losses` of pairs, though every joint start is run to its last update; of these {glue:text}`m4_pass_low_loss` are said. Among contents of one size a said pair has the lower loss of two with probability {glue:text}`m4_auc_within`. {glue:text}`low` Single questions: {verdict}`M1`; answers: {verdict}`M1b`. Low losses: {verdict}`M4`. Known answers were told apart for {glue:text}`told_apart` claims.
#
# ## Limits
#
# The storyteller has 1.3 million parameters and 216 words, and its questions are short. A larger model knows more of what it has to say, and has wider vectors to be told it with; whether its first words are as hard to reach is not
# known from here. The question stands without its story, so most answers cannot be known from it. Random shapes show what a larger model costs, and nothing about what it would say.
#
# ## Exercises
#
# :::{exercise} Patience
# :run: ruc run joint_qa -p steps 240
# :minutes: 3
# :check: m2_exact_both above 0.3
# Predict what twice the updates do to the share of pairs that meet the rule, and to the share that is said.
#
# +++
# The first is near its ceiling and stays; the second rises, since what is missing after fewer updates is mostly one word.
# :::
#
# :::{exercise} One vector
# :run: ruc run joint_qa -p k 1
# :minutes: 2
# :check: m2_exact_both below 0.5
# How often can one vector of 128 numbers hold two texts? It holds their numbers of bits many times over. Predict the share of pairs that are said.
#
# +++
# Of pairs one vector says {glue:text}`one_start_at_smallest` from one start and {glue:text}`both_at_smallest` from all of them, where the smallest $K$ above is one. Which of the two is missing, room or a way there, these runs do not separate; more starts help, and
# numbers that can be stored are not yet numbers that the model can read.
# :::
#
# ## References
#
# ```{footbibliography}
# ```
