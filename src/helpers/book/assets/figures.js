// Draws each figure when it comes near the screen, in the page's colours, and lets go of WebGL ones that are far away.
(() => {
  const boxes = [...document.querySelectorAll(".plotly-fig")];
  const coarse = matchMedia("(pointer: coarse)").matches;
  const isGL = (spec) => spec.data.some((t) => /gl$|3d$|surface|mesh3d|isosurface|volume/.test(t.type || ""));
  const specs = new Map(boxes.map((b) => [b, JSON.parse(b.querySelector("script").textContent)]));

  function colours() {
    const style = getComputedStyle(document.documentElement);
    const dark = document.documentElement.dataset.theme === "dark";
    return {
      ink: style.getPropertyValue("--pst-color-text-base").trim() || (dark ? "#eee" : "#222"),
      paper: style.getPropertyValue("--pst-color-background").trim() || (dark ? "#121212" : "#fff"),
      grid: dark ? "rgba(255,255,255,.16)" : "rgba(0,0,0,.12)",
    };
  }

  function template(spec) {
    const { ink, paper, grid } = colours();
    const t = structuredClone(spec.layout.template || {});
    t.layout = t.layout || {};
    t.layout.font = { ...(t.layout.font || {}), color: ink };
    t.layout.hoverlabel = { bgcolor: paper, bordercolor: ink, font: { color: ink, size: 12 } };
    t.layout.modebar = { bgcolor: "rgba(0,0,0,0)", color: ink };
    for (const axis of ["xaxis", "yaxis"]) t.layout[axis] = { ...(t.layout[axis] || {}), gridcolor: grid };
    return t;
  }

  // Buttons and sliders do not follow the template: give them the page's colours as well.
  function controls(layout) {
    const { ink, paper, grid } = colours();
    for (const s of layout.sliders || []) Object.assign(s, { bgcolor: grid, activebgcolor: ink, tickcolor: ink, font: { color: ink } });
    for (const m of layout.updatemenus || []) Object.assign(m, { bgcolor: paper, bordercolor: ink, font: { color: ink } });
  }

  async function draw(box) {
    if (box.dataset.state === "drawn" || box.dataset.state === "drawing") return;
    box.dataset.state = "drawing";
    if (window.MathJax && MathJax.startup && MathJax.startup.promise) await MathJax.startup.promise;
    const spec = specs.get(box);
    const layout = { ...structuredClone(spec.layout), template: template(spec), autosize: true };
    delete layout.width;
    delete layout.height; // plotly fills the graph's own box, now and after every resize
    controls(layout);
    if (box.dataset.camera) layout.scene = { ...(layout.scene || {}), camera: JSON.parse(box.dataset.camera) };
    const config = { ...(spec.config || {}), responsive: true, displaylogo: false, showSendToCloud: false, topojsonURL: "" };
    if (coarse || innerWidth < 600) config.displayModeBar = false;
    box.querySelector(".plotly-fallback").hidden = true;
    box.graph = box.graph || box.appendChild(document.createElement("div"));
    box.graph.style.height = `${spec.layout.height || 420}px`;
    await Plotly.newPlot(box.graph, spec.data, layout, config);
    if (spec.frames) await Plotly.addFrames(box.graph, structuredClone(spec.frames));
    box.dataset.state = "drawn";
  }

  function release(box) {
    if (box.dataset.state !== "drawn" || !isGL(specs.get(box))) return;
    const scene = box.graph._fullLayout && box.graph._fullLayout.scene;
    if (scene && scene.camera) box.dataset.camera = JSON.stringify(scene.camera);
    box.graph.querySelectorAll("canvas").forEach((c) => {
      const gl = c.getContext("webgl2") || c.getContext("webgl");
      const lose = gl && gl.getExtension("WEBGL_lose_context");
      if (lose) lose.loseContext();
    });
    Plotly.purge(box.graph);
    box.dataset.state = "";
  }

  const near = new IntersectionObserver(
    (entries) => entries.forEach((e) => (e.isIntersecting ? draw(e.target) : release(e.target))),
    { rootMargin: "600px" },
  );
  boxes.forEach((b) => near.observe(b));

  new MutationObserver(() => {
    for (const box of boxes) {
      if (box.dataset.state !== "drawn") continue;
      const layout = structuredClone(specs.get(box).layout);
      controls(layout);
      const change = { template: template(specs.get(box)) };
      (layout.sliders || []).forEach((s, i) => {
        for (const k of ["bgcolor", "activebgcolor", "tickcolor", "font"]) change[`sliders[${i}].${k}`] = s[k];
      });
      (layout.updatemenus || []).forEach((m, i) => {
        for (const k of ["bgcolor", "bordercolor", "font"]) change[`updatemenus[${i}].${k}`] = m[k];
      });
      Plotly.relayout(box.graph, change);
    }
  }).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });

  const sized = new ResizeObserver((entries) =>
    entries.forEach(({ target: box }) => {
      const width = box.clientWidth; // 0 while it is folded away
      if (box.dataset.state !== "drawn" || !width || Math.abs(width - box.graph._fullLayout.width) < 1) return;
      Plotly.Plots.resize(box.graph);
    }),
  );
  boxes.forEach((b) => sized.observe(b));

  addEventListener("beforeprint", () => boxes.forEach(draw));
  document.querySelectorAll("details").forEach((d) =>
    d.addEventListener("toggle", () => d.querySelectorAll(".plotly-fig").forEach((b) => b.graph && Plotly.Plots.resize(b.graph))),
  );
})();
