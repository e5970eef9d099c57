"""How well a storyteller knows its world: loss against the exact entropy, indirect objects, answers, violations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from helpers.lm.loader import LM
from helpers.lm.scoring import net_of, score
from helpers.lm.writing import generate
from helpers.storyteller import grammar, probes
from helpers.storyteller.held import speaks
from helpers.storyteller.world import BOS, ID, PAD, PLAIN, Style

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def evaluate(
    model: LM | PreTrainedModel,
    *,
    seed: int = 0,
    sequences: int = 512,
    pairs: int = 400,
    questions: int = 400,
    stories: int = 200,
    style: str | Style = PLAIN,
) -> dict[str, float]:
    """Everything at once, as floats.

    loss: held-out nats a token; exact: what the grammar itself has on the same tokens, the least that any model can
    expect; excess: their difference; rate: the grammar's entropy rate in closed form; then what `indirect_objects`,
    `answers` and `violations` (of sampled stories) find. Raises ValueError for a model whose vocabulary is not the
    world's.
    """
    _check(model)
    held = torch.from_numpy(grammar.corpus(sequences, seed, split="held", style=style))
    loss, exact = score(model, held)["nats"], float(grammar.costs(held.numpy(), style).mean())
    told = probes.violations(write(model, stories, seed=seed))
    return {
        "loss": loss,
        "exact": exact,
        "excess": loss - exact,
        "rate": grammar.entropy(style)["rate"],
        **indirect_objects(model, probes.ioi_pairs(pairs, seed, style=style)),
        **answers(model, probes.qa_pairs(questions, seed, style=style)),
        "violations": told["per_thousand"],
        "violations_form": 1000 * told["form"] / max(1, told["sentences"]),
        "violations_world": 1000 * told["world"] / max(1, told["sentences"]),
    }


@torch.inference_mode()
def indirect_objects(model: LM | PreTrainedModel, pairs: probes.Pairs) -> dict[str, float]:
    """ioi: share of prompts where the right name's logit is above the giver's; ioi_gap: the mean difference of the two
    logits; and the share for each order of names (Wang et al. 2022)."""
    last = (
        net_of(model)(input_ids=pairs.prompts.to(net_of(model).device), use_cache=False).logits[:, -1].float().cpu()
    )  # (n, V)
    gap = (last.gather(1, pairs.correct[:, None]) - last.gather(1, pairs.wrong[:, None]))[:, 0]  # (n,)
    by = {o: [g for g, order in zip(gap.tolist(), pairs.orders, strict=True) if order == o] for o in probes.ORDERS}
    shares = {f"ioi_{o.lower()}": sum(g > 0 for g in gaps) / max(1, len(gaps)) for o, gaps in by.items()}
    return {"ioi": float((gap > 0).double().mean()), "ioi_gap": float(gap.mean()), **shares}


@torch.inference_mode()
def answers(model: LM | PreTrainedModel, questions: Sequence[probes.Question], batch: int = 256) -> dict[str, float]:
    """answers: share of questions whose whole answer is the most likely continuation; and the same for each kind."""
    net, right = net_of(model), defaultdict(list)
    for start in range(0, len(questions), batch):
        part = questions[start : start + batch]
        ids = pad_sequence(
            [torch.tensor(q.prompt + q.answer) for q in part], batch_first=True, padding_value=ID[PAD]
        )  # (B, T): what is padded comes after all that counts, so that no mask is needed
        best = net(input_ids=ids.to(net.device), use_cache=False).logits.argmax(-1).cpu()  # (B, T)
        for q, row in zip(part, best.tolist(), strict=True):
            at = len(q.prompt) - 1
            right[q.kind].append(tuple(row[at : at + len(q.answer)]) == q.answer)
    every = [r for rows in right.values() for r in rows]
    return {"answers": sum(every) / len(every)} | {f"answers_{k}": sum(v) / len(v) for k, v in sorted(right.items())}


def write(
    model: LM | PreTrainedModel, count: int, *, length: int = grammar.LENGTH, temperature: float = 1.0, seed: int = 0
) -> Tensor:
    """(count, length) ids of stories that a storyteller tells from <bos> on; temperature 0 is greedy."""
    start = torch.full((count, 1), ID[BOS])
    return generate(model, start, length - 1, temperature=temperature, seed=seed)


def samples(model: LM | PreTrainedModel, count: int = 5, *, seed: int = 0) -> dict[str, list[str]]:
    """Texts to look at: 'greedy', what follows the opening words of held-out stories, and 'sampled' at temperature 1."""
    prompts = probes.ioi_pairs(count + count % 2, seed).prompts[:count]
    greedy = generate(model, prompts, grammar.LENGTH - prompts.shape[1])
    text = lambda rows: [" ".join(grammar.words_of(row)) for row in rows.tolist()]
    return {"greedy": text(greedy), "sampled": text(write(model, count, seed=seed))}


def _check(model: LM | PreTrainedModel) -> None:
    size = net_of(model).config.vocab_size
    if size != len(ID) or (isinstance(model, LM) and not speaks(model)):
        raise ValueError(
            f"this model has a vocabulary of {size} tokens that is not the storyteller's {len(ID)} words; "
            "use lm.measure with storyteller.tokens for any other model"
        )
