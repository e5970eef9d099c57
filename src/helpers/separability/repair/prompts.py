"""Indirect-object prompts: 'When Mary and John went to the park, John gave a ball to', in 24 templates, two orders of
names.

Of every prompt there is another one with the same words and three unrelated names, in which nobody is to be named:
what heads say there stands in their place when they are ablated by mean or by resampling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from helpers import devices, storyteller
from helpers.separability.repair.config import ORDERS, TEMPLATES, Symbols
from helpers.storyteller import world

if TYPE_CHECKING:
    from helpers.lm import LM

LEAST = 3  # names: those of a prompt of the reference
NAMES = (
    "Mary", "John", "Tom", "James", "Dan", "Sid", "Martin", "Amy", "Anna", "Alice", "Bob", "Carol", "David",
    "Emma", "Frank", "Grace", "Henry", "Jack", "Kate", "Liam", "Lily", "Tim", "Timmy", "Paul", "Sarah", "Mark",
    "Laura", "Peter", "Simon", "Rachel", "Adam", "Lucy", "Kevin", "Jane", "Robert", "Susan", "Eric", "Maria",
    "Scott", "Helen", "Max", "Rose",
)  # fmt: skip
TEXTS = tuple(  # {A} and {B} are named, {S} is one of them again
    f"{scene} {act}"
    for scene, act in zip(
        (
            "When {A} and {B} went to the store,",
            "After {A} and {B} went to the park,",
            "While {A} and {B} were working at the office,",
            "Then, {A} and {B} had lunch at the school.",
            "Last week {A} and {B} walked to the beach.",
            "When {A} and {B} came home from the farm,",
            "Because {A} and {B} met at the station,",
            "In the garden {A} and {B} played for hours.",
            "Once {A} and {B} were back in the kitchen,",
            "At the party {A} and {B} sat together.",
            "Before {A} and {B} left the house,",
            "Yesterday {A} and {B} went to the museum.",
            "As {A} and {B} walked through the forest,",
            "On Monday {A} and {B} found a box at the river.",
            "After the rain {A} and {B} ran to the barn.",
            "Since {A} and {B} were friends,",
            "During the game {A} and {B} waited by the door.",
            "When the friends {A} and {B} arrived at the church,",
            "At night {A} and {B} read in the library.",
            "While {A} and {B} sat in the train,",
            "In the morning {A} and {B} drove to the hospital.",
            "Soon {A} and {B} were at the market.",
            "After {A} and {B} had a long talk,",
            "Every summer {A} and {B} go to the lake, and today",
        ),
        (
            "{S} gave a drink to", "{S} gave the ball to", "{S} handed the letter to", "{S} passed the bread to",
            "{S} threw the ball to", "{S} gave an apple to", "{S} gave the ticket to", "{S} gave a flower to",
            "{S} handed a cup to", "{S} gave a present to", "{S} gave the key to", "{S} showed the picture to",
            "{S} handed the map to", "{S} gave it to", "{S} gave a coat to", "{S} wanted to give the book to",
            "{S} passed the ball to", "{S} gave the candle to", "{S} gave the book to", "{S} decided to give the seat to",
            "{S} gave a card to", "{S} handed the money to", "{S} said goodbye to", "{S} gave the rope to",
        ),
        strict=True,
    )
)  # fmt: skip


@dataclass(frozen=True)
class Prompts:
    """Prompts of one template, all of T tokens. tokens, other: (B, T), with their names and with three unrelated
    ones; io: (B,) the name that is to follow; s: (B,) the one that was named twice; order: (B,) 0 for ABBA, 1 for
    BABA."""

    template: int
    tokens: Tensor
    other: Tensor
    io: Tensor
    s: Tensor
    order: Tensor


Make = Callable[[int, int, int], Prompts]  # (template, prompts of an order, seed)


def single_tokens(lm: LM, names: Sequence[str]) -> tuple[dict[str, int], list[str]]:
    """{name: id} of those that are one token inside a sentence, and those that the tokenizer splits.

    Raises ValueError when fewer than three are left: of those no prompt with three names can be made.
    """
    encode = lambda text: lm.tokenizer(text, add_special_tokens=False).input_ids
    ids, split = {}, []
    for name in names:
        found = [encode(f"{before} {name}")[len(encode(before)) :] for before in ("when", "when it was and")]
        unknown = lm.tokenizer.unk_token_id
        if len(found[0]) == 1 and found[0] == found[1] and found[0][0] != unknown:
            ids[name] = found[0][0]
        else:
            split.append(name)
    if len(ids) < LEAST:
        raise ValueError(
            f"{lm.name}: its tokenizer splits {len(split)} of {len(names)} names, such as {split[0]}; a prompt needs {LEAST} "
            "names of one token each; use a model with a larger vocabulary, such as gpt2 or storyteller"
        )
    return ids, split


def texts_of(lm: LM) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Templates and names in a model's own language: the storyteller's world, or English."""
    if not storyteller.speaks(lm):
        return TEXTS, NAMES
    forms = list(product(world.CONNECTIVES, world.MOTIONS, world.GIFTS))[::2]
    rest = _cycled(len(forms))
    return (
        tuple(
            f"{when} {{A}} and {{B}} {went} to the {place} , {{S}} {gave} the {colour} {thing} to"
            for (when, went, gave), (place, colour, thing) in zip(forms, rest, strict=True)
        ),
        world.NAMES,
    )


def _cycled(count: int) -> list[tuple[str, str, str]]:
    """A place, a colour and a thing for each of `count` templates."""
    return [
        tuple(words[i % len(words)] for words in (world.PLACES, world.COLOURS, world.OBJECTS)) for i in range(count)
    ]


def of_language(lm: LM) -> tuple[Make, list[str]]:
    """What makes prompts for a model that reads words, and the names that were dropped because its tokenizer splits
    them.

    Raises ValueError where a template does not hold its names as single tokens, or too few names are left.
    """
    texts, names = texts_of(lm)
    ids, split = single_tokens(lm, names)
    known, start = list(ids), lm.tokenizer.bos_token_id
    head = [] if start is None else [start]

    def encode(text: str, rows: np.ndarray) -> Tensor:
        """(n, T): the template with rows (n, 3) of names as A, B and S."""
        filled = [text.format(A=known[a], B=known[b], S=known[s]) for a, b, s in rows.tolist()]
        found = [head + x for x in lm.tokenizer(filled, add_special_tokens=False).input_ids]
        tokens = [ids[name] for name in known]
        whole = all(
            len(x) == len(found[0]) and all(x.count(tokens[k]) >= row.tolist().count(k) for k in set(row.tolist()))
            for x, row in zip(found, rows, strict=True)
        )
        if not whole:
            raise ValueError(f"{lm.name}: its tokenizer does not keep the names of {text!r} whole; use another model")
        return torch.tensor(found)

    def make(template: int, each: int, seed: int) -> Prompts:
        rows, three, order = _drawn(len(known), each, "words", template, seed)
        tokens = torch.tensor([ids[name] for name in known])
        text = texts[template]
        io = np.where(order == 0, rows[:, 0], rows[:, 1])
        return Prompts(
            template, encode(text, rows), encode(text, three), tokens[io], tokens[rows[:, 2]], torch.tensor(order)
        )

    return make, split


def _drawn(names: int, each: int, *key: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of 2 · each prompts: names A, B and S (n, 3); three different names (n, 3); the order (n,), 0: S is B, 1: S is
    A."""
    rng, n = devices.numpy_rng("indirect object", *key), ORDERS * each
    pick = lambda count: rng.random((n, names)).argsort(1)[:, :count]  # without replacement
    pair, order = pick(2), np.arange(n) % ORDERS
    second = np.where(order == 0, pair[:, 1], pair[:, 0])
    return np.c_[pair, second], pick(3), order


def of_symbols(config: Symbols) -> Make:
    """What makes prompts of the symbolic task: names are 0 … N − 1, fillers the ids after them."""
    places = slots(config)

    def make(template: int, each: int, seed: int) -> Prompts:
        rows, three, order = _drawn(config.names, each, "symbols", template, seed)
        words = devices.numpy_rng("indirect object", "fillers", template).integers(0, config.fillers, config.length)
        base = np.tile(config.names + words, (len(rows), 1))
        tokens, other = base.copy(), base.copy()
        tokens[:, places[template]], other[:, places[template]] = rows, three
        io = np.where(order == 0, rows[:, 0], rows[:, 1])
        return Prompts(template, *map(torch.tensor, (tokens, other, io, rows[:, 2], order)))

    return make


def slots(config: Symbols) -> np.ndarray:
    """(24, 3): where a template has its two names and the one that comes again; the last symbol is never one of
    them."""
    every = np.array(list(combinations(range(config.length - 1), 3)))
    return every[devices.numpy_rng("indirect object", "slots").permutation(len(every))[:TEMPLATES]]
