// Cards behind badges, terms and numbers: on hover and focus, on a tap in place of the link, closed by Esc.
(() => {
  const LEAVE = 200; // ms to get from a badge into its card
  let nth = 0;
  for (const badge of document.querySelectorAll(".bd-article [aria-describedby^='card-']")) {
    const card = document.getElementById(badge.getAttribute("aria-describedby"));
    if (!card || !card.showPopover) continue;
    let leaving;
    const shown = () => card.matches(":popover-open");
    const place = () => {
      const at = badge.getBoundingClientRect();
      const own = card.getBoundingClientRect();
      const wide = document.documentElement.clientWidth;
      const below = at.bottom + own.height + 12 < innerHeight || at.top < own.height + 12;
      card.style.left = `${scrollX + Math.max(8, Math.min(at.left, wide - own.width - 8))}px`;
      card.style.top = `${scrollY + (below ? at.bottom + 6 : at.top - own.height - 6)}px`;
    };
    const show = () => {
      clearTimeout(leaving);
      if (shown() && card.dataset.of === badge.dataset.nth) return;
      if (shown()) card.hidePopover();
      card.showPopover({ source: badge });
      card.dataset.of = badge.dataset.nth;
      place();
    };
    const leave = () => {
      clearTimeout(leaving);
      leaving = setTimeout(() => {
        if (!card.matches(":hover, :focus-within") && !badge.matches(":hover, :focus-visible") && shown()) card.hidePopover();
      }, LEAVE);
    };
    badge.dataset.nth = String(nth++);
    badge.addEventListener("pointerenter", (e) => e.pointerType === "mouse" && show());
    badge.addEventListener("pointerleave", (e) => e.pointerType === "mouse" && leave());
    card.addEventListener("pointerleave", (e) => e.pointerType === "mouse" && leave());
    badge.addEventListener("focus", () => badge.matches(":focus-visible") && show());
    badge.addEventListener("blur", leave);
    card.addEventListener("focusout", leave);
    badge.addEventListener("click", (e) => {
      if (!["touch", "pen"].includes(e.pointerType)) return;
      e.preventDefault();
      show();
    });
  }

  addEventListener("keydown", (e) => {
    if (e.key === "Escape") document.querySelectorAll(".card-of:popover-open").forEach((card) => card.hidePopover());
  }); // the browser's own way asks for a click before

  const before = [...document.querySelectorAll("details.before:not([open])")]; // what was replaced is folded, but not in print
  addEventListener("beforeprint", () => before.forEach((d) => (d.dataset.was = d.open, d.open = true)));
  addEventListener("afterprint", () => before.forEach((d) => (d.open = d.dataset.was === "true")));

  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = !navigator.clipboard; // not there on pages that came over plain http from another machine
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "copied";
    });
  }
})();
