"""CRC-32C (Castagnoli), eight bytes a step, as records of data carry it."""

import numpy as np

from overlap.compiled import compiled

_POLYNOMIAL = np.uint32(0x82F63B78)  # Its bits reversed.
_ALL = np.uint32(0xFFFFFFFF)


def checksums(rows: np.ndarray) -> np.ndarray:
  """Checksums of byte strings of one length.

  Args:
    rows: uint8 [B, length].

  Returns:
    uint32 [B].
  """
  return _checksums(np.ascontiguousarray(rows), _TABLES)


def checksum(content: bytes | memoryview) -> int:
  """The checksum of one byte string."""
  return int(checksums(np.frombuffer(content, np.uint8)[None])[0])


def _tables() -> np.ndarray:
  """Returns the CRC of each byte followed by 0 to 7 bytes, uint32 [8, 256]."""
  table: np.ndarray = np.arange(256, dtype=np.uint32)
  for _ in range(8):
    table = table >> 1 ^ (table & 1) * _POLYNOMIAL
  tables = [table]
  for _ in range(7):
    tables.append((tables[-1] >> 8) ^ table[tables[-1] & 255])
  return np.stack(tables)


@compiled
def _checksums(rows, tables):
  result = np.empty(len(rows), np.uint32)
  for row in range(len(rows)):
    data = rows[row]
    crc = _ALL
    whole = len(data) // 8 * 8
    for i in range(0, whole, 8):
      crc = (
        tables[7, data[i] ^ (crc & 255)]
        ^ tables[6, data[i + 1] ^ (crc >> 8 & 255)]
        ^ tables[5, data[i + 2] ^ (crc >> 16 & 255)]
        ^ tables[4, data[i + 3] ^ (crc >> 24)]
        ^ tables[3, data[i + 4]]
        ^ tables[2, data[i + 5]]
        ^ tables[1, data[i + 6]]
        ^ tables[0, data[i + 7]]
      )
    for i in range(whole, len(data)):
      crc = tables[0, data[i] ^ (crc & 255)] ^ (crc >> 8)
    result[row] = crc ^ _ALL
  return result


_TABLES = _tables()
