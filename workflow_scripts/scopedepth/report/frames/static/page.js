// The page: an address names a view, and whatever is chosen changes the address.

const get = id => document.getElementById(id);
const make = (name, text, attributes = {}) => {
  const element = document.createElement(name);
  if (text !== undefined && text !== null) element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};
const draw = (name, attributes, text) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
};

// Parts, each loaded once by a script element; the last ones are kept.
const parts = new Map(), waiting = new Map(), KEPT = 32;
function part(key, content) { waiting.get(key)?.(content); }
function load(key) {
  if (!parts.has(key)) {
    parts.set(key, new Promise((resolve, reject) => {
      const script = make("script", null, { src: key.split("/").map(encodeURIComponent).join("/") + ".js" });
      const done = () => { waiting.delete(key); script.remove(); };
      waiting.set(key, content => { done(); resolve(content); });
      script.onerror = () => { done(); parts.delete(key); reject(new Error(`${key}.js is missing. Keep the folder whole.`)); };
      document.head.append(script);
    }));
    if (parts.size > KEPT) parts.delete([...parts.keys()].find(old => old !== "study"));
  }
  return parts.get(key);
}

let study, view = {}, shown = null, turn = 0, playing = 0, divide = 50;
const by = (list, name) => list.find(one => one.name === name);
const dataset = () => by(study.datasets, view.dataset);
const video = () => dataset().sequences[view.sequence];
const model = side => by(study.models, view[side]);
const folder = () => `${view.dataset}/${view.sequence}`;
const partOf = frame => Math.floor(video().shown.indexOf(frame) / video().length);
const inWords = status => study.words[status] ?? status;
const metric = () => by(study.metrics, view.metric);
const unit = () => (video().units === "mm" ? "mm" : "relative");
const spoken = number => Number.isFinite(number) ? String(+number.toPrecision(4)) : "none";
const share = number => `${+(100 * number).toPrecision(3)} %`;

// The address: dataset/sequence/frame/A/B/protocol, a metric that is not the headline's, and a pixel x,y where one is held.
function written() {
  const other = view.metric === study.metric ? [] : [view.metric];
  const names = [view.dataset, video().name, view.frame, view.a, view.b, view.protocol, ...other].map(encodeURIComponent);
  return "#" + [...names, ...(view.pixel ? [view.pixel.join(",")] : [])].join("/");
}
function read() {
  let said = [], damaged = false;
  try { said = location.hash.slice(1).split("/").map(decodeURIComponent); } catch { damaged = true; }
  const [wanted, sequence, frame, a, b, protocol, ...more] = said, lacking = [];
  const pixel = more.find(one => /^\d+,\d+$/.test(one)), measured = more.find(one => one && one !== pixel);
  const chosen = (list, name, otherwise, what) => {
    if (name && !by(list, name)) lacking.push(`${what} ${name}`);
    return by(list, name) ?? otherwise;
  };
  view.dataset = chosen(study.datasets, wanted, study.datasets[0], "dataset").name;
  const place = dataset().sequences.findIndex(one => one.name === sequence);
  if (sequence && place < 0) lacking.push(`sequence ${sequence}`);
  view.sequence = Math.max(place, 0);
  view.a = chosen(study.models, a, study.models[0], "model").name;
  view.b = chosen(study.models, b, study.models.find(one => one.name !== view.a) ?? study.models[0], "model").name;
  view.protocol = chosen(study.protocols, protocol, by(study.protocols, study.protocol), "protocol").name;
  view.frame = frame ? nearest(+frame) : video().shown[0];
  view.metric = chosen(study.metrics, measured, by(study.metrics, study.metric), "metric").name;
  view.pixel = pixel ? pixel.split(",").map(Number) : null;
  if (damaged) complain("The address is damaged: the first frame is shown.");
  else if (lacking.length) complain(`These pages have no ${lacking.join(", no ")}.`);
  else if (frame && view.frame !== +frame) complain(`Frame ${frame} is not in these pages. The nearest one that is, ${view.frame}, is shown.`);
  else complain("");
}
function nearest(frame) {
  return video().shown.reduce((best, one) => (Math.abs(one - frame) < Math.abs(best - frame) ? one : best));
}
function complain(text) {
  get("notice").textContent = text;
  get("notice").hidden = !text;
}
function go(changes) {
  Object.assign(view, changes);
  if (!video()) view.sequence = 0;
  if (!video().shown.includes(view.frame)) view.frame = nearest(view.frame);
  complain("");
  history.replaceState(null, "", written());
  return show();
}

// What a view needs, unpacked. Models are by side: a and b.
async function loaded() {
  const number = partOf(view.frame), frame = view.frame, protocol = view.protocol, { size } = video();
  const computed = by(study.protocols, protocol).metrics.includes(view.metric);
  const [statuses, values, reference, ...said] = await Promise.all([
    load(`${folder()}/statuses/${protocol}`), computed ? load(`${folder()}/values/${protocol}/${view.metric}`) : null,
    load(`${folder()}/reference/${number}`),
    ...["a", "b"].map(side => load(`${folder()}/models/${view[side]}/${number}`)),
  ]);
  const [height, width] = size, own = reference[frame], none = Object.fromEntries(study.models.map(one => [one.name, Array(video().frames).fill(null)]));
  const scores = { statuses, values: values ?? none };
  const result = { scores, height, width, name: own.name, image: own.image, sides: {} };
  result.depth = own.depth ? (await unpacked(own.depth)).values : null;
  result.counted = await unpackedMask(own.masks[own.counted[protocol]], height * width);
  for (const [at, side] of ["a", "b"].entries()) {
    const content = said[at].frames[frame], how = said[at].how[protocol], fit = content.fits[protocol];
    const found = { how, fit, status: statusOf(scores, view[side], frame) };
    if (how && fit && content.map) {
      const output = onGrid(await unpacked(content.map), height, width, how), depth = depthOf(how, fit);
      found.spread = at => Math.abs(depth(output[at] * (1 + study.rounding)) - depth(output[at] * (1 - study.rounding))) / 2;
      found.depth = output.map(depth);
      found.error = found.depth.map((value, at) => result.counted[at]
        ? Math.abs(value - result.depth[at]) / (result.depth[at] + how.error) : NaN);
    } else if (content.map) {
      // Nothing brings it to a scale: it is shown on one of its own, near is bright.
      const plain = onGrid(await unpacked(content.map), height, width, {});
      found.raw = said[at].turned ? plain.map(value => -value) : plain;
    }
    result.sides[side] = found;
  }
  const picture = new Image();
  picture.src = own.image;
  await picture.decode();
  result.picture = picture;
  return result;
}
function statusOf(scores, name, frame) {
  let at = frame - video().first;
  return scores.statuses[name].find(([, count]) => (at -= count) < 0)[0];
}
function reason(side) {
  const { how, status } = side;
  if (!how) return "not_applicable: under this protocol nothing of this model is brought to the reference’s scale";
  return status === "ok" ? "ok, but without an aligned depth" : `${status}: ${inWords(status)}`;
}

async function show() {
  const mine = ++turn;
  choices();
  try {
    const found = await loaded();
    if (mine !== turn) return;
    shown = found;
  } catch (error) {
    if (mine === turn) complain(typeof DecompressionStream === "undefined" ? "This browser is too old for these pages: it cannot decompress." : error.message);
    return;
  }
  where();
  strip();
  models();
  maps();
  values(view.pixel);
  cloud.fill();
  const after = video().shown[video().shown.indexOf(view.frame) + 1];
  if (after !== undefined) for (const key of ["reference", `models/${view.a}`, `models/${view.b}`]) load(`${folder()}/${key}/${partOf(after)}`).catch(() => {});
  document.documentElement.dataset.shown = written();
}

function fill(id, options, chosen) {
  // One that is open stays open while frames play.
  if (get(id).dataset.of !== JSON.stringify(options)) get(id).replaceChildren(...options.map(([value, text]) => make("option", text, { value })));
  get(id).dataset.of = JSON.stringify(options);
  get(id).value = chosen;
}
function choices() {
  fill("dataset", study.datasets.map(one => [one.name, one.title]), view.dataset);
  fill("sequence", dataset().sequences.map((one, place) => [place, one.name]), view.sequence);
  fill("protocol", study.protocols.map(one => [one.name, `${one.name}: ${one.title}`]), view.protocol);
  // Those of the protocol, and the one that is looked at.
  const measured = [view.metric, ...by(study.protocols, view.protocol).metrics];
  fill("metric", study.metrics.filter(one => measured.includes(one.name)).map(one => [one.name, one.label]), view.metric);
}
function where() {
  const all = video(), at = all.shown.indexOf(view.frame), scrub = get("scrub");
  scrub.max = all.shown.length - 1;
  scrub.value = at;
  const name = shown.name === String(view.frame) ? "" : ` (${shown.name})`;
  scrub.setAttribute("aria-valuetext", `frame ${view.frame}${name}`);
  get("where").textContent = `Frame ${view.frame}${name}: ${at + 1} of the ${all.shown.length} in these pages; the video has ${all.frames} frames.`;
}
function step(by) {
  const all = video().shown, at = all.indexOf(view.frame) + by;
  if (at >= 0 && at < all.length) go({ frame: all[at] });
}
async function play() {
  const mine = ++playing, on = get("play").textContent === "Play";
  get("play").textContent = on ? "Stop" : "Play";
  while (on && mine === playing) {
    const all = video().shown, at = all.indexOf(view.frame), begun = performance.now();
    await go({ frame: all[(at + 1) % all.length] });
    await new Promise(done => setTimeout(done, Math.max(20, 250 - (performance.now() - begun))));
  }
}

// Errors along the video: a line for each model, missing frames in a row of their own below it.
function ticks(low, high, wanted) {
  const rough = (high - low) / wanted || 1, size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(of => of * size).find(of => of >= rough), found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at++) found.push(+(at * step).toPrecision(12));
  return found;
}
const drawn = { key: "", move: null };
function strip() {
  const key = [get("strip").clientWidth, view.dataset, view.sequence, view.protocol, view.metric, view.a, view.b].join("/");
  // A long video's lines are drawn once; from frame to frame only the mark moves.
  if (drawn.key !== key) drawn.move = drawStrip();
  drawn.key = key;
  drawn.move();
}
function drawStrip() {
  const box = get("strip"), all = video(), { label, unit, higher } = metric(), { scores } = shown;
  let y = null, most = 0;
  const lost = study.models.filter(one => scores.statuses[one.name].some(([status]) => status !== "ok"));
  const width = Math.max(280, box.clientWidth), plot = 150, left = 46, right = 10, top = 12, row = 12;
  const height = top + plot + 36 + row * lost.length, at = frame => left + ((frame - all.first + 0.5) / all.frames) * (width - left - right);
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `${label} along ${all.name} under ${view.protocol}, a line for each model` });
  const numbers = study.models.filter(one => one.look !== "base" || [view.a, view.b].includes(one.name)).flatMap(one => scores.values[one.name]).filter(value => value !== null).sort((x, y) => x - y);
  const every = numbers.length ? numbers : study.models.flatMap(one => scores.values[one.name]).filter(value => value !== null).sort((x, y) => x - y);
  if (!every.length) {
    box.replaceChildren(make("p", by(study.protocols, view.protocol).metrics.includes(view.metric) ? "No frame of this sequence has a number under this protocol." : `This protocol does not compute ${label}.`, { class: "none" }));
  } else {
    // One frame in a hundred may stick out; baselines do not stretch the axis unless one is looked at.
    const low = Math.min(0, every[0]), high = every[Math.floor(0.99 * (every.length - 1))] * 1.12 || 1;
    y = value => top + plot - ((value - low) / (high - low)) * plot;
    most = high;
    svg.append(draw("clipPath", { id: "inside" }), draw("text", { x: left, y: 9, class: "tick" }, `${label}${unit === "1" ? "" : `, ${unit}`}, ${higher ? "higher" : "lower"} is better`));
    svg.firstChild.append(draw("rect", { x: left, y: top, width: width - left - right, height: plot }));
    for (const value of ticks(low, high, 4)) svg.append(draw("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: "grid" }), draw("text", { x: left - 6, y: y(value) + 4, class: "tick end" }, value));
    const order = [...study.models].sort((one, other) => [view.a, view.b].includes(one.name) - [view.a, view.b].includes(other.name));
    for (const one of order) {
      let path = "", pen = "M";
      scores.values[one.name].forEach((value, place) => {
        if (value === null) { pen = "M"; return; }
        path += `${pen}${at(place + all.first).toFixed(1)} ${y(value).toFixed(1)}`;
        // A frame alone between two that are missing is a dot.
        if (pen === "M") path += "h.1";
        pen = "L";
      });
      svg.append(draw("path", { d: path || "M0 0", "clip-path": "url(#inside)", class: `line ${one.look}${one.name === view.a ? " a" : one.name === view.b ? " b" : ""}` }));
    }
  }
  for (const value of ticks(all.first, all.first + all.frames - 1, width / 90)) if (Number.isInteger(value)) svg.append(draw("text", { x: at(value), y: top + plot + 22, class: "tick middle" }, value));
  for (const frame of all.shown) svg.append(draw("line", { x1: at(frame), x2: at(frame), y1: top + plot, y2: top + plot + 7, class: "in" }));
  svg.append(draw("text", { x: left - 6, y: top + plot + 22, class: "tick end" }, "frame"));
  lost.forEach((one, place) => {
    let first = all.first;
    const line = top + plot + 36 + row * place;
    for (const [status, count] of scores.statuses[one.name]) {
      if (status !== "ok") {
        const bar = draw("rect", { x: at(first - 0.5), y: line - 6, width: at(first + count) - at(first), height: 8, class: `lost ${one.look}` });
        bar.append(draw("title", {}, `${one.title}: ${status}`));
        svg.append(bar);
      }
      first += count;
    }
    svg.append(draw("text", { x: left - 6, y: line + 2, class: "tick end" }, "×"));
  });
  const mark = draw("g", {});
  svg.append(mark);
  // Click or drag: the frame follows.
  const follow = event => {
    const frame = nearest(all.first + ((event.clientX - svg.getBoundingClientRect().left - left) / (width - left - right)) * all.frames - 0.5);
    if (frame !== view.frame) go({ frame });
  };
  svg.addEventListener("pointerdown", event => { svg.setPointerCapture(event.pointerId); follow(event); });
  svg.addEventListener("pointermove", event => { if (event.buttons) follow(event); });
  if (every.length) box.replaceChildren(svg); else box.append(svg);
  get("lost").replaceChildren(...lost.map(one => {
    let first = all.first;
    const runs = {}, counts = {};
    for (const [status, count] of scores.statuses[one.name]) {
      counts[status] = (counts[status] ?? 0) + count;
      (runs[status] ??= []).push(count > 1 ? `${first} to ${first + count - 1}` : first);
      first += count;
    }
    const said = Object.keys(runs).filter(status => status !== "ok").map(status => `${status} on ${counts[status]} of ${all.frames} frames (${runs[status].slice(0, 6).join(", ")}${runs[status].length > 6 ? ", …" : ""}): ${inWords(status)}`);
    return make("li", `× ${one.title}: ${said.join("; ")}`);
  }));
  return () => {
    mark.replaceChildren(draw("line", { x1: at(view.frame), x2: at(view.frame), y1: top, y2: height, class: "now" }));
    for (const side of ["b", "a"]) {
      const value = scores.values[view[side]][view.frame - all.first];
      if (y && value !== null && value <= most) mark.append(draw("circle", { cx: at(view.frame), cy: y(value), r: 4, class: `dot ${model(side).look}` }));
    }
  };
}

function models() {
  const { scores } = shown, at = view.frame - video().first;
  get("measured").textContent = metric().label;
  const rows = study.models.map(one => {
    const row = make("tr"), value = scores.values[one.name][at], status = statusOf(scores, one.name, view.frame);
    for (const side of ["a", "b"]) {
      const radio = make("input", null, { type: "radio", name: side, value: one.name, "aria-label": `${side.toUpperCase()}: ${one.title}` });
      radio.checked = view[side] === one.name;
      radio.addEventListener("change", () => go({ [side]: one.name }));
      row.append(make("td"));
      row.lastChild.append(radio);
    }
    const head = make("th", null, { scope: "row" });
    head.append(make("i", null, { class: `mark ${one.look}` }), one.title);
    const none = status === "ok" ? "–" : status;
    row.append(head, make("td", value === null ? none : value.toPrecision(3), { class: "number", title: value === null ? inWords(status) : "" }));
    return row;
  });
  const held = document.activeElement?.name && [document.activeElement.name, document.activeElement.value];
  get("models").tBodies[0].replaceChildren(...rows);
  if (held) get("models").querySelector(`input[name="${held[0]}"][value="${held[1]}"]`)?.focus();
}

// The maps. `layers`: what lies in a panel, the second one right of the line.
const LAYERS = { image: ["image"], reference: ["reference"], depth: ["a", "b"], error: ["a", "b"] };
function panels() {
  for (const panel of document.querySelectorAll("[data-map]")) {
    const map = panel.dataset.map, stage = make("div", null, { class: "stage" });
    for (const layer of LAYERS[map]) stage.append(make("canvas", null, { role: "img", class: `layer-${layer}` }));
    stage.append(make("i", null, { class: "cross", hidden: "" }));
    panel.append(stage, make("p", null, { class: "none", hidden: "" }));
    const wide = make("button", "Larger", { type: "button", class: "wide", "aria-pressed": "false", "aria-label": `Larger: ${panel.firstElementChild.textContent}` });
    wide.addEventListener("click", () => {
      const on = panel.classList.toggle("large");
      wide.setAttribute("aria-pressed", on);
      wide.textContent = on ? "Smaller" : "Larger";
    });
    panel.firstElementChild.append(wide);
    if (LAYERS[map].length > 1) {
      stage.append(make("i", null, { class: "divide" }));
      const slider = make("input", null, { type: "range", min: 0, max: 100, value: 50, "aria-label": `${map === "depth" ? "Aligned depth" : "Error"}: how much of A is shown, percent` });
      slider.addEventListener("input", () => divideAt(+slider.value));
      panel.append(make("p", null, { class: "sides" }), slider);
    }
    if (map !== "image") panel.append(make("div", null, { class: "scale" }));
    let held = false;
    const place = event => {
      const box = stage.getBoundingClientRect(), x = (event.clientX - box.left) / box.width, y = (event.clientY - box.top) / box.height;
      return shown && x >= 0 && y >= 0 && x < 1 && y < 1 ? [Math.floor(x * shown.width), Math.floor(y * shown.height), 100 * x] : null;
    };
    stage.addEventListener("pointerdown", event => {
      const at = place(event);
      held = LAYERS[map].length > 1 && at && Math.abs(at[2] - divide) < 6;
      if (held) stage.setPointerCapture(event.pointerId);
    });
    stage.addEventListener("pointermove", event => {
      const at = place(event);
      if (held && at) divideAt(Math.round(at[2]));
      else if (at) values([at[0], at[1]]);
    });
    stage.addEventListener("pointerup", event => {
      const at = place(event);
      if (at && !held) go({ pixel: [at[0], at[1]] });
      held = false;
    });
    stage.addEventListener("pointerleave", () => { if (shown) values(view.pixel); });
  }
}
function divideAt(percent) {
  divide = percent;
  document.documentElement.style.setProperty("--divide", `${percent}%`);
  for (const slider of document.querySelectorAll('[data-map] input[type="range"]')) slider.value = percent;
}
const palettes = {};
function palette(name) {
  return palettes[name] ??= Uint32Array.from({ length: 256 }, (_, at) => {
    const [r, g, b] = [0, 2, 4].map(of => parseInt(study.colours[name].substr(6 * at + of, 2), 16));
    return (255 << 24 | b << 16 | g << 8 | r) >>> 0;
  });
}
const NONE = [0xff888078, 0xffa8a098], OUT = 0xff605850;
function paint(canvas, map, numbers, low, high, label) {
  const { width, height, counted } = shown, context = canvas.getContext("2d");
  canvas.width = width;
  canvas.height = height;
  canvas.setAttribute("aria-label", label);
  const image = context.createImageData(width, height), pixels = new Uint32Array(image.data.buffer), colours = palette(map);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const value = numbers ? numbers[at] : NaN;
      if (Number.isFinite(value)) pixels[at] = colours[Math.round(255 * Math.min(Math.max((value - low) / (high - low), 0), 1))];
      else pixels[at] = map === "error" && numbers && !counted[at] && shown.depth && Number.isFinite(shown.depth[at]) ? OUT : NONE[((x + y) >> 2) & 1];
    }
  }
  context.putImageData(image, 0, 0);
}
function percentile(list, at) {
  // Of large maps some pixels tell.
  const each = Math.max(1, Math.floor(list.length / 50000)), sorted = Float32Array.from({ length: Math.ceil(list.length / each) }, (_, of) => list[of * each]).sort();
  return sorted.length ? sorted[Math.round(at * (sorted.length - 1))] : NaN;
}
function ends() {
  const { range } = video();
  if (get("depth-range").value === "sequence" && range) return range;
  const depths = shown.depth ? shown.depth.filter((value, at) => shown.counted[at] && Number.isFinite(value)) : [];
  return depths.length ? [percentile(depths, 0.01), percentile(depths, 0.99)] : range ?? [0, 1];
}
function most() {
  const chosen = +get("error-range").value;
  if (chosen) return chosen;
  const top = Math.max(...["a", "b"].map(side => percentile((shown.sides[side].error ?? []).filter(Number.isFinite), 0.95)).filter(Number.isFinite));
  return [0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75].find(end => end >= top) ?? 1;
}
function maps() {
  const [low, high] = ends(), end = most(), about = `frame ${view.frame} of ${video().name}`;
  for (const panel of document.querySelectorAll("[data-map]")) {
    const map = panel.dataset.map, stage = panel.querySelector(".stage"), said = [];
    stage.style.aspectRatio = `${shown.width} / ${shown.height}`;
    for (const canvas of stage.querySelectorAll("canvas")) {
      const side = canvas.className.slice(6), own = shown.sides[side];
      if (map === "image") {
        canvas.width = shown.width;
        canvas.height = shown.height;
        canvas.getContext("2d", { willReadFrequently: true }).drawImage(shown.picture, 0, 0);
        canvas.setAttribute("aria-label", `Image, ${about}`);
      } else if (map === "reference") {
        paint(canvas, "depth", shown.depth, low, high, `Reference depth, ${about}`);
        if (!shown.depth) said.push("This frame has no reference depth.");
      } else {
        const name = `${side.toUpperCase()}, ${model(side).title}`;
        const raw = map === "depth" ? own.raw : null, finite = raw?.filter(Number.isFinite);
        if (raw) paint(canvas, map, raw, percentile(finite, 0.02), percentile(finite, 0.98), `Output of ${name}, not aligned, ${about}`);
        else paint(canvas, map, own[map], map === "depth" ? low : 0, map === "depth" ? high : end, `${map === "depth" ? "Aligned depth" : "Error"} of ${name}, ${about}`);
        if (!own[map]) said.push(`${name}: ${reason(own)}.${raw ? " The output is shown as it is, without unit, near is bright; the colour bar is not its own." : ""}`);
      }
    }
    const none = panel.querySelector(".none");
    none.textContent = said.join(" ");
    none.hidden = !said.length;
    const sides = panel.querySelector(".sides");
    if (sides) sides.replaceChildren(make("span", `A ${model("a").title}`), make("span", `B ${model("b").title}`));
    const scale = panel.querySelector(".scale");
    if (scale) scale.hidden = map === "reference" ? !shown.depth : !["a", "b"].some(side => shown.sides[side][map]);
    if (scale) bar(scale, map === "error" ? "error" : "depth", map === "error" ? 0 : low, map === "error" ? end : high);
  }
}
function bar(box, map, low, high) {
  const ramp = make("div", null, { class: "ramp", "aria-hidden": "true" }), marks = make("div", null, { class: "marks" }), colours = study.colours[map];
  ramp.style.background = `linear-gradient(90deg, ${Array.from({ length: 17 }, (_, at) => "#" + colours.substr(6 * Math.round(at * 255 / 16), 6)).join(", ")})`;
  for (const value of ticks(low, high, 5)) {
    const mark = make("span", map === "error" ? +(100 * value).toPrecision(3) : value);
    mark.style.left = `${100 * (value - low) / (high - low)}%`;
    marks.append(mark);
  }
  box.replaceChildren(ramp, marks, make("p", map === "error" ? "|depth − reference| / reference, %; what is above has the last colour" : `${unit() === "mm" ? "mm" : "relative, no known unit"}; what is outside has the colour of that end`));
}

// The value under the cursor, else at the pixel that is held.
function values(pixel) {
  const body = get("values").tBodies[0], { width, height, depth, counted, sides } = shown, inside = pixel && pixel[0] < width && pixel[1] < height;
  get("unit").textContent = unit();
  for (const [id, place, size] of [["x", 0, width], ["y", 1, height]]) {
    get(id).max = size - 1;
    if (document.activeElement !== get(id)) get(id).value = inside ? pixel[place] : "";
  }
  for (const cross of document.querySelectorAll(".cross")) {
    cross.hidden = !inside;
    if (inside) { cross.style.left = `${100 * (pixel[0] + 0.5) / width}%`; cross.style.top = `${100 * (pixel[1] + 0.5) / height}%`; }
  }
  const at = inside ? pixel[1] * width + pixel[0] : -1, row = (name, value, spread, error) => {
    const made = make("tr");
    made.append(make("th", name, { scope: "row" }), ...[value, spread, error].map(text => make("td", text, { class: "number" })));
    return made;
  };
  const known = inside && depth ? depth[at] : NaN, rows = [row("Reference", inside ? spoken(known) : "", Number.isFinite(known) ? (+(known * study.rounding).toPrecision(1)) : "", "")];
  for (const side of ["a", "b"]) {
    const own = sides[side], value = own.depth && inside ? own.depth[at] : NaN;
    const wrong = (value - known) / (known + (own.how?.error ?? 0));
    rows.push(row(`${side.toUpperCase()} ${model(side).title}`, inside ? spoken(value) : "", Number.isFinite(value) ? +own.spread(at).toPrecision(1) : "", inside && counted[at] && Number.isFinite(wrong) ? (wrong > 0 ? "+" : "") + share(wrong) : ""));
  }
  body.replaceChildren(...rows);
  get("why").textContent = !pixel ? "Point at a map, or give a pixel." : !inside ? "This pixel lies outside the image."
    : !Number.isFinite(known) ? "No reference here." : counted[at] ? "" : "The protocol leaves this pixel out: mask, crop or range.";
  get("fits").replaceChildren(...["a", "b"].map(side => {
    const own = sides[side], name = `${side.toUpperCase()} ${model(side).title}: `;
    if (!own.depth) return make("p", name + reason(own));
    const space = ["depth", "disparity", "log depth"][own.how.limits[0]];
    return make("p", `${name}factor ${spoken(own.fit[0])}, offset ${spoken(own.fit[1])} in ${space}${own.status === "ok" ? "" : ` (${own.status})`}`);
  }));
}

// The point cloud, drawn pixel by pixel with a depth buffer: it needs no graphics driver.
const cloud = {
  yaw: 0.5, pitch: 0.25, zoom: 1, points: null,
  fill() {
    const box = get("cloud"), camera = video().camera, none = box.querySelector(".none"), canvas = box.querySelector("canvas");
    const wanted = [...box.querySelectorAll("input:checked")].map(one => one.value), { width, height, counted } = shown;
    const clouds = wanted.map(side => [side, side === "reference" ? shown.depth : shown.sides[side].depth]).filter(([, depth]) => depth);
    const many = clouds.length * counted.reduce((sum, one) => sum + one, 0), stride = Math.max(1, Math.ceil(Math.sqrt(many / 160000)));
    const said = !camera ? "This sequence has no camera (intrinsics), so its depth has no shape in space."
      : !many ? "No pixel with a depth counts on this frame under this protocol, or nothing is chosen." : "";
    none.textContent = said;
    none.hidden = !said;
    canvas.hidden = Boolean(said);
    this.points = null;
    if (said) return;
    const [fx, fy, cx, cy] = camera, image = this.image(), found = [], colours = [];
    const style = getComputedStyle(document.documentElement);
    for (const [side, depth] of clouds) {
      const own = side === "reference" ? null : parseInt(style.getPropertyValue(`--${model(side).look}`).trim().slice(1), 16);
      for (let y = 0; y < height; y += stride) for (let x = 0; x < width; x += stride) {
        const at = y * width + x, z = depth[at];
        if (!counted[at] || !Number.isFinite(z) || z <= 0) continue;
        found.push((x - cx) / fx * z, (y - cy) / fy * z, z);
        const rgb = [0, 1, 2].map(of => image[4 * at + of]), light = 0.45 + 0.55 * (rgb[0] + rgb[1] + rgb[2]) / 765;
        const [r, g, b] = own === null ? rgb : [16, 8, 0].map(of => ((own >> of) & 255) * light);
        colours.push((255 << 24 | b << 16 | g << 8 | r) >>> 0);
      }
    }
    // Turned about the middle of the reference, whatever is chosen; what is farther than its farthest hundredth counts not.
    const far = ends()[1], sums = [0, 0, 0, 0];
    let count = 0;
    for (let y = 0; y < height; y += 2) for (let x = 0; x < width; x += 2) {
      const at = y * width + x, z = shown.depth ? shown.depth[at] : NaN;
      if (!counted[at] || !(z <= far)) continue;
      const place = [(x - cx) / fx * z, (y - cy) / fy * z, z];
      place.forEach((value, of) => { sums[of] += value; sums[3] += value * value; });
      count++;
    }
    this.middle = sums.slice(0, 3).map(sum => sum / count);
    this.size = Math.sqrt(Math.max(sums[3] / count - this.middle.reduce((sum, one) => sum + one * one, 0), 1e-12));
    this.points = Float32Array.from(found);
    this.colours = Uint32Array.from(colours);
    this.pitchOf = Math.max(1, stride * 1.4);
    this.focal = fx;
    this.draw();
  },
  image() {
    return document.querySelector(".layer-image").getContext("2d").getImageData(0, 0, shown.width, shown.height).data;
  },
  draw() {
    if (!this.points) return;
    const canvas = get("cloud").querySelector("canvas"), { clientWidth } = canvas, width = Math.max(200, Math.min(clientWidth, 900)) | 0, height = Math.round(width * shown.height / shown.width);
    canvas.width = width;
    canvas.height = height;
    canvas.style.aspectRatio = `${width} / ${height}`;
    const context = canvas.getContext("2d"), image = context.createImageData(width, height), pixels = new Uint32Array(image.data.buffer), near = new Float32Array(width * height).fill(Infinity);
    const [sy, cy, sp, cp] = [Math.sin(this.yaw), Math.cos(this.yaw), Math.sin(this.pitch), Math.cos(this.pitch)];
    const far = 3.9 * this.size / this.zoom, focal = width * 1.1, { points, colours } = this;
    // A point is as large as the pixel that it comes from is at its depth.
    const [mx, my, mz] = this.middle, density = this.pitchOf / this.focal;
    for (let at = 0, point = 0; at < points.length; at += 3, point++) {
      const x0 = points[at] - mx, y0 = points[at + 1] - my, z0 = points[at + 2] - mz;
      const x = cy * x0 + sy * z0, z1 = cy * z0 - sy * x0, y = cp * y0 - sp * z1, z = cp * z1 + sp * y0 + far;
      if (z <= 0.05 * far) continue;
      const u = Math.round(width / 2 + focal * x / z), v = Math.round(height / 2 + focal * y / z), size = Math.min(6, Math.max(1, Math.round(focal * density * points[at + 2] / z)));
      for (let row = v; row < v + size; row++) for (let column = u; column < u + size; column++) {
        if (column < 0 || row < 0 || column >= width || row >= height) continue;
        const pixel = row * width + column;
        if (z < near[pixel]) { near[pixel] = z; pixels[pixel] = colours[point]; }
      }
    }
    context.putImageData(image, 0, 0);
  },
  move(yaw, pitch, zoom = 1) {
    this.yaw += yaw;
    this.pitch = Math.min(Math.max(this.pitch + pitch, -1.5), 1.5);
    this.zoom = Math.min(Math.max(this.zoom * zoom, 0.3), 6);
    this.draw();
  },
  listen() {
    const canvas = get("cloud").querySelector("canvas");
    let from = null, turning = 0;
    canvas.addEventListener("pointerdown", event => { from = [event.clientX, event.clientY]; canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener("pointermove", event => {
      if (!from) return;
      this.move(-(event.clientX - from[0]) / 150, (event.clientY - from[1]) / 150);
      from = [event.clientX, event.clientY];
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { from = null; });
    canvas.addEventListener("wheel", event => {
      if (document.activeElement !== canvas) return;
      event.preventDefault();
      this.move(0, 0, Math.exp(-event.deltaY / 600));
    }, { passive: false });
    canvas.addEventListener("keydown", event => {
      const moved = { ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1], "+": [0, 0, 1.15], "=": [0, 0, 1.15], "-": [0, 0, 1 / 1.15] }[event.key];
      if (!moved) return;
      event.preventDefault();
      this.move(...moved);
    });
    get("turn").addEventListener("click", () => {
      const on = get("turn").getAttribute("aria-pressed") === "false", mine = ++turning;
      get("turn").setAttribute("aria-pressed", on);
      const next = () => { if (on && mine === turning) { this.move(0.02, 0); requestAnimationFrame(next); } };
      next();
    });
    get("camera").addEventListener("click", () => { Object.assign(this, { yaw: 0, pitch: 0, zoom: 1 }); this.draw(); });
    for (const box of get("cloud").querySelectorAll("input")) box.addEventListener("change", () => this.fill());
  },
};

function listen() {
  get("dataset").addEventListener("change", event => go({ dataset: event.target.value, sequence: 0, pixel: null }));
  get("sequence").addEventListener("change", event => go({ sequence: +event.target.value, pixel: null }));
  get("protocol").addEventListener("change", event => go({ protocol: event.target.value }));
  get("metric").addEventListener("change", event => go({ metric: event.target.value }));
  for (const id of ["depth-range", "error-range"]) get(id).addEventListener("change", maps);
  get("scrub").addEventListener("input", event => go({ frame: video().shown[+event.target.value] }));
  get("before").addEventListener("click", () => step(-1));
  get("next").addEventListener("click", () => step(1));
  get("play").addEventListener("click", play);
  for (const id of ["x", "y"]) get(id).addEventListener("change", () => go({ pixel: [+get("x").value || 0, +get("y").value || 0] }));
  get("unpin").addEventListener("click", () => go({ pixel: null }));
  get("copy").addEventListener("click", async () => {
    // From disk the folders before it are this machine's own.
    const address = location.protocol === "file:" ? `frames/index.html${location.hash}` : location.href;
    let done = true;
    try { await navigator.clipboard.writeText(address); } catch { done = false; }
    complain(`${done ? "On the clipboard" : "The address of this view"}: ${address}`);
  });
  get("theme").addEventListener("click", () => {
    const root = document.documentElement, dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("scopedepth-theme", root.dataset.theme); } catch { /* files may have no storage */ }
    if (shown) cloud.fill();
  });
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, canvas, [tabindex]") || (event.key === " " && event.target.closest("button, a"))) return;
    const all = video().shown, act = { ArrowLeft: () => step(-1), ArrowRight: () => step(1), Home: () => go({ frame: all[0] }), End: () => go({ frame: all.at(-1) }), " ": play }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  window.addEventListener("hashchange", () => { read(); show(); });
  window.addEventListener("resize", () => { if (shown) { strip(); cloud.draw(); } });
}

try { const theme = localStorage.getItem("scopedepth-theme"); if (theme) document.documentElement.dataset.theme = theme; } catch { /* files may have no storage */ }
load("study").then(content => {
  study = content;
  get("rounding").textContent = `Outputs and reference are stored in half precision, 11 significant bits: within ${share(study.rounding)} of their value. How far that moves an aligned depth stands beside it (stored ±). The image is compressed with loss. Depths are stored on the network’s own grid and brought to the reference’s grid, aligned and limited here as the protocol says.`;
  panels();
  listen();
  cloud.listen();
  read();
  divideAt(50);
  show();
}, error => complain(error.message));
