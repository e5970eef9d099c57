"""What cannot be asked of a model is refused before anything is trained, with the reason and what works."""

from dataclasses import replace

import pytest
import torch

from helpers.lm import LM
from helpers.softprompt import engine, prompts
from helpers.softprompt.config import Search
from helpers.softprompt.jobs import Job, Target, bucket, jobs, shelves

HOW = Search(k=3, steps=2)


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (Job(("j",), (Target((5, 6)),), 64), r"k=64 does not fit into a context of 64 tokens; use 62 or less"),
        (Job(("j",), (Target((5,) * 62),), 3), r"62 tokens behind 4 vectors exceed the context of 64 tokens; use 61"),
        (Job(("j",), (Target((5, 216)),), 3), r"token \[216\] is outside the vocabulary of 216"),
        (Job(("j",), (Target((-1,)),), 3), r"token \[-1\] is outside the vocabulary"),
        (Job(("j",), (Target(()),), 3), "a text without tokens"),
        (Job(("j",), (), 3), "0 texts; at least one"),
        (Job(("j",), (Target((5, 0, 6)),), 3), r"the padding token 0 \(which stands for nothing\) lies inside"),
        (Job(("j",), (Target((5, 0)),), 3), "the text ends in the padding token 0"),
    ],
)
def test_a_target_that_cannot_be_said_is_refused_before_training(tiny, job, words, monkeypatch):
    monkeypatch.setattr(engine.stacked, "fit", lambda *a, **k: pytest.fail("it trains"))
    with pytest.raises(ValueError, match=words):
        engine.search(tiny["llama"], [Job(("fine",), (Target((5,)),), 3), job], HOW)


def test_the_longest_text_that_fits_is_taken(tiny):
    (found,) = engine.search(tiny["llama"], [Job(("j",), (Target((5,) * 61),), 3)], HOW)
    assert found.trace.shape == (1, 3)


def test_an_end_of_text_token_that_is_the_padding_token_counts_at_the_end(tiny):
    """Its loss is a target's as any other's; in the middle of a text it is refused."""
    import copy

    words = copy.deepcopy(tiny["llama"].tokenizer)
    words.pad_token = words.eos_token
    model = LM("eos", "folder", tiny["llama"].model, words, "cpu")
    end = words.eos_token_id
    job = Job(("j",), (Target((5, 6, end)), Target((7, end), 1)), 3)
    (found,) = engine.search(model, [job], HOW)
    whole = torch.cat(
        [prompts.modes(model, "tokens")[:1], prompts.start(model, job, HOW), prompts.embed(model, [[5, 6]])[0]]
    )
    logp = model.model(inputs_embeds=whole[None]).logits[0, 3:].log_softmax(-1)
    assert abs(found.trace[0, 0].item() + logp[[0, 1, 2], [5, 6, end]].mean().item()) < 1e-5
    with pytest.raises(ValueError, match="which is the end-of-text token too"):
        engine.search(model, [Job(("j",), (Target((5, end, 6)),), 3)], HOW)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"k": 0}, "k=0 is too few; use 1"),
        ({"restarts": 0}, "restarts=0"),
        ({"steps": 0}, "steps=0"),
        ({"every": 0}, "every=0"),
        ({"rate": 0.0}, "rate=0.0"),
        ({"spread": -1.0}, "spread=-1.0"),
        ({"margin": -0.1}, "margin=-0.1"),
        ({"clip": 0.0}, "clip=0.0"),
        ({"mode": "token"}, "mode='token' is unknown; use one of tokens, random"),
        ({"objective": "semantic"}, "objective='semantic' is unknown"),
        ({"objective": "published_shift", "mode": "none", "k": 1}, "use k=2"),
    ],
)
def test_wrong_settings_are_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        Search(**wrong)


def test_a_job_twice_is_refused(tiny):
    job = Job(("j",), (Target((5,)),), 3)
    with pytest.raises(ValueError, match="asked for twice"):
        engine.search(tiny["llama"], [job, job], HOW)


def test_starts_are_drawn_by_name_and_restart_alone(tiny):
    how = replace(HOW, restarts=2)
    first, second = jobs(("a", 1), [Target((5,))], how)
    again = replace(first, texts=(Target((6, 7)),))
    start = lambda job: prompts.start(tiny["llama"], job, how)
    assert torch.equal(start(first), start(again))
    assert not torch.equal(start(first), start(second))
    unit = prompts.spread(tiny["llama"])
    big = Job(("a", 2), (Target((5,)),), 50)
    assert abs(float(prompts.start(tiny["llama"], big, replace(how, spread=2.0)).std()) / (2 * unit) - 1) < 0.05


def test_shelves_hold_every_job_by_shape_short_ones_first():
    made = [Job((n, r), (Target((1,) * n),), 2, r) for n in (3, 9, 4, 2) for r in (1, 0)]
    found = shelves(made)
    assert set(found) == {(2, 1, 8), (2, 1, 16)}
    assert [(j.restart, j.longest) for j in found[2, 1, 8]] == [(0, 2), (0, 3), (0, 4), (1, 2), (1, 3), (1, 4)]
    assert [bucket(n) for n in (1, 8, 9, 16, 17, 2000)] == [8, 8, 16, 16, 24, 2000]
