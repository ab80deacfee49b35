// Sorts and filters tables. Of the pairs, which may be thousands, only as many
// rows are in the document as the reader asks for.
const STEP = 100;

// Numbers by value; a missing one ('–') is last either way.
function parsed(text) {
  const number = parseFloat(text.replaceAll('−', '-').replaceAll(/[<,]/g, ''));
  return Number.isNaN(number) ? null : number;
}

function key(text, numeric) {
  if (numeric) return parsed(text);
  const place = data.categories.indexOf(text);
  return place < 0 ? text : String(place);
}

const collator = new Intl.Collator('en', { numeric: true });

// `rows` in the order of one of their texts.
function sorted(rows, text, numeric, up) {
  const keyed = rows.map((row) => [key(text(row), numeric), row]);
  keyed.sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null);
    const order = numeric ? a - b : collator.compare(a, b);
    return up ? order : -order;
  });
  return keyed.map(([, row]) => row);
}

function words(input) {
  return input.value.toLowerCase().split(/\s+/).filter(Boolean);
}

// Cells apart, so that no word is found across two of them.
function matches(texts, wanted) {
  const text = texts.join('\n').toLowerCase();
  return wanted.every((word) => text.includes(word));
}

// Notes the new order in the heading; returns [column, numeric, ascending].
function turn(header) {
  const up = header.getAttribute('aria-sort') !== 'ascending';
  for (const other of header.parentElement.cells) {
    other.setAttribute('aria-sort', 'none');
  }
  header.setAttribute('aria-sort', up ? 'ascending' : 'descending');
  return [header.cellIndex, header.classList.contains('n'), up];
}

function cellTexts(row) {
  return [...row.cells].map((cell) => cell.textContent);
}

// A table that is in the document as it is.
function sortInPlace(header) {
  const [column, numeric, up] = turn(header);
  const body = header.closest('table').tBodies[0];
  const text = (row) => row.cells[column].textContent;
  body.append(...sorted([...body.rows], text, numeric, up));
}

function filterInPlace(input) {
  const name = input.dataset.filter;
  const { rows } = byId(name).tBodies[0];
  const wanted = words(input);
  let shown = 0;
  for (const row of rows) {
    row.hidden = !matches(cellTexts(row), wanted);
    shown += !row.hidden;
  }
  byId(`count-${name}`).textContent = wanted.length ? `${shown} of ${rows.length}` : '';
}

// The table of pairs: places among the pairs, as sorted, and as filtered.
const listed = {
  order: (data.pairs?.rows ?? []).map((_, i) => i), found: [], shown: STEP,
};

function pairRow(place) {
  const [first, ...rest] = data.pairs.rows[place];
  const button = make('button', { type: 'button', 'data-pair': place }, first);
  return make(
    'tr', {},
    make('th', { scope: 'row' }, button),
    ...rest.map((text) => make('td', {}, text)),
  );
}

function listPairs() {
  const wanted = words(byId('filter-pairs'));
  const { rows } = data.pairs;
  listed.found = wanted.length
    ? listed.order.filter((place) => matches(rows[place], wanted))
    : listed.order;
  const shown = listed.found.slice(0, listed.shown);
  byId('pairs').tBodies[0].replaceChildren(...shown.map(pairRow));
  byId('count-pairs').textContent = wanted.length || shown.length < rows.length
    ? `${whole(shown.length)} shown of ${whole(listed.found.length)}` +
      (wanted.length ? ` found, ${whole(rows.length)} in all` : '')
    : '';
  byId('more-pairs').hidden = shown.length === listed.found.length;
}

function sortPairs(header) {
  const [column, numeric, up] = turn(header);
  const text = (place) => data.pairs.rows[place][column];
  listed.order = sorted(listed.order, text, numeric, up);
  listed.shown = STEP;
  listPairs();
}

for (const button of document.querySelectorAll('thead button')) {
  const header = button.parentElement;
  const own = header.closest('table').id === 'pairs' ? sortPairs : sortInPlace;
  button.addEventListener('click', () => own(header));
}
for (const input of document.querySelectorAll('[data-filter]')) {
  const own = input.dataset.filter === 'pairs' ? listPairs : filterInPlace;
  input.addEventListener('input', () => own(input));
}
if (byId('pairs')) {
  byId('more-pairs').addEventListener('click', () => {
    listed.shown += 2 * STEP;
    listPairs();
  });
  byId('pairs').tBodies[0].addEventListener('click', (event) => {
    const button = event.target.closest('[data-pair]');
    if (button) {
      pick(Number(button.dataset.pair));
      byId('pair').scrollIntoView({ block: 'start' });
      byId('pair').focus({ preventScroll: true });
    }
  });
  listPairs();
}
