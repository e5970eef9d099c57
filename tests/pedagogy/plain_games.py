"""The two games in plain torch, one model at a time: the oracle of the stacked ones."""

import torch
from torch.nn import functional as F

from helpers.pedagogy import draws, layers


def of(params, m):
    return {name: value[m].clone() for name, value in params.items()}


def batch_norm(one, name, x, training):
    buffers = (one[f"{name}.mean"], one[f"{name}.var"]) if f"{name}.mean" in one else (None, None)
    return F.batch_norm(x, *buffers, one[f"{name}.weight"], one[f"{name}.bias"], training)


def generator(one, body, z, labels, training):
    """The document's conditional generator with a head for v_pred: (B, 1, s, s), (B, told)."""
    x = F.linear(torch.cat([z, one["embed"][labels]], 1), one["first"], one.get("first.bias"))
    x = F.relu(batch_norm(one, "norm1", x, training)) if body.first else x
    x = x.view(len(z), body.channels[0], body.size // 4, body.size // 4)
    for i in (2, 3):
        x = F.conv2d(F.interpolate(x, scale_factor=2), one[f"conv{i}"], padding=1)
        x = F.relu(batch_norm(one, f"norm{i}", x, training))
    told = F.relu(F.linear(x.mean((2, 3)), one["told1"], one["told1.bias"]))
    told = F.linear(told, one["told2"], one["told2.bias"])
    return torch.tanh(F.conv2d(x, one["out"], one["out.bias"], padding=1)), told


def sense(one, shape, x, labels=None, chance=()):
    """{head: (B, width)} of a witness or a discriminator. chance: (C, B) each."""
    left = iter(chance)
    keep = lambda v: 1 if v is None else (shape.drop <= v.T).to(v.dtype) / (1 - shape.drop)  # (B, C)
    if labels is not None:
        x = torch.cat([x, one["label"][labels].view(len(x), 1, shape.size, shape.size)], 1)
    for i in range(1, len(shape.channels) + 1):
        x = F.conv2d(x, one[f"conv{i}"], one.get(f"conv{i}.bias"), stride=2, padding=1)
        x = F.leaky_relu(batch_norm(one, f"norm{i}", x, True) if f"norm{i}.weight" in one else x, 0.2)
        some = keep(next(left, None))
        x = x if isinstance(some, int) else x * some[..., None, None]
    x, out = x.flatten(1), {}
    for name in ("class", "seen", "real"):
        if name not in one:
            continue
        hidden = x
        if shape.hidden:
            hidden = F.relu(F.linear(x, one[f"{name}.hidden"], one[f"{name}.hidden.bias"]))
            hidden = hidden * keep(next(left, None)) if name == "class" else hidden
        out[name] = F.linear(hidden, one[name], one[f"{name}.bias"])
    return out


def judge(one, x):
    """(B, classes): twice two convolutions and a maximum, then the head."""
    for i in range(1, 5):
        x = F.relu(F.conv2d(x, one[f"conv{i}"], one[f"conv{i}.bias"], padding=1))
        x = F.max_pool2d(x, 2) if i % 2 == 0 else x
    x, heads = x.flatten(1), sum(k.startswith("head") and "." not in k for k in one)
    for i in range(1, heads + 1):
        x = F.linear(x, one[f"head{i}"], one[f"head{i}.bias"])
        x = F.relu(x) if i < heads else x
    return x


class Numbers:
    """What one seed draws at a step, each kind by itself."""

    def __init__(self, config, seed, dtype=torch.float32, device="cpu"):
        self.config, self.seed, self.dtype, self.device = config, seed, dtype, device

    def word(self, kind, t, count):
        return draws.words(draws.streams(kind, [self.seed]), torch.tensor(t), count)[0].to(self.device)

    def latents(self, kind, t):
        b, width = self.config.batch, self.config.body.latent
        return draws.normal(self.word(kind, t, b * width)[None])[0].view(b, width).to(self.dtype)

    def labels(self, kind, t):
        return draws.below(self.word(kind, t, self.config.batch), self.config.body.classes)

    def rows(self, t, count):
        return draws.below(self.word("images", t, self.config.batch), count)

    def chance(self, kind, shape, t):
        widths = [*shape.channels, shape.hidden]
        u = (
            draws.uniform(self.word(kind, t, sum(widths) * self.config.batch))
            .view(-1, self.config.batch)
            .to(self.dtype)
        )
        return u.split(widths, 0)


def adam(config, one, frozen=()):
    live = [k for k in one if k not in layers.buffers(one) and not k.startswith(tuple(frozen))]
    for k in live:
        one[k].requires_grad_()
    return torch.optim.Adam([one[k] for k in live], lr=config.rate, betas=config.betas)


def stepped(optimiser, loss):
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def grounding(arm, t, steps):
    now = (1.0, 0.5, 0.1)[min(2, 3 * t // steps)] if arm.scheduled else 1.0
    return arm.scale * now


def taught(config, arm, seed, gen, wit, teacher, pixels, labels, steps, start=0):
    """The pedagogical game of one model; gen and wit are changed in place. Yields the two losses, summed, of every step."""
    numbers = Numbers(config, seed, gen["first"].dtype, gen["first"].device)
    both = (adam(config, gen), adam(config, wit, ["seen"]))
    for t in range(start, start + steps):
        y, rows = numbers.labels("labels", t), numbers.rows(t, len(pixels))
        x, told = generator(gen, config.body, numbers.latents("latents", t), y, True)
        seen = sense(wit, config.witness, x, chance=numbers.chance("dropped", config.witness, t))
        opinion = judge(teacher, x)
        taken = opinion.argmax(1)
        g = grounding(arm, t, config.steps)
        loss = arm.align * F.mse_loss(told, seen["seen"].detach()) + g * arm.witness * F.cross_entropy(seen["class"], y)
        loss = loss + g * arm.judge * F.cross_entropy(opinion, y)
        loss = loss + g * arm.detached * F.cross_entropy(seen["class"], taken).detach()
        apart = sense(wit, config.witness, x.detach(), chance=numbers.chance("dropped", config.witness, t))
        chance = numbers.chance("dropped, real", config.witness, t)
        beside = sense(wit, config.witness, pixels[rows], chance=chance)
        reading = F.cross_entropy(apart["class"], taken) + F.cross_entropy(beside["class"], labels[rows])
        names = [k for k in gen if gen[k].requires_grad]
        grads = torch.autograd.grad(loss, [gen[k] for k in names], allow_unused=True, retain_graph=True)
        stepped(both[1], reading)
        for k, g in zip(names, grads, strict=True):
            gen[k].grad = torch.zeros_like(gen[k]) if g is None else g
        both[0].step()
        yield float((loss + reading).detach())


def against(config, arm, seed, gen, dis, teacher, pixels, labels, steps, start=0):
    """The adversarial game of one model, a discriminator's step and a generator's in turn."""
    numbers = Numbers(config, seed, gen["first"].dtype, gen["first"].device)
    both = (adam(config, dis), adam(config, gen, ["told"]))
    shape, yes = config.critic, torch.ones_like(numbers.latents("latents", 0)[:, :1])
    no = torch.zeros_like(yes)
    bce = F.binary_cross_entropy_with_logits
    for t in range(start, start + steps):
        rows = numbers.rows(t, len(pixels))
        known = labels[rows]
        y = known if arm.classes else numbers.labels("labels, first", t)
        x = generator(gen, config.body, numbers.latents("latents, first", t), y, True)[0].detach()
        shown = lambda image, label, kind, t=t: sense(dis, shape, image, label, numbers.chance(kind, shape, t))
        right, wrong = shown(pixels[rows], known, "dropped, real"), shown(x, y, "dropped, first")
        loss = bce(right["real"], yes) + bce(wrong["real"], no)
        if arm.classes:
            loss = (loss + F.cross_entropy(right["class"], known) + F.cross_entropy(wrong["class"], y)) / 2
        stepped(both[0], loss)
        y = numbers.labels("labels", t)
        x = generator(gen, config.body, numbers.latents("latents", t), y, True)[0]
        found = shown(x, y, "dropped")
        own = bce(found["real"], yes) + arm.classes * F.cross_entropy(found["class"], y)
        own = own + grounding(arm, t, config.steps) * arm.judge * F.cross_entropy(judge(teacher, x), y)
        stepped(both[1], own)
        yield float((loss + own).detach())
