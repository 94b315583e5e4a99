"""Proxies of gRPC in front of a bare C++ echo of their own: what people put before a server."""

import os

from . import cpu
from .peers import Echo
from .process import Process, free_port, wait_for_port
from .server import Server

# As many workers as cores, connections to the echo kept open, nothing written to disk or logged,
# buffers and windows for tensors of 16 MiB.
NGINX = """\
{user}
daemon off;
worker_processes auto;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    client_max_body_size 0;
    client_body_buffer_size 1m;
    http2_max_concurrent_streams 256;
    http2_recv_buffer_size 1m;
    http2_chunk_size 64k;
    grpc_buffer_size 64k;
    keepalive_requests 1000000000;
    tcp_nodelay on;
    upstream echo {{
        server 127.0.0.1:{upstream};
        keepalive 1024;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} http2 {ssl} backlog=4096;
        {certificate}
        location / {{ grpc_pass grpc://echo; }}
    }}
}}
"""

HAPROXY = """\
global
    nbthread {threads}
    maxconn 2048
    tune.bufsize 65536
    tune.h2.initial-window-size 16777216
    tune.h2.max-concurrent-streams 256
    tune.h2.max-frame-size 65000
defaults
    mode http
    timeout connect 10s
    timeout client 300s
    timeout server 300s
    timeout http-keep-alive 300s
    http-reuse always
frontend in
    bind 127.0.0.1:{port} {bind}
    default_backend out
backend out
    server echo 127.0.0.1:{upstream} proto h2
"""


class Proxy(Server):
    """A proxy and its echo; the echo counts."""

    def __init__(self, name, program, echo_program, folder, tls=None):
        super().__init__(name, folder, tls)
        self._echo = Echo(f"{self.label}-echo", echo_program, folder, 1)
        self.port = free_port()
        self._config = folder / f"{self.label}.conf"
        self._process = Process(self.label, self._command(program), folder)

    def start(self):
        self._echo.start()
        self._config.write_text(self._settings())
        self._process.start()
        wait_for_port(self.port, self._process)

    def stop(self):
        self._process.stop()
        self._echo.stop()

    def answered(self):
        self._process.expect_alive()
        return self._echo.answered()

    def processes(self):
        return {self.name: cpu.descendants(self._process.pid), **self._echo.processes()}


class Nginx(Proxy):
    def _command(self, program):
        return [program, "-p", self._folder, "-e", "stderr", "-c", self._config]

    def _settings(self):
        lines = "ssl_certificate {0.certificate}; ssl_certificate_key {0.key};"
        return NGINX.format(
            user="user root;" if os.geteuid() == 0 else "",
            folder=self._folder,
            port=self.port,
            upstream=self._echo.port,
            ssl="ssl" if self.tls else "",
            certificate=f"{lines.format(self.tls)} ssl_protocols TLSv1.3;" if self.tls else "",
        )


class Haproxy(Proxy):
    def _command(self, program):
        return [program, "-db", "-q", "-f", self._config]

    def _settings(self):
        return HAPROXY.format(
            threads=os.cpu_count(),
            port=self.port,
            upstream=self._echo.port,
            bind=f"ssl crt {self._bundle()} alpn h2" if self.tls else "proto h2",
        )

    def _bundle(self):
        """haproxy wants certificate and key in one file."""
        path = self._folder / "haproxy.pem"
        path.touch(mode=0o600)
        path.write_text(self.tls.certificate.read_text() + self.tls.key.read_text())
        return path
