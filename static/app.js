// What HTML cannot do. Every page works without it; it sends nothing: what talks to the server is htmx.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");
  const byId = (id) => document.getElementById(id);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const on = (type, selector, act) => document.addEventListener(type, (event) => {
    const found = event.target.closest?.(selector);
    if (found) act(found, event);
  });

  // Dialogs. The link's page asks the same.
  const show = (dialog) => (dialog.close(), dialog.showModal());
  on("click", "[data-dialog]", (link, event) => {
    const dialog = byId(link.dataset.dialog);
    if (!dialog || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    show(dialog);
  });
  on("click", "dialog:modal [data-close]", (button, event) => { event.preventDefault(); button.closest("dialog").close(); });

  // Menus are <details>; Escape, a click elsewhere or leaving closes them.
  const shut = (except) => all("details.has-menu[open]").forEach((menu) => (menu.open = menu === except));
  document.addEventListener("click", (event) => shut(event.target.closest("details.has-menu")));
  on("focusout", ".has-menu", (menu, event) => { if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false; });
  on("keydown", ".has-menu[open]", (menu, event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });

  // Ticked rows; <b data-count data-none="61 people" data-some="{n} selected">.
  const count = (form) => {
    const ticks = all("[data-tick]", form);
    const n = ticks.filter((tick) => tick.checked).length;
    ticks.forEach((tick) => tick.closest("tr")?.classList.toggle("on", tick.checked));
    all("[data-tick-all]", form).forEach((box) => {
      box.checked = n > 0 && n === ticks.length;
      box.indeterminate = n > 0 && n < ticks.length;
    });
    form.classList.toggle("some", n > 0);
    all("[data-count]", form).forEach((place) => {
      place.textContent = (n ? place.dataset.some : place.dataset.none).replace("{n}", n.toLocaleString(root.lang));
    });
  };
  const tickAll = (form, checked) => { all("[data-tick]", form).forEach((tick) => (tick.checked = checked)); count(form); };
  on("change", "form [data-tick]", (box) => count(box.form));
  on("change", "form [data-tick-all]", (box) => tickAll(box.form, box.checked));
  on("click", "[data-untick]", (button) => tickAll(button.form, false));

  const swap = (button) => {
    const place = button.querySelector("span") ?? button;
    [place.textContent, button.dataset.other] = [button.dataset.other, place.textContent];
  };
  on("click", "[data-dismiss]", (button) => button.closest(".toast-p").remove());
  on("click", "[data-reveal]", (button) => {
    const field = byId(button.dataset.reveal);
    field.type = field.type === "password" ? "text" : "password";
    swap(button);
  });
  on("click", "[data-copy]:not([data-done])", async (button) => {
    await navigator.clipboard.writeText(byId(button.dataset.copy).textContent.trim());
    button.dataset.done = "";
    swap(button);
    setTimeout(() => { swap(button); delete button.dataset.done; }, 2000);
  });

  // Theme: the server reads the cookie; without script the same form reloads the page.
  on("submit", "[data-theme-form]", (form, event) => {
    const chosen = event.submitter.value;
    event.preventDefault();
    document.cookie = `theme=${chosen}; path=/; max-age=31536000; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
    if (chosen === "system") delete root.dataset.bsTheme;
    else root.dataset.bsTheme = chosen;
    all("[aria-pressed]", form).forEach((button) => (button.ariaPressed = button.value === chosen));
    shut();
  });

  // Times in the reader's zone, kept true. Steps and rounding are Babel's: nothing jumps.
  const STEPS = [["year", 31536e6], ["month", 2592e6], ["week", 6048e5], ["day", 864e5], ["hour", 36e5], ["minute", 6e4], ["second", 1e3]];
  const words = new Intl.RelativeTimeFormat(root.lang);
  const format = (options) => new Intl.DateTimeFormat(root.lang, options);
  const full = format({ dateStyle: "medium", timeStyle: "short" });
  const clock = format({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const day = format({ day: "numeric", month: "short" });
  const since = (at) => {
    const gap = at - Date.now();
    const [unit, size] = STEPS.find((step) => Math.abs(gap) >= step[1] * 0.85) ?? STEPS.at(-1);
    return words.format(Math.round(gap / size), unit);
  };
  const times = () => all("time.when").forEach((time) => {
    const at = new Date(time.dateTime);
    const [short, long] = time.children;
    if (!short) { time.textContent = full.format(at); return; }
    const today = at.toDateString() === new Date().toDateString();
    short.textContent = time.dataset.show === "relative" ? since(at) : (time.dataset.show === "clock" && today ? clock : day).format(at);
    long.lastChild.textContent = full.format(at);
  });
  setInterval(times, 30000);

  // What arrives, with the page or by htmx.
  const arrive = () => {
    all(":is([data-reveal], [data-copy], [data-dismiss], [data-untick])[hidden]").forEach((button) => (button.hidden = false));
    all("dialog[data-modal]").forEach((dialog) => (delete dialog.dataset.modal, show(dialog)));
    new Set(all("form [data-tick]").map((tick) => tick.form)).forEach(count);
    times();
  };
  arrive();
  all("[data-zone]").forEach((place) => { place.textContent = full.resolvedOptions().timeZone; });
  document.addEventListener("htmx:afterSettle", arrive);
  // Shown only if the server says where: a failing poll must not wipe the page. No answer, or a stranger's, is said once.
  const told = ({ xhr }) => xhr.getResponseHeader("HX-Retarget") || (xhr.status && xhr.status < 500);
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    detail.shouldSwap ||= !!detail.xhr.getResponseHeader("HX-Retarget");
    if (told(detail)) byId("lost-now")?.remove();
  });
  ["sendError", "timeout", "responseError"].forEach((name) => document.addEventListener(`htmx:${name}`, ({ detail }) => {
    if (told(detail) || byId("lost-now")) return;
    byId("toasts").append(byId("lost").content.cloneNode(true));
    arrive();
  }));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "k" || !(event.ctrlKey || event.metaKey) || !byId("find")) return;
    event.preventDefault();
    byId("find").focus();
  });
})();
