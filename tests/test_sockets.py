"""On which addresses a run of several processes listens."""

import socket

import pytest

from overlap.distributed import sockets

# For documentation alone: no machine has it.
NOBODY = '192.0.2.77'


@pytest.mark.parametrize('host', ['127.0.0.1', 'localhost'])
def test_an_address_of_this_machine(host):
  assert sockets.is_own(host)
  with sockets.listen(host) as server:
    name, port, *_ = server.getsockname()
    assert name in ('127.0.0.1', '::1')
    socket.create_connection((host, port), 10).close()


@pytest.mark.parametrize('host', ['', NOBODY, 'no-such-host.invalid'])
def test_all_addresses_where_none_of_this_machine_is_named(host):
  with sockets.listen(host) as server:
    assert server.getsockname()[0] in ('::', '0.0.0.0')
    port = server.getsockname()[1]
    socket.create_connection(('127.0.0.1', port), 10).close()


def test_the_address_on_the_way_to_a_host():
  assert sockets.own_address('127.0.0.1') == '127.0.0.1'
  assert sockets.own_address('no-such-host.invalid') == ''
  assert not sockets.is_own(NOBODY)
  assert sockets.own_hosts('first')[0] == 'first'
