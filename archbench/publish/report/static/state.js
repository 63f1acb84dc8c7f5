// The data, what is selected, and what the reader has set, which stays when a live page takes newer data.

let data = JSON.parse(document.getElementById("data").textContent);
let recordById, modelByLabel, childrenOf;
const settings = {
  page: "results",
  filters: { tables: "", records: "" },
  sorts: {},
  all: {},
  set: null,
  x: null,
  y: null,
  logX: null,
  logY: null,
  shares: null,
  lineage: null,
};
let selected = null; // a network's label
let behind = []; // ids of the Records behind what was clicked
const whenSelected = [];

function index() {
  recordById = new Map(data.records.map((record) => [record.id, record]));
  modelByLabel = new Map(data.models.map((model) => [model.label, model]));
  childrenOf = new Map();
  for (const model of data.models) {
    for (const parent of model.is_member ? model.parents : []) childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), model.label]);
  }
}

// The network that a row or point is of: that of its first Record, since a table may call it by a longer name.
function labelOf(row) {
  const record = recordById.get(row.records?.[0]);
  if (record) return record.model;
  return modelByLabel.has(row.model) ? row.model : null;
}

// Select a network everywhere, or nothing.
function select(label, records = null) {
  const again = label === selected && records === null;
  selected = again || !modelByLabel.has(label) ? null : label;
  behind = selected === null ? [] : (records ?? modelByLabel.get(selected).records);
  for (const listener of whenSelected) listener();
}

const recordLink = (id) => h("a", { href: `#record-${id}` }, id);
