"use strict";
(() => {
  const charts = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const config = { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: false };

  // plotly.js reads some markup and TeX in labels: none of a name's may reach it.
  const plain = (text) => String(text).replace(/[&<>$]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const lines = (said) => said.map((each) => each.map(plain).join("<br>"));
  const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();

  const axis = (more) => ({
    gridcolor: colour("line"), linecolor: colour("faint"), zerolinecolor: colour("line"),
    tickcolor: colour("line"), fixedrange: true, automargin: true, ...more,
  });
  const layout = (more) => ({
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", dragmode: false,
    font: { color: colour("ink"), family: "system-ui, sans-serif", size: 12 },
    margin: { l: 50, r: 16, t: 10, b: 44 }, showlegend: false, hovermode: "closest",
    hoverlabel: { bgcolor: colour("raised"), bordercolor: colour("faint"), font: { color: colour("ink") } },
    ...more,
  });
  const named = (labels) => ({
    tickmode: "array", tickvals: labels.map((_, index) => index), ticktext: labels.map(plain),
  });

  const draw = {
    dots(d) {
      const n = d.labels.length;
      return [[{
        type: "scatter", mode: "markers", x: d.y, y: d.labels.map((_, index) => index),
        marker: { size: 10, color: colour("accent") }, hoverinfo: "text", hovertext: lines(d.said),
        error_x: {
          type: "data", symmetric: false, thickness: 2, width: 5, color: colour("accent"),
          array: d.high.map((high, k) => high - d.y[k]), arrayminus: d.y.map((y, k) => y - d.low[k]),
        },
      }], layout({
        height: 70 + 26 * n,
        xaxis: axis({ title: { text: plain(d.unit) }, rangemode: "tozero" }),
        yaxis: axis({ ...named(d.labels), range: [n - 0.5, -0.5], showgrid: false, zeroline: false }),
      })];
    },
    curve(d) {
      const line = (y, more) => ({ type: "scatter", mode: "lines", x: d.x, y, hoverinfo: "skip", line: { width: 0 }, ...more });
      return [[
        line(d.low, {}),
        line(d.high, { fill: "tonexty", fillcolor: colour("band") }),
        line(d.y, {
          mode: "lines+markers", line: { width: 2, color: colour("accent") },
          marker: { size: 7, color: colour("accent") }, hoverinfo: "text", hovertext: lines(d.said),
        }),
      ], layout({
        height: 210,
        xaxis: axis({ title: { text: "strength" }, rangemode: "tozero", nticks: 6 }),
        yaxis: axis({ title: { text: "shift" }, range: [0, 1.03 * d.top], nticks: 5 }),
      })];
    },
    heat(d) {
      const said = d.z.map((row, k) => row.map((value, m) =>
        [d.classes[k], d.probes[m], `shift ${value}`].map(plain).join("<br>")));
      return [[{
        type: "heatmap", z: d.z, colorscale: "Viridis", zmin: 0, zmax: Math.max(...d.z.flat()) || 1, hoverinfo: "text", hovertext: said,
        xgap: 1, ygap: 1, colorbar: { title: { text: "shift" }, outlinewidth: 0, thickness: 14 },
      }], layout({
        height: 180 + 22 * d.classes.length,
        xaxis: axis({ ...named(d.probes), tickangle: -60, showgrid: false }),
        yaxis: axis({ ...named(d.classes), autorange: "reversed", showgrid: false }),
      })];
    },
    bins(d, name) {
      const chosen = d.choices[chosenOf[name] || 0];
      return [[{
        type: "bar", x: d.bins.map((_, index) => index), y: chosen.counts,
        marker: { color: colour("accent") }, hoverinfo: "text",
        hovertext: d.bins.map((bin, k) => plain(`${bin} of the ladder: ${chosen.counts[k]} paths`)),
      }], layout({
        height: 280, bargap: 0.08,
        xaxis: axis({
          tickmode: "array", tickvals: d.ticks.map(([at]) => at), ticktext: d.ticks.map(([, said]) => plain(said)),
          range: [-0.5, d.bins.length - 0.5],
          title: { text: plain(`share of the ladder; ${chosen.never} paths never flip`) },
        }),
        yaxis: axis({ title: { text: "paths" }, rangemode: "tozero" }),
      })];
    },
    frontier(d) {
      return [[{
        type: "scatter", mode: "lines+markers+text", x: d.x, y: d.y, text: d.labels.map(plain),
        textposition: "top center", marker: { size: 9, color: colour("accent") },
        line: { color: colour("accent") }, hoverinfo: "text", hovertext: lines(d.said),
      }], layout({
        height: 340, xaxis: axis({ title: { text: "mean shift" } }),
        yaxis: axis({ title: { text: plain(`${d.kept}, %`) } }),
      })];
    },
  };

  const chosenOf = {};
  const places = [...document.querySelectorAll("[data-chart]")];
  const drawn = new Set();
  const planned = (place) => {
    const name = place.dataset.chart;
    return draw[charts[name].kind](charts[name].data, name);
  };
  const show = (place, width) => {
    const [traces, how] = planned(place);
    if (width) { how.width = width; how.autosize = false; }
    Plotly.react(place, traces, how, config);
    drawn.add(place);
    if (drawn.size === places.length) { root.dataset.drawn = "all"; }
  };
  const again = () => drawn.forEach((place) => show(place));

  // A chart takes a tenth of a second: it is drawn when it comes near, and one at a time. Its room
  // is kept from the start, so that nothing moves under a reader, or where a link leads.
  const near = new Set();
  const next = () => {
    const [place] = near;
    if (!place) { return; }
    near.delete(place);
    watcher.unobserve(place);
    if (!drawn.has(place)) { show(place); }
    setTimeout(next, 0);
  };
  const watcher = new IntersectionObserver((seen) => {
    const waits = near.size > 0;
    for (const { target, isIntersecting } of seen) {
      if (isIntersecting) { near.add(target); } else { near.delete(target); }
    }
    if (!waits) { next(); }
  }, { rootMargin: "600px 0px" });

  const theme = document.getElementById("theme");
  const isDark = () => (root.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";
  const nameTheme = () => { theme.textContent = isDark() ? "Light colours" : "Dark colours"; };
  theme.hidden = false;
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
    again();
  });
  dark.addEventListener("change", () => { nameTheme(); again(); });
  nameTheme();

  // Paper has no clicks: what stands folded under a section goes along, the charts' tables do not.
  let before;
  let unfolded = [];
  addEventListener("beforeprint", () => {
    before = root.dataset.theme;
    unfolded = [...document.querySelectorAll("section > details:not([open])")];
    unfolded.forEach((each) => { each.open = true; });
    root.dataset.theme = "light";
    places.forEach((place) => show(place, place.closest(".curve") ? 320 : 660));
  });
  addEventListener("afterprint", () => {
    unfolded.forEach((each) => { each.open = false; });
    if (before) { root.dataset.theme = before; } else { delete root.dataset.theme; }
    again();
  });

  for (const place of document.querySelectorAll("[data-choice]")) {
    const name = place.dataset.choice;
    const { choices } = charts[name].data;
    if (!choices) { continue; }
    const select = document.createElement("select");
    choices.forEach((choice, index) => select.add(new Option(choice.name, index)));
    select.addEventListener("change", () => {
      chosenOf[name] = Number(select.value);
      show(places.find((each) => each.dataset.chart === name));
    });
    const label = document.createElement("label");
    label.append("Probe ", select);
    place.append(label);
    place.hidden = false;
  }

  const filters = document.getElementById("filters");
  if (filters) {
    const cards = [...document.querySelectorAll("#cards .card")];
    const [probe, clean] = ["filter-probe", "filter-class"].map((id) => document.getElementById(id));
    const filter = () => {
      for (const card of cards) {
        card.hidden = Boolean((probe.value && card.dataset.probe !== probe.value)
          || (clean.value && card.dataset.class !== clean.value));
      }
      const count = cards.filter((card) => !card.hidden).length;
      document.getElementById("filtered").textContent = `${count} of ${cards.length} pictures`;
    };
    filters.addEventListener("change", filter);
    filters.addEventListener("submit", (event) => event.preventDefault());
    filters.hidden = false;
    filter();  // a browser may remember what was chosen
  }
  for (const place of places) {
    place.style.minHeight = `${planned(place)[1].height}px`;
    watcher.observe(place);
  }
  if (!places.length) { root.dataset.drawn = "all"; }
})();
