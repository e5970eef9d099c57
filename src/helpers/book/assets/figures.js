// Draws each figure when it comes near the screen, in the page's colours, and lets go of WebGL ones that are far away.
// Where fingers point, a swipe over a figure scrolls the page, and a tap shows the figure on the whole screen.
(() => {
  const figures = new Map([...document.querySelectorAll(".plotly-fig")].map((box) => [box, prepare(box)]));
  const coarse = matchMedia("(pointer: coarse)").matches;
  const isGL = (spec) => spec.data.some((t) => /gl$|3d$|surface|mesh3d|isosurface|volume/.test(t.type || ""));
  const REMOVED = ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"];

  // The figure's data and layout without plotly's own controls, and the elements that show it.
  function prepare(box) {
    const spec = JSON.parse(box.querySelector("script").textContent);
    const height = spec.layout.height || 420;
    const controls = takeControls(spec.layout);
    const stage = box.appendChild(document.createElement("div"));
    stage.className = "stage";
    const graph = document.createElement("div");
    graph.style.height = `${height - controls.room}px`;
    graph.ariaHidden = "true"; // the figure's name and its caption say what it shows
    return { spec, controls, stage, graph, height };
  }

  function furnish(box) {
    const figure = figures.get(box);
    const row = showControls(figure.controls, box.ariaLabel, () => draw(box).then(() => figure.graph));
    if (coarse) {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", className: "enlarge", textContent: "Enlarge", onclick: () => enlarge(box) });
      row.append(button);
      figure.graph.addEventListener("click", (e) => {
        if (!e.isTrusted || e.target.closest(".legend")) return; // plotly makes a click of every touch, a swipe's as well
        if (box.contains(figure.graph)) enlarge(box);
      }, true);
    }
    if (row.childElementCount) figure.stage.append(row);
    figure.stage.append(figure.graph);
  }

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
    t.layout.legend = { yanchor: "top", ...(t.layout.legend || {}) }; // it grows downwards, away from the axis
    t.layout.modebar = { bgcolor: "rgba(0,0,0,0)", color: ink, activecolor: ink };
    for (const axis of ["xaxis", "yaxis"]) {
      t.layout[axis] = { ...(t.layout[axis] || {}), gridcolor: grid, ...(coarse ? { fixedrange: true } : {}) };
    }
    return t;
  }

  // One drawing a figure: whoever wants it while it is being drawn waits for the same one.
  function draw(box) {
    const figure = figures.get(box);
    figure.drawing = figure.drawing || newPlot(box, figure);
    return figure.drawing;
  }

  // Words in lines of at most so many letters.
  const wrap = (text, most) => text.split(" ").reduce((lines, word) => {
    const last = lines.length - 1;
    return lines[last] && `${lines[last]} ${word}`.length <= most ? [...lines.slice(0, last), `${lines[last]} ${word}`] : [...lines, word];
  }, []);

  // A title that is wider than its figure goes on in a second line, and the plot makes room for it.
  function wrapTitle(layout, wide) {
    const lines = wrap(layout.title?.text || "", Math.floor(wide / 8)); // px of a letter
    if (lines.length < 2) return;
    layout.title = { ...layout.title, text: lines.join("<br>") };
    const top = layout.margin?.t ?? layout.template.layout.margin?.t ?? 44;
    layout.margin = { ...layout.margin, t: top + 18 * (lines.length - 1) };
  }

  async function newPlot(box, { spec, graph, camera }) {
    const layout = { ...structuredClone(spec.layout), template: template(spec), autosize: true };
    delete layout.width;
    delete layout.height; // plotly fills the graph's own box, now and after every resize
    wrapTitle(layout, box.clientWidth);
    if (coarse) layout.dragmode = false;
    if (camera) layout.scene = { ...(layout.scene || {}), camera };
    const config = { ...(spec.config || {}), responsive: true, displaylogo: false, showSendToCloud: false, topojsonURL: "" };
    Object.assign(config, { displayModeBar: coarse || innerWidth < 600 ? false : "hover", modeBarButtonsToRemove: REMOVED });
    await Plotly.newPlot(graph, spec.data, layout, config);
    if (spec.frames) await Plotly.addFrames(graph, structuredClone(spec.frames));
    graph.on("plotly_afterplot", () => skipModebar(graph));
    skipModebar(graph);
    await nameEnds(box);
    box.dataset.state = "drawn";
  }

  // A series' colour, mixed with the page's ink until text in it has 4.5 : 1 on the page (WCAG 2.2, 1.4.3).
  const brush = document.createElement("canvas").getContext("2d");
  function rgb(color) {
    brush.fillStyle = color;
    return [1, 3, 5].map((i) => parseInt(brush.fillStyle.slice(i, i + 2), 16));
  }
  const luminance = (parts) => parts.reduce((sum, part, i) => {
    const c = part / 255;
    return sum + [0.2126, 0.7152, 0.0722][i] * (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  }, 0);
  const contrast = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  function legible(color) {
    const page = colours(), paper = rgb(page.paper), ink = rgb(page.ink), own = rgb(color);
    for (let share = 0; ; share += 0.1) {
      const mixed = own.map((part, i) => Math.round(part + Math.min(share, 1) * (ink[i] - part)));
      if (share >= 1 || contrast(mixed, paper) >= 4.5) return `rgb(${mixed})`;
    }
  }

  // Where the page is wide: lines are named at their ends and levels in the margin, and a legend of such lines goes.
  // A figure with controls keeps its legend, since its lines come and go.
  const ROOMY = 620; // px of the figure's box
  async function nameEnds(box) {
    const { graph, controls } = figures.get(box), { layout, _fullLayout: full } = graph;
    const levels = (layout.annotations || []).filter((a) => a.name === "level");
    const lines = graph._fullData.filter((t) => t.showlegend && t.visible === true);
    const few = lines.length > 1 && lines.length < 5 && !controls.menus.length && !controls.sliders.length && layout.showlegend !== false;
    const ended = few && full.yaxis && lines.every((t) => (t.mode || "").includes("lines") && t.x && t.x.length > 1);
    if (box.clientWidth < ROOMY || !(levels.length || ended)) return;
    const line = 14, size = 11.5, most = 24; // px of a line and of a letter, letters of a line
    const named = (text) => wrap(text.replace(/ \(n = 1\)$/, ""), most);
    const names = ended ? lines.map((t) => ({ text: named(t.name), color: t.line.color, at: full.yaxis.d2p(t.y[t.y.length - 1]) })) : [];
    for (const a of levels) names.push({ text: named(a.text), at: full.yaxis.r2p(a.y) });
    names.sort((a, b) => a.at - b.at);
    const high = full.yaxis._length, between = (a, b) => ((a.text.length + b.text.length) * line) / 2 + 2;
    names.forEach((n, i) => (n.y = i ? Math.max(n.at, names[i - 1].y + between(names[i - 1], n)) : n.at));
    for (let i = names.length - 1; i >= 0; i--) {
      const next = names[i + 1];
      names[i].y = Math.min(names[i].y, next ? next.y - between(names[i], next) : high + line); // the last may stand beside the axis
    }
    const wide = Math.max(...names.flatMap((n) => n.text.map((t) => t.length))) * size * 0.56;
    const annotations = (layout.annotations || []).filter((a) => a.name !== "level").concat(
      names.map((n) => ({
        text: n.text.join("<br>"), x: 1, xref: "paper", xanchor: "left", xshift: 4, y: 1 - n.y / high, yref: "paper",
        yanchor: "middle", align: "left", showarrow: false, font: { size, ...(n.color ? { color: legible(n.color) } : {}) }, name: "end",
      })),
    );
    figures.get(box).inks = annotations.map((a, i) => (a.name === "end" ? names[i - annotations.length + names.length].color : undefined));
    await Plotly.relayout(graph, { annotations, "margin.r": Math.round(wide) + 14, ...(ended ? { showlegend: false } : {}) });
  }

  const skipModebar = (graph) => graph.querySelectorAll(".modebar-btn").forEach((b) => (b.tabIndex = -1));

  function release(box) {
    const figure = figures.get(box);
    if (box.dataset.state !== "drawn" || !isGL(figure.spec)) return;
    const scene = figure.graph._fullLayout && figure.graph._fullLayout.scene;
    if (scene && scene.camera) figure.camera = structuredClone(scene.camera);
    figure.graph.querySelectorAll("canvas").forEach((c) => {
      const gl = c.getContext("webgl2") || c.getContext("webgl");
      const lose = gl && gl.getExtension("WEBGL_lose_context");
      if (lose) lose.loseContext();
    });
    Plotly.purge(figure.graph);
    box.dataset.state = "";
    figure.drawing = null;
  }

  // plotly finds room for the legend in its new width, and leaves it where it was: tell it to go there.
  async function resize(graph) {
    await Plotly.Plots.resize(graph);
    const { legend } = graph._fullLayout;
    if (legend) await Plotly.relayout(graph, { "legend.yanchor": legend.yanchor });
  }

  // On the whole screen, until Close or Escape.
  async function enlarge(box) {
    const { stage, graph } = figures.get(box);
    await draw(box);
    if (!box.contains(stage)) return; // it is enlarged already
    const dialog = document.body.appendChild(document.createElement("dialog"));
    dialog.className = "enlarged";
    dialog.ariaLabel = box.ariaLabel;
    const close = document.createElement("button");
    Object.assign(close, { type: "button", textContent: "Close", onclick: () => dialog.close() });
    const height = graph.style.height;
    box.style.height = `${box.offsetHeight}px`;
    graph.style.height = "";
    dialog.onclose = async () => {
      graph.style.height = height;
      box.style.height = "";
      box.append(stage);
      dialog.remove();
      stage.querySelector(".enlarge").focus({ preventScroll: true });
      await resize(graph);
    };
    dialog.append(close, stage);
    dialog.showModal();
    await resize(graph);
  }

  const boxes = [...figures.keys()];
  boxes.forEach(furnish);
  const near = new IntersectionObserver(
    (entries) => entries.forEach((e) => (e.isIntersecting ? draw(e.target) : release(e.target))),
    { rootMargin: "600px" },
  );
  boxes.forEach((b) => near.observe(b));

  new MutationObserver(() => {
    for (const [box, { spec, graph, inks = [] }] of figures) {
      const named = inks.flatMap((ink, i) => (ink ? [[`annotations[${i}].font.color`, legible(ink)]] : []));
      if (box.dataset.state === "drawn") Plotly.relayout(graph, { template: template(spec), ...Object.fromEntries(named) });
    }
  }).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });

  const sized = new ResizeObserver((entries) =>
    entries.forEach(({ target: box }) => {
      const width = box.clientWidth, { graph } = figures.get(box); // 0 while it is folded away
      if (box.dataset.state !== "drawn" || !width || !box.contains(graph)) return;
      if (Math.abs(width - graph._fullLayout.width) >= 1) resize(graph);
    }),
  );
  boxes.forEach((b) => sized.observe(b));

  addEventListener("beforeprint", () => boxes.forEach((b) => b.closest(".has-static") || draw(b)));
})();
