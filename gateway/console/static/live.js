// Today's figures, kept fresh while the page is open. The page works without this: it is then as old as its last reload.
"use strict";
(() => {
  const told = document.querySelector("[data-events]");
  if (!told || !("EventSource" in window)) return;
  const shown = (count) => (count >= 1000 ? "1,000+" : String(count));
  const source = new EventSource(told.dataset.events);
  let last = null;
  source.addEventListener("figures", (event) => {
    const figures = JSON.parse(event.data);
    let more = 0;
    for (const place of document.querySelectorAll("[data-figure]")) {
      const count = figures[place.dataset.figure];
      if (!Number.isInteger(count) || place.textContent === shown(count)) continue;
      if (last) more += Math.max(0, count - last[place.dataset.figure]);
      place.textContent = shown(count);
      const box = place.closest(".figure");
      box.classList.toggle("none", count === 0);
      if (box.dataset.tone) box.classList.toggle(box.dataset.tone, count > 0);
    }
    if (more > 0) {
      const line = document.createElement("p");
      const link = document.createElement("a");
      link.href = location.pathname;
      link.textContent = "Reload the page";
      line.append(more === 1 ? "There is something new. " : `There are ${more} new things. `, link, ".");
      told.replaceChildren(line);
    }
    last = figures;
  });
  addEventListener("pagehide", () => source.close());
})();
