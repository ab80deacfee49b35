"""Connections between the machines of one run."""

import contextlib
import socket

# A machine that is gone without a word is noticed after 60 s of silence.
_KEEPALIVE = (('TCP_KEEPIDLE', 30), ('TCP_KEEPINTVL', 10), ('TCP_KEEPCNT', 3))


def own_hosts(host: str) -> list[str]:
  """By what names others may reach this machine, the likeliest first."""
  found = [host, socket.gethostname()]
  with (
    contextlib.suppress(OSError),
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe,
  ):
    # Nothing is sent: this asks by which address one leaves this machine.
    probe.connect(('192.0.2.1', 9))
    found.append(probe.getsockname()[0])
  return list(dict.fromkeys(name for name in found if name))


def listen() -> socket.socket:
  """Listens at a free port, for whoever comes."""
  if socket.has_dualstack_ipv6():
    with contextlib.suppress(OSError):
      return socket.create_server(
        ('', 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024
      )
  return socket.create_server(('', 0), backlog=1024)


def keep_alive(connection: socket.socket) -> None:
  """Has a connection end where the other machine is gone."""
  connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
  for name, value in _KEEPALIVE:
    if hasattr(socket, name):
      connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
