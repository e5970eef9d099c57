"""How fast many generators are raised: ours against what a user would write.

    python benchmarks/pedagogy.py --device cuda --out book/reference/benchmarks/pedagogy_cuda.json
    python benchmarks/pedagogy.py --device cpu --quick --out book/reference/benchmarks/pedagogy_cpu.json

Two games with the document's networks on images of 28 × 28 pixels, batches of 64: the conditional GAN (a discriminator's step
and a generator's) and the wired generator with its witness and a frozen judge. The loop trains one model after another with
torch's own modules and optimisers and a DataLoader; the compiled loop has its data on the device and its networks under
torch.compile. Ours trains all seeds, and of the pedagogical game six arms, at once. Before anything is timed, the first 100
losses of ours in double precision are held to the tests' oracle, plain torch one model at a time, to 1e-6; what single
precision and bfloat16 do to them is written down beside it. Starting, compiling and recording are not in the times.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle, pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from helpers import devices, files, stacked
from helpers.pedagogy.arms import ARMS
from helpers.pedagogy.config import Body, Raising, Sense
from helpers.pedagogy.course import Game
from helpers.topology import judge

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "pedagogy"))
import plain_games as oracle

FULL = Raising(seeds=10)
SMALL = Raising(
    seeds=4, rate=1e-3, body=Body(8, (32, 24, 16), 16, 16, 10, 8), witness=Sense(8, (8, 16), 10, 32, 8),
    critic=Sense(8, (16, 32), 10, 0, 0, labelled=True, drop=0.25),
)  # fmt: skip
SHAPES = {28: judge.JudgeShape(), 8: judge.JudgeShape(8, (8, 16), (32,), 10)}
GAMES = {"conditional GAN": ("adversarial", ("cGAN",)), "wired": ("pedagogical", ("wired",))}
MANY = {  # arms that the chapter trains beside each other
    "conditional GAN": ("cGAN", "AC-GAN", "hybrid"),
    "wired": ("coded", "coded, constant", "wired", "wired, constant", "wired, light", "judge only"),
}
GOALS = {"cuda": {"loop": 12, "compiled loop": 4}, "cpu": {"loop": 2}}
CHECKED, REPEATS = 100, 7


class Drawer(nn.Module):
    """The conditional generator, with the head for v_pred."""

    def __init__(self, body: Body):
        super().__init__()
        a, b, c = body.channels
        self.side, self.a = body.size // 4, a
        self.embed = nn.Embedding(body.classes, body.embed)
        self.first = nn.Sequential(
            nn.Linear(body.latent + body.embed, a * self.side**2), nn.BatchNorm1d(a * self.side**2), nn.ReLU()
        )
        block = lambda i, o: [nn.Upsample(scale_factor=2), nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU()]
        self.maps = nn.Sequential(*block(a, b), *block(b, c))
        self.out, self.told = (
            nn.Conv2d(c, 1, 3, padding=1),
            nn.Sequential(nn.Linear(c, c), nn.ReLU(), nn.Linear(c, body.told)),
        )

    def forward(self, z: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        x = self.first(torch.cat([z, self.embed(labels)], 1)).view(-1, self.a, self.side, self.side)
        x = self.maps(x)
        return torch.tanh(self.out(x)), self.told(x.mean((2, 3)))


class Seer(nn.Module):
    """The witness, or the conditional discriminator."""

    def __init__(self, sense: Sense, witness: bool):
        super().__init__()
        layers, into = [], 1 + sense.labelled
        for i, count in enumerate(sense.channels):
            layers += [nn.Conv2d(into, count, 3, 2, 1), *([nn.BatchNorm2d(count)] if witness or i else [])]
            layers += [nn.LeakyReLU(0.2), nn.Dropout2d(sense.drop)]
            into = count
        self.maps, self.size = nn.Sequential(*layers, nn.Flatten()), sense.size
        self.label = nn.Embedding(sense.classes, sense.size**2) if sense.labelled else None
        head = lambda out, *drop: nn.Sequential(
            nn.Linear(sense.flat, sense.hidden), nn.ReLU(), *drop, nn.Linear(sense.hidden, out)
        )
        self.real = None if witness else nn.Linear(sense.flat, 1)
        self.kind, self.seen = (
            (head(sense.classes, nn.Dropout(sense.drop)), head(sense.told)) if witness else (None, None)
        )

    def forward(self, x: Tensor, labels: Tensor | None = None):
        if self.label is not None:
            x = torch.cat([x, self.label(labels).view(-1, 1, self.size, self.size)], 1)
        x = self.maps(x)
        return self.real(x) if self.real is not None else (self.kind(x), self.seen(x))


def reader(shape: judge.JudgeShape) -> nn.Module:
    """The judge."""
    (a, b), layers = shape.channels, []
    for i, o in ((1, a), (a, b)):
        layers += [nn.Conv2d(i, o, 3, padding=1), nn.ReLU(), nn.Conv2d(o, o, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    widths = (shape.features, *shape.hidden, shape.classes)
    for i, o in pairwise(widths):
        layers += [*([nn.ReLU()] if i != shape.features else []), nn.Linear(i, o)]
    return nn.Sequential(
        *layers[: len(layers) - 2 * len(shape.hidden) - 1], nn.Flatten(), *layers[-2 * len(shape.hidden) - 1 :]
    )


def steps_of(config: Raising, game: str, feed: Iterator, device: str, wrap: Callable) -> Callable[[], None]:
    """One model's step in plain torch. feed gives real images and labels; wrap: what is done to a network first."""
    own = Drawer(config.body).to(device)
    adam = lambda net: torch.optim.Adam(net.parameters(), lr=config.rate, betas=config.betas)
    fresh = lambda: (
        torch.randn(config.batch, config.body.latent, device=device),
        torch.randint(config.body.classes, (config.batch,), device=device),
    )
    other = Seer(config.critic if game == "conditional GAN" else config.witness, game == "wired").to(device)
    of_own, of_other, draw, see = adam(own), adam(other), wrap(own), wrap(other)
    bce = F.binary_cross_entropy_with_logits

    def against() -> None:
        x, y = next(feed)
        z, c = fresh()
        fake = draw(z, c)[0].detach()
        right, wrong = see(x, y), see(fake, c)
        of_other.zero_grad()
        (bce(right, torch.ones_like(right)) + bce(wrong, torch.zeros_like(wrong))).backward()
        of_other.step()
        z, c = fresh()
        found = see(draw(z, c)[0], c)
        of_own.zero_grad()
        bce(found, torch.ones_like(found)).backward()
        of_own.step()

    teacher = reader(SHAPES[config.body.size]).to(device).requires_grad_(False)
    ask = wrap(teacher)

    def taught() -> None:
        x, y = next(feed)
        z, c = fresh()
        fake, told = draw(z, c)
        kind, seen = see(fake)
        opinion = ask(fake)
        loss = F.mse_loss(told, seen.detach()) + F.cross_entropy(kind, c) + F.cross_entropy(opinion, c)
        of_own.zero_grad()
        loss.backward()
        of_own.step()
        of_other.zero_grad()
        mine = F.cross_entropy(see(fake.detach())[0], opinion.argmax(1).detach())
        (mine + F.cross_entropy(see(x)[0], y)).backward()
        of_other.step()

    return against if game == "conditional GAN" else taught


def loop(
    config: Raising, game: str, pixels: Tensor, labels: Tensor, device: str, compiled: bool
) -> Callable[[int], float]:
    """Seconds of so many steps of one model."""

    def loaded() -> Iterator:
        for x, y in cycle(DataLoader(TensorDataset(pixels, labels), config.batch, shuffle=True, drop_last=True)):
            yield x.to(device), y.to(device)

    def there() -> Iterator:
        x, y = pixels.to(device), labels.to(device)
        while True:
            rows = torch.randint(len(x), (config.batch,), device=device)
            yield x[rows], y[rows]

    step = steps_of(
        config, game, there() if compiled else loaded(), device, torch.compile if compiled else lambda net: net
    )
    for _ in range(10):
        step()

    def timed(steps: int) -> float:
        start = now(device)
        for _ in range(steps):
            step()
        return now(device) - start

    return timed


def ours(
    config: Raising,
    game: str,
    names: tuple[str, ...],
    pixels: Tensor,
    labels: Tensor,
    device: str,
    steps: int,
    dtype: torch.dtype,
) -> list[float]:
    """Seconds a stretch of so many steps, of all models together; recording is before the first."""
    teachers = judge.untrained(SHAPES[config.body.size], config.every, device)
    one = Game(config, GAMES[game][0], names, config.every, pixels, labels, teachers, device=device, dtype=dtype)
    at = [10 + i * steps for i in range(REPEATS + 1)]
    with devices.tf32(dtype != torch.float64 and device.startswith("cuda")):
        seen = stacked.fit(
            one.params, one.losses(), lr=config.rate, betas=config.betas, steps=at[-1], learn=one.learn, keeps=one.keeps,
            log=at, probe=lambda params: now(device),
        )  # fmt: skip
    return [b - a for a, b in pairwise(seen)]


def now(device: str) -> float:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter()


def losses(
    config: Raising, game: str, pixels: Tensor, labels: Tensor, device: str, dtype: torch.dtype, count: int
) -> tuple[Tensor, Game, dict[str, Tensor]]:
    """(count,) losses of all players together of ours, one model; with its game and its start."""
    held = torch.float64 if dtype == torch.float64 else torch.float32
    teachers = {k: v.to(held) for k, v in judge.untrained(SHAPES[config.body.size], config.every[:1], device).items()}
    one = Game(config, *GAMES[game], config.every[:1], pixels.to(held), labels, teachers, device=device, dtype=dtype)
    one.params = {k: v.to(held) for k, v in one.params.items()}
    one.keeps = [one.params[k] for k in one.params if k.endswith((".mean", ".var"))]
    start = {k: v.clone() for k, v in one.params.items()}
    sums = torch.zeros(count, dtype=torch.float64, device=device)

    def noted(loss: Callable) -> Callable:
        def with_note(params: dict[str, Tensor], clock: Tensor) -> Tensor:
            found = loss(params, clock)
            sums.index_add_(0, clock.view(1), found.detach().double())
            return found

        return with_note

    players = {k: noted(loss) for k, loss in one.losses().items()}
    with devices.tf32(dtype == torch.bfloat16 and device.startswith("cuda")):
        stacked.fit(
            one.params,
            players,
            lr=config.rate,
            betas=config.betas,
            steps=count,
            learn=one.learn,
            keeps=[*one.keeps, sums],
            graph=False,
        )
    return sums.cpu(), one, start


def check(config: Raising, game: str, pixels: Tensor, labels: Tensor, device: str, count: int) -> dict[str, float]:
    """Largest difference of ours from the oracle in double precision over the first losses, relative to 1 + the loss."""
    kinds = {"double": torch.float64, "exact": torch.float32} | ({"bf16": torch.bfloat16} if device == "cuda" else {})
    found, theirs = {}, None
    for name, dtype in kinds.items():
        seen, one, start = losses(config, game, pixels, labels, device, dtype, count)
        if theirs is None:
            own = lambda who, start=start: {
                k.removeprefix(who): v[0].clone() for k, v in start.items() if k.startswith(who)
            }
            other = own("witness.") or own("critic.")
            alone = oracle.taught if game == "wired" else oracle.against
            teacher = {k: v[0] for k, v in one.teachers.items()}
            world = pixels.to(device, torch.float64), labels.to(device)
            arm = ARMS[GAMES[game][1][0]]
            theirs = torch.tensor(
                list(alone(config, arm, config.every[0], own("generator."), other, teacher, *world, count))
            )
        found[name] = float(((seen - theirs).abs() / (1 + theirs)).max())
    assert found["double"] < 1e-6, f"{game}: losses differ from plain torch's by {found['double']:.2g}"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--quick", action="store_true", help="small networks and images of 8 × 8 pixels")
    parser.add_argument("--steps", type=int, help="in each timed stretch")
    parser.add_argument("--out", help="write the results here, as JSON")
    given = parser.parse_args()
    device, config = devices.resolve(given.device), SMALL if given.quick else FULL
    steps = given.steps or (40 if device == "cuda" else 10)
    rng, size = devices.torch_rng("benchmark"), config.body.size
    pixels = torch.rand(6400, 1, size, size, generator=rng) * 2 - 1  # what is drawn does not matter to the time
    labels = torch.randint(10, (6400,), generator=rng)
    result = {"benchmark": "pedagogy", "provenance": devices.provenance(device), "size": size, "games": {}, "goals": []}
    wanted = GOALS["cuda" if device.startswith("cuda") else "cpu"]
    kinds = {"bf16": torch.bfloat16, "exact": torch.float32} if device == "cuda" else {"exact": torch.float32}
    sides = {}  # ours first, the compiled loop last: what is cut short is what took longest to start
    for game in GAMES:
        result["games"][game] = {"speeds": {}}
        for names in (MANY[game], GAMES[game][1]):
            for kind, dtype in kinds.items():
                run = lambda game=game, names=names, dtype=dtype: ours(
                    config, game, names, pixels, labels, device, steps, dtype
                )
                count = len(names) * config.seeds
                sides[game, f"{kind}, {count} models"] = (count, run)
    for name in ("loop", "compiled loop"):
        for game in list(GAMES)[: 1 if name != "loop" else None]:
            run = lambda game=game, name=name: looped(loop(config, game, pixels, labels, device, name != "loop"), steps)
            sides[game, name] = (1, run)
    for game in GAMES:
        apart = check(config, game, pixels, labels, device, CHECKED if device == "cuda" or given.quick else 3)
        print(f"{game}: first losses, {apart}", flush=True)
        result["games"][game]["differences"] = apart
    for (game, name), (count, run) in sides.items():
        speeds = result["games"][game]["speeds"]
        speeds[name] = {"models": count, "model_steps_per_second": [count * steps / seconds for seconds in run()]}
        result["goals"] = tell(game, name, speeds, wanted) + [g for g in result["goals"] if g["game"] != game]
        if given.out:
            files.write_atomic(given.out, files.strict_json(result) + "\n")


def looped(timed: Callable[[int], float], steps: int) -> list[float]:
    return [timed(steps) for _ in range(REPEATS)]


def tell(game: str, last: str, speeds: dict, wanted_of: dict[str, float]) -> list[dict]:
    """A line for the last side, and one for each goal that can be told by now; the goals of this game."""
    middle = {name: statistics.median(found["model_steps_per_second"]) for name, found in speeds.items()}
    rates, goals = speeds[last]["model_steps_per_second"], []
    print(f"{game}, {last:20} {middle[last]:10,.1f} model-steps/s ({min(rates):,.1f} … {max(rates):,.1f})", flush=True)
    best = max((name for name in middle if "models" in name), key=middle.get)
    for peer, wanted in wanted_of.items():
        if peer in middle:
            ratio = middle[best] / middle[peer]
            goals.append({"game": game, "side": best, "peer": peer, "wanted": wanted, "ratio": ratio})
            if peer == last:
                word = "PASS" if ratio >= wanted else "FAIL"
                print(f"{word}  {game}, {best} / {peer}: {ratio:,.1f}x (goal {wanted}x)", flush=True)
    return goals


if __name__ == "__main__":
    main()
