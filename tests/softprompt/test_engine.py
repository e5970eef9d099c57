"""The engine against the document's loop, one target at a time; queues, ends, and what a batch must not change."""

from dataclasses import replace

import pytest
import torch
from one_at_a_time import generator_loss, loop, published_loss

from helpers import softprompt
from helpers.softprompt import engine, prompts
from helpers.softprompt.config import MODES, Search
from helpers.softprompt.jobs import Job, Target
from helpers.softprompt.slots import Slots

HOW = Search(k=3, steps=50, rate=0.3, stop=False)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_losses_equal_the_documents_loop_for_fifty_steps(tiny, drawn, kind):
    """Texts of different lengths in one batch: each content's losses, step by step, as alone."""
    jobs = drawn(3, (5, 8, 2))
    how = replace(HOW, rate=3.0)
    for job, found in zip(jobs, engine.search(tiny[kind], jobs, how), strict=True):
        curve, _ = loop(tiny[kind], job, how)
        assert found.trace.shape == (2, 51)
        assert (found.trace.T[:50] - curve).abs().max() < 1e-3
        assert curve[-1].sum() < curve[0].sum() - 1


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_equals_the_loop(tiny, drawn, mode):
    how = replace(HOW, mode=mode, steps=12)
    (job,) = drawn(1, (4, 6))
    (found,) = engine.search(tiny["llama"], [job], how)
    curve, content = loop(tiny["llama"], job, how)
    assert (found.trace.T[:12] - curve).abs().max() < 1e-3
    assert (found.modes is None) == (mode == "none")
    if found.best_at == 12:
        assert (found.content - content).abs().max() < 1e-3


@pytest.mark.parametrize("stop", [True, False])
@pytest.mark.parametrize("mode", ["tokens", "learned", "none"])
def test_a_result_is_worth_what_it_says(story, mode, stop):
    """Content and modes are of one update, and give the loss that is told, also where many updates follow before a look."""
    how = replace(HOW, mode=mode, steps=40, rate=1.0, every=25, stop=stop, margin=0.0)
    asked = [Job(("pair", i), pair.both, 4) for i, pair in enumerate(softprompt.draw(story, 3))]
    results = engine.search(story, asked, how)
    for result in results:
        for text, nll in zip(result.job.texts, result.nll, strict=True):
            prompt = engine.prompt_of(result, text.side)  # (P, d)
            ids = torch.tensor([text.ids])
            read = story.model.get_input_embeddings()(ids[:, :-1])
            with torch.no_grad():
                logits = story.model(inputs_embeds=torch.cat([prompt[None], read], 1)).logits[:, len(prompt) - 1 :]
            own = torch.nn.functional.cross_entropy(logits[0], ids[0])
            assert abs(own - nll) < 1e-4


@pytest.mark.parametrize(("objective", "loss"), [("aligned", generator_loss), ("published_shift", published_loss)])
def test_the_objectives_are_the_models_own_loss_of_their_labels(tiny, drawn, objective, loss):
    """Aligned: as the document prints it. Shifted: as the published code has it, and told apart by the numbers."""
    how = replace(HOW, objective=objective, steps=8)
    (job,) = drawn(1, (5, 7))
    (found,) = engine.search(tiny["llama"], [job], how)
    right, wrong = (loop(tiny["llama"], job, how, loss=f)[0] for f in (generator_loss, published_loss))
    mine, other = (right, wrong) if loss is generator_loss else (wrong, right)
    assert (found.trace.T[:8] - mine).abs().max() < 1e-4
    assert (found.trace.T[:8] - other).abs().max() > 1e-2


def test_the_aligned_loss_is_that_of_hand_picked_logits(tiny, drawn):
    """logits[P - 1 + i] predict token i of the text."""
    model, how = tiny["gpt2"], replace(HOW, mode="tokens")
    (job,) = drawn(1, (4, 6))
    slots = Slots(model, how, 1, 3, 2, 8)
    params = slots.fresh([job])
    nll, margin = slots.forward(params)
    for r, text in enumerate(job.texts):
        front = torch.cat([prompts.modes(model, "tokens")[r : r + 1], params["content"][0]])
        whole = torch.cat([front, prompts.embed(model, [text.ids])[0]])[None]
        logits = model.model(inputs_embeds=whole).logits[0, 3 : 3 + len(text.ids)]
        ids = torch.tensor(text.ids)[:, None]
        assert torch.allclose(nll[0, r], -logits.log_softmax(-1).gather(1, ids).mean(), atol=1e-5)
        others = logits.scatter(1, ids, -torch.inf).amax(1)
        assert torch.allclose(margin[0, r], (logits.gather(1, ids)[:, 0] - others).min(), atol=1e-5)


def test_a_queue_gives_what_each_job_gives_alone(tiny, drawn):
    """Seven contents of two shapes through two slots, stopped at random: as one after another, in the order that was asked."""
    how = replace(HOW, steps=20, stop=True, margin=0.0, every=4, rate=3.0)
    jobs = drawn(7, (1, 2, 1, 6))
    together = engine.search(tiny["llama"], jobs, how, slots=2)
    assert [r.job for r in together] == jobs
    assert len({r.steps for r in together}) > 1
    for job, found in zip(jobs, together, strict=True):
        (alone,) = engine.search(tiny["llama"], [job], how)
        assert (alone.state, alone.solved_at, alone.best_at) == (found.state, found.solved_at, found.best_at)
        assert (alone.content - found.content).abs().max() < 1e-4
        assert alone.trace.shape == found.trace.shape


def test_a_smaller_stack_goes_on_where_the_larger_stopped(tiny, drawn):
    """Four short targets that end soon and one that does not: the last goes on alone, and ends as it does alone."""
    how = replace(HOW, steps=60, stop=True, margin=0.0, every=3, rate=1.0)
    easy = [Job(("easy", i), (Target((5 + i,), 0),), 3) for i in range(4)]
    hard = [Job(("hard", 0), (Target((9, 8, 7, 6), 0),), 3)]
    found = engine.search(tiny["llama"], [*easy, *hard], how)[-1]
    (alone,) = engine.search(tiny["llama"], hard, how)
    assert found.solved_at == alone.solved_at
    assert (found.content - alone.content).abs().max() < 1e-4


def test_teacher_forced_and_free_running_exactness_are_the_same(story, drawn):
    """The theorem, on contents that say their text and on some that do not."""
    how = Search(k=4, steps=25, rate=1.0, margin=0.0)
    texts = [(Target((30, 40), 0),), (Target((41, 5, 62), 1),), (Target((99, 98, 97, 96, 95, 94), 0),)]
    jobs = [Job(("t", i), t, 4) for i, t in enumerate(texts)]
    results = engine.verified(story, engine.search(story, jobs, how))
    assert {r.exact for r in results} == {(True,), (False,)}
    assert all(r.exact == r.free for r in results)
    assert all(r.said[0] == r.job.texts[0].ids for r in results if r.exact[0])


def test_the_published_shift_teaches_to_skip(story):
    """With labels one place too early, the first word that is said is the second of the text, and none comes out right."""
    how = Search(k=8, steps=60, rate=1.0, objective="published_shift", stop=False)
    texts = [(30, 41, 60, 73), (50, 62, 99, 140), (75, 33, 120, 12)]
    jobs = [Job(("shift", i), (Target(ids),), 8) for i, ids in enumerate(texts)]
    results = engine.verified(story, engine.search(story, jobs, how))
    assert not any(r.free[0] for r in results)
    assert sum(r.said[0][0] == r.job.texts[0].ids[1] for r in results) >= 2


def test_a_solved_target_cancels_its_other_restarts(tiny):
    how = replace(HOW, k=3, restarts=4, steps=40, stop=True, margin=0.0, every=2, rate=1.0, any=True)
    jobs = [Job(("one", 0), (Target((5,)),), 3, r) for r in range(4)]
    assert [r.job.restart for r in engine.search(tiny["llama"], jobs, how, slots=1)] == [0]
    whole = replace(how, any=False)
    assert [r.job.restart for r in engine.search(tiny["llama"], jobs, whole, slots=1)] == [0, 1, 2, 3]


def test_a_broken_slot_is_reported_and_the_others_go_on(tiny, drawn):
    """A rate that overflows: that content ends as 'not finite' after a few steps; its neighbours end as they do without it."""
    how = replace(HOW, steps=20, every=5, rate=3.0)
    jobs = drawn(3, (4, 5))
    jobs[1] = replace(jobs[1], rate=1e38)
    results = engine.search(tiny["gpt2"], jobs, how)
    assert [r.state for r in results] == ["spent", "not finite", "spent"]
    assert torch.isfinite(results[1].content).all()
    for i in (0, 2):
        (alone,) = engine.search(tiny["gpt2"], [jobs[i]], how)
        assert (alone.content - results[i].content).abs().max() < 1e-4


def test_memory_that_runs_out_halves_the_slots_and_says_so(tiny, drawn, monkeypatch):
    jobs, how = drawn(5, (3, 4)), replace(HOW, steps=6, every=2)
    plain = engine.search(tiny["llama"], jobs, how)
    forward = Slots.forward

    def narrow(self, params):
        if len(self) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return forward(self, params)

    monkeypatch.setattr(Slots, "forward", narrow)
    with pytest.warns(UserWarning, match="going on with 2 contents at a time"):
        found = engine.search(tiny["llama"], jobs, how)
    for a, b in zip(plain, found, strict=True):
        assert (a.content - b.content).abs().max() < 1e-4

    def never(self, params):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(Slots, "forward", never)
    with pytest.raises(MemoryError, match="use a smaller k"):
        engine.search(tiny["llama"], jobs[:1], how)


def test_the_model_is_left_as_it_was(tiny, drawn):
    model = tiny["llama"].model
    before = [p.clone() for p in model.parameters()], [p.requires_grad for p in model.parameters()]
    engine.search(tiny["llama"], drawn(2, (3,)), replace(HOW, steps=3))
    assert all(torch.equal(a, b) for a, b in zip(before[0], model.parameters(), strict=True))
    assert [p.requires_grad for p in model.parameters()] == before[1]
    assert all(p.grad is None for p in model.parameters())


def test_starts_are_weighed_without_training(tiny, drawn):
    jobs = drawn(3, (3, 5))
    for job, found in zip(jobs, engine.weigh(tiny["gpt2"], jobs, HOW), strict=True):
        curve, _ = loop(tiny["gpt2"], job, HOW, steps=1)
        assert torch.allclose(torch.tensor(found.nll), curve[0], atol=1e-5)


def test_attention_without_masks_is_the_same(tiny, drawn):
    """The kind of attention that a recorded step uses: no mask is made, and every logit stays."""
    model = tiny["llama"].model
    x = torch.randn(2, 9, 64, generator=torch.Generator().manual_seed(0))
    plain = model(inputs_embeds=x).logits
    prompts.register()
    kind, model.config._attn_implementation = model.config._attn_implementation, prompts.CAUSAL
    try:
        assert (model(inputs_embeds=x).logits - plain).abs().max() < 1e-5
    finally:
        model.config._attn_implementation = kind


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_recorded_equals_eager_on_a_gpu(drawn):
    from helpers import lm

    model, how = lm.load("storyteller", device="cuda"), replace(HOW, steps=40, stop=True, every=5, rate=1.0)
    jobs = drawn(70, (2, 3, 7))
    with_graph, without = (engine.search(model, jobs, how, slots=16, graph=g) for g in (None, False))
    for a, b in zip(with_graph, without, strict=True):
        assert a.state == b.state
        assert (a.content - b.content).abs().max() < 1e-2
    curve, _ = loop(model, jobs[0], how)
    reached = with_graph[0].trace.shape[1] - 1
    assert (with_graph[0].trace.T[:reached] - curve[:reached]).abs().max() < 1e-3
