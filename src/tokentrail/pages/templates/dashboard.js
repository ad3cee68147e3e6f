"use strict";
(() => {
  const PERIOD = 5000, PATIENCE = 30000, PROOF = 60000;
  const live = document.getElementById("live");
  const state = document.getElementById("state");
  const pause = document.getElementById("pause");
  const form = document.getElementById("filters");
  let proved = 0;

  // What a person has opened, scrolled to and reached by keyboard stays as it was.
  const keep = () => {
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
    if (!pause.checked && !document.hidden) {
      try {
        const parts = await ask("/dashboard/live" + location.search);
        const again = keep();
        live.replaceChildren(...parts);
        again();
        say("");
      } catch (error) {
        say("Not renewed since " + new Date().toLocaleTimeString() + ": " + (error.message || error));
      }
      if (Date.now() - proved > PROOF) prove();
    }
    setTimeout(renew, PERIOD);
  };

  const prove = async () => {
    proved = Date.now();
    try {
      document.getElementById("conserved").replaceChildren(...await ask("/dashboard/verify"));
    } catch { /* said by the next renewal */ }
  };

  form.addEventListener("change", (event) => { if (event.target !== pause) form.requestSubmit(); });
  prove();
  setTimeout(renew, PERIOD);
})();
