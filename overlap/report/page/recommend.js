// Which models to add to a given one: picks among rows computed before.
const TIMES = '×'; // Before budgets of operations, among numbers of models.
const NO_BUDGETS = 'No budget of operations can be chosen here: predictions don’t say what'
  + ' their models take, or nothing is within one.';

function memberList(members) {
  return make('ol', { class: 'members' }, ...members.map((name) => make('li', {}, name)));
}

function numbers(headings, rows, chosen = -1) {
  return make('div', { class: 'scroll', tabindex: 0 }, make(
    'table', {},
    make('thead', {}, make(
      'tr', {}, ...headings.map((text) => make('th', { scope: 'col' }, text)),
    )),
    make('tbody', {}, ...rows.map((row, i) => make(
      'tr', { 'aria-current': i === chosen ? 'true' : null },
      ...row.map((text) => make('td', {}, text)),
    ))),
  ));
}

function answer(start, step) {
  const members = [
    step.members.length
      ? memberList(step.members)
      : make('p', {}, 'The halves of the examples chose different members.'),
    step.cost === MISSING ? null : make('p', { id: 'cost' },
      `Operations: ${step.cost} times those of “${start.name}” alone, ${start.flops} an image.`),
  ].filter((part) => part !== null);
  if (step.accuracy === MISSING) {
    return [...members, make('p', { class: 'caution' },
      `Optimistic: ${step.optimistic}, on the very examples that members were chosen on.`)];
  }
  const optimistic = step.optimistic === MISSING
    ? '' : ` Optimistic is ${step.optimistic}, on the examples on which the above were chosen.`;
  return [
    ...members,
    make('p', {},
      'Accuracy: ', make('b', { id: 'honest' }, step.accuracy), `; “${start.name}” alone: `,
      `${start.steps[0].accuracy}. A difference of ${step.gain} points.`),
    make('p', { class: 'hint' },
      'That is what choosing so is worth: members chosen on one half of the examples, which',
      ' may be others than the above, and scored on the other half, both ways.', optimistic),
  ];
}

// A column that is there if any of its rows has a value.
function withCosts(rows, headings, cells) {
  const known = rows.some(({ cost }) => cost !== MISSING);
  const heading = 'Operations (× the first’s)';
  return [
    known ? [...headings, heading] : headings,
    rows.map((row) => (known ? [...cells(row), row.cost] : cells(row))),
  ];
}

function stepTable(start, step) {
  return numbers(...withCosts(
    start.steps,
    ['More models', 'Added', 'Accuracy', 'Over the first alone (points)', 'Optimistic'],
    ({ best, more, added, accuracy, gain, optimistic }) => [
      best ? `${more} ★` : more, added || MISSING, accuracy, gain, optimistic,
    ],
  ), start.steps.indexOf(step));
}

function budgetTable(start, step) {
  return numbers(
    ['At most (× the first’s operations)', 'Members', 'Accuracy',
      'Over the first alone (points)', 'Optimistic', 'Operations (×)'],
    start.budgets.map(({ budget, members, accuracy, gain, optimistic, cost }) => [
      budget, members.length || MISSING, accuracy, gain, optimistic, cost,
    ]),
    start.budgets.indexOf(step),
  );
}

function firstTable(start) {
  if (!start.first.length) return [];
  const tested = start.first.some(({ p }) => p !== MISSING);
  return [make(
    'details', {},
    make('summary', {}, 'One more model: which'),
    make('p', { class: 'caution' },
      'Scored on all examples, on which they are also ranked: the first is flattered.'),
    numbers(...withCosts(
      start.first,
      ['Added', 'Category', 'Its own accuracy', 'Together', 'Gain (points)',
        ...(tested ? ['p (Holm)'] : [])],
      ({ added, category, own, accuracy, gain, p }) => [
        added, category, own, accuracy, gain, ...(tested ? [p] : []),
      ],
    )),
  )];
}

function freeTable() {
  const { free } = data.recommender;
  if (!free.length) return [];
  return [make(
    'details', {},
    make('summary', {}, 'No model given: the best of all subsets'),
    make('p', { class: 'hint' },
      'Accuracies: chosen on one half, scored on the other. Members: by all examples.'),
    numbers(
      ['Models', 'Subsets', 'Members', 'Accuracy', 'Optimistic'],
      free.map(({ size, subsets, members, accuracy, optimistic }) => [
        size, subsets, members.join(', '), accuracy, optimistic,
      ]),
    ),
  )];
}

function recommend() {
  const start = data.recommender.starts[Number(byId('start').value)];
  if (!start.steps.length) {
    byId('answer').replaceChildren(make('p', {},
      'From this model greedy selection was not run: there is what one more model adds.'));
    byId('steps').replaceChildren(...firstTable(start), ...freeTable());
    byId('steps').firstChild.open = true;
    return;
  }
  const wanted = byId('budget').value;
  const within = start.budgets.find((one) => wanted === `${TIMES}${one.budget}`);
  const step = within ?? start.steps.find(({ more }) => String(more) === wanted);
  byId('answer').replaceChildren(...answer(start, step));
  byId('steps').replaceChildren(
    within ? budgetTable(start, step) : stepTable(start, step),
    make('p', { class: 'hint' }, within
      ? 'Each is the best that greedy selection finds within it, by what members are chosen on.'
      : '★ seems best on the examples on which members are chosen.'),
    ...(start.budgets.length ? [] : [make('p', { class: 'hint' }, NO_BUDGETS)]),
    ...firstTable(start), ...freeTable(),
  );
}

// As many more as the start has, the best at first; or what operations allow.
function offer() {
  const { steps, budgets } = data.recommender.starts[Number(byId('start').value)];
  const offered = steps.filter(({ more }) => more > 0);
  const group = (label, options) => (
    options.length ? [make('optgroup', { label }, ...options)] : []
  );
  byId('budget').replaceChildren(
    ...group('Models', offered.map(({ more }) => make(
      'option', { value: more }, more === 1 ? '1 more model' : `${more} more models`,
    ))),
    ...group('Operations of all members', budgets.map(({ budget }) => make(
      'option', { value: `${TIMES}${budget}` }, `${budget} × its operations`,
    ))),
  );
  byId('budget').disabled = !offered.length;
  if (offered.length) byId('budget').value = (offered.find(({ best }) => best) ?? offered[0]).more;
  recommend();
}

if (data.recommender) {
  fill(byId('start'), data.recommender.starts.map(
    ({ name, category }) => `${name} (${category})`,
  ));
  byId('start').addEventListener('change', offer);
  byId('budget').addEventListener('change', recommend);
  offer();
}
document.documentElement.dataset.ready = 'yes';
