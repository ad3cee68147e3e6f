"use strict";
(() => {
  const PATIENCE = 60000;
  const parts = [
    { id: "now", path: "/dashboard/now" + location.search, period: 5000, due: Date.now() + 5000 },
    { id: "parts", path: "/dashboard/parts" + location.search, period: 30000, due: Date.now() + 30000 },
    { id: "conserved", path: "/dashboard/verify", period: 60000, due: 0 },
  ];
  const state = document.getElementById("state");
  const pause = document.getElementById("pause");
  const form = document.getElementById("filters");

  // What a person has opened, scrolled to and reached by keyboard stays as it was.
  const keep = (live) => {
    const open = [...live.querySelectorAll("details[open]")].map((each) => each.id);
    const scrolled = [...live.querySelectorAll(".scroll")].map((each) => [each.id, each.scrollLeft, each.scrollTop]);
    const focused = live.contains(document.activeElement) ? document.activeElement : null;
    const path = focused && (focused.id ? ["#" + focused.id] : focused.closest("[id]") && ["#" + focused.closest("[id]").id, focused.tagName, focused.getAttribute("href")]);
    return () => {
      open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
      scrolled.forEach(([id, left, top]) => document.getElementById(id)?.scrollTo(left, top));
      if (!path) return;
      const within = document.querySelector(path[0]);
      const found = path.length === 1 ? within : [...(within?.querySelectorAll(path[1]) ?? [])].find((each) => each.getAttribute("href") === path[2]);
      found?.focus({ preventScroll: true });
    };
  };

  const ask = async (path) => {
    const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(text.trim());
    return [...new DOMParser().parseFromString(text, "text/html").body.childNodes];
  };

  const say = (text) => { if (state.textContent !== text) state.textContent = text; };

  const renew = async () => {
    for (const part of parts) {
      if (pause.checked || document.hidden || Date.now() < part.due) continue;
      const held = document.getElementById(part.id);
      try {
        const renewed = await ask(part.path);
        const again = keep(held);
        held.replaceChildren(...renewed);
        again();
        say("");
      } catch (error) {
        say("Not renewed at " + new Date().toLocaleTimeString() + ": " + (error.message || error));
      }
      part.due = Date.now() + part.period;
    }
    setTimeout(renew, 500);
  };

  form.addEventListener("change", (event) => { if (event.target !== pause) form.requestSubmit(); });
  renew();
})();
