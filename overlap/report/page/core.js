// What the other scripts share. All are one module, so that names are theirs
// alone; whatever a study calls its models only ever becomes text.
const data = JSON.parse(document.getElementById('data').textContent);
const dark = window.matchMedia('(prefers-color-scheme: dark)');
const MISSING = '–';

// An element with attributes, and with texts or elements in it.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

function byId(id) {
  return document.getElementById(id);
}

function share(part, whole) {
  return whole ? `${(100 * part / whole).toFixed(1)}\u00a0%` : MISSING;
}

function whole(number) {
  return number.toLocaleString('en');
}

// An option for each entry of a list; its value is its place.
function fill(select, texts) {
  select.replaceChildren(
    ...texts.map((text, i) => make('option', { value: i }, text)),
  );
}

// Calls back once the last of many events is over.
function settled(milliseconds, callback) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(callback, milliseconds);
  };
}
