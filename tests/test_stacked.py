"""The stacked engine against torch's own optimisers, one model at a time."""

import math

import pytest
import torch
from torch.nn import functional as F

from helpers import devices, stacked

STEPS = 50
LIMITS = {torch.float64: 1e-9, torch.float32: 1e-5}


def noise(*shape, key=0):
    return torch.randn(shape, generator=devices.torch_rng("stacked", key, shape), dtype=torch.float64)


def alone(start, loss, *, lr, steps=STEPS, decay=None, clip=None, frozen=(), stop=None):
    """One model by torch.optim. lr, decay, clip: numbers, decay by name; lr and clip may be functions of the step.

    stop(step, loss) -> bool is asked after each step. Returns the parameters, and the steps taken.
    """
    params = {k: v.clone().requires_grad_(k not in frozen) for k, v in start.items()}
    rate, most = (v if callable(v) else lambda step, v=v: v for v in (lr, clip))
    groups = [{"params": [p], "weight_decay": (decay or {}).get(k, 0.0)} for k, p in params.items() if k not in frozen]
    optimiser = torch.optim.AdamW(groups, lr=1.0)
    whole = lambda: loss({k: v[None] for k, v in params.items()}).sum()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = float(rate(step))
        optimiser.zero_grad()
        whole().backward()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_([p for p in params.values() if p.requires_grad], float(most(step)))
        optimiser.step()
        with torch.no_grad():
            if stop and stop(step + 1, float(whole())):
                break
    return {k: v.detach() for k, v in params.items()}, step + 1


def to(model, device, dtype=torch.float64):
    return {k: v.to(device, dtype) for k, v in model.items()}


def gap(params, i, end):
    """Largest difference of a stack's model i from a model."""
    return max(float((params[k][i].double() - v.double()).abs().max()) for k, v in end.items())


# a two-layer conv net with as many models as input channels, of different widths

COUNT, CHANNELS = 3, 3


def conv_model(seed, width=4, classes=5):
    return {
        "first": noise(width, CHANNELS, 3, 3, key=seed) / 3,
        "bias": noise(width, key=seed) / 3,
        "second": noise(classes, width, 3, 3, key=seed) / 3,
    }


def conv_loss(x, y):
    """x (B, C, H, W), y (B,): (M,) cross-entropies of the stack."""

    def loss(p, clock=None):
        count = len(p["bias"])
        h = F.conv2d(x.repeat(1, count, 1, 1), p["first"].flatten(0, 1), groups=count)  # (B, M·width, H - 2, W - 2)
        h = torch.relu(h + p["bias"].flatten()[:, None, None])
        out = F.conv2d(h, p["second"].flatten(0, 1), groups=count).mean((2, 3))  # (B, M·classes)
        out = out.view(len(x), count, -1)
        return torch.stack([F.cross_entropy(out[:, i], y) for i in range(count)])

    return loss


def images(device, dtype=torch.float64):
    return noise(6, CHANNELS, 6, 6).to(device, dtype), torch.arange(6, device=device) % 5


@pytest.mark.parametrize("dtype", LIMITS)
def test_two_layers_of_convolutions(device, dtype, monkeypatch):
    """Different widths, rates and clippings, both on a schedule; the first layer of one model frozen: as three trainings."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)  # what it rounds to is more than what is asked here
    rates, clips = [0.01, 0.001, 0.03], [0.1, 10.0, 0.5]
    models = [conv_model(s, width) for s, width in enumerate((4, 2, 3))]
    loss = conv_loss(*images(device, dtype))
    params = to(stacked.pile(models), device, dtype)
    learn = {"first": torch.tensor([1.0, 1.0, 0.0])}
    falling = lambda value, age: value / (1 + age / 20)
    lr, clip = (torch.tensor(v, dtype=dtype, device=device) for v in (rates, clips))
    both = {"lr": lambda age: falling(lr, age.to(dtype)), "clip": lambda age: falling(clip, age.to(dtype))}
    stacked.fit(params, loss, steps=STEPS, learn=learn, **both)
    exact = conv_loss(*images(device))
    for i, start in enumerate(models):
        frozen = ["first"] if i == 2 else []
        one = {k: lambda step, v=v: falling(v, step) for k, v in {"lr": rates[i], "clip": clips[i]}.items()}
        end, _ = alone(to(start, device), exact, frozen=frozen, **one)
        own = {k: v[i][tuple(map(slice, end[k].shape))].double()[None] for k, v in params.items()}  # without padding
        assert abs(exact(own) - exact({k: v[None] for k, v in end.items()})).item() < LIMITS[dtype]
        assert dtype == torch.float32 or max(float((own[k][0] - end[k]).abs().max()) for k in end) < 1e-9
    assert torch.equal(params["first"][2, :3].cpu(), models[2]["first"].to(dtype))
    assert params["bias"][1, 2:].abs().max() == 0  # padding


def test_a_models_rate_is_its_own_where_input_channels_are_as_many_as_models():
    """Adam's first step moves every entry by the rate. Where that is zero a model stays; every channel of the others moves."""
    rates = torch.tensor([0.01, 0.0, 0.002], dtype=torch.float64)
    models = [conv_model(s) for s in range(COUNT)]
    params, before = stacked.pile(models), stacked.pile(models)
    stacked.fit(params, conv_loss(*images("cpu")), lr=rates, steps=1)
    for name in params:
        moved = (params[name] - before[name]).abs().flatten(1)
        assert torch.allclose(moved, rates[:, None].expand_as(moved), atol=1e-6), name


# one layer of attention: parameters of four ranks, decay on the matrices of the attention alone


def attention_model(seed, vocab=7, width=6):
    square = {k: noise(width, width, key=(seed, k)) / 2 for k in "qkvo"}
    ends = {"code": noise(vocab, width, key=seed), "head": noise(width, vocab, key=seed)}
    return square | ends | {"gain": 1 + noise(width, key=seed) / 9, "heat": torch.tensor(1.0, dtype=torch.float64)}


def attention_loss(x):
    """x (B, T + 1): (M,) cross-entropies of the next token."""

    def loss(p, clock=None):
        h = p["code"][:, x[:, :-1]]  # (M, B, T, D)
        q, k, v = (h @ p[n][:, None] for n in "qkv")
        h = h + F.scaled_dot_product_attention(q, k, v, is_causal=True) @ p["o"][:, None]
        h = F.layer_norm(h, h.shape[-1:]) * p["gain"][:, None, None]
        logits = h @ p["head"][:, None] * p["heat"].view(-1, 1, 1, 1)  # (M, B, T, V)
        logp = torch.log_softmax(logits, -1)
        return -logp.gather(-1, x[None, :, 1:, None].expand(len(logp), -1, -1, 1)).mean((1, 2, 3))

    return loss


def test_attention_with_decay_on_part_of_its_weights(device):
    strong, rates = [0.0, 0.1, 2.0], [0.01, 0.02, 0.005]
    models = [attention_model(s) for s in range(COUNT)]
    loss = attention_loss((torch.arange(40, device=device) ** 2 % 7).view(4, 10))
    params = to(stacked.pile(models), device)
    both = dict.fromkeys("qkv", torch.tensor(strong, dtype=torch.float64)) | {"o": 0.3}
    rate = torch.tensor(rates, dtype=torch.float64, device=device)
    seen = stacked.fit(params, loss, lr=rate, steps=STEPS, decay=both, log=[STEPS, 0], probe=loss)
    for i, start in enumerate(models):
        end, _ = alone(to(start, device), loss, lr=rates[i], decay=dict.fromkeys("qkv", strong[i]) | {"o": 0.3})
        assert gap(params, i, end) < 1e-9
    assert (seen[1] < seen[0]).all()
    assert seen[1].tolist() == loss(params).tolist()


def test_decay_is_a_schedule_too_and_spares_what_is_frozen():
    p = {"w": torch.ones(3, 2), "v": torch.ones(3, 2)}
    loss = lambda p, t: 0 * p["w"].sum(1) + 0 * p["v"].sum(1)
    learn = {"w": torch.tensor([1.0, 0.0, 1.0]), "v": torch.tensor([[1.0, 0.0]])}
    stacked.fit(p, loss, lr=0.5, steps=2, decay=lambda age: 0.2 * (age + 1), learn=learn)
    assert torch.allclose(p["w"][:, 0], torch.tensor([0.9 * 0.8, 1.0, 0.9 * 0.8]))
    assert torch.allclose(p["v"], torch.tensor([0.9 * 0.8, 1.0]).expand(3, 2))


# soft prompts: vectors before a frozen network that make it say a text, trained until it does, three at a time

ROWS, WIDTH, VOCAB, LENGTH, LEVEL = 3, 8, 12, 4, 0.7


def prompts(device, count=8):
    """Starts (P, D), targets (count, T), a loss for targets (M, T), and a schedule of the rate."""
    starts = [{"prompt": noise(2, WIDTH, key=i) / 4} for i in range(count)]
    targets = torch.stack([torch.randperm(VOCAB, generator=devices.torch_rng("t", i))[:LENGTH] for i in range(count)])
    mix = noise(LENGTH, 2, key="mix").to(device) / math.sqrt(2)
    deep, head = noise(WIDTH, 32, key="deep").to(device) / 2, noise(32, VOCAB, key="head").to(device) / 4

    def loss_for(wanted):
        def loss(p, clock=None):
            logits = torch.tanh(mix @ p["prompt"] @ deep) @ head  # (M, T, V)
            return (
                F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none").view(len(wanted), -1).mean(1)
            )

        return loss

    rate = lambda age: 0.1 * (0.2 + 0.8 * (1 - torch.as_tensor(age).double() / 200))
    return to_all(starts, device), targets.to(device), loss_for, rate


def to_all(models, device):
    return [to(m, device) for m in models]


def serve(device, level, budget, every, **more):
    """A queue of prompts through a stack of three rows: {job: (steps, prompt)}."""
    starts, targets, loss_for, rate = prompts(device)
    jobs, queue, done = list(range(ROWS)), list(range(ROWS, len(starts))), {}
    wanted, begun = targets[:ROWS].clone(), [0] * ROWS
    loss = loss_for(wanted)
    params = stacked.pile([starts[j] for j in jobs])

    def refill(step, p):
        new, losses = {}, loss(p).tolist()
        for row, job in enumerate(jobs):
            if job is None or (losses[row] >= level and step - begun[row] < budget):
                continue
            done[job] = step - begun[row], p["prompt"][row].clone()
            jobs[row], begun[row] = (queue.pop(0) if queue else None), step
            new[row] = None if jobs[row] is None else starts[jobs[row]]
            if jobs[row] is not None:
                wanted[row] = targets[jobs[row]]
        return new

    seen = stacked.fit(
        params, loss, lr=rate, steps=1000, clip=0.05, refill=refill, every=every, log=[0, 1000], probe=loss, **more
    )
    assert len(seen) == 1  # training ended before the ceiling
    return done, params


def test_a_queue_of_soft_prompts_with_early_stop(device):
    """Eight prompts through three rows, clipped, on a falling rate, stopped when the text is likely or the budget spent: each
    takes the steps and ends at the vectors that it does alone."""
    level, budget, every = LEVEL, 60, 5
    done, params = serve(device, level, budget, every)
    starts, targets, loss_for, rate = prompts(device)
    assert sorted(done) == list(range(8))
    taken = []
    for job, start in enumerate(starts):
        stop = lambda step, loss: step % every == 0 and (loss < level or step == budget)
        end, steps = alone(start, loss_for(targets[job : job + 1]), lr=rate, steps=budget, clip=0.05, stop=stop)
        taken.append(steps)
        assert done[job][0] == steps
        assert (done[job][1] - end["prompt"]).abs().max() < 1e-9
    assert len(set(taken)) > 2
    for row in params["prompt"]:  # a row that has ended stays as it was
        assert any(torch.equal(row, vectors) for _, vectors in done.values())


def test_a_row_that_has_ended_stays_while_others_go_on():
    params = {"w": torch.ones(2, 3)}
    ends = {10: {0: None}}
    kept = {}
    refill = lambda step, p: kept.update({step: p["w"].clone()}) or ends.get(step)
    loss = lambda p, t: p["w"].square().sum(1)
    stacked.fit(params, loss, lr=0.01, steps=30, decay=0.1, refill=refill, every=10)
    assert sorted(kept) == [10, 20]
    assert torch.equal(params["w"][0], kept[10][0])
    assert (params["w"][1] < kept[20][1]).all()


def test_a_smaller_model_is_padded_and_starts_anew():
    """A refilled row equals a fresh training of the rest of the steps, in a stack wider than itself."""
    small, big = ({"w": noise(n, 2, key=n)} for n in (2, 4))
    loss = lambda p, t: (p["w"] ** 4 - p["w"] ** 2).sum((1, 2))  # its gradient is zero at zero
    params = stacked.pile([big, big])
    stacked.fit(params, loss, lr=0.1, steps=20, refill=lambda step, p: {1: small} if step == 8 else None)
    fresh = stacked.pile([small])
    stacked.fit(fresh, loss, lr=0.1, steps=12)
    assert torch.allclose(params["w"][1, :2], fresh["w"][0], atol=1e-12)
    assert params["w"][1, 2:].abs().max() == 0
    with pytest.raises(ValueError, match="row 0: there is no parameter v"):
        stacked.fit(params, loss, lr=0.1, steps=3, refill=lambda step, p: {0: {"v": small["w"]}})


def test_what_does_not_learn_stays_to_the_bit():
    params = to(stacked.pile([attention_model(s) for s in range(COUNT)]), "cpu")
    before = {k: v.clone() for k, v in params.items()}
    loss = attention_loss((torch.arange(40) ** 2 % 7).view(4, 10))
    entries = torch.zeros(1, 6, 6, dtype=torch.float64)
    entries[..., 2] = 1
    learn = {"q": False, "k": True, "v": entries} | dict.fromkeys(["code", "heat"], torch.tensor([1, 0, 1]))
    stacked.fit(params, loss, lr=0.01, steps=5, learn=learn, decay=0.1, clip=1.0)
    same = {k: torch.eq(params[k], before[k]) for k in params}
    assert same["q"].all()
    assert not same["k"].any()
    assert same["v"][..., [0, 1, 3, 4, 5]].all()
    assert not same["v"][..., 2].any()
    assert same["code"][1].all()
    assert not same["code"][[0, 2]].any()
    assert same["heat"].tolist() == [False, True, False]
    assert not any(p.requires_grad for p in params.values())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_recorded_equals_eager():
    """Refill, schedule, clipping and ends, with one launch a step and with one a kernel."""
    (recorded, _), (eager, _) = (serve("cuda", LEVEL, 60, 5, **more) for more in ({}, {"graph": False}))
    assert recorded.keys() == eager.keys()
    for job in eager:
        assert recorded[job][0] == eager[job][0]
        assert (recorded[job][1] - eager[job][1]).abs().max() < 1e-9


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_fewer_steps_than_warm_up_with_a_table_by_the_step():
    """One step, from a table of one row: warming up must not read past it."""
    table = torch.ones(1, 2, device="cuda")
    params = {"w": torch.ones(2, device="cuda")}
    stacked.fit(params, lambda p, t: p["w"] * table.index_select(0, t.view(1))[0], lr=0.1, steps=1)
    assert torch.allclose(params["w"].cpu(), torch.full((2,), 0.9))


def test_training_goes_on_from_its_memory_with_fewer_models():
    """Stopped in the middle, two of three models go on: each ends where an uninterrupted training does, on its schedule."""
    rates = torch.tensor([0.01, 0.03, 0.02], dtype=torch.float64)
    loss = lambda p, t: (p["w"] ** 4 - p["w"] ** 2).sum(1)
    start = noise(3, 5, key="memory")
    falling = lambda rate: lambda age: rate / (1 + age.double() / 10)
    whole = {"w": start.clone()}
    stacked.fit(whole, loss, lr=falling(rates), steps=30, clip=0.5)
    memory, params = {}, {"w": start.clone()}
    stop = lambda step, p: False if step == 12 else None
    stacked.fit(params, loss, lr=falling(rates), steps=30, clip=0.5, refill=stop, every=4, memory=memory)
    assert memory["age"].tolist() == [12, 12, 12]
    keep = [0, 2]
    params, memory = {"w": params["w"][keep].clone()}, {k: v[keep] for k, v in memory.items()}
    stacked.fit(params, loss, lr=falling(rates[keep]), steps=18, clip=0.5, memory=memory)
    assert torch.allclose(params["w"], whole["w"][keep], atol=1e-12)
    assert memory["age"].tolist() == [30, 30]
    with pytest.raises(ValueError, match=r"memory\['first.w'\] is \(2, 5\); \(3, 5\) was expected"):
        stacked.fit({"w": start.clone()}, loss, lr=0.1, steps=1, memory=memory)


def test_what_the_loss_keeps_is_what_it_saw(device):
    """The least loss so far and the steps counted by the loss itself: the same with a recorded step, which is tried first."""
    w, least, count = noise(2, 3).to(device), torch.full((2,), math.inf, device=device), torch.zeros(2, device=device)

    def loss(p, t):
        value = p["w"].square().sum(1)
        least.copy_(torch.minimum(least, value.detach()))
        count.add_(1)
        return value

    params = {"w": w.clone()}
    stacked.fit(params, loss, lr=0.01, steps=7, keeps=[least, count])
    assert count.tolist() == [7, 7]
    assert (least < w.square().sum(1)).all()
    assert (least > params["w"].square().sum(1)).all()


def test_players_take_turns_as_two_optimisers_do():
    """A game that has no fixed point at once: each player's gradient depends on where the other has just moved."""
    start = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    losses = {
        "a.": lambda p, clock: (p["a.x"] * p["b.x"]).sum(1) + p["a.x"].square().sum(1) * clock,
        "b.": lambda p, clock: (p["b.x"] - 2 * p["a.x"]).square().sum(1),
    }
    params = {"a.x": start.clone(), "b.x": start.flip(1).clone()}
    memory = {}
    stacked.fit(params, losses, lr=0.1, steps=7, memory=memory)
    whole = {k: v.clone() for k, v in params.items()}
    plain = {"a.x": start.clone().requires_grad_(), "b.x": start.flip(1).clone().requires_grad_()}
    each = {k: torch.optim.Adam([v], lr=0.1) for k, v in plain.items()}
    for step in range(7):
        for name, loss in losses.items():
            each[f"{name}x"].zero_grad()
            loss(plain, torch.tensor(step)).sum().backward()
            each[f"{name}x"].step()
    for name in whole:
        torch.testing.assert_close(whole[name], plain[name].detach(), atol=1e-6, rtol=1e-5)
    params = {"a.x": start.clone(), "b.x": start.flip(1).clone()}
    later = {k: (lambda p, clock, loss=loss: loss(p, clock + 3)) for k, loss in losses.items()}
    memory = {}
    stacked.fit(params, losses, lr=0.1, steps=3, memory=memory)
    stacked.fit(params, later, lr=0.1, steps=4, memory=memory)
    for name in whole:
        torch.testing.assert_close(params[name], whole[name], atol=1e-6, rtol=1e-5)


def test_a_player_without_parameters_is_refused():
    loss = lambda p, clock: p["a.x"].sum(1)
    with pytest.raises(ValueError, match=r"players \['a.', 'c.'\] do not all have parameters; there are a.x"):
        stacked.fit({"a.x": torch.zeros(1, 2)}, {"a.": loss, "c.": loss}, lr=0.1, steps=1)
