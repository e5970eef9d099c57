// The cosine of a guided fill by the share kept, and the measured points whose weight and prior are nearest to the sliders'.
const inputs = [...figure.querySelectorAll("input")], [f, b, rho] = inputs.map((i) => +i.value);
inputs.forEach((i) => (i.parentNode.querySelector("output").value = i.value));
const {points} = JSON.parse(figure.querySelector("script.data").textContent);
const cosine = (f) => (f + b * rho * (1 - f)) / Math.sqrt(f + b * b * (1 - f));
const x = (v) => (46 + 420 * v).toFixed(1), y = (v) => (10 + 200 * (1 - Math.max(-0.05, v))).toFixed(1);
const grid = Array.from({length: 50}, (_, i) => 0.02 + (0.98 * i) / 49);
figure.querySelector("path.own").setAttribute("d", "M" + grid.map((v) => `${x(v)} ${y(cosine(v))}`).join("L"));
const away = (p) => Math.abs(p[1] - b) + Math.abs(p[2] - rho);
const least = Math.min(...points.map(away));
const near = least < 0.3 ? points.filter((p) => away(p) < least + 1e-9) : [];
figure.querySelector("g.dots").innerHTML = near.map((p) => `<circle cx="${x(p[0])}" cy="${y(p[3])}" r="4"/>`).join("");
const here = cosine(f), share = here > 0 ? here * here : 0;
const beside = near.length ? `; points: measured at b = ${near[0][1]}, ρ = ${near[0][2].toFixed(2)}` : "";
figure.querySelector(".told").textContent =
  `cosine ${here.toFixed(3)}, which zero fill reaches with ${Math.round(100 * share)}% kept${beside}`;
figure.dataset.cosine = here;
