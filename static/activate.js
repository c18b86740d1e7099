// What HTML cannot do on the pages of a link. Every page works without it.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");
  const byId = (id) => document.getElementById(id);

  for (const button of document.querySelectorAll("[data-reveal]")) {
    const field = byId(button.dataset.reveal);
    button.hidden = false;
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      const shown = field.type === "password";
      field.type = shown ? "text" : "password";
      button.setAttribute("aria-pressed", String(shown));
      [button.textContent, button.dataset.other] = [button.dataset.other, button.textContent];
    });
  }

  // Times stand in UTC; whoever reads them has a zone.
  for (const time of document.querySelectorAll("time[data-local]")) {
    const how = { weekday: "long", day: "numeric", month: "long", hour: "2-digit", minute: "2-digit" };
    time.textContent = new Date(time.dateTime).toLocaleString(root.lang, how);
  }

  const form = document.querySelector("form[data-look]");
  if (form) {
    let waiting = 0;
    let asked = null;
    const look = async () => {
      asked?.abort();
      asked = new AbortController();
      try {
        const answer = await fetch(form.dataset.look, {
          method: "POST", body: new URLSearchParams(new FormData(form)), headers: { "HX-Request": "true" },
          credentials: "same-origin", signal: asked.signal,
        });
        if (answer.ok) byId("rules").outerHTML = await answer.text();
      } catch { /* The next stroke asks again, and the server judges in any case. */ }
    };
    form.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(look, 250); });
    // What is sent is judged there; by the time a look arrived, the link could be used up.
    form.addEventListener("submit", () => { clearTimeout(waiting); asked?.abort(); });
  }

  for (const each of document.forms) {
    each.addEventListener("submit", (event) => {
      const button = each.querySelector(".go");
      if (button.hasAttribute("aria-busy")) event.preventDefault();
      button.setAttribute("aria-busy", "true");
    });
  }
  addEventListener("pageshow", () => document.querySelectorAll("[aria-busy]").forEach((each) => each.removeAttribute("aria-busy")));
})();
