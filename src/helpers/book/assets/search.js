// A line of text under each search result. The texts of a page come as a script, which works from disk as well.
(() => {
  const AROUND = 110;
  const waiting = new Map(); // page -> results that wait for its texts
  const known = new Map();
  const root = document.documentElement.dataset.content_root || "./";
  const words = (new URLSearchParams(location.search).get("q") || "").toLowerCase().split(/\s+/).filter(Boolean);

  window.bookTexts = (page, texts) => {
    known.set(page, texts);
    (waiting.get(page) || []).forEach((item) => tell(item, texts));
  };

  function tell(item, texts) {
    const link = item.querySelector("a");
    const anchor = decodeURIComponent(new URL(link.href).hash.slice(1));
    const chosen = anchor && texts[anchor] ? [texts[anchor]] : Object.values(texts);
    const [title, text] = chosen.find(([t, s]) => words.some((w) => `${t} ${s}`.toLowerCase().includes(w))) || chosen[0] || [];
    if (!text) return;
    const at = Math.max(...words.map((w) => text.toLowerCase().indexOf(w)), 0);
    const from = at > AROUND ? text.indexOf(" ", at - AROUND) + 1 : 0;
    const part = text.slice(from, from + 2 * AROUND + 20);
    const line = document.createElement("p");
    line.className = "context";
    if (title && !link.textContent.includes(title)) line.append(Object.assign(document.createElement("b"), { textContent: `${title.replace(/\.$/, "")}. ` }));
    line.append(from ? "… " : "");
    let rest = part;
    while (rest) {
      const low = rest.toLowerCase();
      const [i, w] = words.map((v) => [low.indexOf(v), v]).filter(([j]) => j >= 0).sort((a, b) => a[0] - b[0])[0] || [-1, ""];
      if (i < 0) break;
      line.append(rest.slice(0, i), Object.assign(document.createElement("mark"), { textContent: rest.slice(i, i + w.length) }));
      rest = rest.slice(i + w.length);
    }
    line.append(rest, from + part.length < text.length ? " …" : "");
    item.append(line);
  }

  function ask(item) {
    const link = item.querySelector("a");
    if (!link || item.dataset.asked) return;
    item.dataset.asked = "yes";
    const page = new URL(link.href).pathname.replace(new URL(root, location.href).pathname, "").replace(/\.html$/, "");
    if (known.has(page)) return tell(item, known.get(page));
    if (waiting.has(page)) return waiting.get(page).push(item);
    waiting.set(page, [item]);
    document.head.append(Object.assign(document.createElement("script"), { src: `${root}_static/texts/${page}.js` }));
  }

  addEventListener("DOMContentLoaded", () => {
    const list = document.getElementById("search-results");
    new MutationObserver(() => list.querySelectorAll("li").forEach(ask)).observe(list, { childList: true, subtree: true });
  });
})();
