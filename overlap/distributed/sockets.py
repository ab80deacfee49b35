"""Connections between the machines of one run."""

import contextlib
import socket

# A machine that vanishes is noticed after 60 s without an answer.
_KEEPALIVE = (('TCP_KEEPIDLE', 30), ('TCP_KEEPINTVL', 10), ('TCP_KEEPCNT', 3))


def own_hosts(host: str) -> list[str]:
  """Returns names by which others may reach this machine, likeliest first."""
  names = [host, socket.gethostname(), own_address('192.0.2.1')]
  return list(dict.fromkeys(name for name in names if name))


def own_address(host: str) -> str:
  """Returns this machine's address on the way to a host; '' if unknown."""
  with contextlib.suppress(OSError):
    family, kind, _, _, address = socket.getaddrinfo(
      host, 9, type=socket.SOCK_DGRAM
    )[0]
    with socket.socket(family, kind) as probe:
      # Sends nothing: only selects the outgoing address.
      probe.connect(address)
      return str(probe.getsockname()[0])
  return ''


def is_own(host: str) -> bool:
  """Returns whether a name or address belongs to this machine."""
  try:
    _listen_at(host).close()
  except OSError:
    return False
  return True


def listen(host: str) -> socket.socket:
  """Listens at a free port of one address, or of all.

  Args:
    host: name or address of this machine; for '' or another machine's, such as
      that of a proxy in front of this one, all addresses.
  """
  if host and is_own(host):
    return _listen_at(host)
  if socket.has_dualstack_ipv6():
    with contextlib.suppress(OSError):
      return socket.create_server(
        ('', 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024
      )
  return socket.create_server(('', 0), backlog=1024)


def _listen_at(host: str) -> socket.socket:
  family, *_ = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
  return socket.create_server((host, 0), family=family, backlog=1024)


def keep_alive(connection: socket.socket) -> None:
  """Makes a connection end if the other machine vanishes."""
  connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
  for name, value in _KEEPALIVE:
    if hasattr(socket, name):
      connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
