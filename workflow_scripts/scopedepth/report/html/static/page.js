"use strict";
(() => {
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      if (key in node && key !== "list") node[key] = value; else node.setAttribute(key, value);
    }
    node.append(...children);
    return node;
  };
  const DATA = JSON.parse(one("#data").textContent);

  // Theme: follow the system until told otherwise.
  function theme() {
    const button = one("#theme"), root = document.documentElement, order = ["auto", "light", "dark"];
    const show = () => { one("#theme-now").textContent = root.dataset.theme || "auto"; };
    button.hidden = false;
    button.addEventListener("click", () => {
      const next = order[(order.indexOf(root.dataset.theme || "auto") + 1) % 3];
      if (next === "auto") delete root.dataset.theme; else root.dataset.theme = next;
      try { if (next === "auto") localStorage.removeItem("scopedepth-theme"); else localStorage.setItem("scopedepth-theme", next); } catch (e) { /* no storage */ }
      show();
    });
    show();
  }

  // Where the reader is.
  function whereabouts() {
    // A link of the strip is of a part: its sections are those up to the next part's first one.
    const links = new Map();
    let part = null;
    const heads = new Map(all(".top nav a").map(a => [a.hash.slice(1), a]));
    for (const section of all("main > section")) links.set(section.id, part = heads.get(section.id) ?? part);
    const watcher = new IntersectionObserver(entries => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        const link = links.get(entry.target.id);
        if (!link) continue;
        heads.forEach(a => a.removeAttribute("aria-current"));
        link.setAttribute("aria-current", "true");
        const nav = link.closest("nav");
        nav.scrollLeft = link.offsetLeft - nav.offsetLeft - nav.clientWidth / 2 + link.clientWidth / 2;
      }
    }, { rootMargin: "-20% 0px -70% 0px" });
    all("main > section").forEach(section => watcher.observe(section));
  }

  // The one choice of dataset, protocol and metric, kept in the address: #section&dataset=…&metric=…&hide=m1,m3
  const AXES = ["dataset", "protocol", "metric"];
  const choosers = Object.fromEntries(AXES.map(axis => [axis, one(`.chooser [data-axis="${axis}"]`)]));
  const first = Object.fromEntries(AXES.map(axis => [axis, choosers[axis]?.value]));
  const hidden = new Set();
  const packs = new Map();
  let turn = 0;

  // What does not stand in the page is packed, a pack a dataset: {key: HTML}.
  async function unpacked(dataset) {
    if (!packs.has(dataset)) packs.set(dataset, (async () => {
      const holder = all("[data-pack]").find(one => one.dataset.pack === dataset);
      if (!holder) return {};
      if (!("DecompressionStream" in window)) return null;
      const bytes = Uint8Array.from(atob(holder.textContent), letter => letter.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
      return JSON.parse(await new Response(stream).text());
    })());
    return packs.get(dataset);
  }
  const datasets = () => choosers.dataset.value === "*"
    ? [...choosers.dataset.options].map(option => option.value).filter(name => name !== "*") : [choosers.dataset.value];

  async function panel(holder, dataset) {
    const by = holder.dataset.by.split(" ");
    const where = { dataset, protocol: choosers.protocol.value, metric: choosers.metric.value };
    const key = [holder.dataset.follows, ...AXES.map(axis => by.includes(axis) ? where[axis] : "")].join("|");
    const there = [...holder.children].find(child => child.dataset.key === key);
    if (there) return there;
    const pack = await unpacked(by.includes("dataset") ? dataset : ""), html = pack?.[key];
    const made = make("div", { className: "panel" });
    made.dataset.key = key;
    if (html) made.innerHTML = html;
    else made.append(make("p", { className: "missing" }, (pack ? "Nothing to show here for " : "This browser is too old to unpack ") + by.map(axis =>
      (axis === "dataset" ? [...choosers.dataset.options].find(option => option.value === dataset) : choosers[axis].selectedOptions[0]).textContent).join(", ") + "."));
    all("[data-table]", made).forEach(table);
    return made;
  }
  async function show() {
    const mine = ++turn;
    const chosen = [];
    for (const holder of all("[data-follows]")) {
      const names = holder.dataset.by.split(" ").includes("dataset") ? datasets() : [""];
      chosen.push([holder, await Promise.all(names.map(name => panel(holder, name)))]);
    }
    if (mine !== turn) return;
    // What the reader looks at stays where it is, whatever grows or shrinks above it.
    const seen = all("main > section").find(section => section.getBoundingClientRect().bottom > 150);
    const before = seen?.getBoundingClientRect().top;
    for (const [holder, parts] of chosen) {
      holder.append(...parts.filter(part => part.parentNode !== holder));
      [...holder.children].forEach(child => { child.hidden = !parts.includes(child); });
    }
    if (seen && before < 0) window.scrollBy({ top: seen.getBoundingClientRect().top - before, behavior: "instant" });
    one("#headline").hidden = AXES.every(axis => choosers[axis].value === first[axis]) && !hidden.size;
    const compared = await pairs();
    if (mine !== turn) return;
    compared?.();
    document.documentElement.dataset.shown = String(mine);
  }
  function address(section) {
    const said = AXES.filter(axis => choosers[axis].value !== first[axis]).map(axis => `${axis}=${encodeURIComponent(choosers[axis].value)}`);
    if (hidden.size) said.push("hide=" + [...hidden].join(","));
    const hash = "#" + [section, ...said].join("&");
    if (hash !== location.hash && (hash !== "#" || location.hash)) history.replaceState(null, "", hash);
  }
  // Plain links to a section keep the choice; an address with a choice makes it.
  function arrive(event) {
    const [section, ...said] = location.hash.slice(1).split("&");
    const plain = text => { try { return decodeURIComponent(text); } catch (e) { return ""; } };
    const asked = new Map(said.map(part => part.split("=").map(plain)));
    for (const axis of AXES) {
      const value = asked.get(axis);
      if ([...choosers[axis].options].some(option => option.value === value)) choosers[axis].value = value;
    }
    if (asked.has("hide")) { hidden.clear(); (asked.get("hide") ?? "").split(",").filter(key => /^m\d+$/.test(key)).forEach(key => hidden.add(key)); }
    models();
    address(section);
    // The browser has begun to go where the section was before other datasets were hidden.
    return show().then(() => { if (section && (said.length || !event)) document.getElementById(section)?.scrollIntoView({ behavior: "instant" }); });
  }
  const here = () => location.hash.slice(1).split("&")[0];
  function chooser() {
    if (!choosers.dataset) return;
    AXES.forEach(axis => choosers[axis].addEventListener("change", () => { address(here()); show(); }));
    one(".chooser").addEventListener("submit", event => event.preventDefault());
    one("#headline").addEventListener("click", () => {
      AXES.forEach(axis => { choosers[axis].value = first[axis]; });
      hidden.clear();
      models(); address(here()); show();
      choosers.dataset.focus();
    });
    window.addEventListener("hashchange", arrive);
    const menu = one(".models");
    document.addEventListener("click", event => { if (!menu.contains(event.target)) menu.open = false; });
    menu.addEventListener("keydown", event => { if (event.key === "Escape") { menu.open = false; one("summary", menu).focus(); } });
    const sheet = make("style", { id: "hidden-models" });
    document.head.append(sheet);
    all(".model[data-model]").forEach(entry => {
      const button = make("button", { type: "button", className: "model" }, ...entry.childNodes);
      button.dataset.model = entry.dataset.model;
      button.title = "Hide in all charts, or show";
      button.addEventListener("click", () => {
        const key = button.dataset.model;
        if (!hidden.delete(key)) hidden.add(key);
        models(); address(here());
        one("#headline").hidden = AXES.every(axis => choosers[axis].value === first[axis]) && !hidden.size;
      });
      entry.replaceWith(button);
    });
    arrive();
  }
  function models() {
    all("button.model").forEach(button => button.setAttribute("aria-pressed", String(!hidden.has(button.dataset.model))));
    one("#hidden-models").textContent = [...hidden].map(key => `svg.chart .${key} { display: none; }`).join("\n");
  }

  // On paper all is open.
  function paper() {
    let opened = [];
    window.addEventListener("beforeprint", () => { opened = all("main details:not([open])"); opened.forEach(one => { one.open = true; }); });
    window.addEventListener("afterprint", () => { opened.forEach(one => { one.open = false; }); });
  }

  // Tables: sort by a head, filter by words, copy as CSV.
  function table(holder) {
    const grid = one("table", holder), body = one("tbody", grid), heads = all("thead th", grid);
    const caption = one("caption", grid).textContent;
    const rows = () => all("tr", body);
    heads.forEach((head, column) => {
      if (head.hasAttribute("data-picture")) return;
      const button = make("button", { type: "button" });
      button.append(...head.childNodes);
      if (head.title) { button.title = head.title; head.removeAttribute("title"); }
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        const up = now ? now !== "ascending" : true;
        heads.forEach(other => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        sort(column, up);
      });
    });
    function sort(column, up) {
      const key = row => {
        const cell = row.children[column];
        const given = cell.dataset.sort ?? cell.textContent.trim();
        const missing = given === "" || given === "–" || (heads[column].classList.contains("number") && Number.isNaN(+given));
        return missing ? null : given;
      };
      const sorted = rows().map(row => [row, key(row)]).sort(([a, x], [b, y]) => {
        const last = a.hasAttribute("data-last") - b.hasAttribute("data-last");
        if (last) return last;
        if (x === null || y === null) return (x === null) - (y === null);
        const numbers = !Number.isNaN(+x) && !Number.isNaN(+y);
        return (up ? 1 : -1) * (numbers ? x - y : x.localeCompare(y));
      });
      body.append(...sorted.map(([row]) => row));
    }
    const said = make("output");
    const tools = one(".tools", holder);
    if (rows().length > 5) {
      const filter = make("input", { type: "search", placeholder: "Filter rows" });
      filter.setAttribute("aria-label", "Filter rows: " + caption);
      filter.addEventListener("input", () => {
        const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
        let shown = 0;
        rows().forEach(row => {
          row.hidden = !words.every(word => row.textContent.toLowerCase().includes(word));
          shown += !row.hidden;
        });
        said.textContent = words.length ? `${shown} of ${rows().length} rows` : "";
      });
      tools.prepend(filter);
    }
    const text = () => holder.dataset.csv = csv(heads, rows().filter(row => !row.hidden));
    const button = (label, act) => {
      const made = make("button", { type: "button", className: "tool" }, label);
      made.setAttribute("aria-label", `${label}: ${caption}`);
      made.addEventListener("click", act);
      return made;
    };
    const save = button("CSV", () => {
      const link = make("a", { href: URL.createObjectURL(new Blob([text()], { type: "text/csv" })),
        download: `${DATA.study ?? "table"} ${caption}`.replace(/[^\p{L}\p{N}.-]+/gu, "_").slice(0, 100) + ".csv" });
      link.click();
      URL.revokeObjectURL(link.href);
    });
    const copy = button("Copy", async () => { said.textContent = await toClipboard(text()) ? "Copied" : "Copying is not allowed here"; });
    tools.append(save, copy, said);
  }
  // Whole numbers, not the rounded text; bounds and a second value in columns of their own.
  function csv(heads, rows) {
    const quote = text => /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    const columns = heads.flatMap((head, i) => {
      if (head.hasAttribute("data-picture")) return [];
      const number = head.classList.contains("number"), name = head.textContent.trim();
      const main = cell => cell.dataset.copy ?? (number ? cell.dataset.sort ?? (/^[\d.−-]+$/.test(cell.textContent.trim()) && cell.textContent.trim() !== "–" ? cell.textContent : "") : cell.textContent);
      const more = ["value", "low", "high"].filter(part => rows.some(row => part in row.children[i].dataset));
      return [[name, main], ...more.map(part => [`${name} ${part}`, cell => cell.dataset[part] ?? ""])]
        .map(([label, value]) => [label, row => value(row.children[i])]);
    });
    const lines = [columns.map(([label]) => label), ...rows.map(row => columns.map(([, value]) => value(row).trim().replace(/\s+/g, " ")))];
    return lines.map(line => line.map(quote).join(",")).join("\n") + "\n";
  }
  async function toClipboard(text) {
    try { await navigator.clipboard.writeText(text); return true; } catch (e) { /* not from a file, perhaps */ }
    const area = make("textarea", { value: text });
    document.body.append(area);
    area.select();
    let done = false;
    try { done = document.execCommand("copy"); } catch (e) { /* refused */ }
    area.remove();
    return done;
  }

  // Two protocols, side by side, on the chosen dataset and metric; returns what shows them.
  async function pairs() {
    const holder = one("#pair"), names = Object.keys(DATA.protocols);
    if (!holder || names.length < 2) return null;
    const dataset = datasets()[0], metric = choosers.metric.value;
    const known = (await unpacked(dataset))?.changes?.[metric] ?? { ranks: {}, changes: {} };
    return () => {
      holder.hidden = false;
      const [a, b] = [one("#pair-a"), one("#pair-b")];
      if (!a.options.length) {
        for (const select of [a, b]) for (const name of names) select.append(make("option", { value: name }, `${name}: ${DATA.protocols[name].words}`));
        b.value = names[1];
        [a, b].forEach(select => select.addEventListener("change", show));
      }
      one("#pair-where").textContent = `${choosers.metric.selectedOptions[0].textContent} on ${[...choosers.dataset.options].find(option => option.value === dataset).textContent}`;
      one("#pair-chart").replaceChildren(slopes(known.ranks[a.value] ?? [], known.ranks[b.value] ?? [], a.value, b.value));
      words(known, a.value, b.value);
      one("#pair-fields").replaceChildren(fields(a.value, b.value));
    };
  }
  function words(known, a, b) {
    const [text, list] = [one("#pair-words"), one("#pair-flips")];
    list.replaceChildren();
    if (a === b) { text.textContent = "This is one protocol, not two."; return; }
    const [left, right] = [known.ranks[a], known.ranks[b]];
    const found = known.changes[`${a}|${b}`] ?? known.changes[`${b}|${a}`];
    if (!found || !left || !right) { text.textContent = "These two protocols have no common ranking here."; return; }
    const both = DATA.models.map((_, i) => i).filter(i => left[i] && right[i]);
    const flips = both.flatMap(i => both.filter(j => left[i] < left[j] && right[i] > right[j]).map(j => [i, j]));
    const sure = new Set(found[1].map(pair => String([...pair].sort((x, y) => left[x] - left[y]))));
    const tau = found[0] === null ? "" : ` Kendall’s τ is ${found[0].toFixed(2)}.`;
    text.textContent = !flips.length
      ? `All ${both.length} models stand in the same order under both.${tau}`
      : `${flips.length} ${flips.length === 1 ? "pair changes" : "pairs change"} order, ${sure.size || "none"} of them significantly under both.${tau}`;
    const said = flips.sort((x, y) => sure.has(String(y)) - sure.has(String(x)));
    for (const [i, j] of said.slice(0, 8)) {
      const certain = sure.has(String([i, j])) ? " (significant under both)" : "";
      list.append(make("li", {}, `${DATA.models[i]} is ahead of ${DATA.models[j]} under ${a}, behind under ${b}${certain}`));
    }
    if (said.length > 8) list.append(make("li", {}, `and ${said.length - 8} more, of which the chart has the lines that cross`));
  }
  function slopes(left, right, a, b) {
    const SVG = "http://www.w3.org/2000/svg";
    const add = (parent, tag, attributes, text) => {
      const node = document.createElementNS(SVG, tag);
      for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
      if (text !== undefined) node.textContent = text;
      parent.append(node);
      return node;
    };
    const models = DATA.models.map((_, i) => i).filter(i => left[i] && right[i]);
    const most = Math.max(1, ...models.flatMap(i => [left[i], right[i]]));
    // As wide as its place, so that its text has the size of all others.
    const width = Math.min(520, Math.max(280, one("#pair-chart").clientWidth - 32)), step = 22, height = 36 + step * most;
    const room = (width - 70) / 2, x = [room, width - room], y = rank => 42 + step * (rank - 1);
    const svg = document.createElementNS(SVG, "svg");
    for (const [k, v] of Object.entries({ viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img", style: `--w:${width}`,
      "aria-label": "Ranks under both protocols: " + models.map(i => `${DATA.models[i]} ${left[i]} to ${right[i]}`).join("; ") })) svg.setAttribute(k, v);
    const short = text => { const n = Math.floor((room - 26) / 7.2); return text.length > n ? text.slice(0, n - 1) + "…" : text; };
    add(svg, "text", { x: x[0], y: 14, "text-anchor": "end", class: "label" }, short(a));
    add(svg, "text", { x: x[1], y: 14, "text-anchor": "start", class: "label" }, short(b));
    for (const i of models) {
      const [p, q] = [left[i], right[i]], key = DATA.looks[i].split(" ")[1];
      const crosses = models.some(other => (p - left[other]) * (q - right[other]) < 0);
      add(svg, "line", { x1: x[0] + 8, y1: y(p), x2: x[1] - 8, y2: y(q), class: "line " + DATA.looks[i] + (crosses ? "" : " calm"), "stroke-width": crosses ? 3 : 1.6 });
      add(svg, "text", { x: x[0], y: y(p) + 4, "text-anchor": "end", class: "name " + key }, `${short(DATA.models[i])}  ${p}`);
      add(svg, "text", { x: x[1], y: y(q) + 4, "text-anchor": "start", class: "name " + key }, `${q}  ${short(DATA.models[i])}`);
    }
    return svg;
  }
  function fields(a, b) {
    const [first, second] = [DATA.protocols[a], DATA.protocols[b]];
    const keys = [...new Set([...Object.keys(first.fields), ...Object.keys(second.fields)])];
    const differing = keys.filter(key => (first.fields[key] ?? "none") !== (second.fields[key] ?? "none"));
    if (!differing.length) return make("p", { className: "note" }, "No field differs.");
    const head = make("tr", {}, ...["Field that differs", a, b].map(text => make("th", { scope: "col" }, text)));
    const body = differing.map(key => make("tr", {}, make("th", { scope: "row" }, make("code", {}, key)),
      make("td", {}, first.fields[key] ?? "none"), make("td", {}, second.fields[key] ?? "none")));
    const grid = make("table", {}, make("caption", {}, `Why they can differ: ${differing.length} of ${keys.length} fields`), make("thead", {}, head), make("tbody", {}, ...body));
    const scroll = make("div", { className: "scroll", tabIndex: 0 }, grid);
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", "Fields in which the two protocols differ");
    return make("div", { className: "table fields" }, scroll);
  }

  // Pictures of one frame, two at a time, with a movable boundary.
  function viewer(frame) {
    const holder = one("[data-viewer]", frame), pictures = all(".pictures img", frame);
    if (pictures.length < 2) return;
    const stage = make("div", { className: "stage" });
    const under = make("img", { alt: "" }), over = make("img", { alt: "", className: "over" });
    stage.append(under, over);
    const slider = make("input", { type: "range", min: 0, max: 100, value: 50 });
    slider.setAttribute("aria-label", "Boundary between the two pictures, per cent from the left");
    const [left, right] = ["Left picture", "Right picture"].map(label => {
      const select = make("select", {}, ...pictures.map((picture, i) => make("option", { value: i }, picture.alt)));
      select.setAttribute("aria-label", label);
      return select;
    });
    const buttons = pictures.map((picture, i) => {
      const button = make("button", { type: "button", className: "pick" });
      button.setAttribute("aria-label", `Compare: ${picture.alt}`);
      picture.replaceWith(button);
      button.append(picture);
      button.addEventListener("click", () => { right.value = i; show(); });
      return button;
    });
    const move = at => { slider.value = at; stage.style.setProperty("--at", at + "%"); };
    const show = () => {
      under.src = pictures[left.value].src;
      over.src = pictures[right.value].src;
      buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === +right.value)));
    };
    const follow = event => {
      const box = stage.getBoundingClientRect();
      move(Math.round(100 * Math.min(1, Math.max(0, (event.clientX - box.left) / box.width))));
    };
    // A mouse moves the boundary by hovering, a finger by dragging, a keyboard by the slider.
    stage.addEventListener("pointermove", event => { if (event.pointerType === "mouse" || event.buttons) follow(event); });
    stage.addEventListener("pointerdown", follow);
    slider.addEventListener("input", () => move(slider.value));
    [left, right].forEach(select => select.addEventListener("change", show));
    left.value = 0;
    right.value = Math.min(2, pictures.length - 1);
    holder.append(stage, slider, make("div", { className: "sides" }, left, right));
    move(50);
    show();
  }

  theme();
  whereabouts();
  all("[data-table]").forEach(table);
  chooser();
  paper();
  all("[data-frame]").forEach(viewer);
})();
