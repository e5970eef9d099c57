// A guess at how the loss comes back, by where half of it is back and how wide the rise is; then the measured curves.
const inputs = [...figure.querySelectorAll("input")], [half, wide] = inputs.map((i) => +i.value);
inputs.forEach((i) => (i.parentNode.querySelector("output").value = i.value));
const {curves, nothing, whole} = JSON.parse(figure.querySelector("script.data").textContent);
const guess = (v) => 1 / (1 + Math.exp((-(v - half) * 2 * Math.log(9)) / wide));
const x = (v) => (46 + 420 * v).toFixed(1), y = (v) => (10 + 200 * (1 - Math.max(-0.2, v))).toFixed(1);
const line = (xs, f) => "M" + xs.map((v, i) => `${x(v)} ${y(f(v, i))}`).join("L");
figure.querySelector("path.guessed").setAttribute("d", line(Array.from({length: 61}, (_, i) => i / 60), guess));
if (figure.dataset.shown) {
  const share = (loss) => (nothing - loss) / (nothing - whole), names = Object.keys(curves);
  figure.querySelector("g.shown").innerHTML = names
    .map((name, k) => `<path class="${k ? "raw" : "transformed"}" d="${line(curves[name][0], (_, i) => share(curves[name][1][i]))}"/>`)
    .join("");
  const away = names.map((name) => {
    const [xs, ys] = curves[name];
    const off = xs.reduce((sum, v, i) => sum + Math.abs(guess(v) - share(ys[i])), 0) / xs.length;
    return `${((nothing - whole) * off).toFixed(2)} nats from ${name}`;
  });
  figure.querySelector(".told").textContent = `Your curve lies on average ${away.join(", ")}.`;
  figure.dataset.away = away.join();
}
