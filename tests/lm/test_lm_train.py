"""Training: the schedule, the same bits twice, interruption, milestones, and that something is learned."""

import math

import numpy as np
import pytest
import torch

from helpers import checkpoints
from helpers.lm import scoring, train
from helpers.lm.train import Recipe, fit, shuffled
from helpers.storyteller import grammar, sizes

TINY = sizes.Size(1, 64)


@pytest.fixture(scope="module")
def rows():
    return torch.from_numpy(grammar.corpus(40, 0, length=24))


def tiny(seed=0, kind="llama"):
    return sizes.build(TINY, seed, kind=kind)


def run(rows, recipe, folder=None, model=None, batches=None, **more):
    model = model or tiny()
    done = fit(model, batches or shuffled(rows, recipe.batch, recipe.seed), recipe, "cpu", folder, **more)
    return model, done


def same(a, b):
    return all(torch.equal(v, b.state_dict()[k]) for k, v in a.state_dict().items())


def test_learning_rate_rises_falls_and_ends_at_a_tenth():
    recipe = Recipe(steps=110, lr=0.01, warmup=10)
    assert [recipe.rate(s) for s in (0, 9, 10)] == pytest.approx([0.001, 0.01, 0.01])
    assert recipe.rate(60) == pytest.approx(0.01 * (0.1 + 0.9 * 0.5))
    assert recipe.rate(109) == pytest.approx(0.001, rel=0.01)


def test_the_loss_is_the_cross_entropy_of_the_next_token(rows):
    model, x = tiny(), rows[:4]
    with torch.no_grad():
        p = model(input_ids=x).logits.softmax(-1)
    expected = [-math.log(p[b, t, x[b, t + 1]]) for b in range(4) for t in range(x.shape[1] - 1)]
    assert scoring.nats(model(input_ids=x).logits, x).mean().item() == pytest.approx(np.mean(expected), rel=1e-5)
    assert train.held_out(model, x, batch=3) == pytest.approx(np.mean(expected), rel=1e-5)


def test_the_first_step_is_adams_worked_out_by_hand(rows):
    """Clipped gradient, bias-corrected moments (a step of the rate in each coordinate), decay on matrices alone."""
    model, recipe = tiny(), Recipe(steps=1, batch=4, length=24, lr=0.01, warmup=0, clip=0.1, decay=0.5)
    start = {k: p.detach().clone() for k, p in model.named_parameters()}
    scoring.nats(model(input_ids=rows[:4]).logits, rows[:4]).mean().backward()
    norm = math.sqrt(sum(float(p.grad.square().sum()) for p in model.parameters()))
    assert norm > recipe.clip
    g = {k: p.grad * recipe.clip / (norm + 1e-6) for k, p in model.named_parameters()}
    run(rows, recipe, model=model, batches=lambda step: rows[:4])
    for name, p in model.named_parameters():
        kept = start[name] * (1 - recipe.lr * recipe.decay * (p.ndim >= 2))
        assert torch.allclose(p, kept - recipe.lr * g[name] / (g[name].abs() + 1e-8), atol=1e-5), name


@pytest.mark.parametrize("kind", sizes.TYPES)
def test_training_twice_gives_the_same_bits(rows, kind, tmp_path):
    recipe = Recipe(steps=6, batch=8, length=24, every=3)
    a, b = (run(rows, recipe, model=tiny(kind=kind))[0] for _ in range(2))
    files = [tmp_path / f"{i}.safetensors" for i in range(2)]
    for file, model in zip(files, (a, b), strict=True):
        checkpoints.save(file, train.weights(model))
    assert files[0].read_bytes() == files[1].read_bytes()
    assert not same(a, run(rows, Recipe(steps=6, batch=8, length=24, seed=1), model=tiny(kind=kind))[0])
    assert not torch.are_deterministic_algorithms_enabled()


def test_interrupted_training_goes_on_to_the_same_bits(rows, tmp_path):
    recipe = Recipe(steps=9, batch=8, length=24, every=2, milestones=(3, 8))
    whole, done = run(rows, recipe, tmp_path / "a", held=rows[:4])
    batches = shuffled(rows, 8, 0)

    def failing(step):
        if step == 7:
            raise KeyboardInterrupt
        return batches(step)

    with pytest.raises(KeyboardInterrupt):
        run(rows, recipe, tmp_path / "b", batches=failing, held=rows[:4])
    seen = []
    resumed, again = run(rows, recipe, tmp_path / "b", batches=lambda s: seen.append(s) or batches(s), held=rows[:4])
    assert seen == [6, 7, 8]
    assert same(whole, resumed)
    assert [m["held"] for m in again.record.metrics] == [m["held"] for m in done.record.metrics]
    assert [m["step"] for m in done.record.metrics] == [2, 4, 6, 8, 9]
    assert all(set(m) == {"step", "timestamp", "train", "held"} for m in done.record.metrics)
    for step in (3, 8):
        assert done.milestones[step].read_bytes() == again.milestones[step].read_bytes()
    finished, _ = run(rows, recipe, tmp_path / "b", batches=lambda s: pytest.fail("nothing is left to do"))
    assert same(whole, finished)


def test_a_milestone_is_the_state_at_its_step(rows, tmp_path):
    flat = {"batch": 8, "length": 24, "warmup": 0, "floor": 1.0}
    _, done = run(rows, Recipe(steps=5, milestones=(3,), **flat), tmp_path)
    shorter, _ = run(rows, Recipe(steps=3, **flat))
    kept = checkpoints.load(done.milestones[3])
    assert all(torch.equal(v, kept[k]) for k, v in shorter.state_dict().items())


def test_a_damaged_or_foreign_state_is_not_used(rows, tmp_path):
    recipe = Recipe(steps=2, batch=8, length=24, every=1)
    first, _ = run(rows, recipe, tmp_path)
    state = next(tmp_path.glob("state_*.safetensors"))
    state.write_bytes(state.read_bytes()[:-10])
    assert same(first, run(rows, recipe, tmp_path)[0])
    run(rows, recipe, tmp_path, model=tiny(seed=1))
    assert len(list(tmp_path.glob("state_*.safetensors"))) == 2


def test_templates_are_learned_and_reported():
    rows, told = torch.from_numpy(grammar.corpus(400, 0, length=32)), []
    held = torch.from_numpy(grammar.corpus(20, 0, length=32, split="held"))
    recipe = Recipe(steps=60, batch=16, length=32, lr=1e-2, warmup=5, every=30)
    _, done = run(rows, recipe, held=held, report=lambda step, values: told.append((step, values)))
    assert [step for step, _ in told] == [30, 60]
    assert done.loss == told[-1][1]["held"] < 2.5 < math.log(216) - 2
    assert done.record.metadata["recipe"]["lr"] == 1e-2


def test_an_epoch_shows_every_row_once(rows):
    batches = shuffled(rows, 8, 0)
    epochs = [torch.cat([batches(e * 5 + s) for s in range(5)]) for e in range(2)]
    for epoch in epochs:
        assert sorted(map(tuple, epoch.tolist())) == sorted(map(tuple, rows.tolist()))
    assert not epochs[0].equal(epochs[1])
    assert batches(3).equal(shuffled(rows, 8, 0)(3))
    assert not batches(3).equal(shuffled(rows, 8, 1)(3))


def test_what_cannot_be_trained_is_refused(rows, monkeypatch):
    for bad, message in (
        ({"steps": 0}, "steps=0"),
        ({"lr": 2.0}, r"lr=2\.0"),
        ({"milestones": (0, 9)}, r"milestones \[0, 9\] are outside"),
        ({"precision": "int8"}, "precision='int8' is unknown"),
    ):
        with pytest.raises(ValueError, match=message):
            Recipe(**{"steps": 5} | bad)
    with pytest.raises(ValueError, match="40 sequences are fewer than one batch of 64"):
        shuffled(rows, 64, 0)
    with pytest.raises(ValueError, match="need a folder"):
        run(rows, Recipe(steps=5, batch=8, milestones=(1,)))
    with pytest.raises(RuntimeError, match="device='cuda:99' is not there"):
        fit(tiny(), shuffled(rows, 8, 0), Recipe(steps=1), "cuda:99")
    broken = tiny()
    with torch.no_grad():
        broken.get_output_embeddings().weight[0, 0] = math.inf
    with pytest.raises(FloatingPointError, match=r"the loss is .* by step 1; use a lower lr"):
        run(rows, Recipe(steps=1, batch=8, length=24), model=broken)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_recorded_step_equals_the_eager_one(rows):
    recipe = Recipe(steps=6, batch=8, length=24)
    models = [tiny() for _ in range(3)]
    for model, compiled in zip(models, (False, True, True), strict=True):
        graph = Recipe(**{**recipe.__dict__, "compile": compiled})
        fit(model, shuffled(rows, 8, 0, "cuda"), graph, "cuda")
    eager, a, b = (m.cpu() for m in models)
    assert same(a, b)
    assert all(torch.allclose(v, eager.state_dict()[k], atol=2e-4) for k, v in a.state_dict().items())
