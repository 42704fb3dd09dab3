// What moves on an open page: the element marked data-poll is asked again and again, and durations tick.
// The server says in data-poll whether anything moves (on), may begin to (slow) or cannot any more (off); the
// rest of the rules are here.
(() => {
  "use strict";
  const { announce, kept, trouble } = window.portal;
  const EVERY = 5000;
  const EVERY_SLOW = 30000;
  const LONGEST = 300000;
  let timer = null;
  let failures = 0;
  let skew = 0;
  let gone = false; // what the page shows is not there any more: there is nothing to ask about

  const poll = () => document.querySelector("[data-poll]");
  const paused = () => kept.get("live") === "paused";
  const moving = () => !gone && poll()?.dataset.poll === "on";
  const every = () => (gone ? 0 : { on: EVERY, slow: EVERY_SLOW }[poll()?.dataset.poll] ?? 0);
  const selecting = () => {
    const selection = document.getSelection();
    return Boolean(selection && !selection.isCollapsed && poll()?.parentElement?.contains(selection.anchorNode));
  };
  // Many browsers that failed together must not come back together.
  const jitter = (wait) => wait * (0.8 + Math.random() * 0.4);
  const plan = (wait = jitter(every())) => {
    clearTimeout(timer);
    timer = every() && !paused() && !document.hidden ? setTimeout(ask, wait) : null;
  };
  const ask = () => {
    if (!poll() || gone || document.hidden) return;
    if (selecting()) plan();
    else htmx.trigger(poll(), "poll");
  };

  const tell = () => {
    const button = document.getElementById("live-switch");
    if (!button) return;
    button.setAttribute("aria-pressed", String(!paused()));
    button.classList.toggle("interrupted", gone || (failures > 0 && !paused()));
    const word = gone ? "Gone" : paused() && every() ? "Updates paused" : !moving() ? "Nothing is running" : failures ? "Updates interrupted" : "Live";
    document.getElementById("live-word").textContent = word;
    button.title = paused() ? "Follow the runs again" : "Stop following the runs";
  };

  // Durations of runs that are going on.
  const duration = (seconds) => {
    for (const [unit, smaller, size, part] of [["d", "h", 86400, 3600], ["h", "m", 3600, 60], ["m", "s", 60, 1]])
      if (seconds >= size)
        return `${Math.floor(seconds / size)} ${unit} ${String(Math.floor((seconds % size) / part)).padStart(2, "0")} ${smaller}`;
    return `${seconds} s`;
  };
  const tick = () => {
    if (document.hidden || paused() || gone) return;
    for (const node of document.querySelectorAll("[data-ticks]")) {
      const gone = Date.now() + skew - new Date(node.dataset.since) - Number(node.dataset.pausedMs);
      if (gone >= 0) node.textContent = duration(Math.floor(gone / 1000));
    }
  };
  setInterval(tick, 1000);

  const isPoll = (event) => event.detail?.ctx?.sourceElement?.dataset?.poll !== undefined;
  // Rows of a list, or the title of a run's page.
  const statuses = () =>
    new Map([...document.querySelectorAll("tbody tr[id], [data-status]")].map((node) => [node.id, node.dataset.status ?? node.className]));
  let before = new Map();

  document.addEventListener("htmx:after:request", (event) => {
    if (!isPoll(event)) return;
    const { response, hx } = event.detail.ctx;
    const date = Date.parse(response.headers.get("Date"));
    if (date && Math.abs(date - Date.now()) > 2000) skew = date - Date.now();
    if (response.status === 401 && hx) {
      const signIn = hx.redirect;
      hx.redirect = null; // nobody asked to leave this page
      clearTimeout(timer);
      trouble("You are signed out. Sign in to go on; you come back to this page.", { signIn });
      event.preventDefault();
      failures = 1;
      tell();
    } else if (response.status === 404 || response.status === 410) {
      gone = true;
      clearTimeout(timer);
      trouble(poll().dataset.gone);
      tell();
    } else if (response.status >= 400) failed(response);
    else failures = 0;
  });
  const failed = (response) => {
    failures += 1;
    const asked = Number(response?.headers.get("Retry-After")) * 1000 || 0;
    plan(Math.max(asked, jitter(Math.min(EVERY * 2 ** failures, LONGEST))));
    tell();
  };
  document.addEventListener("htmx:error", (event) => { if (isPoll(event)) failed(null); });
  document.addEventListener("htmx:before:swap", (event) => {
    if (!isPoll(event)) return;
    // An answer about another list than the one that is shown now is dropped.
    if (event.detail.ctx.sourceElement !== poll()) event.preventDefault();
    before = statuses();
  });
  document.addEventListener("htmx:after:swap", (event) => {
    tick();
    tell();
    if (isPoll(event)) {
      const counts = document.querySelector("[data-counts]");
      if (counts) htmx.trigger(counts, "stale"); // those of the saved views
      const news = [...statuses()]
        .filter(([id, status]) => before.has(id) && before.get(id) !== status)
        .map(([id, status]) => `Run ${document.getElementById(id).querySelector(".run, h1").textContent.replace("Run ", "")} is ${status}.`);
      const fresh = document.getElementById("show-new")?.textContent;
      if (fresh && fresh !== document.getElementById("live").dataset.fresh) news.push(fresh);
      document.getElementById("live").dataset.fresh = fresh ?? "";
      if (news.length) announce(news.join(" "));
    }
  });
  document.addEventListener("htmx:finally:request", () => { if (!failures) plan(); });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else if (!paused()) { tick(); ask(); } // runs may have begun meanwhile, even if nothing moved before
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("#live-switch")) return;
    kept.set("live", paused() ? "on" : "paused");
    failures = 0;
    tell();
    if (paused()) clearTimeout(timer);
    else { tick(); ask(); }
  });
  tick();
  tell();
  plan();
})();
