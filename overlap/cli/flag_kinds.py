"""Kinds of flags: lists that add up, paths."""

from typing import Any

from absl import flags

from overlap.core import files


class _ListFlag(flags.Flag):
  """Adds the items of every occurrence on the command line."""

  value: Any

  def parse(self, argument: Any) -> None:
    before = self.value if self.present else []
    super().parse(argument)
    self.value = [*before, *self.value]


def define_list(
  name: str,
  default: list[str] | str,
  help_text: str,
  *,
  flag_values: flags.FlagValues,
) -> None:
  """Defines a flag of items with commas between them, which may be repeated."""
  flag = _ListFlag(
    flags.ListParser(), flags.CsvListSerializer(','), name, default,
    f'{help_text}; items with commas between them, or the flag repeatedly',
  )  # fmt: skip
  flags.DEFINE_flag(flag, flag_values)


class _PathParser(flags.ArgumentParser):
  """Expands '~', which a shell leaves alone after '='."""

  def parse(self, argument: str) -> str:
    return files.local_path(argument)


def define_path(
  name: str,
  default: str | None,
  help_text: str,
  *,
  flag_values: flags.FlagValues,
) -> None:
  """Defines a flag that names a file or a folder."""
  flags.DEFINE(_PathParser(), name, default, help_text, flag_values=flag_values)
