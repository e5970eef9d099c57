"""Seconds for every kind of damage on a live model of Mistral-7B's shape: rebuild, cosine, measure, texts.

    python benchmarks/dtdr_kinds.py --device cuda                 # random weights in bf16: no time depends on what they are
    python benchmarks/dtdr_kinds.py --device cpu --shape tiny

Each part is waited for, twice, and the second time counts; the first also pays for encoding under another transform, which is
shown apart (`first`). At the end: what the quick profile of both chapters would take at these speeds, by kind.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from types import SimpleNamespace

import torch
from dtdr_condition import build

from helpers import devices, lm
from helpers.dtdr import Keep, Noise, Planes, Spoil, Subject, Trial, config, priors
from helpers.dtdr.config import Outliers, Published

QUICK = (0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 1.0)
GUIDED = (Keep(fill="random"), Keep(fill="gain"), *config.guided(("leaked", "row_mean", "low_rank"), (0.15, 0.6, 1)))
KINDS = (*config.DOMAINS, *config.SPOILS, *config.COLLAPSE, Noise("entry"), *GUIDED[1:2], *GUIDED[5::3])


def planned(masks: int) -> Counter:
    """How often the quick profile of both chapters rebuilds by each damage."""
    trials = [
        Trial("arms", config.DOMAINS, QUICK, masks),
        Trial("damage", config.SPOILS, QUICK, masks),
        Trial("collapse", config.COLLAPSE, (0.4, 0.6, 0.8, 0.9), masks),
        Trial("cause", config.CAUSES, (0.8, 0.9), max(6, masks)),
        *Outliers(masks=masks).trials.values(),
        Trial("priors", (Keep(),), config.GRID[1:-1], masks),
        Trial("priors", GUIDED, (0.2, 0.4, 0.6), masks),
    ]
    found = Counter({d: len(config.PUBLISHED) for d in Published().damages})
    for trial in trials:
        found.update({d: trial.masks * len(d.levels(trial)) for d in trial.damages})
    return found


def timed(run, device: str) -> float:
    wait = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    wait()
    start = time.perf_counter()
    run()
    wait()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--shape", default="mistral-7b", choices=["mistral-7b", "tiny"])
    parser.add_argument("--masks", type=int, default=2)
    given = parser.parse_args()
    model, device = build(given.shape, given.device), given.device
    found = lm.LM("7B", "folder", model, SimpleNamespace(decode=lambda ids: " ".join(map(str, ids))), device)
    tokens = torch.randint(model.config.vocab_size, (16, 64), generator=torch.Generator().manual_seed(0))
    start = time.perf_counter()
    subject = Subject(found, tokens, prompts=[row[:12] for row in tokens[:4]])
    print(f"{devices.provenance(device)['device']}: taken apart in {time.perf_counter() - start:.1f} s")
    start = time.perf_counter()
    subject.priors |= {"leaked": priors.leaked(subject.whole)}
    print(
        f"leaked prior {time.perf_counter() - start:.1f} s, digest {timed(lambda: subject.digest('leaked'), device):.2f} s"
    )
    parts = {"cosine": subject.weights.cosine, "measure": subject.measure, "restore": subject.weights.restore,
             "texts": lambda: subject.texts(subject.prompts, 24)}  # fmt: skip
    shared = {name: [timed(run, device) for _ in range(3)][-1] for name, run in parts.items()}
    print("  ".join(f"{name} {seconds:.3f} s" for name, seconds in shared.items()))
    rebuilt, often = {}, planned(given.masks)
    with subject.damaged():
        for damage in KINDS:
            level = 4 if isinstance(damage, Planes) else 0.01 if isinstance(damage, Spoil) else 0.6
            first, second = (timed(lambda d=damage, x=level, s=s: d.apply(subject, x, s), device) for s in (0, 1))
            rebuilt[damage] = second
            takes = f"first {first:8.3f} s  again {second:8.3f} s"
            print(f"{damage.label:48} {takes}  × {often[damage]:3} = {second * often[damage]:6.1f} s")
    each = shared["cosine"] + shared["measure"]
    slowest = max(rebuilt.values())  # for a weight of a prior that was not tried
    total = sum(n * (rebuilt.get(d, slowest) + each) for d, n in often.items())
    print(
        f"quick profile, {given.masks} masks: {sum(often.values())} rebuilds, {total:.0f} s without texts, encoding, loading"
    )


if __name__ == "__main__":
    main()
