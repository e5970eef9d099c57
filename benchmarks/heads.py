"""How fast all heads of a model are taken out one by one: our engine against a loop of hooked runs of a TransformerLens bridge.

    python benchmarks/heads.py --device cuda --out book/reference/benchmarks/heads_cuda.json

Both sides get the same prompts and give the logit difference of every head's zero ablation, (L · H, B), on a model of GPT-2
small's shape with random weights: time does not depend on the weights. The peer runs the whole model once a head; ours
computes the clean run inside the clock, too: once with torch's products in single precision, and on a GPU once with the same
as products of halves (`halves`). Before anything is timed, all logits at the last position are compared with the peer's.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import torch
from torch import Tensor

from helpers import devices, files
from helpers.separability import halves, hooks

SHAPES = {  # name: layers, heads, width
    "gpt2": (12, 12, 768),
    "small": (6, 8, 256),
}
GOALS = {"cuda": 10.0, "cpu": 2.5}
CLOSE = 1e-4  # of logits, absolute
VOCAB = 50257


def model_of(shape: str, device: str):
    """A GPT-2 of this shape with random weights, and a bridge around the same module; nothing is downloaded."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import GPT2Config, GPT2LMHeadModel

    from helpers import lm

    layers, heads, width = SHAPES[shape]
    torch.manual_seed(0)
    config = GPT2Config(n_layer=layers, n_head=heads, n_embd=width, vocab_size=VOCAB, n_positions=64)
    model = GPT2LMHeadModel(config).to(device).eval()
    tokenizer = lm.load("storyteller", device="cpu").tokenizer
    return model, TransformerBridge.boot_transformers("gpt2", hf_model=model, device=device, tokenizer=tokenizer)


def zeroed(head: int) -> Callable:
    def hook(z: Tensor, hook: object) -> Tensor:  # (B, T, H, E)
        z[:, :, head] = 0
        return z

    return hook


@torch.no_grad()
def theirs(bridge, tokens: Tensor, sets) -> Tensor:
    """(S, B, V): a hooked run of the whole model a head."""
    out = []
    for ((layer, head),) in sets:
        pairs = [(f"blocks.{layer}.attn.hook_z", zeroed(head))]
        out.append(bridge.run_with_hooks(tokens, fwd_hooks=pairs)[:, -1])
    return torch.stack(out)


@torch.no_grad()
def peer(bridge, tokens: Tensor, asked: Tensor, sets) -> Tensor:
    """(S, B) logit differences, as a user's loop takes them."""
    out = []
    for ((layer, head),) in sets:
        pairs = [(f"blocks.{layer}.attn.hook_z", zeroed(head))]
        last = bridge.run_with_hooks(tokens, fwd_hooks=pairs)[:, -1]
        out.append(last.gather(1, asked[:, :1])[:, 0] - last.gather(1, asked[:, 1:])[:, 0])
    return torch.stack(out)


def ours(decoder, tokens: Tensor, asked: Tensor, sets) -> Tensor:
    """(S, B) logit differences by the engine, the clean run included."""
    run = hooks.trace(decoder, tokens)
    out = tokens.new_empty(len(sets), len(tokens), dtype=torch.float32)
    for index, ends in hooks.ablate(decoder, run, sets, hooks.references("zero", run), ask=asked):
        out[index] = ends.logits[..., 0] - ends.logits[..., 1]
    return out


def hooked(model: torch.nn.Module) -> int:
    """How many hooks a model carries; a bridge has some of its own."""
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def seconds(what: Callable[[], object], device: str, repeats: int) -> list[float]:
    """Seconds of each call, the device waited for."""
    wait = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    out = []
    for _ in range(repeats):
        wait()
        start = time.perf_counter()
        what()
        wait()
        out.append(time.perf_counter() - start)
    return out


def compare(shape: str, prompts: int, length: int, device: str, repeats: int) -> dict[str, object]:
    model, bridge = model_of(shape, device)
    decoders, before = {"ours": hooks.read(bridge)}, hooked(model)
    if device.startswith("cuda"):
        decoders["ours, in halves"] = halves.read(bridge)
    rng = torch.Generator().manual_seed(0)
    tokens = torch.randint(0, VOCAB, (prompts, length), generator=rng).to(device)
    asked = torch.randint(0, VOCAB, (prompts, 2), generator=rng).to(device)
    first = decoders["ours"]
    sets = [((layer, head),) for layer, head in product(range(first.layers), range(first.heads))]
    away = {name: apart(bridge, decoder, tokens, sets) for name, decoder in decoders.items()}
    sides = {"bridge": lambda: peer(bridge, tokens, asked, sets)}
    sides |= {name: lambda decoder=decoder: ours(decoder, tokens, asked, sets) for name, decoder in decoders.items()}
    times = {}
    for name, side in sides.items():
        seconds(side, device, 1 if device.startswith("cuda") else 0)
        times[name] = seconds(side, device, repeats)
    middle = {name: statistics.median(found) for name, found in times.items()}
    faster = {name: middle["bridge"] / middle[name] for name in decoders}
    known = {"shape": shape, "prompts": prompts, "tokens": length, "heads": len(sets), "apart": away}
    known |= {"hooks_left": hooked(model) - before, "seconds": times, "faster": faster}
    return known | {"times_faster": max(faster.values()), "goal": GOALS[device.partition(":")[0]]}


def apart(bridge, decoder, tokens: Tensor, sets) -> float:
    """Largest difference of any logit at the last position, over some of the sets; AssertionError beyond CLOSE."""
    some, run = sets[:: max(1, len(sets) // 24)], hooks.trace(decoder, tokens)
    full = torch.empty(len(some), len(tokens), VOCAB, device=tokens.device)
    for index, ends in hooks.ablate(decoder, run, some, hooks.references("zero", run)):
        full[index] = ends.logits
    found = float((full - theirs(bridge, tokens, some)).abs().max())
    if not found < CLOSE:
        raise AssertionError(f"logits differ by {found:.2g}, more than {CLOSE:g}: nothing is timed")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--shape", default="gpt2", choices=sorted(SHAPES))
    parser.add_argument("--prompts", type=int, nargs="*", help="prompts of a run; one comparison for each")
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    device = devices.resolve(given.device)
    torch.backends.cuda.matmul.allow_tf32 = False
    counts = given.prompts or ([8, 40, 200] if device.startswith("cuda") else [4])
    rows = [compare(given.shape, n, given.tokens, device, given.repeats) for n in counts]
    for row in rows:
        print({k: v for k, v in row.items() if k != "seconds"})
    found = {
        "benchmark": "heads",
        "what": "all heads one by one, zero ablation",
        "rows": rows,
        "provenance": devices.provenance(device),
    }
    if given.out:
        files.write_atomic(given.out, files.strict_json(found) + "\n")


if __name__ == "__main__":
    main()
