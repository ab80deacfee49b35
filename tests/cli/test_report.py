"""overlap report on tables that were made before, or too long before."""

from absl import logging


def test_a_report_of_older_tables_says_so(overlap, predictions, monkeypatch):
  warned = []
  monkeypatch.setattr(
    logging, 'warning', lambda text, *args: warned.append(text % args)
  )
  where = f'--workdir={predictions.workdir}'

  def report():
    warned.clear()
    done = overlap('report', where, '--only=fig08')
    assert done.status == 0, done.err
    return [text for text in warned if 'overlap analyse' in text]

  def ingest(model, *words):
    file = predictions.hard(model)
    known = predictions.known
    done = overlap('ingest', *known, f'--predictions={file}', *words)
    assert done.status == 0, done.err

  def analyse():
    words = ('--base=a', '--resamples=0', '--tables=models,pairs')
    assert overlap('analyse', where, *words).status == 0

  ingest('a')
  ingest('b')
  analyse()
  assert not report()
  predictions.logits['b'] = -predictions.logits['b']
  ingest('b', '--replace')
  assert len(report()) == 1
  analyse()
  assert not report()
