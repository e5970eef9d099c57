"""How fast contents are found: our slots with a queue behind them against the document's loop, and against one plain batch.

    python benchmarks/softprompt.py --device cuda --model random-1b --out book/reference/benchmarks/softprompt_1b.json

All sides have the same model object, starts, Adam, clipping, schedule and rule to stop: both texts right at every token with
the margin that counts, or the updates spent. Before anything is timed, the losses of one pair are held to those of the loop,
for fifty steps at a small rate: to 1e-3 in float32, to a twentieth in half precision.

- loop: the document's, one pair and one start at a time, two passes of batch 1, the loss of labels (logits at all positions).
- batch: every pair and start in one padded batch, logits at all positions, until the last one has stopped; what has stopped is
  frozen and computed on, as in published batching. No bucket, no queue, no recorded step.
- ours: `engine.search`.

The loop is timed on `--alone` pairs, each for itself, and what one pair takes is multiplied by their number; its spread is over
pairs. A row-step is one pass forward and backward of one text. Operations are counted as 4 a weight and token, forward and
backward to the embeddings, without the embedding and with the head at targets only, for every side: so the share of the peak
is what useful work reaches. The logits of random weights are so flat that nothing can be said; `--sharp` multiplies the head,
so that some targets can, and time to the same solved count is a time to solved contents. The check compares both sides first.

    python benchmarks/softprompt.py --quick           two cores, a minute: the storyteller, few pairs, no goal is judged
    for m in random-160m random-1b random-7b: python benchmarks/softprompt.py --device cuda --model $m --k 32 --tokens 16 8
        --pairs 100 --restarts 5 --steps 100 --sharp 40 --repeats 3 --out book/reference/benchmarks/softprompt_$m.json
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch.nn.utils.rnn import pad_sequence

from helpers import devices, files, softprompt
from helpers.softprompt import engine, prompts
from helpers.softprompt.config import Search
from helpers.softprompt.jobs import ANSWER, QUESTION, Target, jobs

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "softprompt"))
import one_at_a_time  # the tests' oracle is the loop that the document prints

GOALS = {"storyteller": 5, "random-160m": 150, "random-1b": 45, "random-7b": 17}  # times the loop
PEAK = {"H100": 989e12, "H200": 989e12}  # dense bf16, operations a second


def targets(found, pairs: int, tokens: tuple[int, int] | None):
    """Pairs of the model's world; or random tokens, so many of a question and of an answer."""
    if tokens is None:
        return [a.both for a in softprompt.draw(found, pairs)]
    rng = devices.torch_rng("softprompt", "benchmark")
    draw = lambda n: tuple(torch.randint(4, min(32000, found.model.config.vocab_size), (n,), generator=rng).tolist())
    return [(Target(draw(tokens[0]), QUESTION), Target(draw(tokens[1]), ANSWER)) for _ in range(pairs)]


def run_loop(found, job, how) -> tuple[float, bool, int]:
    """(seconds, solved, updates) of the document's loop on one job, with the rule to stop."""
    _wait(found)
    begun = time.perf_counter()
    done, steps = one_at_a_time.until_solved(found, job, how)
    _wait(found)
    return time.perf_counter() - begun, done, steps


def run_batch(found, asked, how) -> tuple[float, int]:
    """(seconds, solved) of one plain padded batch of all jobs."""
    net, place = found.model, found.model.device
    _wait(found)
    begun = time.perf_counter()
    content = torch.stack([prompts.start(found, job, how) for job in asked]).to(place).requires_grad_(True)  # (N, K, d)
    texts = [torch.tensor(t.ids, device=place) for job in asked for t in job.texts]
    ids = pad_sequence(texts, batch_first=True)  # (2N, L)
    valid = pad_sequence([torch.ones_like(t, dtype=torch.bool) for t in texts], batch_first=True)
    side = torch.tensor([t.side for job in asked for t in job.texts], device=place)
    modes, read, k = prompts.modes(found, how.mode), prompts.embed(found, ids), content.shape[1]
    unit = how.rate * prompts.spread(found)
    adam = torch.optim.Adam([content], lr=unit)
    going = torch.ones(len(asked), dtype=torch.bool, device=place)
    with prompts.frozen(found):
        for step in range(how.steps + 1):
            front = torch.cat([modes[side][:, None], content.repeat_interleave(2, 0)], 1).to(read.dtype)
            logits = net(inputs_embeds=torch.cat([front, read], 1), use_cache=False).logits[:, k:-1].float()
            nll = (prompts.costs(logits, ids) * valid).sum(1) / valid.sum(1)
            right = prompts.margins(logits.detach(), ids, valid).view(-1, 2).amin(1) > how.margin
            going &= ~right
            if step == how.steps or (step % how.every == 0 and not going.any()):
                break
            (gradient,) = torch.autograd.grad(nll.sum(), content)
            norm = gradient.flatten(1).norm(dim=1)
            content.grad = gradient * (how.clip / (norm + 1e-6)).clamp(max=1)[:, None, None]
            if not how.flat:
                adam.param_groups[0]["lr"] = (
                    unit * 0.5 * (1 + torch.cos(torch.tensor(torch.pi * step / how.steps)).item())
                )
            before = content.detach().clone()
            adam.step()
            with torch.no_grad():
                content.copy_(torch.where(going[:, None, None], content, before))
    _wait(found)
    return time.perf_counter() - begun, int((~going).sum())


def run_ours(found, asked, how, slots) -> tuple[float, int, int]:
    """(seconds, solved, row-steps) of `softprompt.search`."""
    _wait(found)
    begun = time.perf_counter()
    results = engine.search(found, asked, how, slots=slots)
    _wait(found)
    spent = time.perf_counter() - begun
    return spent, sum(r.state == "solved" for r in results), sum(r.trace.numel() for r in results)


def check(found, job, how) -> float:
    """The largest difference of a pair's losses from the loop's over fifty steps, at a rate at which rounding stays rounding.

    Adam divides a gradient that is nearly zero by its own size, so that what two orders of summation differ in grows with it.
    """
    how = replace(how, steps=50, stop=False, rate=0.03)
    curve, _ = one_at_a_time.loop(found, job, how)
    (ours,) = engine.search(found, [job], how)
    gap = float((ours.trace.T[:50] - curve).abs().max())
    limit = 1e-3 if found.model.dtype == torch.float32 else 0.05 * float(curve.max())
    if gap > limit:
        raise AssertionError(f"losses differ from the loop's by {gap:.2g} within 50 steps, more than {limit:.2g}")
    return gap


def operations(found, asked, how) -> float:
    """Of one step of all jobs, as counted in the head of this file."""
    net = found.model
    head = net.get_output_embeddings().weight.numel()
    body = sum(p.numel() for p in net.parameters()) - net.get_input_embeddings().weight.numel() - head
    lengths = [len(t.ids) for job in asked for t in job.texts]
    places = sum(how.front + how.k + n - 1 for n in lengths)
    return 4.0 * (body * places + head * sum(lengths))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="storyteller")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--pairs", type=int, default=16)
    parser.add_argument("--restarts", type=int, default=1)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--k", type=int, default=8)
    parser.add_argument("--rate", type=float, default=1.0)
    parser.add_argument("--slots", type=int, help="contents at a time; by default what fits")
    parser.add_argument("--tokens", type=int, nargs=2, help="random targets of so many tokens, question and answer")
    parser.add_argument("--alone", type=int, default=3, help="pairs on which the loop is timed")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--no-batch", action="store_true", help="leave the plain batch out, where it does not fit")
    parser.add_argument(
        "--sharp", type=float, default=1.0, help="a factor on the weights of the head of a random shape"
    )
    parser.add_argument("--quick", action="store_true", help="few pairs and repeats on a CPU; no goal is judged")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.quick:
        given.device, given.pairs, given.steps, given.alone, given.repeats = "cpu", 6, 30, 2, 2
    found = softprompt.load(given.model, device=given.device)
    if found.source == "random":
        with torch.no_grad():
            found.model.get_output_embeddings().weight.mul_(given.sharp)
    how = Search(k=given.k, restarts=given.restarts, steps=given.steps, rate=given.rate, flat=True)
    made = [jobs(("b", i), both, how) for i, both in enumerate(targets(found, given.pairs, given.tokens))]
    asked = [job for each in made for job in each]
    cuda = found.model.device.type == "cuda"
    gap = check(found, asked[0], how)
    print(
        f"losses within {gap:.2g} of the loop's for 50 steps; {len(asked)} contents of {given.k} vectors, {given.steps} updates"
    )

    alone = [run_loop(found, each[0], how) for each in made[: given.alone]]
    warm = run_ours(found, asked[: max(1, len(asked) // 8)], replace(how, steps=2), given.slots)[
        0
    ]  # kernels are loaded
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    ours, batch = [], []
    for _ in range(given.repeats):  # interleaved, in one process
        ours.append(run_ours(found, asked, how, given.slots))
        if not given.no_batch:
            batch.append(run_batch(found, asked, how))
    seconds = statistics.median(t for t, _, _ in ours)
    a_step = statistics.mean(t / max(1, n) for t, _, n in alone)  # of one content
    spent = ours[0][2] / 2  # content-steps that were needed
    loop = a_step * spent
    rates = {"ours": ours[0][2] / seconds, "loop": 2 / a_step}
    solved = {"ours": ours[0][1], "batch": batch[0][1] if batch else None}
    solved["loop"] = f"{sum(s for _, s, _ in alone)} of {len(alone)}"
    times = {"ours": [t for t, *_ in ours], "batch": [t for t, _ in batch]}
    facts = {
        "benchmark": "softprompt",
        "model": given.model,
        "parameters": found.parameters,
        "contents": len(asked),
        "k": given.k,
    }
    facts |= {"updates": given.steps, "seconds": times, "loop_seconds_a_step": [t / max(1, n) for t, _, n in alone]}
    facts |= {"solved": solved, "row_steps_a_second": rates, "loop_seconds_for_all": loop, "warm_seconds": warm}
    facts |= {"largest_gap": gap, "provenance": devices.provenance(str(found.model.device))}
    if cuda:
        facts["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
        peak = next((v for name, v in PEAK.items() if name in facts["provenance"]["device"]), None)
        useful = operations(found, asked, how) / len(asked) * spent / seconds
        facts["operations_a_second"] = useful
        facts["share_of_bf16_peak"] = useful / peak if peak else None
    print(
        f"ours  {seconds:8.2f} s (of {min(t for t, *_ in ours):.2f} to {max(t for t, *_ in ours):.2f}), {ours[0][1]} solved"
    )
    if batch:
        print(f"batch {statistics.median(t for t, _ in batch):8.2f} s, {batch[0][1]} solved")
        facts["ratio_batch"] = statistics.median(t for t, _ in batch) / seconds
    ratio = facts["ratio_loop"] = loop / seconds
    print(f"loop  {loop:8.2f} s for the same updates, from {len(alone)} pairs")
    goal = None if given.quick else GOALS.get(given.model)
    reached = {"ratio": ratio, "wanted": goal, "side": "slots with a queue", "peer": "the document's loop"}
    facts["goals"] = [reached] if goal else []
    print(
        f"{'PASS' if goal and ratio >= goal else 'FAIL' if goal else 'no goal'}: {ratio:.1f} times the loop"
        + (f", wanted {goal}" if goal else "")
    )
    if given.out:
        files.write_atomic(given.out, files.strict_json(facts) + "\n")


def _wait(found) -> None:
    if found.model.device.type == "cuda":
        torch.cuda.synchronize(found.model.device)


if __name__ == "__main__":
    main()
