// What HTML cannot do by itself: modal dialogs, ticking rows, toasts, theme without a reload, copying, times kept fresh.
// Never needed: every page works without it. It keeps no state and sends nothing; what talks to the server is htmx.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");
  const on = (type, selector, act, capture) =>
    document.addEventListener(type, (event) => {
      const found = event.target.closest?.(selector);
      if (found) act(found, event);
    }, capture);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // Dialogs. The link leads to a page that asks the same question; showModal gives the focus back when it closes.
  const show = (dialog) => { dialog.close(); dialog.showModal(); };
  on("click", "[data-dialog]", (link, event) => {
    const dialog = document.getElementById(link.dataset.dialog);
    if (!dialog || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    show(dialog);
  });
  on("click", "[data-close]", (button, event) => {
    const dialog = button.closest("dialog:modal");
    if (dialog) { event.preventDefault(); dialog.close(); }
  });

  // Menus are <details>: close on Escape, on a click elsewhere and when the focus leaves.
  const shut = (except) => all("details.has-menu[open]").forEach((menu) => { if (menu !== except) menu.open = false; });
  document.addEventListener("click", (event) => shut(event.target.closest("details.has-menu")));
  on("focusout", "details.has-menu", (menu, event) => { if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false; });
  on("keydown", "details.has-menu[open]", (menu, event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });

  // Ticked rows. <b data-count data-none="61 people" data-some="{n} selected"> says how many.
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
  let last = null;
  on("click", "[data-tick]", (tick, event) => {
    const ticks = all("[data-tick]", tick.form ?? document);
    const [from, to] = [ticks.indexOf(last), ticks.indexOf(tick)].sort((a, b) => a - b);
    if (event.shiftKey && from >= 0) ticks.slice(from, to + 1).forEach((other) => { other.checked = tick.checked; });
    last = tick;
  });
  on("change", "[data-tick], [data-tick-all]", (box) => {
    if (!box.form) return;
    if ("tickAll" in box.dataset) all("[data-tick]", box.form).forEach((tick) => { tick.checked = box.checked; });
    count(box.form);
  });
  on("click", "[data-untick]", (button) => {
    all("[data-tick]", button.form).forEach((tick) => { tick.checked = false; });
    count(button.form);
  });

  // Small buttons that say what they did.
  const swap = (button) => {
    const place = button.querySelector("span") ?? button;
    [place.textContent, button.dataset.other] = [button.dataset.other, place.textContent];
  };
  on("click", "[data-dismiss]", (button) => button.closest(".toast-p, .note").remove());
  on("click", "[data-reveal]", (button) => {
    const field = document.getElementById(button.dataset.reveal);
    field.type = field.type === "password" ? "text" : "password";
    swap(button);
  });
  on("click", "[data-copy]", async (button) => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
    swap(button);
    setTimeout(swap, 2000, button);
  });

  // Theme: the cookie is what the server reads; the form does the same with a reload.
  on("submit", "[data-theme-form]", (form, event) => {
    const chosen = event.submitter?.value;
    if (!chosen) return;
    event.preventDefault();
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `theme=${chosen}; path=/; max-age=31536000; samesite=lax${secure}`;
    if (chosen === "system") root.removeAttribute("data-bs-theme");
    else root.dataset.bsTheme = chosen;
    all("button[aria-pressed]", form).forEach((button) => button.setAttribute("aria-pressed", button.value === chosen));
    shut();
  });

  // Times in the reader's own zone, and "2 hours ago" that stays true while the page is open.
  const UNITS = [["year", 31536e6], ["month", 2592e6], ["week", 6048e5], ["day", 864e5], ["hour", 36e5], ["minute", 6e4], ["second", 1e3]];
  const words = new Intl.RelativeTimeFormat(root.lang);
  const form = (options) => new Intl.DateTimeFormat(root.lang, options);
  const full = form({ dateStyle: "medium", timeStyle: "short" });
  const clock = form({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const day = form({ day: "numeric", month: "short" });
  const since = (at) => {
    const gap = at - Date.now();
    const [unit, size] = UNITS.find((pair) => Math.abs(gap) >= pair[1]) ?? UNITS.at(-1);
    return words.format(Math.round(gap / size), unit);
  };
  const times = (within = document) => all("time.when", within).forEach((time) => {
    const at = new Date(time.dateTime);
    const [short, long] = time.children;
    if (!short) { time.textContent = full.format(at); return; }
    const today = at.toDateString() === new Date().toDateString();
    short.textContent = time.dataset.show === "relative" ? since(at) : time.dataset.show === "clock" && today ? clock.format(at) : day.format(at);
    long.lastChild.textContent = full.format(at);
  });
  setInterval(times, 30000);

  // Whatever arrives, with the page or through htmx.
  const arrive = (within) => {
    all("[data-reveal], [data-copy], [data-dismiss], [data-untick]", within).forEach((button) => { button.hidden = false; });
    all("dialog[data-modal]", within).forEach((dialog) => { dialog.removeAttribute("data-modal"); show(dialog); });
    new Set(all("[data-tick]").map((tick) => tick.form)).forEach((ticked) => ticked && count(ticked));
    times(within);
  };
  arrive(document);
  all("[data-zone]").forEach((place) => { place.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone; });
  document.addEventListener("htmx:afterSettle", () => arrive(document));
  document.addEventListener("keydown", (event) => {
    const find = document.getElementById("find");
    if (find && event.key === "k" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); find.focus(); }
  });
})();
