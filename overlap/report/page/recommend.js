// Which models to add to a given one: picks among rows computed before.
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
  const members = step.members.length
    ? memberList(step.members)
    : make('p', {}, 'The halves of the examples chose different members.');
  if (step.accuracy === MISSING) {
    return [members, make('p', { class: 'caution' },
      `Optimistic: ${step.optimistic}, on the very examples that members were chosen on.`)];
  }
  const optimistic = step.optimistic === MISSING
    ? '' : ` Optimistic is ${step.optimistic}, on the examples on which the above were chosen.`;
  return [
    members,
    make('p', {},
      'Accuracy: ', make('b', { id: 'honest' }, step.accuracy), `; “${start.name}” alone: `,
      `${start.steps[0].accuracy}. A difference of ${step.gain} points.`),
    make('p', { class: 'hint' },
      'That is what choosing so is worth: members chosen on one half of the examples, which',
      ' may be others than the above, and scored on the other half, both ways.', optimistic),
  ];
}

function stepTable(start, more) {
  const row = (step) => [
    step.best ? `${step.more} ★` : step.more, step.added || MISSING,
    step.accuracy, step.gain, step.optimistic,
  ];
  return numbers(
    ['More models', 'Added', 'Accuracy', 'Over the first alone (points)', 'Optimistic'],
    start.steps.map(row), start.steps.findIndex((step) => step.more === more),
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
    numbers(
      ['Added', 'Category', 'Its own accuracy', 'Together', 'Gain (points)',
        ...(tested ? ['p (Holm)'] : [])],
      start.first.map(({ added, category, own, accuracy, gain, p }) => [
        added, category, own, accuracy, gain, ...(tested ? [p] : []),
      ]),
    ),
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
  const more = Math.min(Number(byId('budget').value), start.steps.at(-1).more);
  const step = start.steps.find((one) => one.more === more);
  byId('answer').replaceChildren(...answer(start, step));
  byId('steps').replaceChildren(
    stepTable(start, more),
    make('p', { class: 'hint' }, '★ seems best on the examples on which members are chosen.'),
    ...firstTable(start), ...freeTable(),
  );
}

// As many more as the start has; the best at first.
function offer() {
  const { steps } = data.recommender.starts[Number(byId('start').value)];
  const offered = steps.filter(({ more }) => more > 0);
  byId('budget').replaceChildren(
    ...offered.map(({ more }) => make('option', { value: more }, more)),
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
