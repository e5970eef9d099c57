// Stores a matrix raw, rotated or shuffled, loses a part of what is stored, undoes it, and says how near the result is.
const n = 16, {w, hash, signs, order} = JSON.parse(figure.querySelector("script.data").textContent);
const [stored, lost] = [...figure.querySelectorAll("select")].map((s) => s.selectedIndex);
const slider = figure.querySelector("input"), kept = +slider.value;
slider.parentNode.querySelector("output").value = kept;

// Orthonormal Walsh-Hadamard transform of each row of 16; its own inverse.
function turn(rows) {
  const out = rows.slice();
  for (let step = 1; step < n; step *= 2)
    for (let i = 0; i < n * n; i++)
      if (!(i % n & step)) [out[i], out[i + step]] = [out[i] + out[i + step], out[i] - out[i + step]];
  return out.map((v) => v / Math.sqrt(n));
}

const flipped = (rows) => rows.map((v, i) => v * signs[i % n]);
let store = stored == 1 ? turn(flipped(w)) : stored == 2 ? order.map((i) => w[i]) : w.slice();
const first = Math.round(n * n * 0.3), length = Math.round(n * n * (1 - kept));
const stays = [
  (i) => hash[i] < kept,
  (i) => Math.floor(i / n) < Math.round(n * kept),
  (i) => (i - first + n * n) % (n * n) >= length,
][lost];
store = store.map((v, i) => (stays(i) ? v : 0));

let back = store;
if (stored == 1) back = flipped(turn(store));
if (stored == 2) {
  back = new Array(n * n);
  order.forEach((i, k) => (back[i] = store[k]));
}
const dot = (a, b) => a.reduce((sum, v, i) => sum + v * b[i], 0);
const length2 = dot(back, back), cosine = length2 ? dot(w, back) / Math.sqrt(dot(w, w) * length2) : 0;
figure.querySelectorAll("g.back rect").forEach((cell, i) => {
  const grey = Math.round((Math.max(-2, Math.min(2, back[i])) + 2) * 63.75);
  cell.setAttribute("fill", `rgb(${grey},${grey},${grey})`);
});
figure.querySelector(".told").textContent =
  `cosine ${cosine.toFixed(2)}; the square root of the share kept is ${Math.sqrt(kept).toFixed(2)}`;
figure.dataset.cosine = cosine;
