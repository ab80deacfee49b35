"""HTML of studies and pairs for notebooks, with every text escaped.

Colours are the notebook's own, so that light and dark themes both work.
"""

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from overlap.core import wording
from overlap.report.provenance import Fact
from overlap.report.sentences import Finding

# Number of findings shown at first, and of their sentences; the reader can
# unfold the others.
_SHOWN = 4
_SENTENCES = 2
_CELL = Markup(
  'style="text-align:{};padding:0.15em 0.9em 0.15em 0;vertical-align:top"'
)
_FAINT = Markup('style="opacity:0.7"')


def study(
  *,
  title: str,
  facts: Iterable[Fact],
  findings: Sequence[Finding],
  tables: Sequence[str],
) -> str:
  """Returns a study's summary: facts, findings and names of tables."""
  parts = [
    Markup('<strong style="font-size:1.2em">{}</strong>').format(title),
    _paragraph(' · '.join(f'{name}: {value}' for name, value in facts)),
    *(_finding(finding, _SENTENCES) for finding in findings[:_SHOWN]),
  ]
  if findings:
    parts.append(
      Markup(
        '<details style="margin:0.7em 0"><summary>All that was found</summary>'
        '{}</details>'
      ).format(Markup('').join(map(_finding, findings)))
    )
  parts.append(_paragraph(f'Tables: {", ".join(tables)}.'))
  return _box(parts)


def pair(
  *,
  names: tuple[str, str],
  category: str,
  counts: Sequence[Sequence[int]],
  facts: Iterable[tuple[str, str, str]],
) -> str:
  """Returns a pair's joint table and facts.

  Args:
    names: names of the two models.
    category: category of the pair; '' for none.
    counts: numbers of examples `[2, 2]`: rows by model 1, columns by model 2,
      each right and wrong.
    facts: heading, value and hint of each fact.
  """
  total = sum(map(sum, counts))
  title = Markup('<strong>“{}” and “{}”</strong>{}').format(
    *names, f' · {category}' if category else ''
  )
  lines = [
    Markup('<tr><td {}>{}</td><td {}>{}</td><td {}>{}</td></tr>').format(
      _style('left'), heading,
      _style('left;white-space:nowrap'), value,
      _style('left'), Markup('<span {}>{}</span>').format(_FAINT, hint),
    )
    for heading, value, hint in facts
  ]  # fmt: skip
  return _box([title, _joint(names, counts, total), _table(lines)])


def _joint(
  names: tuple[str, str], counts: Sequence[Sequence[int]], total: int
) -> Markup:
  head = [f'{wording.count(total)} examples']
  head += [f'“{names[1]}” {word}' for word in ('right', 'wrong')]
  lines = [_row(head)]
  for word, numbers in zip(('right', 'wrong'), counts):
    texts = [
      f'{wording.count(n)} ({wording.percent(n / total)})' for n in numbers
    ]
    lines.append(_row([f'“{names[0]}” {word}', *texts]))
  return _table(lines)


def _row(texts: Sequence[str]) -> Markup:
  first, *others = texts
  cells = [
    Markup('<td {}>{}</td>').format(_style('right'), text) for text in others
  ]
  return Markup('<tr><td {}>{}</td>{}</tr>').format(
    _style('left'), first, Markup('').join(cells)
  )


def _table(lines: Iterable[Markup]) -> Markup:
  return Markup('<table style="margin:0.5em 0">{}</table>').format(
    Markup('').join(lines)
  )


def _finding(finding: Finding, sentences: int | None = None) -> Markup:
  sign = '⚠ ' if finding.warning else ''
  said = ' '.join(finding.sentences[:sentences])
  if sentences and finding.sentences[sentences:]:
    said += ' …'
  return Markup(
    '<p style="margin:0.7em 0"><strong>{}{}</strong><br>{}</p>'
  ).format(sign, finding.title, said)


def _paragraph(text: str) -> Markup:
  return Markup('<p style="margin:0.4em 0;opacity:0.7">{}</p>').format(text)


def _style(side: str) -> Markup:
  return _CELL.format(side)


def _box(parts: Iterable[Markup]) -> str:
  html = Markup('<div style="max-width:60em;line-height:1.45">{}</div>').format(
    Markup('').join(parts)
  )
  return str(html).replace(' %', '\u00a0%')  # No line breaks before '%'.
