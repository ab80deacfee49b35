// The heat map of all pairs, on a canvas: picked from by pointer or by keys.
const canvas = byId('heatmap');
const VIRIDIS = [
  [68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142],
  [31, 158, 137], [53, 183, 121], [110, 206, 88], [181, 222, 43], [253, 231, 37],
];
const NAMED = 40; // Names of more models would be too small to read.
const STRIP = 7; // Pixels of the categories' colours along the sides.
const map = {
  order: [], places: [], pairs: new Map(), measure: 0, cursor: [0, 0], at: 0, cell: 0,
};

function shade(part) {
  const at = Math.min(Math.max(part, 0), 1) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(at), VIRIDIS.length - 2);
  const mix = VIRIDIS[low].map(
    (value, i) => Math.round(value + (at - low) * (VIRIDIS[low + 1][i] - value)),
  );
  return `rgb(${mix.join(' ')})`;
}

// The place of two models' pair among the pairs; undefined where it has none.
function pairOf(one, two) {
  const { models } = data.heat;
  return map.pairs.get(Math.min(one, two) * models.length + Math.max(one, two));
}

function cssColour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function categoryColours() {
  const { range } = data.configs[dark.matches ? 'dark' : 'light'];
  return Object.fromEntries(data.order.map((name, i) => [name, range.category[i]]));
}

// A name as it fits into `room` pixels.
function cut(context, name, room) {
  if (context.measureText(name).width <= room) return name;
  let end = name.length;
  while (end && context.measureText(`${name.slice(0, end)}…`).width > room) end -= 1;
  return `${name.slice(0, end)}…`;
}

function layOut() {
  const count = map.order.length;
  const room = canvas.parentElement.clientWidth;
  const named = count <= NAMED;
  const label = named ? Math.min(130, Math.floor(room * 0.3)) : 0;
  map.at = label + STRIP + 3;
  map.cell = Math.max(4, Math.min(28, Math.floor((room - map.at - 2) / count)));
  const size = map.at + map.cell * count + 2; // For the frames of the last.
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(size * ratio);
  canvas.height = Math.round(size * ratio);
  canvas.style.width = `${size}px`;
  canvas.style.height = `${size}px`;
  Object.assign(canvas.dataset, { at: map.at, cell: map.cell });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, size, size);
  return { context, label, size };
}

function drawNames(context, label) {
  context.fillStyle = cssColour('--ink');
  context.font = `${Math.min(12, Math.max(7, map.cell - 3))}px system-ui, sans-serif`;
  context.textBaseline = 'middle';
  context.textAlign = 'right';
  map.order.forEach((model, i) => {
    const middle = map.at + (i + 0.5) * map.cell;
    const name = cut(context, data.heat.models[model], label - 6);
    context.fillText(name, label - 4, middle);
    context.save();
    context.translate(middle, label - 4);
    context.rotate(Math.PI / 2);
    context.fillText(name, 0, 0);
    context.restore();
  });
}

function drawCells(context, colours) {
  const { values } = data.heat.measures[map.measure];
  const known = values.filter((value) => value !== null);
  const low = known.reduce((a, b) => Math.min(a, b));
  const span = known.reduce((a, b) => Math.max(a, b)) - low || 1;
  const gap = map.cell > 8 ? 1 : 0;
  const side = map.cell - gap;
  map.order.forEach((row, i) => {
    const y = map.at + i * map.cell;
    context.fillStyle = colours[data.heat.categories[row]];
    context.fillRect(map.at - STRIP - 2, y, STRIP, map.cell);
    context.fillRect(y, map.at - STRIP - 2, map.cell, STRIP);
    map.order.forEach((column, j) => {
      const pair = pairOf(row, column);
      const value = pair === undefined ? null : values[pair];
      if (row !== column) {
        if (value === null) return;
        context.fillStyle = shade((value - low) / span);
      } else {
        context.fillStyle = colours[data.heat.categories[row]];
      }
      context.fillRect(map.at + j * map.cell, y, side, side);
    });
  });
}

function frame(context, [row, column], colour, width) {
  const [y, x] = [row, column].map((place) => map.at + place * map.cell);
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.strokeRect(x - 0.5, y - 0.5, map.cell, map.cell);
}

// The picture without frames is kept: only these change under the pointer.
let plain = null;

function drawMap() {
  const { context, label, size } = layOut();
  if (label) drawNames(context, label);
  drawCells(context, categoryColours());
  plain = context.getImageData(0, 0, canvas.width, canvas.height);
  map.size = size;
  drawFrames();
}

function drawFrames() {
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.putImageData(plain, 0, 0);
  const chosen = [data.heat.first[picked.pair], data.heat.second[picked.pair]];
  const [one, two] = chosen.map((model) => map.places[model]);
  for (const cell of [[one, two], [two, one]]) {
    frame(context, cell, '#ffffff', 4);
    frame(context, cell, '#000000', 2);
  }
  frame(context, map.cursor, cssColour('--ink'), 2);
}

// Says in words what the cell is that the cursor is on.
function tell() {
  const [row, column] = map.cursor.map((place) => map.order[place]);
  const { models, categories, measures } = data.heat;
  const { heading } = measures[map.measure];
  if (row === column) {
    byId('reading').textContent = `${models[row]}: ${categories[row]}`;
    return;
  }
  const pair = pairOf(row, column);
  const place = data.pairs.headings.indexOf(heading);
  const text = pair === undefined ? MISSING : data.pairs.rows[pair][place];
  byId('reading').textContent = `${models[row]} and ${models[column]}: ${heading} ${text}`;
}

function move(row, column) {
  const last = map.order.length - 1;
  map.cursor = [row, column].map((place) => Math.min(Math.max(place, 0), last));
  drawFrames();
  tell();
}

function cellAt(event) {
  const box = canvas.getBoundingClientRect();
  const [y, x] = [event.clientY - box.top, event.clientX - box.left].map(
    (along) => Math.floor((along - map.at) / map.cell),
  );
  const inside = (place) => place >= 0 && place < map.order.length;
  return inside(x) && inside(y) ? [y, x] : null;
}

function pickCursor() {
  const [row, column] = map.cursor.map((place) => map.order[place]);
  const pair = pairOf(row, column);
  if (row !== column && pair !== undefined) pick(pair);
}

const MOVES = {
  ArrowUp: ([y, x]) => [y - 1, x],
  ArrowDown: ([y, x]) => [y + 1, x],
  ArrowLeft: ([y, x]) => [y, x - 1],
  ArrowRight: ([y, x]) => [y, x + 1],
  Home: ([y]) => [y, 0],
  End: ([y]) => [y, Infinity],
};

function orderBy(name) {
  const [row, column] = map.cursor.map((place) => map.order[place]);
  map.order = data.heat.orders[name];
  map.places = [];
  map.order.forEach((model, place) => { map.places[model] = place; });
  if (row !== undefined) map.cursor = [map.places[row], map.places[column]];
  drawMap();
}

function showMeasure() {
  const { low, high } = data.heat.measures[map.measure];
  byId('low').textContent = low;
  byId('high').textContent = high;
}

function startMap() {
  const { first, second, models, measures, orders } = data.heat;
  first.forEach((one, pair) => {
    const [low, high] = [one, second[pair]].sort((a, b) => a - b);
    map.pairs.set(low * models.length + high, pair);
  });
  fill(byId('measure'), measures.map(({ heading }) => heading));
  byId('measure').addEventListener('change', (event) => {
    map.measure = Number(event.target.value);
    showMeasure();
    drawMap();
    tell();
  });
  for (const input of document.querySelectorAll('[name=order]')) {
    input.disabled = !(input.value in orders);
    input.addEventListener('change', () => orderBy(input.value));
  }
  byId('ramp').style.background =
    `linear-gradient(to right, ${VIRIDIS.map((c) => `rgb(${c.join(' ')})`).join(', ')})`;
  canvas.addEventListener('pointermove', (event) => {
    const cell = cellAt(event);
    if (cell && String(cell) !== String(map.cursor)) move(...cell);
  });
  canvas.addEventListener('click', (event) => {
    const cell = cellAt(event);
    if (!cell) return;
    move(...cell);
    pickCursor();
  });
  canvas.addEventListener('keydown', (event) => {
    if (event.key in MOVES) move(...MOVES[event.key](map.cursor));
    else if (event.key === 'Enter' || event.key === ' ') pickCursor();
    else return;
    event.preventDefault();
  });
  showMeasure();
  map.cursor = [first[picked.pair], second[picked.pair]];
  map.order = models.map((_, i) => i);
  orderBy('category');
  tell();
  window.addEventListener('resize', settled(200, drawMap));
  dark.addEventListener('change', drawMap);
}
