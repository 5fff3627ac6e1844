// The script of a board on a page made up here, which knows no more than the script asks for.
// Reads {script, tables, choose, click, hash} as JSON; writes what is seen then.
"use strict";
const given = JSON.parse(require("fs").readFileSync(0, "utf8"));

class Element {
  constructor(parts = {}) { this.listeners = {}; this.attributes = {}; this.hidden = false; Object.assign(this, parts); }
  addEventListener(name, act) { this.listeners[name] = act; }
  setAttribute(name, value) { this.attributes[name] = value; }
  getAttribute(name) { return this.attributes[name]; }
  fire(name) { this.listeners[name]({preventDefault() {}}); }
}

const row = ({cells, kind, run}) => new Element({
  cells: cells.map(textContent => ({textContent})), dataset: {kind, run},
  classList: {contains: name => name === "part" && kind === "part"},
});
const part = ([subset, rows]) => new Element({
  dataset: {subset},
  rows: [row({cells: [subset], kind: "part"}), ...rows.map(row)],
  append(...moved) { this.rows = [...this.rows.filter(x => !moved.includes(x)), ...moved]; },
});
const table = ({heads, parts}) => {
  const none = new Element({hidden: true});
  const cells = heads.map(([name, is, sorted]) => new Element({
    name, dataset: {is}, attributes: {"aria-sort": sorted},
    button: new Element({disabled: true}), querySelector() { return this.button; },
  }));
  return new Element({
    none, tHead: {rows: [{cells}]}, tBodies: Object.entries(parts).map(part),
    closest() { return {querySelector: () => none}; },
  });
};

const tables = given.tables.map(table);
const form = new Element({hidden: true}), status = new Element();
const stamp = new Element({tagName: "DETAILS", open: false});
let chosen = {subset: "all:all", run: "", kind: ""};
globalThis.FormData = class { constructor() { return Object.entries(chosen); } };
globalThis.location = {hash: given.hash || ""};
globalThis.window = new Element();
globalThis.document = {
  getElementById: name => ({filters: form, shown: status, "stamp-1": stamp})[name],
  querySelectorAll: () => tables,
};
require("vm").runInThisContext(given.script);
for (const step of given.steps) {
  if (step.choose) { chosen = {...chosen, ...step.choose}; form.fire("change"); }
  if (step.click) tables[0].tHead.rows[0].cells.find(x => x.name === step.click).button.fire("click");
}
process.stdout.write(JSON.stringify({
  form: !form.hidden, status: status.textContent, stamp: stamp.open,
  tables: tables.map(t => ({
    shown: !t.hidden, none: !t.none.hidden,
    sorted: Object.fromEntries(t.tHead.rows[0].cells.map(x => [x.name, x.attributes["aria-sort"]])),
    enabled: t.tHead.rows[0].cells.every(x => !x.button.disabled),
    rows: t.tBodies.filter(p => !p.hidden)
      .flatMap(p => p.rows.slice(1).filter(r => !r.hidden).map(r => r.cells[0].textContent)),
  })),
}));
