// The keys j k o m ? on pages whose entries carry data-entry. Without this script everything works by links and buttons.
(() => {
  "use strict";
  const entries = () => [...document.querySelectorAll("[data-entry]")].filter((entry) => entry.offsetParent !== null);
  let place = -1;

  const go = (step) => {
    const all = entries();
    if (!all.length) return;
    all.forEach((entry) => entry.classList.remove("current"));
    place = Math.min(Math.max(place + step, 0), all.length - 1);
    all[place].classList.add("current");
    const link = all[place].querySelector("[data-open]");
    if (link) link.focus({ preventScroll: true });
    all[place].scrollIntoView({ block: "nearest" });
  };
  const inPlace = (selector) => {
    const entry = entries()[place];
    return entry ? entry.querySelector(selector) : null;
  };
  const press = (target) => { if (target) target.click(); };

  document.addEventListener("focusin", (event) => {
    const found = entries().findIndex((entry) => entry.contains(event.target));
    if (found >= 0) place = found;
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest("select, textarea, input:not([type=checkbox])");
    if (typing) return;
    const keys = document.getElementById("keys");
    const acts = {
      j: () => go(1),
      k: () => go(-1),
      o: () => press(inPlace("[data-open]")),
      m: () => press(inPlace("[data-key=m]") || (place < 0 ? document.querySelector("main > .marks [data-key=m]") : null)),
      "?": () => { keys.open = !keys.open; if (keys.open) keys.scrollIntoView({ block: "nearest" }); },
    };
    if (Object.hasOwn(acts, event.key)) {
      event.preventDefault();
      acts[event.key]();
    }
  });
})();
