// The pair that the reader picked out: what its two models get right and how.
const picked = { pair: data.heat?.start ?? 0 };
const SVG = 'http://www.w3.org/2000/svg';
const SHOWN = 12; // Examples of each side.

function modelsOf(pair) {
  return [data.heat.first[pair], data.heat.second[pair]];
}

// The four cells: how many, which share, and how many the ensemble gets right.
function jointTable(pair, names) {
  const counts = data.closeups.counts[pair];
  const right = data.closeups.right[pair];
  const total = counts.reduce((a, b) => a + b);
  const cell = (i, kind) => make(
    'td', { class: kind },
    make('b', {}, whole(counts[i])), ` ${share(counts[i], total)}`,
    right && make('small', {}, `together right on ${whole(right[i])}`),
  );
  const head = (text) => make('th', { scope: 'col' }, text);
  const side = (text) => make('th', { scope: 'row' }, text);
  return make(
    'table', { class: 'joint' },
    make('caption', {}, `Of ${whole(total)} examples`),
    make('thead', {}, make(
      'tr', {}, make('td', {}), head(`${names[1]} right`), head(`${names[1]} wrong`),
    )),
    make(
      'tbody', {},
      make('tr', {}, side(`${names[0]} right`), cell(0, ''), cell(1, 'one')),
      make('tr', {}, side(`${names[0]} wrong`), cell(2, 'two'), cell(3, '')),
    ),
  );
}

function facts(pair, names) {
  const { headings, rows } = data.pairs;
  const more = data.closeups.facts;
  const named = (heading) => heading.replace(/model ([12])/, (_, i) => names[i - 1]);
  const items = [
    ...headings.map((heading, i) => [heading, rows[pair][i], data.pairs.hints[i]]),
    ...more.headings.map((heading, i) => [named(heading), more.rows[pair][i], more.hints[i]]),
  ].filter(([heading, text]) => !COUNTED.has(heading) && text !== MISSING);
  return make('dl', { class: 'facts' }, ...items.map(([heading, text, hint]) => make(
    'div', {},
    make('dt', {}, heading), make('dd', {}, text),
    hint ? make('dd', { class: 'hint' }, hint) : null,
  )));
}
// In the title, or among the four cells.
const COUNTED = new Set(['Model 1', 'Model 2', 'Both', 'Only 1', 'Only 2', 'Neither']);

function shape(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// Two histograms of one axis, the second hanging below it.
function thetaPicture(sides) {
  const [width, half] = [320, 70];
  const most = Math.max(1, ...sides.flat());
  const svg = shape('svg', {
    viewBox: `0 0 ${width} ${2 * half}`, class: 'theta', 'aria-hidden': 'true',
  });
  sides.forEach((counts, side) => {
    const step = width / counts.length;
    counts.forEach((count, bin) => {
      const height = count ? Math.max(1, (half - 2) * count / most) : 0;
      svg.append(shape('rect', {
        x: bin * step + 0.5, width: step - 1, height,
        y: side ? half : half - height, class: side ? 'two' : 'one',
      }));
    });
  });
  svg.append(shape('line', { x1: 0, x2: width, y1: half, y2: half }));
  svg.append(shape('line', { x1: width / 2, x2: width / 2, y1: 0, y2: 2 * half }));
  return svg;
}

// In words, how often the model that is right alone is the more confident.
// A bin in the middle counts by half.
function confident(counts, towards) {
  const half = counts.length / 2;
  const total = counts.reduce((a, b) => a + b, 0);
  const sure = counts.reduce((sum, count, bin) => {
    const middle = bin + 0.5 - half;
    return sum + (middle === 0 ? count / 2 : middle * towards > 0 ? count : 0);
  }, 0);
  return share(sure, total);
}

function thetaPart(pair, names) {
  const sides = data.closeups.theta[pair];
  if (!sides) {
    return [make('p', { class: 'hint' }, 'No θ: it needs the confidences of both models.')];
  }
  const text = (side) => make(
    'p', { class: side ? 'two' : 'one' },
    `${side ? 'Below' : 'Above'}: only ${names[side]} right; it is the more confident`,
    ` on ${confident(sides[side], side ? -1 : 1)} of them.`,
  );
  const tallest = whole(Math.max(...sides.flat()));
  return [
    text(0), thetaPicture(sides),
    make('p', { class: 'ends' },
      make('span', {}, `← ${names[1]} more confident`),
      make('span', {}, `${names[0]} more confident →`)),
    text(1),
    make('p', { class: 'hint' }, `The longest bar: ${tallest} examples.`),
  ];
}

function classesPart(pair, names) {
  const sides = data.closeups.classes[pair];
  if (!sides) return [make('p', { class: 'hint' }, 'Not counted for this pair.')];
  return sides.map((rows, side) => make(
    'div', {},
    make('p', { class: side ? 'two' : 'one' }, `${names[side]} is ahead on`),
    rows.length
      ? make('ul', {}, ...rows.map(([name, one, two, n, q]) => {
        const [mine, other] = side ? [two, one] : [one, two];
        const sure = q < 0.05 ? `, q ${q ? `= ${q.toFixed(4)}` : '< 0.0001'}` : '';
        return make('li', {}, `${name}: alone right on ${mine}, the other on ${other}`,
          `, of ${whole(n)}${sure}`);
      }))
      : make('p', { class: 'hint' }, 'no class'),
  ));
}

function example({ id, class_name, image }) {
  const caption = make('figcaption', {}, `${class_name} `, make('small', {}, id));
  return make(
    'figure', {},
    image ? make('img', { src: image, alt: `example ${id}`, loading: 'lazy' }) : null,
    caption,
  );
}

function examplesPart(pair, names) {
  const models = modelsOf(pair);
  return [0, 1].map((side) => {
    const [mine, other] = side ? [models[1], models[0]] : models;
    const found = data.contested.filter(
      ({ right }) => right[mine] === 'y' && right[other] === 'n',
    );
    const left = found.length - SHOWN;
    return make(
      'div', {},
      make('p', { class: side ? 'two' : 'one' },
        `Only ${names[side]} right: ${found.length} of these`
        + (left > 0 ? `, ${SHOWN} shown` : '')),
      make('div', { class: 'examples' }, ...found.slice(0, SHOWN).map(example)),
    );
  });
}

function part(title, hint, ...content) {
  return make(
    'section', {},
    make('h4', {}, title),
    hint ? make('p', { class: 'hint' }, hint) : null,
    make('div', { class: 'sides' }, ...content),
  );
}

function showPair() {
  const { pair } = picked;
  const names = modelsOf(pair).map((model) => data.heat.models[model]);
  const contested = data.contested.length
    ? [part(
      'Examples on which only one is right',
      `Among the ${data.contested.length} examples on which the models of this study`
      + ' disagree the most: not a random choice.',
      ...examplesPart(pair, names),
    )]
    : [];
  byId('pair').replaceChildren(
    make('h3', {}, make('span', { class: 'one' }, names[0]), ' and ',
      make('span', { class: 'two' }, names[1])),
    jointTable(pair, names),
    facts(pair, names),
    part('Who is the more confident where only one is right',
      'Examples by the angle θ between the two confidences.', ...thetaPart(pair, names)),
    part('Classes that each wins',
      'The largest leads. q: false discovery rate over all classes, given below 0.05.',
      ...classesPart(pair, names)),
    ...contested,
  );
}

// Shows a pair everywhere: in the panel, the lists and the heat map.
function pick(pair) {
  picked.pair = pair;
  const [one, two] = modelsOf(pair);
  byId('model-1').value = one;
  byId('model-2').value = two;
  showPair();
  map.cursor = [map.places[one], map.places[two]];
  drawFrames();
  tell();
}

function pickModels() {
  const pair = pairOf(Number(byId('model-1').value), Number(byId('model-2').value));
  byId('no-pair').hidden = pair !== undefined;
  if (pair !== undefined) pick(pair);
}

if (data.heat) {
  for (const id of ['model-1', 'model-2']) {
    fill(byId(id), data.heat.models);
    byId(id).addEventListener('change', pickModels);
  }
  startMap();
  pick(picked.pair);
}
