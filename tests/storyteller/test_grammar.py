"""The grammar: exact probabilities that sum to one, the closed-form entropy against simulation, true answers, violations."""

import math
import re

import numpy as np
import pytest

from helpers.storyteller import grammar, probes, world
from helpers.storyteller.voices import Broken, Ended, Reader
from helpers.storyteller.world import ID, STYLES, WORDS

OPENING = "<bos> when mary and john went to the garden , john gave the red ball to mary ."


def probability(words, style=world.PLAIN):
    """p of the last word given those before it; zero where the grammar cannot put it."""
    reader = Reader(words)
    try:
        while True:
            grammar.read(reader, style)
    except Ended:
        return math.exp(-reader.costs[-1])
    except Broken:
        assert reader.at == len(words) - 1
        return 0.0


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_the_next_words_probabilities_sum_to_one_after_every_prefix(style):
    """The oracle for exactness: at every position of some stories, over the whole vocabulary."""
    for words in grammar.documents(3, 5, style=style):
        for cut in range(1, len(words)):
            found = [probability([*words[:cut], w], style) for w in WORDS]
            assert sum(found) == pytest.approx(1, abs=1e-9)
            assert found[ID[words[cut]]] > 0


def test_every_kind_of_sentence_and_question_is_reached_by_that_oracle():
    """Prefixes chosen by hand: a question half asked, a gift half made, a sum half done, with two things and three people."""
    story = f"{OPENING} tom met mary in the garden . tom found a red hat in the garden . now tom is sad because the"
    for end in ("", "toy was broken . what", "toy was broken . what is", "toy was broken . what is nine minus"):
        assert sum(probability([*story.split(), *end.split(), w]) for w in WORDS) == pytest.approx(1)
    for end in (
        "then",
        "when",
        "when tom and",
        "when tom and mary ran to the barn ,",
        "who has the",
        "why is",
        "three",
    ):
        text = f"{story} song was slow . {end}" if end != "three" else f"{OPENING} three"
        assert sum(probability([*text.split(), w]) for w in WORDS) == pytest.approx(1)
    red = f"{story} song was slow . then tom gave the".split()
    assert probability([*red, "red"]) == 1
    assert probability([*f"{OPENING} when".split(), "mary"]) == pytest.approx(1 / 2)


@pytest.mark.parametrize("style", STYLES)
def test_closed_form_entropy_against_simulation(style):
    """4,000 documents: mean cost and mean length within four standard errors, and the rate is their ratio."""
    documents, costs = grammar.documents(4000, 11, style=style), []
    for words in documents:
        reader = Reader(words)
        grammar.read(reader, STYLES[style])
        costs.append(sum(reader.costs))
    lengths = np.array([len(words) - 1 for words in documents])
    found = grammar.entropy(style)
    assert abs(np.mean(costs) - found["document"]) < 4 * np.std(costs) / 4000**0.5
    assert abs(lengths.mean() - found["tokens"]) < 4 * lengths.std() / 4000**0.5
    assert found["rate"] == pytest.approx(found["document"] / (found["tokens"] + 1))


def test_styles_say_the_same_things_with_other_frequencies():
    text = grammar.corpus(200, 0, style="brisk")
    other, own = grammar.costs(text, "plain").mean(), grammar.costs(text, "brisk").mean()
    assert own + 0.05 < other < np.inf


def test_corpora_are_seeded_packed_and_split():
    a = grammar.corpus(700, 3)
    assert a.shape == (700, 64)
    assert (a[:, 0] == ID["<bos>"]).all()
    assert np.array_equal(a, grammar.corpus(700, 3))
    assert np.array_equal(a[:500], grammar.corpus(500, 3))
    assert not np.array_equal(a[500:], a[:200])
    held = {tuple(r) for r in grammar.corpus(700, 3, split="held")}
    assert not held & {tuple(r) for r in a}
    assert grammar.corpus(3, 0, length=20).shape == (3, 20)
    costs = grammar.costs(a[:50])
    starts = a[:50, 1:] == ID["<bos>"]
    assert starts.any()
    assert (costs[starts] == 0).all()


def test_processes_share_the_work_without_changing_it():
    assert np.array_equal(grammar.corpus(600, 1, workers=2), grammar.corpus(600, 1))


def test_answers_and_sums_are_true_by_a_reader_of_our_own():
    """Follows holders, places, colours and feelings with regular expressions, apart from the grammar's own program."""
    asked = 0
    for words in grammar.documents(400, 7):
        holder, place, colour, feels = {}, {}, {}, {}
        for line in " ".join(words[1:-1]).split(" . "):
            line = line.removesuffix(" .")
            if m := re.match(
                r"(?:when|after|while) (\w+) and (\w+) \w+ to the (\w+) , (\w+) \w+ the (\w+) (\w+) to (\w+)", line
            ):
                a, b, where, giver, c, o, to = m.groups()
                assert {giver, to} == {a, b}
                assert a != b
                assert holder.get(o, giver) == giver
                place[a] = place[b] = where
                colour[o], holder[o] = c, to
            elif m := re.match(r"then (\w+) gave the (\w+) (\w+) to (\w+)", line):
                assert (holder[m[3]], colour[m[3]]) == (m[1], m[2])
                holder[m[3]] = m[4]
            elif m := re.match(r"(?:later|soon) (\w+) \w+ to the (\w+)", line):
                place[m[1]] = m[2]
            elif m := re.match(r"(\w+) found a (\w+) (\w+) in the (\w+)", line):
                assert place[m[1]] == m[4]
                colour[m[3]], holder[m[3]] = m[2], m[1]
            elif m := re.match(r"(\w+) met (\w+) in the (\w+)", line):
                assert place[m[2]] == m[3]
                place[m[1]] = m[3]
            elif m := re.match(r"now (\w+) is (\w+) because (.*)", line):
                feels[m[1]] = m[2], m[3]
            else:
                asked += 1
                assert answer(line, holder, place, colour, feels)
    assert asked > 200


def answer(line, holder, place, colour, feels):
    number = lambda w: world.NUMBERS.index(w)
    if m := re.fullmatch(r"(?:what is )?(\w+) (plus|minus) (\w+) (?:\?|is) (\w+)", line):
        a, b = number(m[1]), number(m[3])
        return number(m[4]) == (a + b if m[2] == "plus" else a - b)
    if m := re.fullmatch(r"(?:what is )?a (\w+) (?:is )?made of (?:\? )?(\w+)", line):
        return world.MADE_OF[m[1]] == m[2]
    question, said = line.split(" ? ")
    last = question.split()[-1]
    return {
        "who": lambda: holder[last] == said,
        "where": lambda: place[last] == said,
        "what": lambda: colour[last] == said,
        "how": lambda: feels[last][0] == said,
        "why": lambda: feels[question.split()[2]] == (last, said),
    }[question.split()[0]]()


def test_the_grammar_breaks_none_of_its_own_rules():
    assert probes.violations(grammar.documents(500, 0))["per_thousand"] == 0
    found = probes.violations(grammar.corpus(100, 0, style="brisk"))
    assert (found["form"], found["world"]) == (0, 0)
    assert found["sentences"] > 300


@pytest.mark.parametrize(
    ("rest", "sentences", "form", "false"),
    [
        ("who has the ball ? mary . three plus four is seven . <eos>", 3, 0, 0),
        ("who has the ball ? john . three plus four is seven . <eos>", 3, 0, 1),  # the wrong answer
        ("three plus four is eight . <eos>", 2, 0, 1),  # the wrong sum
        ("then kate gave the red ball to john . <eos>", 2, 0, 1),  # an unknown person
        ("then john gave the red ball to mary . <eos>", 2, 0, 1),  # who does not hold it
        ("then mary gave the blue ball to john . <eos>", 2, 0, 1),  # not its colour
        ("tom met mary in the barn . <eos>", 2, 0, 1),  # not where she is
        ("a hat is made of paper . where is tom ? park . <eos>", 3, 0, 2),
        (
            "mary found a a hat . soon mary went to the park . <eos>",
            3,
            1,
            0,
        ),  # no such form, and the next is judged anew
        ("<eos>", 2, 1, 0),  # too early an end
        ("soon mary went to the park . " * 7 + "<eos>", 8, 2, 0),  # too late an end
        ("soon mary went to the", 1, 0, 0),  # cut off: not judged
        ("soon mary went to the park . <bos> when", 3, 1, 0),  # no end
        ("soon mary went to the park . <eos> " + OPENING, 3, 0, 0),
    ],
)
def test_violations_planted_by_hand(rest, sentences, form, false):
    found = probes.violations([f"{OPENING} {rest}".split()])
    assert (found["sentences"], found["form"], found["world"]) == (sentences, form, false)


def test_violations_of_noise_end_and_count():
    rng = np.random.default_rng(0)
    found = probes.violations(rng.integers(len(WORDS), size=(50, 64)))
    assert found["per_thousand"] > 990
    assert probes.violations([["<eos>", "<eos>"], []])["per_thousand"] == 1000


def test_indirect_object_pairs():
    pairs = probes.ioi_pairs(100, 3)
    assert pairs.prompts.shape == (100, 16)
    assert pairs.orders[:2] == ("ABBA", "BABA")
    for prompt, right, wrong, order in zip(
        pairs.prompts.tolist(), pairs.correct, pairs.wrong, pairs.orders, strict=True
    ):
        first, second, giver = prompt[2], prompt[4], prompt[10]
        assert WORDS[prompt[-1]] == "to"
        assert {int(right), int(wrong)} == {first, second}
        assert giver == int(wrong) == (second if order == "ABBA" else first)
    assert pairs.prompts.equal(probes.ioi_pairs(100, 3).prompts)


def test_questions_are_the_grammars_own():
    found = probes.qa_pairs(300, 1)
    assert {q.kind for q in found} == set(world.QUESTIONS)
    for q in found[:50]:
        words = grammar.words_of(q.prompt + q.answer)
        assert words[len(q.prompt) - 1] == "?"
        assert probability(words) == 1
        assert len(words) <= 64


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="style='noir' is unknown; there are plain, brisk"):
        grammar.corpus(1, 0, style="noir")
    with pytest.raises(ValueError, match="split='test' is unknown"):
        grammar.corpus(1, 0, split="test")
    with pytest.raises(ValueError, match="count=0"):
        grammar.documents(0, 0)
    with pytest.raises(ValueError, match="length=1"):
        grammar.corpus(1, 0, length=1)
    with pytest.raises(ValueError, match="n=3: an even number"):
        probes.ioi_pairs(3, 0)
    with pytest.raises(ValueError, match="n=0"):
        probes.qa_pairs(0, 0)
    with pytest.raises(ValueError, match="not all in the vocabulary of 216 words"):
        grammar.words_of([0, 216])
    with pytest.raises(ValueError, match=r"sequence 0, token 2: 'ball' .* its probability is zero"):
        grammar.costs(np.array([[ID["<bos>"], ID["when"], ID["ball"]]]))
    with pytest.raises(ValueError, match="one positive weight a word"):
        world.Table(("a", "b"), (1.0, 0.0))
