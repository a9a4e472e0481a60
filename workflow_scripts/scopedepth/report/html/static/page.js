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
    const links = new Map(all(".top nav a").map(a => [a.hash.slice(1), a]));
    const watcher = new IntersectionObserver(entries => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        links.forEach(a => a.removeAttribute("aria-current"));
        const link = links.get(entry.target.id);
        if (!link) continue;
        link.setAttribute("aria-current", "true");
        const nav = link.closest("nav");
        nav.scrollLeft = link.offsetLeft - nav.offsetLeft - nav.clientWidth / 2 + link.clientWidth / 2;
      }
    }, { rootMargin: "-20% 0px -70% 0px" });
    all("main > section").forEach(section => watcher.observe(section));
  }

  // Panels: the one that fits all choices is shown.
  function panels(group) {
    const choices = all("select[data-axis]", group);
    const parts = all(".panel", group);
    const show = () => parts.forEach(part => {
      part.hidden = choices.some(choice => part.dataset[choice.dataset.axis] !== choice.value);
    });
    choices.forEach(choice => choice.addEventListener("change", show));
    show();
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
    const tools = make("div", { className: "tools" });
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
      tools.append(filter);
    }
    const copy = make("button", { type: "button", className: "tool" }, "Copy as CSV");
    copy.setAttribute("aria-label", "Copy as CSV: " + caption);
    copy.addEventListener("click", async () => {
      const text = csv(heads, rows().filter(row => !row.hidden));
      holder.dataset.csv = text;
      said.textContent = await toClipboard(text) ? "Copied" : "Copying is not allowed here";
    });
    tools.append(copy, said);
    holder.prepend(tools);
  }
  function csv(heads, rows) {
    const kept = heads.map((head, i) => head.hasAttribute("data-picture") ? -1 : i).filter(i => i >= 0);
    const quote = text => /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    const value = cell => quote((cell.dataset.copy ?? cell.textContent).trim().replace(/\s+/g, " "));
    const lines = [kept.map(i => quote(heads[i].textContent.trim())), ...rows.map(row => kept.map(i => value(row.children[i])))];
    return lines.map(line => line.join(",")).join("\n") + "\n";
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

  // Two protocols, side by side.
  function pair() {
    const holder = one("#pair"), names = Object.keys(DATA.protocols);
    if (!holder || names.length < 2) return;
    holder.hidden = false;
    const [a, b] = [one("#pair-a"), one("#pair-b")];
    const dataset = one('[data-axis="pair-dataset"]', holder), metric = one('[data-axis="pair-metric"]', holder);
    for (const select of [a, b]) for (const name of names) select.append(make("option", { value: name }, `${name}: ${DATA.protocols[name].words}`));
    b.value = names[1];
    const show = () => {
      const found = DATA.sensitivity.find(row => row.d === dataset.value && row.m === metric.value &&
        ((row.a === a.value && row.b === b.value) || (row.a === b.value && row.b === a.value)));
      const ranks = name => DATA.ranks[dataset.value]?.[metric.value]?.[name] ?? {};
      one("#pair-chart").replaceChildren(slopes(ranks(a.value), ranks(b.value), a.value, b.value));
      words(found, a.value, b.value);
      one("#pair-fields").replaceChildren(fields(a.value, b.value));
    };
    [a, b, dataset, metric].forEach(select => select.addEventListener("change", show));
    show();
  }
  function words(found, a, b) {
    const [text, list] = [one("#pair-words"), one("#pair-flips")];
    list.replaceChildren();
    if (a === b) { text.textContent = "This is one protocol, not two."; return; }
    if (!found) { text.textContent = "These two protocols have no common ranking here."; return; }
    const flips = found.flips.length, sure = found.sure.length;
    const tau = found.tau === null ? "" : ` Kendall’s τ is ${found.tau.toFixed(2)}.`;
    text.textContent = flips === 0
      ? `All ${found.n} models stand in the same order under both.${tau}`
      : `${flips} ${flips === 1 ? "pair changes" : "pairs change"} order, ${sure || "none"} of them significantly under both.${tau}`;
    for (const flip of found.flips) {
      const [x, y] = (found.a === a ? flip.split(" > ") : flip.split(" > ").reverse()).map(name => DATA.models[name] ?? name);
      const certain = found.sure.includes(flip) ? " (significant under both)" : "";
      list.append(make("li", {}, `${x} is ahead of ${y} under ${a}, behind under ${b}${certain}`));
    }
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
    const models = Object.keys(DATA.models).filter(name => left[name]?.[0] && right[name]?.[0]);
    const most = Math.max(1, ...models.flatMap(name => [left[name][0], right[name][0]]));
    const width = 520, height = 36 + 30 * most, x = [200, width - 200], y = rank => 42 + 30 * (rank - 1);
    const svg = document.createElementNS(SVG, "svg");
    for (const [k, v] of Object.entries({ viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img", style: `--w:${width}`,
      "aria-label": "Ranks under both protocols: " + models.map(n => `${DATA.models[n]} ${left[n][0]} to ${right[n][0]}`).join("; ") })) svg.setAttribute(k, v);
    const short = (text, n) => text.length > n ? text.slice(0, n - 1) + "…" : text;
    add(svg, "text", { x: x[0], y: 14, "text-anchor": "end", class: "label" }, short(a, 30));
    add(svg, "text", { x: x[1], y: 14, "text-anchor": "start", class: "label" }, short(b, 30));
    for (const name of models) {
      const [p, q] = [left[name][0], right[name][0]];
      const crosses = models.some(other => (p - left[other][0]) * (q - right[other][0]) < 0);
      add(svg, "line", { x1: x[0] + 8, y1: y(p), x2: x[1] - 8, y2: y(q), class: "line " + DATA.looks[name] + (crosses ? "" : " calm"), "stroke-width": crosses ? 3 : 1.6 });
      add(svg, "text", { x: x[0], y: y(p) + 4, "text-anchor": "end", class: "name" }, `${short(DATA.models[name], 26)}  ${p}`);
      add(svg, "text", { x: x[1], y: y(q) + 4, "text-anchor": "start", class: "name" }, `${q}  ${short(DATA.models[name], 26)}`);
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
  all("[data-panels]").forEach(panels);
  pair();
  all("[data-frame]").forEach(viewer);
})();
