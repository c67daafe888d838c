"use strict";
// What every page has: elements, the colours of the theme, and tables whose headings sort their rows.

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

// A heading that sorts; isUp is null where the table is sorted by another one.
function sortHeading(name, kind, isUp, act) {
  const [sorted, arrow] = isUp === null ? ["none", ""] : isUp ? ["ascending", " ▲"] : ["descending", " ▼"];
  const button = element("button", { type: "button", onclick: act }, `${name}${arrow}`);
  return element("th", { scope: "col", class: kind, "aria-sort": sorted }, button);
}

// What is not known comes last, whatever the direction; equals keep their order.
function inOrder(rows, value, isUp) {
  const sign = isUp ? 1 : -1;
  const keyed = rows.map((row) => [value(row), row]);
  keyed.sort(([one], [two]) => {
    if (one === null || two === null) return (one === null) - (two === null);
    return one < two ? -sign : one > two ? sign : 0;
  });
  return keyed.map(([, row]) => row);
}

function cellValue(cell, isNumber) {
  const text = cell.textContent.trim();
  if (!isNumber) return text === "" ? null : text.toLowerCase();
  const number = Number.parseFloat(text.replace("< ", "").replaceAll(",", ""));
  return Number.isNaN(number) ? null : number;
}

// The headings of a table that stands in the page become buttons; the same one again turns the order.
function makeSortable(table) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const titles = [...table.tHead.rows[0].cells].map((cell) => [cell.textContent, cell.className]);
  let [sorted, isUp] = [null, true];
  const draw = () => table.tHead.rows[0].replaceChildren(...titles.map(([name, kind], place) =>
    name === "" ? element("th", { scope: "col", class: kind }) : sortHeading(name, kind, place === sorted ? isUp : null, () => sort(place))));
  function sort(place) {
    const isNumber = titles[place][1] === "n";
    // Of numbers the largest are mostly looked for, of words the first.
    isUp = place === sorted ? !isUp : !isNumber;
    sorted = place;
    body.replaceChildren(...inOrder(rows, (row) => cellValue(row.cells[place], isNumber), isUp));
    draw();
    table.querySelector('[aria-sort="ascending"] button, [aria-sort="descending"] button').focus();
  }
  draw();
}

for (const table of document.querySelectorAll("main table")) {
  if (table.tBodies[0].rows.length > 2 && !table.closest(".pairs")) makeSortable(table);
}
