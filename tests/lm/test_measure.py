"""What a model's predictions are worth, by a slow formula token by token; texts; embeddings asked of the model."""

import math
from types import SimpleNamespace

import pytest
import torch
import transformers as t

from helpers import lm
from helpers.lm import scoring, writing
from helpers.lm.loader import LM
from helpers.storyteller import grammar, sizes, tokenizer


@pytest.fixture(scope="module")
def found():
    return LM("small", "folder", sizes.build("small", 0), tokenizer.build(), "cpu")


@pytest.fixture(scope="module")
def rows():
    return torch.from_numpy(grammar.corpus(7, 0, length=20, split="held"))


def slow(model, whole, rows):
    """Every token by itself, in float64."""
    sums = dict.fromkeys(scoring.MEASURED, 0.0)
    for row in rows:
        for at in range(len(row) - 1):
            with torch.no_grad():
                new, old = (m(input_ids=row[None, : at + 1]).logits[0, -1].double() for m in (model, whole))
            p, q = new.softmax(0), old.softmax(0)
            a, b = new - new.mean(), old - old.mean()
            sums["nll"] -= math.log(p[row[at + 1]])
            sums["kl"] += sum(float(qi * (qi / pi).log()) for pi, qi in zip(p, q, strict=True))
            sums["top1"] += float(new.argmax() == old.argmax())
            sums["logit_cosine"] += float(a @ b / (a.norm() * b.norm()))
            sums["entropy"] -= sum(float(pi * pi.log()) for pi in p)
    return {name: value / rows[:, 1:].numel() for name, value in sums.items()}


def test_a_model_is_measured_as_token_by_token(found, rows, device):
    model, whole = sizes.build("small", 1).to(device), found.model
    expected = slow(model.cpu(), whole.cpu(), rows[:3])
    with torch.no_grad():
        known = lm.log_probs(whole.to(device), rows[:3])
    measured = lm.measure(model.to(device), rows[:3], whole=known, batch=2)
    whole.cpu()
    assert list(measured) == list(expected)
    assert measured == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_what_is_left_out_and_what_is_equal_to_itself(found, rows):
    known = lm.log_probs(found, rows)
    assert known.shape == (7, 19, found.model.config.vocab_size)
    same = lm.measure(found, rows, whole=known)
    assert same == pytest.approx(lm.measure(found, rows) | {"kl": 0, "top1": 1, "logit_cosine": 1}, abs=1e-6)
    assert list(lm.measure(found, rows)) == ["nll", "entropy"]
    assert same["nll"] == pytest.approx(lm.score(found, rows)["nats"], abs=1e-6)
    assert same == pytest.approx(lm.measure(found, rows, whole=known, batch=1), abs=1e-6)
    with pytest.raises(ValueError, match=r"whole has shape \(7, 19, 216\); expected \(6, 19\)"):
        lm.measure(found, rows[:6], whole=known)
    with pytest.raises(ValueError, match="whole has a vocabulary of 200 tokens, the model one of 216"):
        lm.measure(found, rows, whole=known[..., :200])


def test_the_logits_of_a_batch_stay_below_the_limit(monkeypatch, found, rows):
    seen, forward = [], found.model.forward

    def watched(input_ids, **how):
        seen.append(len(input_ids))
        return forward(input_ids, **how)

    monkeypatch.setattr(found.model, "forward", watched)
    monkeypatch.setattr(scoring, "LOGITS", 3 * 20 * 216)
    lm.measure(found, rows)
    assert seen == [3, 3, 1]


def test_sense_is_the_loss_of_each_text_alone(found):
    prompt, told = torch.tensor([1, 5, 9]), ["mary gave", "", "john went to the garden .", "the"]
    values = lm.sense(found, prompt, told)
    for text, value in zip(told, values, strict=True):
        ids = found.tokenizer(text)["input_ids"]
        if not ids:
            assert math.isnan(value)
            continue
        with torch.no_grad():
            p = found.model(input_ids=torch.cat([prompt, torch.tensor(ids)])[None]).logits[0].softmax(-1)
        alone = [-math.log(p[len(prompt) - 1 + i, token]) for i, token in enumerate(ids)]
        assert value == pytest.approx(sum(alone) / len(ids), rel=1e-5)
    assert [math.isnan(v) for v in lm.sense(found, prompt, ["", ""])] == [True, True]
    assert lm.sense(found, prompt, []) == []
    with pytest.raises(ValueError, match=r"prompt has shape \(0,\)"):
        lm.sense(found, prompt[:0], told)


def test_texts_come_in_the_order_of_their_prompts(found):
    prompts = [torch.tensor(p) for p in ([1, 5, 9], [1, 7], [1, 8, 3])]
    writer = lm.Writer(found)
    for told in (lm.texts(found, prompts, 4), lm.texts(writer, prompts, 4)):
        for prompt, text in zip(prompts, told, strict=True):
            assert text == found.tokenizer.decode(lm.generate(found, prompt[None], 4)[0, len(prompt) :].tolist())
    assert lm.texts(found, [], 4) == []


def test_a_writer_records_a_shape_once_and_keeps_few(found, monkeypatch):
    made = []
    recorder = lambda model, *shape: made.append(shape) or (lambda prompts: prompts)
    monkeypatch.setattr(writing, "Greedy", recorder)
    monkeypatch.setattr(writing, "recordable", lambda model: True)
    model = SimpleNamespace(device=SimpleNamespace(type="cuda"))
    writer = lm.Writer(LM("graph", "folder", model, found.tokenizer, "cuda"))
    x = torch.zeros(2, 3, dtype=torch.long)
    for new in (1, 2, 3, 4, 1, 5, 1, 2):
        writer(x, new)
    assert made == [(2, 3, n) for n in (1, 2, 3, 4, 5, 2)]


def test_a_parting_is_found_with_its_margin(found, rows):
    one = lm.generate(found, rows[:3, :6], 5)
    other = one.clone()
    with torch.no_grad():
        logits = found.model(input_ids=one[1:2, :8]).logits[0, -1]
    best, second = logits.topk(2).indices
    assert one[1, 8] == best
    other[1, 8], other[1, 9:] = second, 0
    (parting,) = writing.partings(found, one, other)
    assert (parting.row, parting.at) == (1, 8)
    assert parting.margin == pytest.approx(float(logits[best] - logits[second]), abs=1e-5)
    assert 0 < parting.noise < 1e-5 < parting.margin
    assert writing.partings(found, one, one) == []
    assert next(found.model.parameters()).dtype == torch.float32


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("dtype", "least"), [("float32", 0.95), ("bfloat16", 0.6)])
def test_recorded_texts_of_a_trained_model_part_from_generate_only_at_ties(dtype, least):
    """The two ways round differently; where they part, the two tokens are nearer than the rounding errors of their logits."""
    trained = lm.load("storyteller", device="cuda", dtype=dtype)
    prompts = torch.from_numpy(grammar.corpus(64, 0, length=12, split="held"))
    recorded, plain = lm.Writer(trained)(prompts, 48), lm.generate(trained, prompts, 48)
    agreement = float((recorded == plain)[:, 12:].float().mean())
    found = writing.partings(trained, recorded, plain)
    print(f"{dtype}: {agreement:.1%} of the tokens agree; {len(found)} of 64 texts part", found)
    assert agreement >= least
    assert all(p.at >= 12 and p.margin <= 2 * p.noise for p in found)


TINY = {"vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 48}


@pytest.mark.parametrize(
    ("kind", "more", "embed", "head"),
    [
        ("Llama", {"num_key_value_heads": 2}, "model.embed_tokens.weight", "lm_head.weight"),
        ("Llama", {"tie_word_embeddings": True}, "model.embed_tokens.weight", "model.embed_tokens.weight"),
        ("GPTNeoX", {}, "gpt_neox.embed_in.weight", None),
        ("Starcoder2", {"num_key_value_heads": 2}, "model.embed_tokens.weight", None),
        ("Mixtral", {"num_local_experts": 2}, "model.embed_tokens.weight", "lm_head.weight"),
    ],
)
def test_embeddings_are_asked_of_the_model(kind, more, embed, head):
    model = getattr(t, f"{kind}ForCausalLM")(getattr(t, f"{kind}Config")(**TINY | more))
    names, known = lm.embeddings(model), dict(model.named_parameters())
    assert names["embed"] == embed
    assert known[names["embed"]] is model.get_input_embeddings().weight
    assert known[names["head"]] is model.get_output_embeddings().weight
    assert head is None or names["head"] == head


def test_a_part_that_is_not_there_has_no_name():
    assert lm.embeddings(torch.nn.Linear(2, 2)) == {"embed": None, "head": None}
