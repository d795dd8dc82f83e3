// What a page does beyond links and forms. No framework, nothing kept but the theme and whether keys are wanted.
"use strict";

const each = (selector, act) => document.querySelectorAll(selector).forEach(act);

// light or dark: the system's choice until somebody chooses; the server draws the chosen one from the cookie
function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `ace_theme=${root.dataset.theme}; Path=/; Max-Age=31536000; SameSite=Strict${secure}`;
  document.dispatchEvent(new Event("theme"));
}
each("[data-theme-toggle]", (button) => button.addEventListener("click", switchTheme));

// parts fetched again: not while nobody looks, nor while somebody types in them
document.addEventListener("htmx:before:request", (event) => {
  const part = event.target.closest?.("[data-poll]");
  if (part && (document.hidden || part.querySelector("input:focus"))) event.preventDefault();
});
const offline = document.querySelector("[data-offline]");
document.addEventListener("htmx:error", () => { offline.hidden = false; });
document.addEventListener("htmx:after:swap", () => { offline.hidden = true; });

// one key does what one button or link does: <a data-key="j">; never while a field has the focus
const quiet = () => localStorage.getItem("ace_keys") === "off";
const typing = (element) => element.matches("input, textarea, select, [contenteditable]");
document.addEventListener("keydown", (event) => {
  const field = typing(event.target);
  if (field && event.key === "Escape") event.target.blur();
  if (field && event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.target.form?.requestSubmit();
  if (field || event.ctrlKey || event.metaKey || event.altKey || quiet()) return;
  if (document.querySelector("dialog[open]") && event.key !== "?") return;
  const wanted = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (wanted) { event.preventDefault(); wanted.click(); }
});
each("[data-opens]", (button) => button.addEventListener("click", () => {
  const opened = document.getElementById(button.dataset.opens);
  if (opened.open) opened.close(); else opened.showModal();
}));
each("details", (part) => part.addEventListener("toggle", () => {
  if (part.open) part.querySelector("textarea, input:not([type=hidden])")?.focus();
}));
each("[data-keys-off]", (box) => {
  box.checked = quiet();
  box.addEventListener("change", () => localStorage.setItem("ace_keys", box.checked ? "off" : "on"));
});

// a slider tells where it stands
each("input[type=range][data-tells]", (range) => range.addEventListener("input", () => {
  document.getElementById(range.dataset.tells).value = Number(range.value).toLocaleString("en");
}));
