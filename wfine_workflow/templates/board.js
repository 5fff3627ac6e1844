"use strict";
(() => {
  const form = document.getElementById("filters");
  const status = document.getElementById("shown");
  const TAU = 3, ACCURACY = 4;  // places of these columns
  const collator = new Intl.Collator("en", {numeric: true, sensitivity: "base"});

  // The first number of a cell, "1,200" as 1200; NaN where it holds none.
  const number = text => parseFloat(text.trim().replaceAll(",", ""));

  function sort(table, place, descending) {
    const head = table.tHead.rows[0].cells[place];
    const text = row => row.cells[place].textContent;
    const compare = head.dataset.is === "number"
      ? (a, b) => {
          const x = number(text(a)), y = number(text(b));
          if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
          return descending ? y - x : x - y;
        }
      : (a, b) => (descending ? -1 : 1) * collator.compare(text(a), text(b));
    for (const part of table.tBodies) {
      const rows = [...part.rows].filter(row => !row.classList.contains("part"));
      part.append(...rows.sort(compare));
    }
    for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
  }

  // Of a requirement type there is no tau-b: its rows stand by accuracy.
  let column = TAU;

  function filter() {
    const wanted = Object.fromEntries(new FormData(form));
    const other = wanted.subset.startsWith("type:") ? ACCURACY : TAU;
    if (other !== column) {
      for (const table of document.querySelectorAll("table.board")) sort(table, other, true);
      column = other;
    }
    let shown = 0, all = 0;
    for (const table of document.querySelectorAll("table.board")) {
      let here = 0;
      for (const part of table.tBodies) {
        let inPart = 0;
        for (const row of part.rows) {
          if (row.classList.contains("part")) continue;
          all += 1;
          row.hidden = Boolean(wanted.subset && wanted.subset !== part.dataset.subset
            || wanted.run && wanted.run !== row.dataset.run
            || wanted.kind && wanted.kind !== row.dataset.kind);
          inPart += !row.hidden;
        }
        part.hidden = !inPart;
        here += inPart;
      }
      table.closest("section").querySelector(".none").hidden = here > 0;
      table.hidden = !here;
      shown += here;
    }
    status.textContent = `${shown} of ${all} rows are shown.`;
  }

  for (const table of document.querySelectorAll("table.board")) {
    [...table.tHead.rows[0].cells].forEach((head, place) => {
      const button = head.querySelector("button");
      button.disabled = false;
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        // the largest number first, names from a to z; then the other way round
        sort(table, place, now === "none" ? head.dataset.is === "number" : now === "ascending");
      });
    });
  }

  function openStamp() {
    const target = document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") target.open = true;
  }

  form.hidden = false;
  form.addEventListener("change", filter);
  form.addEventListener("submit", event => event.preventDefault());
  window.addEventListener("hashchange", openStamp);
  filter();
  openStamp();
})();
