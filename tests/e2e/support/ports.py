"""TCP ports for daemons that must come back at the same place."""

import socket


def free_ports(count):
    """Ports that were free a moment ago, each another one."""
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports
