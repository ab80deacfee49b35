"""Self-contained HTML page about a study: `report/index.html`.

The page makes no network requests: scripts, styles and data are inline. Its
content security policy allows no other scripts, so that a name that is not
escaped correctly still can't run code.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

import jinja2
import markupsafe
from etils import epath

from overlap import figures as figures_lib
from overlap.core import checksums, files
from overlap.figures import frames, style
from overlap.report import cells, closeups, heat, provenance, rows
from overlap.report import charts as charts_lib
from overlap.report import findings as findings_lib
from overlap.report import recommender as recommender_lib

# Optional files that the page shows besides the tables.
SHOWN = {
  'config': 'config.json',
  'request': 'tables/analysis.json',
  'timings': 'timings.json',
  'done': 'tables/done.json',
  'thumbnails': 'report/thumbnails.json',
}
# Concatenated to one module; later files use definitions of earlier ones.
_SCRIPTS = (
  'core.js', 'charts.js', 'tables.js', 'heatmap.js', 'pair.js', 'recommend.js',
)  # fmt: skip
# Rows of the table of pairs in the page without JavaScript.
_STATIC_ROWS = 100
# Characters that could end a <script> element or break its lines.
_ESCAPES = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
}


def write_report(
  workdir: epath.PathLike, *, figures: Iterable[str] | None = None
) -> epath.Path:
  """Writes `report/index.html` from the tables of a workdir.

  The page includes those files of `SHOWN` that exist. It is deterministic: the
  same files give the same page.

  Args:
    workdir: folder of the study.
    figures: keys of `overlap.figures.FIGURES` to show; all by default.
      Figures without data are left out.

  Returns:
    The path of the page.

  Raises:
    UsageError: a figure is unknown.
    DataError: a table is absent, a file is damaged, or the page can't be
      written.
  """
  page = render(
    figures_lib.load(workdir),
    figures=figures,
    **{
      key: provenance.read_run_file(workdir, name)
      for key, name in SHOWN.items()
    },
  )
  path = epath.Path(workdir) / 'report' / 'index.html'
  checksums.forget(path.parent, [path.name])
  files.write_text(path, page)
  checksums.note(path.parent, [path])
  return path


def render(
  tables: frames.Tables,
  *,
  config: dict[str, Any] | None = None,
  request: dict[str, Any] | None = None,
  timings: dict[str, Any] | None = None,
  done: dict[str, Any] | None = None,
  thumbnails: dict[str, Any] | None = None,
  figures: Iterable[str] | None = None,
) -> str:
  """Returns the HTML text of the page.

  Args:
    tables: tables from `figures.load`.
    config: contents of `config.json`.
    request: contents of `tables/analysis.json`.
    timings: contents of `timings.json`.
    done: contents of `tables/done.json`.
    thumbnails: contents of `report/thumbnails.json`.
    figures: keys of `overlap.figures.FIGURES` to show; all by default.
  """
  config, timings = config or {}, timings or {}
  charts = charts_lib.charts(tables, figures)
  # The large chart library comes last, since only the charts need it.
  scripts = [
    '\n'.join(_asset(name) for name in _SCRIPTS),
    charts_lib.javascript(),
  ]
  pairs = rows.pairs_table(tables) if len(tables['pairs']) else None
  shown = recommender_lib.recommender(tables, request or {})
  return _template().render(
    title=provenance.title(config, tables),
    policy=_policy(scripts),
    # Trusted: our own style sheet, without data of the study.
    css=markupsafe.Markup(_asset('page.css') + charts_lib.colours()),  # nosec B704
    run=provenance.what_was_run(config, request or {}, tables),
    findings=findings_lib.findings(tables, _level(request or {})),
    charts=charts,
    models=rows.models_table(tables),
    pairs=pairs and pairs._replace(rows=pairs.rows[:_STATIC_ROWS]),
    categories=rows.categories_table(tables),
    recommender=shown,
    legend=charts_lib.legend(tables),
    stages=provenance.stages(timings),
    software=provenance.software(config, timings),
    checksums=provenance.checksums(done or {}),
    config=provenance.config_text(config),
    data=script_json(
      {
        'specs': {chart.name: chart.spec for chart in charts},
        'rows': {chart.name: chart.data for chart in charts},
        'configs': charts_lib.configs(),
        'categories': rows.category_order(),
        'order': list(style.ORDER),
        'recommender': shown,
        **_of_pairs(tables, pairs, thumbnails or {}),
      }
    ),
    scripts=[markupsafe.Markup(script) for script in scripts],  # nosec B704
  )


def _of_pairs(
  tables: frames.Tables,
  table: cells.Table | None,
  thumbnails: dict[str, Any],
) -> dict[str, Any]:
  """Returns the data of the heat map, table of pairs and selected pair."""
  names = ('pairs', 'heat', 'closeups', 'contested')
  if table is None:
    return dict.fromkeys(names)
  pairs = rows.pairs_in_order(tables)
  listed = {
    'headings': [column.heading for column in table.columns],
    'hints': [column.hint for column in table.columns],
    'rows': table.rows,
  }
  found = (
    listed,
    heat.heat(tables, pairs) | {'start': heat.most_apart(pairs)},
    closeups.closeups(tables, pairs),
    closeups.contested(tables, thumbnails),
  )
  return dict(zip(names, found))


def script_json(value: Any) -> markupsafe.Markup:
  """Returns JSON escaped for use inside a <script> element."""
  text = json.dumps(
    value, allow_nan=False, ensure_ascii=False, separators=(',', ':')
  )
  for character, escape in _ESCAPES.items():
    text = text.replace(character, escape)
  return markupsafe.Markup(text)  # nosec B704


def _level(request: dict[str, Any]) -> float:
  """Returns the confidence level of the intervals in the tables."""
  return float((request.get('options') or {}).get('confidence', 0.95))


def _policy(scripts: Sequence[str]) -> str:
  """Returns a content security policy that allows only the given scripts."""
  digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
  hashes = [
    f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests
  ]
  return (
    f"default-src 'none'; script-src {' '.join(hashes)};"
    " style-src 'unsafe-inline'; img-src data:; base-uri 'none';"
    " form-action 'none'"
  )


def _asset(name: str) -> str:
  return (epath.resource_path('overlap') / 'report' / 'page' / name).read_text()


def _template() -> jinja2.Template:
  environment = jinja2.Environment(
    loader=jinja2.PackageLoader('overlap.report', 'page'),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
  )
  return environment.get_template('page.html.j2')
