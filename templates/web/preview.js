// The preview's live window: shows what was saved, keeps the place, and gives the links keys.
// Everything works without it as well; then the page is reloaded by hand.
"use strict";

const PARTS = ["neighbours", "head", "views", "shown", "found", "reader", "size", "test", "take"];
const places = new Map(); // a frame's name → how far its letter was read
const loaded = new WeakMap(); // a frame → the address that was put into it since
let latest = 0;

const byId = (id, within = document) => within.getElementById(id);
const frames = within => [...within.querySelectorAll("iframe")];
const address = frame => loaded.get(frame) || frame.getAttribute("src");
const typingIn = part => part.contains(document.activeElement) && document.activeElement.matches("input[type=text], input[type=email]");

function scrolled(frame, top) {
  try {
    if (top === undefined) return frame.contentWindow.scrollY;
    frame.contentWindow.scrollTo({ top, behavior: "instant" });
  } catch { /* a link of the letter led the frame elsewhere */ }
  return 0;
}

const keepPlaces = () => frames(document).forEach(frame => places.set(frame.name, scrolled(frame)));
const restorePlace = frame => frame.addEventListener("load", () => scrolled(frame, places.get(frame.name) || 0), { once: true });

/** The letter in the frames of *old* becomes the one of *fresh*; around it only words change. */
function replaceLetter(old, fresh) {
  for (const words of [".way", ".mailhead"]) old.querySelector(words).replaceWith(fresh.querySelector(words));
  const coming = frames(fresh);
  for (const frame of frames(old)) {
    const next = coming.find(other => other.name === frame.name).getAttribute("src");
    if (next === address(frame)) continue;
    restorePlace(frame);
    loaded.set(frame, next);
    frame.contentWindow.location.replace(next); // not src: the way back leads to the page before, not the letter before
  }
}

/** Put the parts of *page* in the place of those here, as far as they differ. */
function replaceParts(page) {
  keepPlaces();
  document.title = page.title;
  const alike = PARTS.every(id => !byId(id) === !byId(id, page));
  if (!alike) {
    for (const name of ["header", "main"]) document.querySelector(name).replaceWith(page.querySelector(name));
    frames(document).forEach(restorePlace);
    return;
  }
  for (const id of PARTS) {
    const old = byId(id), fresh = byId(id, page);
    if (!old) continue;
    if (frames(old).length && frames(fresh).length) replaceLetter(old, fresh);
    else if (old.outerHTML !== fresh.outerHTML && !typingIn(old)) {
      old.replaceWith(fresh);
      frames(fresh).forEach(restorePlace);
    }
  }
}

async function show(url, { push = false } = {}) {
  const mine = ++latest;
  const answer = await fetch(url, { cache: "no-store" }).catch(() => null);
  const html = answer && await answer.text();
  if (mine !== latest) return; // something newer was asked for meanwhile
  if (html === null) return lost();
  if (push) history.pushState(null, "", url);
  replaceParts(new DOMParser().parseFromString(html, "text/html"));
  keys();
  showChosen();
}

// --- what was saved

function lost() {
  const pulse = byId("pulse");
  pulse.textContent = "The preview has ended; start it again with newsletter preview";
  pulse.classList.add("lost");
}

function listen() {
  const source = new EventSource("/events");
  let before = null;
  source.addEventListener("saved", event => {
    if (before !== null && before !== event.data) show(location.href);
    before = event.data;
  });
  source.addEventListener("open", () => {
    const pulse = byId("pulse");
    pulse.classList.remove("lost");
    pulse.textContent = "Live: what you save shows here";
  });
  source.addEventListener("error", lost);
}

// --- links and keys

function follow(event) {
  const link = event.target.closest && event.target.closest("#views a, #neighbours a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button) return;
  event.preventDefault();
  const key = link.closest("li") && [...document.querySelectorAll("#views li")].indexOf(link.closest("li"));
  show(link.href, { push: true }).then(() => {
    const again = document.querySelectorAll("#views a")[key];
    if (again && key !== null) again.focus({ preventScroll: true }); // it was replaced; who walks by Tab goes on from it
  });
}

const ACTIONS = {
  p: () => click("a[rel=prev]"),
  n: () => click("a[rel=next]"),
  f: () => focusOn("#found a"),
  r: () => focusOn("#as"),
  t: () => focusOn("#to"),
};
const click = selector => document.querySelector(selector)?.click();
const focusOn = selector => document.querySelector(selector)?.focus();
const keysAreOn = () => localStorage.getItem("keys") !== "off";

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select") || !keysAreOn()) return;
  const act = /^[1-9]$/.test(event.key) ? () => document.querySelectorAll("#views a")[event.key - 1]?.click() : ACTIONS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

/** The legend, and the numbers beside the links: only where keys work. */
function keys() {
  const legend = byId("legend"), box = byId("keys");
  if (!legend) return;
  legend.hidden = false;
  box.checked = keysAreOn();
  box.onchange = () => { localStorage.setItem("keys", box.checked ? "on" : "off"); keys(); };
  document.documentElement.classList.toggle("keys-on", keysAreOn());
}

/** On a phone the ways to look at it are one row that runs out of the screen: the chosen one comes into it. */
function showChosen() {
  const row = byId("views"), chosen = row?.querySelector("[aria-current]");
  if (chosen) row.scrollLeft = chosen.offsetLeft - (row.clientWidth - chosen.offsetWidth) / 2;
}

document.addEventListener("click", follow);
document.addEventListener("keydown", press);
window.addEventListener("popstate", () => show(location.href));
keys();
showChosen();
listen();
