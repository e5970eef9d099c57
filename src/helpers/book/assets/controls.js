// A figure's controls as HTML, made of the menus, sliders and buttons that its layout asks plotly for: no key reaches plotly's own.
// takeControls(layout) takes them out of a layout, with the room kept for them; showControls(...) puts them into a row.
function takeControls(layout) {
  const { updatemenus: menus = [], sliders = [] } = layout;
  delete layout.updatemenus;
  delete layout.sliders;
  let room = 0; // pixels of the figure's height that its own controls took
  if (menus.length && layout.margin && layout.margin.t) {
    room += Math.max(0, layout.margin.t - 44);
    delete layout.margin.t;
  }
  if (sliders.length) {
    room += 64;
    if (layout.legend) delete layout.legend.y; // below the slider
  }
  return { menus, sliders, room };
}

// A row of controls. drawn: gives the drawn figure, whenever it is wanted.
function showControls({ menus, sliders }, title, drawn) {
  const row = document.createElement("div");
  row.className = "figure-controls";
  row.role = "group";
  row.ariaLabel = `Controls: ${title}`;
  const make = (tag, properties, ...inner) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...inner);
    return made;
  };
  const act = async ({ method, args }) => {
    const graph = await drawn();
    if (method !== "skip") await Plotly[method](graph, ...structuredClone(args)).catch(() => {}); // a new animation ends the old one
  };

  const isPlay = (b) => b.method === "animate" && b.args[0] === null;
  const isPause = (b) => b.method === "animate" && Array.isArray(b.args[0]) && b.args[0][0] === null;
  const inputs = sliders.map(slide);
  menus.forEach((menu) => (menu.type === "buttons" ? press(menu) : choose(menu)));
  if (sliders.length) row.append(...inputs.map((i) => i.line));

  function choose({ buttons, active = 0, name }) {
    const select = make("select", {}, ...buttons.map((b, i) => new Option(b.label, i, i === active, i === active)));
    select.autocomplete = "off";
    select.onchange = () => act(buttons[select.value]);
    row.append(make("label", {}, make("span", { textContent: name || "Show" }), select));
  }

  function slide({ steps, active = 0, currentvalue = {} }) {
    const name = (currentvalue.prefix || "").replace(/[\s:=]+$/, "") || "position";
    const range = make("input", { type: "range", min: 0, max: steps.length - 1, step: 1, value: active, autocomplete: "off" });
    const output = make("output", { ariaLive: "off" }); // the slider itself says its value
    const tell = (i) => {
      range.value = i;
      output.value = steps[i].label + (currentvalue.suffix || "");
      range.setAttribute("aria-valuetext", output.value);
    };
    tell(active);
    range.oninput = () => {
      tell(range.value);
      act(steps[range.value]);
    };
    const line = make("div", { className: "slide" }, make("label", {}, make("span", { textContent: name }), range), output);
    return { line, tell, steps };
  }

  function press({ buttons }) {
    const play = buttons.find(isPlay), pause = buttons.find(isPause);
    for (const b of buttons) {
      if (b === pause && play) continue;
      const button = make("button", { type: "button", textContent: b.label });
      button.onclick = b === play ? () => toggle(button, play, pause) : () => act(b);
      row.append(button);
    }
  }

  async function toggle(button, play, pause) {
    const graph = await drawn();
    if (button.dataset.playing) return act(pause);
    button.dataset.playing = "yes";
    button.textContent = pause ? pause.label : "Pause";
    const follow = ({ name }) => inputs.forEach((s) => {
      const at = s.steps.findIndex((step) => step.args[0] && step.args[0][0] === name);
      if (at >= 0) s.tell(at);
    });
    graph.on("plotly_animatingframe", follow);
    await act(play);
    graph.removeListener("plotly_animatingframe", follow);
    delete button.dataset.playing;
    button.textContent = play.label;
  }
  return row;
}
