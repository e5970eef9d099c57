"""Every figure of Part I draws what its rows say: this run, its reference where there is one, nothing where nothing is."""

import dtdr_rows as made
import numpy as np
import pandas as pd
import pytest

from helpers.dtdr import figures as draw
from helpers.dtdr import quantities, tables
from helpers.dtdr.damage import Keep, Noise, Planes, Spoil
from helpers.figures import ROLE
from helpers.sides import Sides

TAKEN = {ROLE[v] for v in ("supported", "refuted", "undecided", "awaiting")}
DERIVED = {  # what a figure's sides are made of, where that is not the rows themselves
    "depth": tables.rungs,
    "width": tables.rungs,
    "dose": tables.dose,
    "priors": tables.against_zero,
    "predicted": lambda rows: quantities.predictions(rows, {}),
}


def frame(seed=0, masks=3, scatter=0.05):
    """Rows for every figure: all damages that one of them knows, three priors, two models, two sizes of outliers."""
    rng, shares = np.random.default_rng(seed), (0.2, 0.4, 0.6, 0.8, 1.0)
    damages = [*draw.LOOK, Keep("identity", "magnitude"), Keep("dct"), Keep(fill="random"), Keep(fill="gain")]
    damages += [Keep(fill="guided", prior=p, weight=b) for p in ("leaked", "earlier", "relative") for b in (0.15, 1.0)]
    out = [made.rows(d, shares, made.curve, rng, scatter, masks) for d in damages]
    out += [made.rows(Spoil(d), [0.001, 0.1], lambda s: 1 + s, rng, scatter, masks) for d in ("hadamard", "identity")]
    out += [made.rows(Planes(d), [4, 8], lambda b: 9 - b, rng, scatter, masks) for d in ("hadamard", "identity")]
    rows = pd.DataFrame([r for part in out for r in part]).assign(depth=2, width=8, parameters=9, model_seed=0)
    rows = rows.assign(cosine_last=rows["top1"], top10=rows["top1"], text="a story", sense=rows["nll"], outliers=1.0)
    return quantities.frame(pd.concat([rows, rows.assign(outliers=32.0)[rows["prior"] == ""]], ignore_index=True))


def one_size(rows):
    return rows[rows["outliers"] == 1.0]


def traces(fig, dash=None):
    return [t for t in fig.data if t.name and (dash is None or t.line.dash == dash)]


@pytest.mark.parametrize("name", sorted(draw.FIGURES))
def test_a_figure_draws_any_sides_and_no_series_in_a_verdicts_colour(name):
    rows = frame() if name == "dose" else one_size(frame())
    drawn = {}
    for label, sides in {
        "alone": Sides(rows),
        "both": Sides(rows, rows, "reference"),
        "reference": Sides(rows.iloc[:0], rows, "reference"),
        "nothing": Sides(rows.iloc[:0]),
    }.items():
        fig = draw.FIGURES[name](sides.map(DERIVED.get(name, lambda rows: rows)))
        colors = {str(c).lower() for t in fig.data for c in (t.line.color, t.marker.color) if c}
        assert not colors & {c.lower() for c in TAKEN}
        drawn[label] = [t for t in fig.data if t.name not in (None, "equal")]
    assert drawn["alone"]
    assert len(drawn["both"]) >= len(drawn["alone"])
    assert not drawn["nothing"]


def test_a_caption_says_the_numbers_of_this_run(monkeypatch):
    rows, said = one_size(frame()), []
    monkeypatch.setattr(draw.figures, "show", lambda fig, caption: said.append(caption))
    words = {"count": 4, "each": "5", "least": 0.05, "helpful": "none"}
    for name in set(draw.FIGURES) - {"kinds"}:  # these rows are too few for what is judged
        sides = Sides(frame() if name == "dose" else rows, rows, "reference")
        draw.show(name, sides.map(DERIVED.get(name, lambda rows: rows)), **words)
    gap = quantities.gap(quantities.TRANSFORMED, quantities.RAW, 0.6)(rows).mean()
    (loss,) = (caption for caption in said if "minus raw is" in caption)
    assert f"minus raw is {gap:.3f} nats".replace("-", "−") in loss
    assert loss.endswith("Dashed: the reference.")
    assert not any("{" in caption for caption in said)


def test_the_loss_figure_holds_the_means_of_both_sides():
    this, reference = one_size(frame(0)), one_size(frame(1))
    fig = draw.loss(Sides(this, reference, "reference"))
    name = draw.LOOK[quantities.RAW][0]
    (solid,), (dashed,) = (
        [t for t in traces(fig, d) if name in t.name and t.mode == "lines+markers"] for d in ("solid", "dash")
    )
    for trace, rows in ((solid, this), (dashed, reference)):
        assert list(trace.x) == [0.2, 0.4, 0.6, 0.8, 1.0]
        assert list(trace.y) == pytest.approx([quantities.loss(quantities.RAW, f)(rows).mean() for f in trace.x])
    assert solid.line.color == dashed.line.color
    assert not dashed.showlegend


def test_every_prior_is_drawn_and_keeps_its_colour():
    """Eight priors have eight colours; zipped to seven, one was dropped without a word."""
    shares, rng = (0.2, 0.4, 0.6), np.random.default_rng(0)
    rows = made.rows(Keep(), shares, made.curve, rng)
    for prior in tables.PRIORS:
        rows += made.rows(
            Keep(fill="guided", prior=prior, weight=0.6), shares, lambda f: made.curve(f) - 1, rng, scatter=0
        )
    rows = quantities.frame(pd.DataFrame(rows))
    for fig in (draw.priors(Sides(rows).map(tables.against_zero), 0.4), draw.by_cosine(Sides(rows))):
        assert set(tables.PRIORS.values()) <= {t.name for t in fig.data}
        known = {t.name: (t.line.color, t.marker.color) for t in fig.data if t.name in tables.PRIORS.values()}
        assert len({c for pair in known.values() for c in pair if c}) == len(tables.PRIORS)


def test_a_prior_starts_from_zero_fill():
    fig = draw.priors(Sides(one_size(frame())).map(tables.against_zero), 0.4)
    for trace in traces(fig, "solid"):
        if trace.mode == "lines+markers":
            assert (trace.x[0], trace.y[0]) == (0.0, pytest.approx(0.0))


def test_scaling_has_a_mean_where_only_one_seed_was_trained():
    """Three seeds at one width, one at the other: the mean is over the seeds there are, not nan."""
    rows = one_size(frame())
    models = [("a0", 8, 0), ("a1", 8, 1), ("a2", 8, 2), ("b0", 16, 0)]
    rows = pd.concat([rows.assign(model=m, width=w, model_seed=s) for m, w, s in models], ignore_index=True)
    fig = draw.scaling(Sides(tables.rungs(rows)), "width", "width")
    means = [t for t in traces(fig) if t.mode == "lines+markers"]
    assert [t.name for t in means] == [draw.LOOK[d][0] for d in (quantities.TRANSFORMED, quantities.RAW)]
    for trace in means:
        assert list(trace.x) == [8, 16]
        assert np.isfinite(np.array(trace.y, float)).all()


def test_texts_hold_every_text_once():
    rows = one_size(frame(masks=1))
    out = draw.texts(Sides(rows), {quantities.RAW: "raw", Noise("row"): "noise"}, "once", "A caption")
    markup = out.bundle["text/html"]
    assert markup.count("a story") >= 2 * 5
    assert "transformed" not in markup
    assert "A caption" in markup


def test_sides_say_where_their_rows_come_from():
    rows = one_size(frame())
    both = Sides(rows, rows, "reference (full)")
    assert both.having(part="arms").dashed == both.dashed == " Dashed: the reference (full)."
    other = Sides(rows.iloc[:0], rows, "reference (full)").having(part="arms")
    assert len(other.this) == len(rows)
    assert (other.reference, other.source, other.dashed) == (None, " From the reference (full).", "")
    alone = Sides(rows).having(part="ladder")
    assert (len(alone.this), alone.source) == (0, "")
    assert Sides(rows, rows.iloc[:0], "reference").dashed == ""
    assert len(both.map(lambda r: r.head(2)).reference) == 2
