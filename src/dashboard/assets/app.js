/**
 * What makes the pages nicer: they keep themselves up to date, texts can be copied, files dropped,
 * rows walked by keys. Everything essential works without it.
 *
 * A page is kept up to date by asking for it again, when events say that something has happened,
 * and taking over what differs: so there is one way in which a page comes about.
 */
(() => {
  "use strict";

  const main = document.getElementById("main");
  const byId = (id) => document.getElementById(id);

  // --- the page as it is now -------------------------------------------------------------------

  /** Makes `from` what `to` is, and leaves alone whatever is the same: focus, selection, scrolling. */
  function morph(from, to) {
    for (const { name } of [...from.attributes]) {
      if (!to.hasAttribute(name) && !isOwn(from, name)) from.removeAttribute(name);
    }
    for (const { name, value } of [...to.attributes]) {
      if (from.getAttribute(name) !== value && !isOwn(from, name)) from.setAttribute(name, value);
    }
    const known = new Map();
    for (const child of from.children) {
      if (child.dataset.row) known.set(child.dataset.row, child);
    }
    const wantedKeys = new Set([...to.children].map((child) => child.dataset.row));
    let place = from.firstChild;
    for (const wanted of [...to.childNodes]) {
      // Rows that are gone make room, so that those that stay need not be moved, which costs the focus.
      while (place?.dataset?.row && !wantedKeys.has(place.dataset.row)) {
        const next = place.nextSibling;
        place.remove();
        place = next;
      }
      const key = wanted.nodeType === 1 ? wanted.dataset.row : undefined;
      let found = key ? known.get(key) : undefined;
      if (!found && place && isLike(place, wanted) && !place.dataset?.row) found = place;
      if (!found) {
        from.insertBefore(document.importNode(wanted, true), place);
        continue;
      }
      if (key) known.delete(key);
      if (found === place) place = place.nextSibling;
      else from.insertBefore(found, place);
      if (found.nodeType === 1) morph(found, wanted);
      else if (found.data !== wanted.data) found.data = wanted.data;
    }
    while (place) {
      const next = place.nextSibling;
      place.remove();
      place = next;
    }
  }

  const isLike = (one, other) => one.nodeType === other.nodeType && one.nodeName === other.nodeName;

  /** What belongs to whoever looks: what they have opened, chosen, or what this script shows. */
  function isOwn(element, name) {
    return (name === "open" && element.nodeName === "DETAILS") || name === "hidden" ||
      (name === "class" && element.nodeName === "TR") || (name === "value" && "value" in element);
  }

  let isBusy = false;
  let isStale = false;
  let notBeforeMs = 0;
  let timer = 0;

  /** Asks for the page again, soon: at most once a second, and less often where that takes long. */
  function refreshSoon() {
    isStale = true;
    if (timer || isBusy || document.hidden) return;
    timer = setTimeout(refresh, Math.max(50, notBeforeMs - performance.now()));
  }

  async function refresh() {
    timer = 0;
    isBusy = true;
    isStale = false;
    const startedMs = performance.now();
    try {
      const url = new URL(location.href);
      for (const word of ["did", "n", "not"]) url.searchParams.delete(word);
      const response = await fetch(url, { headers: { accept: "text/html" } });
      const next = new DOMParser().parseFromString(await response.text(), "text/html");
      const fresh = next.getElementById("main");
      if (response.status === 401) location.reload();
      else if (fresh && (response.ok || response.status === 404)) {
        takeOver(fresh, next);
      }
    } catch {
      say("no answer", false);
    }
    isBusy = false;
    notBeforeMs = performance.now() + Math.max(1000, 10 * (performance.now() - startedMs));
    if (isStale) refreshSoon();
  }

  function takeOver(fresh, next) {
    const output = document.querySelector("[data-follow]");
    const isAtEnd = output && output.scrollTop + output.clientHeight >= output.scrollHeight - 30;
    const flash = main.querySelector(':scope > .note[role="status"]');
    if (flash) fresh.prepend(flash.cloneNode(true));
    morph(main, fresh);
    const nav = byId("nav");
    const freshNav = next.getElementById("nav");
    if (nav && freshNav) morph(nav, freshNav);
    document.title = next.title;
    if (isAtEnd) output.scrollTop = output.scrollHeight;
    prepare();
  }

  // --- when something happens ------------------------------------------------------------------

  const EVENTS = "job.added job.started job.processing job.completed job.failed job.dead " +
    "job.cancelled job.requeued job.deleted job.snoozed job.released job.progress queue.changed " +
    "schedule.changed worker.changed gap";
  /** Times on the page grow old, and not everything is an event. */
  const SLOW_MS = 10_000;
  /** Where there are no events. */
  const POLL_MS = 5_000;

  let source = null;
  let isHeard = false;

  function listen() {
    if (document.hidden || source) return;
    const query = main.dataset.live;
    source = new EventSource(`/events${query ? `?${query}` : ""}`);
    source.onopen = () => {
      isHeard = true;
      say("live", true);
      refreshSoon(); // what happened before anybody listened
    };
    source.onerror = () => {
      isHeard = false;
      say(`every ${POLL_MS / 1000} s`, false);
    };
    for (const name of EVENTS.split(" ")) source.addEventListener(name, refreshSoon);
  }

  /** A page that nobody sees holds no connection: browsers have few of them for each server. */
  function stopListening() {
    source?.close();
    source = null;
    isHeard = false;
  }

  function say(text, isOn) {
    const live = byId("live");
    if (!live) return;
    live.hidden = false;
    if (live.textContent !== text) live.textContent = text;
    live.classList.toggle("on", isOn);
  }

  if (main?.dataset.live !== undefined) {
    listen();
    let quietMs = 0;
    setInterval(() => {
      quietMs += POLL_MS;
      const isRunning = document.querySelector("[data-follow]") !== null;
      if (isHeard && !isRunning && quietMs < SLOW_MS) return;
      quietMs = 0;
      refreshSoon();
    }, POLL_MS);
    // What a running job prints is no event.
    setInterval(() => document.querySelector("[data-follow]") && refreshSoon(), 1_000);
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return stopListening();
      listen();
      refreshSoon();
    });
    // Chosen rows stay chosen, but a form that is being filled in is not taken away.
    addEventListener("pagehide", stopListening);
    addEventListener("pageshow", (event) => event.persisted && listen());
  }

  // --- small helps -----------------------------------------------------------------------------

  /** Shows what only works with a script. */
  function prepare() {
    for (
      const element of document.querySelectorAll(".copy, #all, [data-script], [data-drop-hint]")
    ) {
      element.hidden = false;
    }
    countSelected();
  }

  const boxes = () => [...document.querySelectorAll('input[name="id"][type="checkbox"]')];

  function countSelected() {
    const option = document.querySelector('#which option[value="selected"]');
    if (!option) return;
    const words = `the selected jobs (${boxes().filter(({ checked }) => checked).length})`;
    if (option.textContent !== words) option.textContent = words;
  }

  addEventListener("change", ({ target }) => {
    if (target.id === "all") { for (const box of boxes()) box.checked = target.checked; }
    if (target.id === "keys-off") localStorage.setItem("keys-off", target.checked ? "1" : "");
    countSelected();
  });

  addEventListener("click", async ({ target }) => {
    if (!target.matches?.(".copy")) return;
    try {
      await navigator.clipboard.writeText(target.dataset.copy);
      target.textContent = "Copied";
    } catch {
      const range = document.createRange();
      range.selectNodeContents(target.previousElementSibling);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      target.textContent = "Selected: press Ctrl-C";
    }
    setTimeout(() => target.textContent = "Copy", 2_000);
  });

  // --- uploads ---------------------------------------------------------------------------------

  const upload = document.querySelector("form[data-upload]");
  if (upload) {
    const input = upload.querySelector('input[type="file"]');
    const drop = upload.querySelector(".drop");
    const status = upload.querySelector("[data-upload-status]");
    input.multiple = true;
    for (const name of ["dragover", "dragleave", "drop"]) {
      drop.addEventListener(name, (event) => {
        event.preventDefault();
        drop.classList.toggle("over", name === "dragover");
        if (name !== "drop") return;
        input.files = event.dataTransfer.files;
        upload.requestSubmit();
      });
    }
    upload.addEventListener("submit", async (event) => {
      const files = [...input.files];
      if (files.length < 2) return;
      event.preventDefault();
      const wrong = [];
      for (const [index, file] of files.entries()) {
        status.textContent = `Uploading ${index + 1} of ${files.length}…`;
        const form = new FormData();
        form.append("file", file);
        const response = await fetch(upload.dataset.upload, { method: "POST", body: form });
        if (!response.ok) wrong.push(`${file.name}: ${(await response.json()).detail}`);
      }
      if (wrong.length === 0) location.href = "/ui/jobs";
      else {status.textContent = `${files.length - wrong.length} added. Not added: ${
          wrong.join("; ")
        }`;}
    });
  }

  // --- keys ------------------------------------------------------------------------------------

  let isGoing = false;

  function step(by) {
    const rows = [...document.querySelectorAll("main tbody tr, main .groups > li")];
    if (rows.length === 0) return;
    const at = rows.findIndex((row) => row.classList.contains("current"));
    rows[at]?.classList.remove("current");
    const next = rows[Math.min(rows.length - 1, Math.max(0, at + by))];
    next.classList.add("current");
    next.querySelector("a")?.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  const KEYS = {
    "/": () => document.querySelector('.find input[type="search"]')?.focus(),
    "?": () => location.href = "/ui/help",
    n: () => location.href = "/ui/new",
    j: () => step(1),
    k: () => step(-1),
    x: () => {
      const box = document.querySelector('tr.current input[name="id"]');
      if (box) box.checked = !box.checked;
      countSelected();
    },
  };

  addEventListener("keydown", (event) => {
    const isTyping = event.target.matches?.("input:not([type=checkbox]), textarea, select");
    if (event.key === "Escape" && isTyping) return event.target.blur();
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    if (localStorage.getItem("keys-off")) return;
    const place = isGoing && document.querySelector(`nav [data-key="${CSS.escape(event.key)}"]`);
    isGoing = event.key === "g" && !isGoing;
    if (place) return place.click();
    if (!isGoing && Object.hasOwn(KEYS, event.key)) {
      event.preventDefault();
      KEYS[event.key]();
    }
  });

  const keysOff = byId("keys-off");
  if (keysOff) keysOff.checked = localStorage.getItem("keys-off") === "1";
  // What was done is said once, not whenever the page is opened anew.
  if (new URLSearchParams(location.search).has("did")) {
    const url = new URL(location.href);
    for (const word of ["did", "n", "not"]) url.searchParams.delete(word);
    history.replaceState(null, "", url);
  }
  document.querySelector("#nav [aria-current]")?.scrollIntoView({
    inline: "center",
    block: "nearest",
  });
  const followed = document.querySelector("[data-follow]");
  if (followed) followed.scrollTop = followed.scrollHeight;
  prepare();
})();
