"""The experiment on a small real model: arms, measures, records, and the quantities against planted answers."""

import html

import numpy as np
import pandas as pd
import pytest
import torch

from helpers import devices, dtdr, lm, records, stores, storyteller
from helpers.codec import Codec, Fill, decode, encode, noisy
from helpers.dtdr import plots, priors, quantities, study

GRID = (0.0, 0.2, 0.6, 0.9, 1.0)


@pytest.fixture(scope="module")
def found():
    return lm.load("storyteller", device="cpu")


@pytest.fixture(scope="module")
def tokens(found):
    return storyteller.tokens(found, count=8, length=32, seed=0)


@pytest.fixture
def subject(found, tokens):
    made = dtdr.Subject(found, tokens, prompts=[row[:8] for row in tokens[:2]], cap=64, batch=4)
    made.priors = {"leaked": dtdr.leaked(made.whole, cap=64)}
    yield made
    made.restore()


def test_the_whole_model_is_measured_as_lm_score_measures_it(subject, found, tokens):
    assert subject.intact["nll"] == pytest.approx(lm.score(found, tokens)["nats"], abs=1e-5)
    assert subject.intact["kl"] == pytest.approx(0, abs=1e-6)
    assert subject.intact["top1"] == 1
    assert subject.nothing == pytest.approx(np.log(found.model.config.vocab_size), abs=1e-3)  # no weights, no opinion


def test_measures_agree_with_their_definitions(subject, found, tokens):
    before = found.model(tokens).logits.detach()[:, :-1].double().log_softmax(-1)
    subject.rebuild(dtdr.Arm("identity"), 0.8, 3)
    after = found.model(tokens).logits.detach()[:, :-1].double().log_softmax(-1)
    got = subject.measure()
    assert got["kl"] == pytest.approx(float((before.exp() * (before - after)).sum(-1).mean()), rel=1e-4)
    assert got["top1"] == pytest.approx(float((before.argmax(-1) == after.argmax(-1)).double().mean()))
    assert got["entropy"] == pytest.approx(float(-(after.exp() * after).sum(-1).mean()), rel=1e-4)
    a, b = (z - z.mean(-1, keepdim=True) for z in (before, after))
    assert got["logit_cosine"] == pytest.approx(float(torch.cosine_similarity(a, b, dim=-1).mean()), rel=1e-4)


@pytest.mark.parametrize("domain", ["identity", "hadamard", "dct", "permutation", "noise", "noise_entry"])
def test_the_achieved_cosine_is_the_root_of_the_fraction(subject, domain):
    for f in (0.25, 0.64, 0.9):
        assert subject.rebuild(dtdr.Arm(domain), f, 1) == pytest.approx(f**0.5, abs=0.01)
    assert subject.rebuild(dtdr.Arm(domain), 1.0, 1) == pytest.approx(1, abs=1e-3)


def test_a_protected_vocabulary_stays_and_rows_go_from_the_end(subject):
    state = dict(subject.parameters)
    embed = next(n for n in state if stores.role(n) == "embed")
    linear = next(n for n in state if stores.role(n) == "mlp")
    subject.rebuild(dtdr.Arm("identity", "rows", protect=True), 0.5, 0)
    assert torch.equal(state[embed], subject.whole[embed])
    half = len(state[linear]) // 2
    assert not state[linear][half:].any()
    assert state[linear][:half].any()
    subject.restore()
    assert torch.equal(state[linear], subject.whole[linear])


def test_noise_per_entry_hits_large_weights_harder():
    w = torch.cat([torch.full((64, 512), 0.01), torch.full((64, 512), 1.0)], 1)
    for per, ratio in (("row", 1.0), ("entry", 100.0)):
        error = noisy(w, 0.9, 0, "w", per=per) - 0.81 * w
        assert float(error[:, 512:].std() / error[:, :512].std()) == pytest.approx(ratio, rel=0.1)
    with pytest.raises(ValueError, match="per='column' is unknown"):
        noisy(w, 0.9, 0, "w", per="column")


def test_names_of_arms_tell_them_apart():
    arms = (
        *dtdr.domains(),
        *dtdr.further(),
        *dtdr.collapse(),
        dtdr.Arm("hadamard", dtdr.CORRUPT),
        dtdr.Arm("noise_entry"),
    )
    assert len({a.name for a in arms}) == len(arms)


def test_an_unknown_prior_and_bad_plans_are_refused(subject):
    with pytest.raises(ValueError, match="prior 'friend' is unknown; there are leaked, row_mean, low_rank"):
        subject.rebuild(dtdr.Arm(fill="guided", prior="friend", weight=0.1), 0.5, 0)
    with pytest.raises(ValueError, match=r"fractions \[1\.5\]"):
        dtdr.Plan("arms", (), (0.5, 1.5))
    with pytest.raises(ValueError, match=r"shares \[-0\.1\]"):
        dtdr.Plan("arms", (), (0.5,), shares=(0.1, -0.1))
    with pytest.raises(ValueError, match=r"shares \(\)"):
        dtdr.Plan("arms", (), (0.5,), shares=())
    with pytest.raises(ValueError, match="seeds=0"):
        dtdr.Plan("arms", (), (0.5,), 0)
    with pytest.raises(ValueError, match="tokens has shape"):
        dtdr.Subject(subject.found, torch.zeros(0, 4, dtype=torch.long))


def test_a_prior_that_does_not_fit_is_refused_before_it_is_made(subject, monkeypatch):
    numbers = sum(w.numel() for w in subject.whole.values())
    monkeypatch.setattr(devices, "free_memory", lambda device: 7 * numbers)  # 4 bytes of float32 and 3 sets of codes
    with pytest.raises(MemoryError, match=r"a prior for guided fill needs about .* use a smaller model"):
        dtdr.leaked(subject.whole)
    monkeypatch.setattr(devices, "free_memory", lambda device: 7.1 * numbers)
    assert dtdr.leaked(subject.whole).keys() == subject.whole.keys()


def test_priors_in_turn_give_the_weights_that_each_gives_alone(subject):
    """The stored form of one prior is in memory at a time; those made from the kept part never are."""
    subject.priors["earlier"] = dtdr.embedded("earlier")
    codec = Codec(cap=64)
    for prior in ("leaked", "earlier", "row_mean", "leaked", "low_rank"):
        subject.rebuild(dtdr.Arm(fill="guided", prior=prior, weight=0.6), 0.4, 1)
        for name, p in subject.parameters.items():
            encoded = encode(subject.whole[name], codec, name)
            if prior in priors.FROM_KEPT:
                known = priors.from_kept(prior, decode(encoded, 0.4, fill=Fill("gain"), mask_seed=1))
            else:
                known = subject.priors[prior][name]
            wanted = decode(encoded, 0.4, fill=Fill("guided", 0.6, known), mask_seed=1)
            assert torch.allclose(p, wanted, atol=1e-6), (prior, name)
        assert len({key[0] for key in subject._priors}) == 1


@pytest.fixture(scope="module")
def kept(found, tokens, tmp_path_factory):
    subject = dtdr.Subject(found, tokens, prompts=[tokens[0, :8]], cap=64, batch=8)
    subject.priors = {"leaked": dtdr.leaked(subject.whole, cap=64), "earlier": dtdr.embedded("earlier")}
    folder = tmp_path_factory.mktemp("records")
    damage = (dtdr.Arm("hadamard", dtdr.CORRUPT), dtdr.Arm("identity", dtdr.CORRUPT), dtdr.Arm("hadamard", "planes"))
    guided = [dtdr.Arm(fill="guided", prior=p, weight=0.15) for p in subject.priors]
    made = study.run_printed("x", subject, (dtdr.Arm("identity", "rows"),), tokens[0, :8], (0.2, 1.0), 4)
    for part, arms in (("arms", dtdr.domains()), ("damage", damage), ("collapse", dtdr.collapse()), ("priors", guided)):
        made += study.run(
            "x", subject, dtdr.Plan(part, arms, GRID, 2), folder / "work", sample=4 if part == "arms" else 0
        )
    for record in made:
        record.write(folder)
    again = study.run("x", subject, dtdr.Plan("arms", dtdr.domains(), GRID, 2), folder / "work", sample=4)
    return dtdr.frame(records.load(folder)), made, again


def test_records_come_back_and_finished_ones_are_not_computed_again(kept):
    shown, made, again = kept
    first = [r.metrics for r in made if r.metadata["part"] == "arms"]
    strip = lambda rows: [{k: v for k, v in row.items() if k != "timestamp"} for row in rows]
    assert [strip(m) for m in first] == [strip(r.metrics) for r in again]
    whole = shown[(shown["arm"] == "hadamard.iid.zero") & (shown["fraction"] == 1.0)]
    assert whole["recovered"].to_numpy() == pytest.approx(1, abs=0.01)
    assert shown[shown["arm"] == "hadamard.corrupt"]["cosine"].between(0.3, 1).all()
    assert shown[(shown["part"] == "arms") & (shown["seed"] == 0)]["text"].notna().all()


def test_a_plan_says_which_shares_are_spoiled(subject):
    plan = dtdr.Plan("dose", (dtdr.Arm("identity", dtdr.CORRUPT), dtdr.Arm()), (0.5,), 1, shares=(0.01, 0.2))
    spoiled, lost = study.run("x", subject, plan)
    assert [row["fraction"] for row in spoiled.metrics] == pytest.approx([0.99, 0.8])
    assert [row["fraction"] for row in lost.metrics] == [0.5]


def test_every_quantity_of_both_chapters_is_there(kept):
    shown = kept[0]
    wanted = {t.quantity for c in claims_of("dtdr_emergence") for t in c.precise.tests}
    assert wanted <= set(dtdr.emergence(shown))
    assert set(dtdr.emergence_controls(shown)) == {c.id for c in claims_of("dtdr_emergence")}
    at_forty = shown.assign(fraction=shown["fraction"].replace(0.9, 0.4))
    guided = dtdr.guided(at_forty)
    assert {t.quantity for c in claims_of("dtdr_guided") for t in c.precise.tests} <= set(guided)
    assert set(dtdr.guided_controls(at_forty)) == {c.id for c in claims_of("dtdr_guided")}
    assert all(len(v) == 2 for v in guided.values())


def claims_of(chapter):
    from helpers import claims

    return claims.of(chapter).values()


def test_figures_are_drawn_from_what_there_is(kept, tmp_path):
    shown = kept[0]
    arms = {"identity.rows.zero": "rows"}
    for fig in (
        plots.emergence(shown, arms),
        plots.texts(shown[shown["part"] == "printed"], arms, "<b> & so"),
        plots.loss(shown, None),
        plots.loss(shown, shown),
        plots.collapse(shown, ["storyteller"]),
        plots.orders(shown, None),
        plots.damage(shown),
        plots.by_cosine(shown[shown["part"] == "priors"], {}),
        plots.dose([0.5, 1.0, 2.0], np.zeros((3, 3)), np.ones((3, 3))),
    ):
        assert len(fig.data) > 0
        assert fig.layout.title.text
    path = dtdr.write_curve(shown, tmp_path, arms)
    table = pd.read_csv(path)
    assert list(table.columns) == ["arm", "fraction", "cosine", "top10_overlap"]
    assert table["cosine"].iloc[-1] == pytest.approx(1, abs=1e-3)


def written(*said):
    return pd.DataFrame({"arm": "identity.rows.zero", "fraction": np.linspace(0.1, 1, len(said)), "text": said})


def test_a_figure_of_texts_is_as_high_as_its_fullest_position_needs():
    def heights(*said, name="rows"):
        layout = plots.texts(written(*said), {"identity.rows.zero": name}, "so").layout
        return np.array([layout.height, layout.meta["narrow"]])

    least = heights("a b", "c d")
    assert least[0] == least[1]
    for count in (30, 60):
        # "pad " is 26.2 px in Verdana of size 12, columns are some 385 and 197 px wide and lines 15.6 px high
        lines = np.ceil(count / np.floor([385 / 26.2, 197 / 26.2]))
        more = heights("a b", " ".join(["pad"] * count), "c d") - least
        assert (more >= 15.6 * (lines - 1) - 1).all()
        assert (more <= 15.6 * (lines + 1)).all()
    tall, narrow = heights("a b", name="a name that takes several lines on a phone")
    assert narrow > tall


def test_a_text_is_shown_as_written_and_only_a_word_too_long_for_a_phone_is_broken():
    said = 'he said "<b>" & left', "<unk>" * 40, "a  b\nc"
    fig = plots.texts(written(*said), {"identity.rows.zero": "rows"}, "<bos> & so")
    shown = [trace.cells.values[1][0] for trace in fig.data]
    assert shown[0] == 'he said "&lt;b&gt;" &amp; left'
    assert shown[1].replace(" ", "") == "&lt;unk&gt;" * 40
    assert max(map(len, html.unescape(shown[1]).split())) < 26
    assert shown[2] == "a b c"
    assert "&lt;bos&gt; &amp; so" in fig.data[0].header.values[1]


@pytest.mark.parametrize(("level", "at"), [(0.0, 0.0), (0.1, 0.43), (0.5, 0.55), (1.0, 0.7)])
def test_a_crossing_is_read_off_a_known_line(level, at):
    x, y = np.array([0.0, 0.4, 0.7, 1.0]), np.array([0.0, 0.0, 1.0, 1.0])
    assert quantities.crossing(x, y, level) == pytest.approx(at)
    assert np.isnan(quantities.crossing(x, y, 5.0))


def draws(effect, rng, masks=6):
    """A collapse: loss falls with cosine, a mask's luck with a domain is the same at every fraction, one domain is shifted."""
    fraction, domain, seed = (
        x.ravel() for x in np.meshgrid(np.linspace(0.2, 0.9, 6), list("abcd"), np.arange(masks), indexing="ij")
    )
    luck = rng.normal(0, 0.1, (masks, 4))[seed, np.array([ord(d) - 97 for d in domain])]
    cosine = np.sqrt(fraction) + rng.normal(0, 0.002, len(fraction))
    loss = 6 - 5 * cosine**4 + luck + rng.normal(0, 0.03, len(fraction)) + effect * (domain == "a")
    found = {"fraction": fraction, "cosine": cosine, "nll": loss, "domain": domain, "seed": seed}
    return pd.DataFrame(found | {"model": "m", "fill": "zero"})


def test_the_domain_test_keeps_its_level_and_finds_a_planted_domain(monkeypatch):
    """Also where the points of one mask share their luck, which would mislead a test that takes them for independent."""
    monkeypatch.setattr(quantities, "PERMUTATIONS", 99)
    rng = np.random.default_rng(0)
    false = np.mean([quantities.p_domain(draws(0.0, rng)) <= 0.05 for _ in range(200)])
    assert 0.01 <= false <= 0.1
    assert np.mean([quantities.p_domain(draws(0.3, rng)) <= 0.05 for _ in range(30)]) >= 0.9


def test_a_domain_that_was_tried_at_more_fractions_is_not_an_effect(monkeypatch):
    """Two fills whose losses differ, and one of them tried at more fractions in one domain: the mean over its rows differs."""
    monkeypatch.setattr(quantities, "PERMUTATIONS", 99)
    rng = np.random.default_rng(1)

    def uneven():
        zero, random = draws(0.0, rng), draws(0.0, rng).assign(fill="random")
        random["nll"] += 0.5
        return pd.concat([zero, random[(random["domain"] == "a") | (random["fraction"] < 0.6)]], ignore_index=True)

    assert np.mean([quantities.p_domain(uneven()) <= 0.05 for _ in range(60)]) <= 0.15


def test_equal_cosines_share_one_value_whatever_their_order():
    """Three points at one cosine lie around their mean; a curve through each of them, falling as sorted, would hide it all."""
    known = {"cosine": [0.8, 0.8, 0.8, 0.5, 0.9], "nll": [3.0, 2.0, 1.0, 4.0, 0.5], "model": "m"}
    left = quantities.leftovers(pd.DataFrame(known, index=[7, 3, 5, 1, 9]))
    assert left.to_dict() == pytest.approx({7: 1.0, 3: 0.0, 5: -1.0, 1: 0.0, 9: 0.0})


def test_a_difference_without_a_stable_sign_is_no_difference():
    """Truncation and corruption that differ by noise alone: the mean over many such tables is not above zero."""
    rng, means, sizes = np.random.default_rng(0), [], []
    for _ in range(200):
        rows = []
        for seed, shift in enumerate(rng.normal(0, 0.2, 5)):
            for f in (0.5, 0.7, 0.9):
                rows.append(("hadamard.iid.zero", seed, f, f**0.5, 3 - f + shift))
            for c in (0.6, 0.7, 0.8, 0.9, 0.99):
                rows.append(("hadamard.corrupt", seed, c**2, c, 3 - c**2))
        found = quantities._damage(pd.DataFrame(rows, columns=["arm", "seed", "fraction", "cosine", "nll"]))
        means.append(found["d6_difference"].mean())
        sizes.append(np.abs(found["d6_signed"]).mean())
    assert np.mean(means) < 0.01 < 0.1 < np.mean(sizes)
    stable = quantities._damage(
        pd.DataFrame(
            [r for s in range(4) for r in (("hadamard.iid.zero", s, 0.64, 0.8, 2.0), ("hadamard.corrupt", s, 0.5, 0.7, 2.5),
             ("hadamard.corrupt", s, 0.9, 0.9, 2.1))],
            columns=["arm", "seed", "fraction", "cosine", "nll"],
        )
    )  # fmt: skip
    assert stable["d6_difference"] == pytest.approx(0.3)
    assert stable["d6_signed"] == pytest.approx(-0.3)


def test_priors_from_what_arrived():
    w = torch.outer(torch.arange(1.0, 9), torch.ones(16))
    assert torch.allclose(priors.from_kept("row_mean", w), w)
    low = torch.randn(40, 3) @ torch.randn(3, 30)
    assert torch.allclose(priors.from_kept("low_rank", low), low, atol=1e-3)
    noise = torch.randn(60, 50)
    before = torch.random.get_rng_state()
    assert torch.equal(priors.from_kept("low_rank", noise), priors.from_kept("low_rank", noise))
    assert torch.equal(torch.random.get_rng_state(), before)
    with pytest.raises(ValueError, match="row_mean, low_rank, not 'magic'"):
        priors.from_kept("magic", w)


def test_the_neighbour_takes_the_next_block_and_leaves_the_rest_empty():
    weights = {f"model.layers.{i}.mlp.up_proj.weight": torch.full((2, 2), float(i)) for i in range(3)}
    weights["lm_head.weight"] = torch.ones(2, 2)
    out = priors.neighbour(weights)
    assert [float(out[f"model.layers.{i}.mlp.up_proj.weight"][0, 0]) for i in range(3)] == [1, 2, 0]
    assert not out["lm_head.weight"].any()


def test_similarity_and_the_embedded_relatives(subject):
    cosine, ratio = dtdr.similarity({"a": torch.tensor([[1.0, 0]])}, {"a": torch.tensor([[3.0, 4.0]])})
    assert (cosine, ratio) == (pytest.approx(0.6), pytest.approx(5))
    known = {n: dtdr.similarity(subject.whole, dtdr.embedded(n))[0] for n in dtdr.EMBEDDED}
    assert known["tuned"] > known["earlier"] > 0.5 > abs(known["other"]) * 5
    assert dtdr.similarity(subject.whole, subject.priors["leaked"])[0] > 0.999
    with pytest.raises(ValueError, match="no embedded prior 'older'"):
        dtdr.embedded("older")


def test_weights_of_a_published_file_go_into_a_model(found, tmp_path):
    import pickle

    names = stores.matrices(found.model)
    entries = {n: {"type": "uncompressed", "data": p.detach().half().numpy()} for n, p in names.items()}
    path = tmp_path / "weights.pkl"
    path.write_bytes(pickle.dumps(entries, protocol=4))
    got = dtdr.pkl_weights(found.model, path)
    assert all(torch.allclose(got[n], p, atol=2e-3) for n, p in names.items())
    first = next(iter(entries))
    path.write_bytes(pickle.dumps({first: entries[first]}, protocol=4))
    with pytest.raises(ValueError, match="has no tensor"):
        dtdr.pkl_weights(found.model, path)
    entries[first] = {"type": "uncompressed", "data": np.zeros((2, 2), np.float16)}
    path.write_bytes(pickle.dumps(entries, protocol=4))
    with pytest.raises(ValueError, match=r"is \(2, 2\), the model's is"):
        dtdr.load_pkl(found.model, path)


def test_the_whole_model_reads_its_own_text_with_ease(subject, found, tokens):
    """Its own greedy text costs what a forward pass over it says, and less than salad; the model is put back first."""
    prompt = tokens[0, :8]
    own = subject.texts([prompt], 12)[0]
    subject.rebuild(dtdr.Arm(), 0.1, 0)
    read = subject.sense(prompt, [own, "rubber rubber wool wool out out kite", ""])
    ids = torch.cat([prompt, torch.tensor(found.tokenizer(own)["input_ids"])])
    wanted = torch.nn.functional.cross_entropy(found.model(ids[None]).logits[0, 7:-1], ids[8:]).item()
    assert read[0] == pytest.approx(wanted, rel=1e-4)
    assert read[1] > read[0] + 3
    assert np.isnan(read[2])


@pytest.mark.parametrize(
    ("sense", "first"),
    [([9, 8, 7, 1, 1], 0.8), ([1, 8, 1, 1, 1], 0.6), ([1, 1, 1, 1, 1], 0.2), ([9, 1, 1, np.nan, 1], 1.0)],
)
def test_texts_are_readable_from_the_fraction_after_the_last_salad(sense, first):
    known = pd.DataFrame({"arm": "a", "seed": 0, "fraction": (0.2, 0.4, 0.6, 0.8, 1.0), "sense": sense, "text": "so"})
    hidden = known.assign(seed=1, sense=50.0, text=None)  # a mask without texts
    both = pd.concat([known, hidden], ignore_index=True)
    assert quantities.readable(both, "a") == pytest.approx(first)
    assert np.isnan(quantities.readable(both, "b"))


def test_repetition():
    assert study.repetition("a b c d e f") == 0
    assert study.repetition("a b c d a b c d") == pytest.approx(1 - 4 / 5)
    assert study.repetition("one") == 0
