// A ring with noise, its barcode of loops, and what two counts say of it. `figure` is the element that holds the controls.

// Bars [birth, death] of the first homology of a Rips filtration, from rows of distances: the reduction of helpers.topology.
function loops(D) {
  const n = D.length, edges = [], columns = [], owner = new Map(), bars = [];
  for (let a = 0; a < n; a++) for (let b = a + 1; b < n; b++) edges.push([D[a][b], a, b]);
  edges.sort((p, q) => p[0] - q[0]);
  const rank = D.map(() => new Int32Array(n)), near = D.map(() => new Uint8Array(n));
  const first = new Int32Array(edges.length).fill(-1), parent = D.map((_, i) => i);
  const root = v => { while (parent[v] !== v) v = parent[v]; return v; };
  edges.forEach(([, a, b], r) => {
    rank[a][b] = rank[b][a] = r;
    first[r] = near[a].findIndex((known, v) => known && near[b][v]);
    near[a][b] = near[b][a] = 1;
    if (first[r] >= 0) return;
    const p = root(a), q = root(b);
    if (p === q) columns.push(r); else parent[p] = q;
  });
  const add = (r, column) => {
    const [, a, b] = edges[r];
    for (let v = 0; v < n; v++) if (v !== a && v !== b) {
      const p = rank[a][v], q = rank[b][v], top = Math.max(r, p, q);
      const key = top * n + (top === r ? v : top === p ? b : a);
      if (!column.delete(key)) column.add(key);
    }
  };
  for (const e of columns.reverse()) {
    const column = new Set(), parts = [e];
    add(e, column);
    for (;;) {
      let pivot = Infinity;
      for (const key of column) if (key < pivot) pivot = key;
      const r = Math.floor(pivot / n), more = first[r] === pivot % n ? [r] : owner.get(pivot);
      if (!more) { owner.set(pivot, parts); bars.push([edges[e][0], edges[r][0]]); break; }
      for (const f of more) { add(f, column); parts.push(f); }
    }
  }
  return bars.filter(([birth, death]) => death > birth).sort((p, q) => q[1] - q[0] - p[1] + p[0]);
}

// The document's count and the bars that are significant under the universal law, at 5 % by Bonferroni.
function counts(bars) {
  const long = bars.map(([b, d]) => d - b).sort((p, q) => p - q), m = long.length;
  if (!m) return [0, 0];
  const at = 0.9 * (m - 1), low = Math.floor(at), border = long[low] + (at - low) * ((long[low + 1] ?? long[low]) - long[low]);
  const logs = bars.map(([b, d]) => Math.log(Math.log(d / b))), mean = logs.reduce((s, v) => s + v, 0) / m;
  const p = logs.map(v => Math.exp(-Math.exp(v - mean - 0.5772156649015329)));
  return [long.filter(v => v > border).length, p.filter(v => v <= 0.05 / m).length];
}

function draw(figure) {
  const [n, d, noise] = [...figure.querySelectorAll("input")].map(e => +e.value);
  let state = 1 + 7919 * (figure.dataset.draw | 0);
  const uniform = () => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return (state + 0.5) / 4294967296; };
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  const points = Array.from({length: n}, () => {
    const turn = 2 * Math.PI * uniform();
    return Array.from({length: d}, (_, i) => [Math.cos(turn), Math.sin(turn)][i] ?? 0).map(v => v + noise / Math.sqrt(d) * normal());
  });
  const D = points.map(p => points.map(q => Math.hypot(...p.map((v, i) => v - q[i]))));
  const bars = loops(D), [count, holes] = counts(bars), far = Math.max(0.1, ...bars.map(b => b[1]));
  const at = v => 210 + 360 * v / far;
  const dots = points.map(p => `<circle cx="${(100 + 55 * p[0]).toFixed(1)}" cy="${(100 - 55 * p[1]).toFixed(1)}" r="2.5"/>`);
  const step = Math.min(9, 180 / Math.max(1, bars.length));
  const lines = bars.map(([b, e], i) => `<path d="M${at(b).toFixed(1)} ${(12 + i * step).toFixed(1)}H${at(e).toFixed(1)}"` +
    ` class="${i < holes ? "hole" : i < count ? "counted" : ""}" stroke-width="${Math.max(1, step - 1.5).toFixed(1)}"/>`);
  figure.querySelector("svg").innerHTML = dots.join("") + lines.join("");
  figure.querySelectorAll("output").forEach((o, i) => { o.value = [n, d, noise][i] ?? ""; });
  figure.querySelector(".told").textContent =
    `${bars.length} bars; the document counts ${count}, the universal law ${holes === 1 ? "1 hole" : holes + " holes"}`;
}
draw(figure);
