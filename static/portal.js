// What the pages do beyond plain HTML and htmx: announce, keep forms true to the address, say what failed.
(() => {
  "use strict";
  document.documentElement.classList.add("js");
  const byId = (id) => document.getElementById(id);
  let failed = null;

  const announce = () => {
    const live = byId("live");
    const summary = byId("runs-summary");
    if (live && summary) live.textContent = summary.textContent;
  };

  const showTrouble = (text, ctx) => {
    failed = ctx;
    byId("trouble-text").textContent = text;
    byId("trouble").hidden = false;
  };

  const hideTrouble = () => {
    failed = null;
    byId("trouble").hidden = true;
  };

  const isList = (event) => event.detail?.ctx?.target?.id === "runs";

  document.addEventListener("htmx:before:request", (event) => {
    if (!isList(event)) return;
    hideTrouble();
    byId("runs").setAttribute("aria-busy", "true");
  });

  document.addEventListener("htmx:finally:request", (event) => {
    if (!isList(event)) return;
    // A request that was replaced ends while its successor runs: only the last one ends the waiting.
    setTimeout(() => {
      const runs = byId("runs");
      if (runs && !runs.classList.contains("htmx-request")) runs.removeAttribute("aria-busy");
    });
  });

  document.addEventListener("htmx:after:swap", (event) => {
    const ctx = event.detail.ctx;
    const status = ctx.response?.status ?? 0;
    if (!isList(event) || (status >= 400 && status !== 422)) return;
    const source = ctx.sourceElement;
    // Morphing keeps what was typed and ticked. After a link the address decides, not the fields.
    if (source.id !== "search" && source.id !== "filters") byId("filters").reset();
    announce();
    if (document.activeElement === document.body) byId("runs-summary")?.focus({ preventScroll: true });
    if (source.dataset.paging !== undefined) {
      const list = byId("runs");
      if (list.getBoundingClientRect().top < 0) list.scrollIntoView();
    }
  });

  // A search that is still waiting to be sent must not bring back what "Clear" takes away.
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("[data-clears]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    for (const field of byId("filters").elements) {
      if (field.type === "checkbox") field.checked = false;
      else if (["search", "date", "text"].includes(field.type)) field.value = "";
    }
  });

  document.addEventListener("htmx:response:error", (event) => {
    const ctx = event.detail.ctx;
    if (ctx.response.status === 422 || ctx.hx?.redirect) return;
    const id = ctx.response.headers.get("X-Request-Id");
    const what = ctx.response.status >= 500 ? "The portal could not answer." : "The portal refused this.";
    showTrouble(id ? `${what} Request id: ${id}` : what, ctx);
  });

  document.addEventListener("htmx:error", (event) => {
    if (event.detail.ctx) showTrouble("The portal cannot be reached. Check your connection.", event.detail.ctx);
  });

  document.addEventListener("click", (event) => {
    if (event.target.id === "trouble-close") hideTrouble();
    if (event.target.id !== "trouble-retry" || !failed) return;
    const { sourceElement, request } = failed;
    hideTrouble();
    htmx.ajax("GET", request.action, { source: sourceElement, target: "#runs", swap: "outerMorph" });
  });
})();
