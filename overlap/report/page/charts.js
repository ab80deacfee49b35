// Draws each chart, for the reader's width and theme, when it comes near.
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
  views.set(element, null); // On its way.
  const result = await window.vegaEmbed(element, fitted(spec, width), {
    actions: false,
    ast: true,
    config,
    mode: 'vega-lite',
    renderer: 'svg',
    tooltip: { theme },
  });
  views.set(element, result);
  element.dataset.drawn = 'yes';
}

const near = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (isIntersecting && !views.has(target)) draw(target);
  }
}, { rootMargin: '300px' });

function drawAgain() {
  for (const element of views.keys()) draw(element);
}

// The charts' library comes after this script, so that the rest need not wait.
document.addEventListener('DOMContentLoaded', () => {
  for (const element of document.querySelectorAll('.chart')) near.observe(element);
});
window.addEventListener('beforeprint', () => {
  for (const element of document.querySelectorAll('.chart')) {
    if (!views.has(element)) draw(element);
  }
});
let charted = document.body.clientWidth;
window.addEventListener('resize', settled(200, () => {
  if (document.body.clientWidth === charted) return;
  charted = document.body.clientWidth;
  drawAgain();
}));
dark.addEventListener('change', drawAgain);
