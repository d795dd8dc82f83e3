// Draws each <figure data-chart> from the table inside it: the table is the chart's only source.
"use strict";

const drawn = new Map(), HEIGHT = 240;

function colour(name) { // a custom property as the browser resolves it now, light or dark
  const probe = document.body.appendChild(document.createElement("span"));
  probe.style.color = `var(${name})`;
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function columns(figure) {
  const rows = [...figure.querySelectorAll("tbody tr")].map((row) => [...row.cells].map((cell) => cell.dataset.v));
  return rows.length ? rows[0].map((_, at) => rows.map((row) => row[at])) : [];
}

function axes(unit, names) {
  const ink = colour("--muted"), line = colour("--line"), font = "12px system-ui, sans-serif";
  const common = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  const short = (at) => Number.isInteger(at) && names[at] !== undefined ? names[at] : "";
  const across = names ? { ...common, grid: { show: false }, splits: () => names.map((_, at) => at), gap: 6,
    values: (_, splits) => splits.map(short), rotate: names.length > 6 ? -45 : 0, size: names.length > 6 ? 70 : 34 } : common;
  const incrs = unit ? undefined : [1, 2, 5].flatMap((_, at, steps) => Array.from({ length: 9 }, (_, zeros) => steps[at] * 10 ** zeros)).sort((one, other) => one - other);
  return [across, { ...common, size: 58, incrs, values: (_, splits) => splits.map((at) => `${at.toLocaleString("en")}${unit && ` ${unit}`}`) }];
}

function draw(figure) {
  const place = figure.querySelector(".plot"), data = columns(figure);
  drawn.get(figure)?.destroy();
  drawn.delete(figure);
  if (!data.length || !place.clientWidth) return;
  const heads = [...figure.querySelectorAll("thead th")].map((head) => head.textContent);
  const bars = figure.dataset.chart === "bars";
  const x = bars ? data[0].map((_, at) => at) : data[0].map(Number);
  const inks = [colour("--accent"), colour("--staging"), colour("--shadow")];
  const band = heads.length === 4; // a value and its interval; the value is drawn last, over the band
  if (band) { heads.push(heads.splice(1, 1)[0]); data.push(data.splice(1, 1)[0]); }
  const edge = (at) => band && at < 2;
  const series = heads.slice(1).map((label, at) => bars
    ? { label, fill: colour("--prod"), stroke: colour("--prod"), width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.6, 72], radius: 0.1 }) }
    : { label, stroke: edge(at) ? colour("--line") : inks[band ? 0 : at % 3], width: edge(at) ? 1 : 2, points: { show: false } });
  drawn.set(figure, new uPlot({
    width: place.clientWidth, height: HEIGHT, legend: { show: !bars && !band && series.length > 1, live: false },
    cursor: { drag: { x: false, y: false }, points: { show: !bars } },
    scales: { x: { time: false, range: bars ? [-0.6, x.length - 0.4] : undefined }, y: { range: (_, low, high) => [0, Math.max(high * 1.08, 1)] } },
    axes: axes(figure.dataset.unit, bars ? data[0] : null), series: [{ label: heads[0] }, ...series],
    bands: band ? [{ series: [2, 1], fill: colour("--soft") }] : [],
  }, [x, ...data.slice(1).map((column) => column.map(Number))], place));
}

const all = () => document.querySelectorAll("[data-chart]").forEach(draw);
all();
document.addEventListener("theme", all);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
let waiting;
addEventListener("resize", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => drawn.forEach((plot, figure) => {
    const width = figure.querySelector(".plot").clientWidth;
    if (width && width !== plot.width) plot.setSize({ width, height: HEIGHT });
  }), 120);
});
