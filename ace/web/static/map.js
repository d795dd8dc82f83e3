// Draws the points of <div data-map>; the same stands in words below it, for those who cannot see or point.
"use strict";

const field = document.querySelector("[data-map]"), canvas = field.querySelector("canvas"), tip = field.querySelector(".tip");
const pen = canvas.getContext("2d"), MARGIN = 24;
let points = [], links = [], scale = 1, left = 0, up = 0, near = null, held = null;

function ink(name) {
  tip.style.color = `var(--${name})`;
  const found = getComputedStyle(tip).color;
  tip.style.color = "";
  return found;
}
const spread = () => Math.min(canvas.clientWidth, canvas.clientHeight * 1.6) / 2 - MARGIN;
const across = (x) => canvas.clientWidth / 2 + left + x * spread() * scale;
const down = (y) => canvas.clientHeight / 2 + up - y * (canvas.clientHeight / 2 - MARGIN) * scale;

function draw() {
  const dense = devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * dense;
  canvas.height = canvas.clientHeight * dense;
  pen.setTransform(dense, 0, 0, dense, 0, 0);
  pen.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
  pen.strokeStyle = ink("danger");
  pen.globalAlpha = 0.55;
  for (const [one, other] of links) {
    pen.beginPath();
    pen.moveTo(across(points[one][2]), down(points[one][3]));
    pen.lineTo(across(points[other][2]), down(points[other][3]));
    pen.stroke();
  }
  pen.globalAlpha = points.length > 500 ? 0.6 : 0.9;
  const inks = {};
  for (const point of points) {
    pen.fillStyle = inks[point[1]] ??= ink(point[1]);
    pen.beginPath();
    pen.arc(across(point[2]), down(point[3]), point === near ? 7 : points.length > 500 ? 3 : 5, 0, 7);
    pen.fill();
  }
}

function nearest(event) {
  const box = canvas.getBoundingClientRect();
  let found = null, best = 14 * 14;
  for (const point of points) {
    const far = (across(point[2]) - event.clientX + box.left) ** 2 + (down(point[3]) - event.clientY + box.top) ** 2;
    if (far < best) { best = far; found = point; }
  }
  return found;
}

canvas.addEventListener("pointermove", (event) => {
  if (held) {
    left += event.clientX - held.x; up += event.clientY - held.y;
    held = { x: event.clientX, y: event.clientY, moved: true };
    draw();
    return;
  }
  near = nearest(event);
  tip.hidden = !near;
  canvas.style.cursor = near ? "pointer" : "grab";
  if (near) {
    tip.textContent = near[4].replace(/[\p{Cc}\p{Cf}]/gu, "·");
    const right = Math.max(0, Math.min(across(near[2]) + 12, field.clientWidth - tip.offsetWidth - 8));
    tip.style.transform = `translate(${right}px, ${Math.max(0, down(near[3]) + 12)}px)`;
  }
  draw();
});
canvas.addEventListener("pointerdown", (event) => { held = { x: event.clientX, y: event.clientY, moved: false }; canvas.setPointerCapture(event.pointerId); });
canvas.addEventListener("pointerup", (event) => {
  const clicked = held && !held.moved && nearest(event);
  held = null;
  if (clicked) location.href = field.dataset.open + encodeURIComponent(clicked[0]);
});
canvas.addEventListener("pointerleave", () => { near = null; tip.hidden = true; draw(); });
canvas.addEventListener("dblclick", () => { scale = 1; left = up = 0; draw(); });
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const factor = event.deltaY < 0 ? 1.2 : 1 / 1.2, box = canvas.getBoundingClientRect();
  const fromX = event.clientX - box.left - canvas.clientWidth / 2, fromY = event.clientY - box.top - canvas.clientHeight / 2;
  if (scale * factor < 0.5 || scale * factor > 60) return;
  left = fromX - (fromX - left) * factor; up = fromY - (fromY - up) * factor; scale *= factor;
  draw();
}, { passive: false });
addEventListener("resize", draw);
document.addEventListener("theme", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

fetch(field.dataset.map).then((answer) => answer.json()).then((told) => {
  points = told.points; links = told.links;
  field.dataset.drawn = String(points.length);
  draw();
});
