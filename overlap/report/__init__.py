"""One self-contained page about a study: `report/index.html`.

It asks the network for nothing: scripts, styles and data are inline, and its
content security policy lets no other script run, so that even a name that
got past the escaping would stay text.
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
from overlap import files
from overlap.figures import frames
from overlap.report import charts as charts_lib
from overlap.report import findings as findings_lib
from overlap.report import provenance, rows

# As text inside <script>, these could end it or break its lines.
_ESCAPES = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
}


def write(
  workdir: epath.PathLike, *, figures: Iterable[str] | None = None
) -> epath.Path:
  """Writes `report/index.html` from the tables of a workdir.

  `config.json`, `timings.json` and `tables/analysis.json` are shown where
  they exist. The same files give the same page.

  Args:
    workdir: of the study.
    figures: those that the page shows, keys of `overlap.figures.FIGURES`;
      all by default. Those without data are left out.

  Returns:
    The path of the page.

  Raises:
    UsageError: no such figure.
    DataError: a table is absent, a JSON file is no JSON, or the page can't be
      written.
  """
  page = render(
    figures_lib.load(workdir),
    config=provenance.read(workdir, 'config.json'),
    request=provenance.read(workdir, 'tables/analysis.json'),
    timings=provenance.read(workdir, 'timings.json'),
    figures=figures,
  )
  path = epath.Path(workdir) / 'report' / 'index.html'
  files.write_text(path, page)
  return path


def render(
  tables: frames.Tables,
  *,
  config: dict[str, Any] | None = None,
  request: dict[str, Any] | None = None,
  timings: dict[str, Any] | None = None,
  figures: Iterable[str] | None = None,
) -> str:
  """The page as text; arguments as the files that `write` reads."""
  config, timings = config or {}, timings or {}
  charts = charts_lib.charts(tables, figures)
  scripts = [charts_lib.javascript(), _asset('page.js')]
  return _template().render(
    title=provenance.title(config, tables),
    policy=_policy(scripts),
    css=markupsafe.Markup(_asset('page.css')),
    run=provenance.what_was_run(config, request or {}, tables),
    findings=findings_lib.findings(tables),
    charts=charts,
    models=rows.models_table(tables),
    pairs=rows.pairs_table(tables) if len(tables['pairs']) else None,
    categories=rows.categories_table(tables),
    stages=provenance.stages(timings),
    software=provenance.software(config, timings),
    config=provenance.config_text(config),
    data=script_json(
      {
        'specs': {chart.name: chart.spec for chart in charts},
        'rows': {chart.name: chart.data for chart in charts},
        'configs': charts_lib.configs(),
        'categories': rows.category_order(),
      }
    ),
    scripts=[markupsafe.Markup(script) for script in scripts],
  )


def script_json(value: Any) -> markupsafe.Markup:
  """JSON that is safe inside a <script> element, whatever strings it holds."""
  text = json.dumps(
    value, allow_nan=False, ensure_ascii=False, separators=(',', ':')
  )
  for character, escape in _ESCAPES.items():
    text = text.replace(character, escape)
  return markupsafe.Markup(text)


def _policy(scripts: Sequence[str]) -> str:
  """Only these very scripts may run, and nothing is fetched."""
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
  return (epath.resource_path('overlap') / 'report' / name).read_text()


def _template() -> jinja2.Template:
  environment = jinja2.Environment(
    loader=jinja2.PackageLoader('overlap.report', '.'),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
  )
  return environment.get_template('page.html.j2')
