"use strict";
// The table is complete without this; it hides rows.
const rows = [...document.getElementById("rows").rows];
const texts = rows.map((row) => row.textContent.toLowerCase());
const field = (id) => document.getElementById(id);
function filter() {
  const words = field("text").value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  rows.forEach((row, index) => {
    const deployed = row.cells[2].firstChild.textContent !== "–";
    const gap = row.cells[8].querySelector("small") !== null;
    const fits = words.every((word) => texts[index].includes(word))
      && (deployed || !field("only-deployed").checked) && (gap || !field("only-gaps").checked);
    row.hidden = !fits;
    shown += fits ? 1 : 0;
  });
  field("shown").textContent = shown + " of " + rows.length;
}
field("filter").hidden = false;
field("filter").addEventListener("input", filter);
field("filter").addEventListener("submit", (event) => event.preventDefault());
filter();
