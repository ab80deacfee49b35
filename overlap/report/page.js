// Draws the charts for the reader's width and theme; sorts and filters tables.
const data = JSON.parse(document.getElementById('data').textContent);
const dark = window.matchMedia('(prefers-color-scheme: dark)');
const NARROW = 700;
const MARGIN = 75; // What axes and padding take beside a panel.
const views = new Map();

// The spec as it fits `width`: panels below one another where it is narrow.
function fitted(spec, width) {
  const copy = structuredClone(spec);
  const panels = copy.concat ?? [copy];
  if (copy.concat) {
    const columns = Math.min(copy.columns, width < NARROW ? 1 : width < 950 ? 2 : 3);
    copy.columns = columns;
    const margin = copy.usermeta?.margin ?? MARGIN;
    const room = Math.floor(width / columns) - margin - 10;
    for (const panel of panels) {
      panel.width = Math.max(180, Math.min(columns === 1 ? 420 : 300, room));
    }
  } else {
    copy.width = Math.max(220, Math.min(copy.width, width - MARGIN));
  }
  return copy;
}

// The rows drawn, as Vega wants them: one object each.
function values({ fields, rows }) {
  return rows.map((row) => Object.fromEntries(fields.map((f, i) => [f, row[i]])));
}

async function draw(element) {
  const width = element.clientWidth;
  const theme = dark.matches ? 'dark' : 'light';
  const { name } = element.dataset;
  const spec = { ...data.specs[name], data: { values: values(data.rows[name]) } };
  const config = structuredClone(data.configs[theme]);
  if (width < NARROW) config.legend.columns = width < 450 ? 2 : 3;
  views.get(element)?.finalize();
  const fixed = 'fixed' in element.dataset;
  const result = await window.vegaEmbed(
    element,
    fixed ? spec : fitted(spec, width),
    {
      actions: false,
      ast: true,
      config,
      mode: 'vega-lite',
      renderer: 'svg',
      tooltip: { theme },
    },
  );
  views.set(element, result);
}

async function drawAll() {
  for (const element of document.querySelectorAll('.chart')) {
    await draw(element);
  }
  document.documentElement.dataset.drawn = 'yes';
}

// Numbers first, by value; a missing one ('–') is last either way.
function parsed(text) {
  const number = parseFloat(text.replaceAll('−', '-').replaceAll(/[<,]/g, ''));
  return Number.isNaN(number) ? null : number;
}

function key(text, numeric) {
  if (numeric) return parsed(text);
  const place = data.categories.indexOf(text);
  return place < 0 ? text : String(place);
}

function sort(header) {
  const table = header.closest('table');
  const index = header.cellIndex;
  const numeric = header.classList.contains('n');
  const up = header.getAttribute('aria-sort') !== 'ascending';
  for (const other of header.parentElement.cells) {
    other.setAttribute('aria-sort', 'none');
  }
  header.setAttribute('aria-sort', up ? 'ascending' : 'descending');
  const rows = [...table.tBodies[0].rows].map(
    (row) => [key(row.cells[index].textContent, numeric), row],
  );
  rows.sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null);
    const order = numeric ? a - b : a.localeCompare(b, 'en', { numeric: true });
    return up ? order : -order;
  });
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

function filter(input) {
  const name = input.dataset.filter;
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = document.getElementById(name).tBodies[0].rows;
  let shown = 0;
  for (const row of rows) {
    // Cells apart, so that no word is found across two of them.
    const text = [...row.cells].map((cell) => cell.textContent).join('\n');
    row.hidden = !words.every((word) => text.toLowerCase().includes(word));
    shown += !row.hidden;
  }
  const count = document.getElementById(`count-${name}`);
  count.textContent = words.length ? `${shown} of ${rows.length}` : '';
}

for (const button of document.querySelectorAll('thead button')) {
  button.addEventListener('click', () => sort(button.parentElement));
}
for (const input of document.querySelectorAll('[data-filter]')) {
  input.addEventListener('input', () => filter(input));
}

let width = document.body.clientWidth;
let timer;
window.addEventListener('resize', () => {
  clearTimeout(timer);
  timer = setTimeout(() => {
    if (document.body.clientWidth === width) return;
    width = document.body.clientWidth;
    drawAll();
  }, 200);
});
dark.addEventListener('change', drawAll);
drawAll();
