"use strict";
(() => {
  const page = 100;
  const severities = ["Critical", "High", "Medium", "Low", "Info", "Unknown"];
  const byId = (id) => document.getElementById(id);
  const rows = byId("rows");
  if (!rows) return;
  const data = JSON.parse(byId("data").textContent);
  const several = data.images.length > 1;
  for (const finding of data.findings) {
    const parts = [finding.id, finding.package, finding.version, finding.path, finding.title, finding.layer];
    finding.text = parts.join(" ").toLowerCase();
  }

  // Elements are made from text only, never from markup: names in images are not to be trusted.
  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  const cell = (main, small) => {
    const made = element("td");
    made.append(main);
    if (small) made.append(element("small", small));
    return made;
  };

  const vulnerability = (finding) => {
    const made = element("td");
    if (finding.url) {
      const link = element("a", finding.id);
      link.href = finding.url;
      link.rel = "noreferrer noopener";
      made.append(link);
    } else {
      made.append(finding.id);
    }
    if (finding.exploited) made.append(" ", element("span", "exploited", "badge exploited"));
    if (finding.title) made.append(element("small", finding.title));
    made.append(reasons(finding));
    return made;
  };

  // Folded, so that it is at hand for keyboards and readers too, not for a pointer only.
  const reasons = (finding) => {
    const made = element("details");
    const list = element("ul");
    if (finding.why) list.append(element("li", finding.why));
    for (const factor of finding.factors ?? []) list.append(element("li", factor));
    const number = finding.factors?.length ?? 0;
    const summary = number === 0 ? "why" : `why, and ${number} factor${number === 1 ? "" : "s"}`;
    made.append(element("summary", summary), list);
    return list.childElementCount === 0 ? "" : made;
  };

  const row = (finding) => {
    const made = element("tr");
    const severity = severities[finding.severity];
    const where = several ? data.images[finding.image] + " · " + finding.path : finding.path;
    made.append(
      cell(
        element("b", severity, severity.toLowerCase()),
        finding.weighed === undefined ? undefined : `weighs ${severities[finding.weighed]} here`,
      ),
      vulnerability(finding),
      cell(element("b", finding.package), finding.version),
      cell(element(finding.fixable ? "b" : "span", finding.fix, finding.fixable ? "fix" : "meta")),
      cell(finding.epss === undefined ? "–" : (finding.epss * 100).toFixed(1) + " %"),
      cell(where, finding.layer),
    );
    return made;
  };

  const collator = new Intl.Collator("en", { numeric: true });
  const comparers = {
    severity: (a, b) => b.severity - a.severity || (a.score ?? 0) - (b.score ?? 0),
    epss: (a, b) => (a.epss ?? -1) - (b.epss ?? -1),
  };
  const compare = (key) => comparers[key] ?? ((a, b) => collator.compare(a[key], b[key]));

  const state = { key: "severity", descending: true, shown: [], drawn: 0 };

  const draw = () => {
    const part = document.createDocumentFragment();
    for (const finding of state.shown.slice(state.drawn, state.drawn + page)) part.append(row(finding));
    state.drawn = Math.min(state.drawn + page, state.shown.length);
    rows.append(part);
    byId("more").hidden = state.drawn >= state.shown.length;
    byId("status").textContent =
      `${state.shown.length} of ${data.findings.length} findings` +
      (state.drawn < state.shown.length ? `, the first ${state.drawn} are shown` : "");
  };

  const update = () => {
    const text = byId("text").value.trim().toLowerCase();
    const wanted = new Set([...document.querySelectorAll("#severities input:checked")].map((box) => Number(box.value)));
    const image = byId("image").value;
    const fixable = byId("fixable").checked;
    const exploited = byId("exploited").checked;
    state.shown = data.findings.filter(
      (finding) =>
        wanted.has(finding.severity) &&
        (!fixable || finding.fixable) &&
        (!exploited || finding.exploited) &&
        (image === "" || finding.image === Number(image)) &&
        finding.text.includes(text),
    );
    const order = compare(state.key);
    state.shown.sort((a, b) => (state.descending ? -1 : 1) * order(a, b) || a.severity - b.severity);
    for (const header of document.querySelectorAll("th[data-key]")) {
      const direction = state.descending ? "descending" : "ascending";
      if (header.dataset.key === state.key) header.setAttribute("aria-sort", direction);
      else header.removeAttribute("aria-sort");
    }
    rows.replaceChildren();
    state.drawn = 0;
    draw();
  };

  severities.forEach((name, index) => {
    const number = data.findings.filter((finding) => finding.severity === index).length;
    if (number === 0) return;
    const label = element("label");
    const box = element("input");
    box.type = "checkbox";
    box.value = String(index);
    box.checked = true;
    label.append(box, ` ${name} ${number}`);
    byId("severities").append(label);
  });
  data.images.forEach((name, index) => {
    const option = element("option", name);
    option.value = String(index);
    byId("image").append(option);
  });
  byId("imagefield").hidden = !several;

  byId("filter").addEventListener("input", update);
  byId("filter").addEventListener("submit", (event) => event.preventDefault());
  byId("more").addEventListener("click", draw);
  for (const header of document.querySelectorAll("th[data-key]")) {
    header.addEventListener("click", () => {
      const key = header.dataset.key;
      state.descending = key === state.key ? !state.descending : key in comparers;
      state.key = key;
      update();
    });
  }
  byId("filter").hidden = false;
  byId("table").hidden = false;
  update();
})();
