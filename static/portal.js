// What every page does beyond plain HTML and htmx: theme, times, keys, menus, announcements, and saying what failed.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");
  const byId = (id) => document.getElementById(id);
  const kept = {
    get: (name) => { try { return localStorage.getItem(`portal.${name}`); } catch { return null; } },
    set: (name, value) => { try { localStorage.setItem(`portal.${name}`, value); } catch { /* not kept, then */ } },
  };
  const announce = (text) => { byId("live").textContent = text; };

  // Times: the server writes them in the zone on show; here recent ones become relative, and titles say UTC too.
  const zone = () => document.body.dataset.shownZone;
  const writers = {};
  const writer = (name) => {
    writers[name] ??= {
      day: new Intl.DateTimeFormat("en-GB", { timeZone: name, day: "numeric", month: "short", year: "numeric" }),
      clock: new Intl.DateTimeFormat("en-GB", { timeZone: name, hour: "2-digit", minute: "2-digit", second: "2-digit" }),
    };
    return writers[name];
  };
  const day = (name, moment) => {
    const parts = Object.fromEntries(writer(name).day.formatToParts(moment).map((part) => [part.type, part.value]));
    return `${parts.day} ${parts.month.slice(0, 3)} ${parts.year}`;
  };
  const clock = (name, moment) => writer(name).clock.format(moment);
  const ago = (moment) => {
    const minutes = Math.floor((Date.now() - moment) / 60000);
    if (minutes < -1 || minutes >= 1440) return null;
    if (minutes < 1) return "just now";
    return minutes < 60 ? `${minutes} min ago` : `${Math.floor(minutes / 60)} h ago`;
  };
  const write = (node, text) => { if (node && node.textContent !== text) node.textContent = text; };

  const tellTimes = (within) => {
    const name = zone();
    try { writer(name); } catch { return; } // a zone that this browser does not know: the server's text stays
    for (const time of within.querySelectorAll("time[datetime]")) {
      const moment = new Date(time.dateTime);
      if (Number.isNaN(moment.getTime())) continue;
      const relative = time.dataset.ago !== undefined ? ago(moment) : null;
      write(time.querySelector(".day"), relative ?? day(name, moment));
      write(time.querySelector(".clock"), clock(name, moment));
      time.title = `${day("UTC", moment)} ${clock("UTC", moment)} UTC`;
      if (relative) time.title = `${day(name, moment)} ${clock(name, moment)} ${name} · ${time.title}`;
    }
    for (const node of within.querySelectorAll("[data-zone]")) write(node, name);
  };
  tellTimes(document);
  setInterval(() => { if (!document.hidden) tellTimes(document); }, 30000);

  // Lists: a section marked data-list is swapped whole, and says in [data-summary] what it shows.
  const listOf = (event) => {
    const target = event.detail?.ctx?.target;
    return target?.dataset?.list !== undefined ? target : null;
  };
  let failed = null;
  const trouble = (text, { retry = null, signIn = null } = {}) => {
    failed = retry;
    byId("trouble-text").textContent = text;
    byId("trouble-retry").hidden = !retry;
    byId("trouble-signin").hidden = !signIn;
    if (signIn) byId("trouble-signin").href = signIn;
    byId("trouble").hidden = false;
  };
  const hideTrouble = () => { failed = null; byId("trouble").hidden = true; };

  document.addEventListener("htmx:before:request", (event) => {
    const list = listOf(event);
    if (!list) return;
    hideTrouble();
    list.setAttribute("aria-busy", "true");
  });
  document.addEventListener("htmx:finally:request", (event) => {
    const id = listOf(event)?.id;
    // A request that was replaced ends while its successor runs: only the last one ends the waiting.
    if (id) setTimeout(() => {
      const list = byId(id);
      if (list && !list.classList.contains("htmx-request")) list.removeAttribute("aria-busy");
    });
  });
  document.addEventListener("htmx:after:swap", (event) => {
    const ctx = event.detail.ctx;
    tellTimes(document);
    const list = listOf(event);
    const status = ctx.response?.status ?? 0;
    if (!list || (status >= 400 && status !== 422)) return;
    const source = ctx.sourceElement;
    const form = list.querySelector("form[data-filters]");
    // Morphing keeps what was typed and ticked. After a link the address decides, not the fields.
    if (form && source !== form && source.form !== form) form.reset();
    const summary = list.querySelector("[data-summary]");
    if (summary) announce(summary.textContent);
    if (document.activeElement === document.body) summary?.focus({ preventScroll: true });
    if (source.dataset.paging !== undefined && list.getBoundingClientRect().top < 0) list.scrollIntoView();
  });
  // A search that is still waiting to be sent must not bring back what "Clear" takes away.
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("[data-clears]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    for (const field of document.querySelector("form[data-filters]")?.elements ?? []) {
      if (field.type === "checkbox") field.checked = false;
      else if (["search", "date", "text"].includes(field.type)) field.value = "";
    }
  });

  // What failed is said, with the request's id and a way on.
  const quiet = (ctx) => ctx.sourceElement?.dataset?.quiet !== undefined;
  const again = (ctx) => () =>
    htmx.ajax("GET", ctx.request.action, { source: ctx.sourceElement, target: ctx.target, swap: "outerMorph" });
  document.addEventListener("htmx:response:error", (event) => {
    const ctx = event.detail.ctx;
    const status = ctx.response.status;
    if (status === 422 || ctx.hx?.redirect || quiet(ctx)) return;
    const id = ctx.response.headers.get("X-Request-Id");
    const what =
      status === 429 ? "Too many requests in a short time." :
      status >= 500 ? "The portal could not answer." : "The portal refused this.";
    trouble(id ? `${what} Request id: ${id}` : what, { retry: again(ctx) });
  });
  // A player whose file does not come shows nothing by itself; errors of media do not bubble.
  document.addEventListener("error", (event) => {
    if (!(event.target instanceof HTMLAudioElement)) return;
    trouble("This audio cannot be played: its file is gone or damaged, or the portal does not answer.");
  }, true);
  document.addEventListener("htmx:error", (event) => {
    const ctx = event.detail.ctx;
    if (ctx && !quiet(ctx)) trouble("The portal cannot be reached. Check your connection.", { retry: again(ctx) });
  });

  // Keys: one letter each, unless they are switched off or somebody is typing.
  const keysOn = () => kept.get("keys") !== "off";
  const rows = () => [...document.querySelectorAll("tbody .run")];
  const step = (by) => {
    const links = rows();
    const at = links.indexOf(document.activeElement?.closest?.("tr")?.querySelector(".run"));
    const next = at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + by, 0), links.length - 1);
    links[next]?.focus();
  };
  const openKeys = () => { byId("keys-on").checked = keysOn(); byId("keys").showModal(); };
  const acts = {
    "/": () => document.querySelector("[data-key='/']")?.focus(),
    j: () => step(1),
    k: () => step(-1),
    "[": () => byId("pager-previous")?.click(),
    "]": () => byId("pager-next")?.click(),
    "?": openKeys,
  };
  // Up and down go through what the search box suggests, Escape leaves it.
  document.addEventListener("keydown", (event) => {
    const box = event.target.closest?.(".find");
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!box || (!by && event.key !== "Escape")) return;
    if (event.key === "Escape") { byId("found").replaceChildren(); byId("find").focus(); return; }
    const stops = [byId("find"), ...box.querySelectorAll("#found a")];
    const next = stops[stops.indexOf(document.activeElement) + by];
    if (!next) return;
    event.preventDefault();
    next.focus();
  });

  const typing = (target) => target.closest?.("input:not([type=checkbox]), select, textarea, [contenteditable], dialog");
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") document.querySelectorAll("details.menu[open]").forEach((menu) => {
      menu.open = false;
      if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
    });
    const act = acts[event.key];
    if (!act || !keysOn() || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    event.preventDefault();
    act();
  });
  byId("keys-on").addEventListener("change", (event) => kept.set("keys", event.target.checked ? "on" : "off"));

  document.addEventListener("click", (event) => {
    const target = event.target;
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(target)) menu.open = false;
    if (target === byId("keys")) byId("keys").close(); // outside the box
    if (target.closest?.("#keys-open")) openKeys();
    if (target.id === "trouble-close") hideTrouble();
    if (target.id === "trouble-retry" && failed) { const retry = failed; hideTrouble(); retry(); }
  });

  // The theme changes at once; the form only tells the server, so that the next page comes in it.
  byId("theme").addEventListener("submit", (event) => {
    const theme = event.submitter?.value;
    if (!theme) return;
    event.preventDefault();
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
    document.querySelector("meta[name=color-scheme]").content = theme === "system" ? "light dark" : theme;
    for (const button of event.target.elements)
      if (button.name === "theme") button.setAttribute("aria-pressed", String(button.value === theme));
    fetch(event.target.action, { method: "POST", body: new URLSearchParams({ theme }), redirect: "manual" })
      .catch(() => trouble("The portal cannot be reached: the theme is not kept."));
  });

  // An account whose zone is not known takes that of the browser; one that the server refused is not sent again.
  const local = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (document.body.dataset.learnZone && local && kept.get("refused-zone") !== local)
    fetch(document.body.dataset.learnZone, { method: "POST", body: new URLSearchParams({ zone: local }), redirect: "manual" })
      .then((answer) => {
        if (answer.status === 422) kept.set("refused-zone", local);
        if (answer.status !== 204) return;
        document.body.dataset.shownZone = local;
        tellTimes(document);
      })
      .catch(() => { /* the next page tries again */ });

  window.portal = { announce, kept, trouble, tellTimes };

  // What stands behind # in an address never reaches the server: the tab keeps it while somebody signs in.
  const place = {
    keep: (hash) => { try { sessionStorage.setItem("portal.place", hash); } catch { /* not kept, then */ } },
    take: () => { try { return sessionStorage.getItem("portal.place"); } catch { return null; } finally { place.keep(""); } },
  };
  const door = document.querySelector("[data-door]")?.dataset.door;
  if (door === "begin") place.keep(location.hash);
  else if (door === undefined) {
    const hash = place.take();
    if (hash && !location.hash && byId(decodeURIComponent(hash.slice(1)))) location.replace(hash);
  }

  // Secrets that are shown once: a button copies them; without it they can be selected.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copies]");
    if (!button) return;
    const source = byId(button.dataset.copies);
    try {
      await navigator.clipboard.writeText(source.textContent);
      announce("Copied");
      write(button, "Copied");
    } catch {
      getSelection().selectAllChildren(source);
    }
  });
})();
