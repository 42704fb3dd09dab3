// What the editor of a definition has beyond forms: Ctrl+S, and a question before a draft is left behind.
(() => {
  "use strict";
  const { announce } = window.portal;
  const editor = () => document.getElementById("editor");
  let typed = false; // something was typed that the server has not seen yet
  let leaving = false; // Save was pressed, or the answer to it leads on

  document.addEventListener("input", (event) => { if (editor()?.contains(event.target)) typed = true; });
  document.addEventListener("submit", (event) => {
    if (event.target === editor()) leaving = event.submitter?.value === "save";
  }, true);
  let shows = false; // the button that was pressed brings another node
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("#editor button");
    if (button) shows = /^(open:|add$)/.test(button.value);
  });
  document.addEventListener("htmx:after:swap", () => {
    typed = leaving = false;
    const chosen = document.getElementById("chosen");
    if (shows && chosen && chosen.getBoundingClientRect().top > innerHeight) chosen.scrollIntoView();
    shows = false;
    announce(document.getElementById("check-title")?.textContent ?? "");
  });
  addEventListener("beforeunload", (event) => {
    if (leaving || !(typed || editor()?.dataset.unsaved !== undefined)) return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "s" || !(event.ctrlKey || event.metaKey) || event.altKey) return;
    const save = document.getElementById("save");
    if (!save) return;
    event.preventDefault();
    save.form.requestSubmit(save);
  });
})();
