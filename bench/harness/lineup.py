"""Which servers there are, and which of them a run starts."""

from . import aims, build
from .errors import BenchError
from .peers import Echo, Nghttpd
from .process import find_program
from .proxies import Haproxy, Nginx
from .sluice import Sluice
from .triton import Triton

OURS = "sluice"


def echo_maker(options):
    program = build.echo()
    return lambda folder, tls: Echo("echo", program, folder, options.echo_threads, tls)


def proxy_maker(name, made):
    def find(_options):
        programs = find_program(name), build.echo()
        return lambda folder, tls: made(name, *programs, folder, tls)

    return find


def triton_maker(_options):
    programs = build.triton_program(), build.triton_backend()
    return lambda folder, tls: Triton("triton", *programs, folder, tls)


def nghttpd_maker(_options):
    program = find_program("nghttpd")
    return lambda folder, tls: Nghttpd("nghttpd", program, folder, tls)


# Name -> options -> (folder, tls) -> server. The first call says what is missing here.
PEERS = {
    "echo": echo_maker,
    "triton": triton_maker,
    "nginx": proxy_maker("nginx", Nginx),
    "haproxy": proxy_maker("haproxy", Haproxy),
    "nghttpd": nghttpd_maker,
}
KNOWN = (OURS, *PEERS)


def makers(options, say):
    """Name -> maker. Who is missing is left out by name, or an error when asked for by name."""
    found = {name: sluice_maker(name, *rest, options.state) for name, *rest in sluices(options)}
    for name in options.servers or PEERS:
        if name == OURS:
            continue
        try:
            found[name] = PEERS[name](options)
        except BenchError as error:
            if options.servers:
                raise
            say(f"without {name}: {error}")
    return found


def sluices(options):
    """Name, build and configuration of each Sluice, and whether it has a store."""
    first = [] if options.servers and OURS not in options.servers else [OURS]
    mine = [(name, options.build, options.config) for name in first]
    return [(*one, True) for one in mine + options.variant] + [
        (*one, False) for one in options.without_store
    ]


def sluice_maker(name, path, config, has_store, place):
    return lambda folder, tls: Sluice(name, path, folder, config, tls, has_store, place)


def line_up(makers_by_name, rows, only_aims, folder):
    """Row -> servers; one server for all plain rows, one for all rows with TLS."""
    tls = build.certificate(folder / "certs") if any(row.tls for row in rows) else None
    made, cells = {}, {}
    for row in rows:
        for name, make in makers_by_name.items():
            if only_aims and name in PEERS and name not in aims.peers_of(row.name):
                continue
            key = name, row.tls
            if key not in made:
                made[key] = make(folder, tls if row.tls else None)
            cells.setdefault(row, []).append(made[key])
    return cells
