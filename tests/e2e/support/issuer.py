"""An issuer of tokens as the gateway meets one: keys, tokens signed by another library, a server of
its key set that can be slow, down, huge or wrong; and the gateway's verifiers as a process to ask.
"""

import contextlib
import json
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from .paths import BIN
from .process import Process

MAKERS = {
    "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "PS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


class Key:
    def __init__(self, algorithm, kid):
        self.algorithm, self.kid, self.private = algorithm, kid, MAKERS[algorithm]()

    def jwk(self):
        maker = jwt.algorithms.get_default_algorithms()[self.algorithm]
        return {**json.loads(maker.to_jwk(self.private.public_key())), "kid": self.kid}

    def token(self, issuer, **claims):
        payload = {"iss": issuer, "aud": "sluice", "sub": "alice", "exp": int(time.time()) + 60}
        payload.update(claims)
        headers = {"kid": self.kid}
        return jwt.encode(payload, self.private, algorithm=self.algorithm, headers=headers)


class JwksServer:
    """GET /keys answers what `answer` makes of the handler; counts. With `certs`, by TLS."""

    def __init__(self, certs=None):
        self.keys, self.count, self.headers = [], 0, {}
        self.answer = self.answer_keys
        self.released = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.count += 1
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    outer.answer(self)  # the gateway may have had enough before the end

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        if certs:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certs / "server.pem", certs / "server.key")
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"{'https' if certs else 'http'}://127.0.0.1:{self.port}/keys"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.released.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def send(self, handler, body, status=200, **headers):
        handler.send_response(status)
        for name, value in {**self.headers, **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def key_set(self):
        return json.dumps({"keys": [key.jwk() for key in self.keys]}).encode()

    def answer_keys(self, handler):
        self.send(handler, self.key_set())

    def answer_status(self, status, **headers):
        self.answer = lambda handler: self.send(handler, self.key_set(), status, **headers)

    def answer_body(self, body):
        self.answer = lambda handler: self.send(handler, body)

    def answer_never(self):
        self.answer = lambda handler: self.released.wait(60)

    def answer_without_end(self):
        def endless(handler):
            handler.send_response(200)
            handler.end_headers()
            while not self.released.is_set():
                handler.wfile.write(b" " * 65536)

        self.answer = endless


class Checker(Process):
    """jwt_check: the gateway's verifiers behind lines of text."""

    def __init__(self, folder, yaml):
        folder.mkdir(exist_ok=True)
        self.config = folder / "gateway.yaml"
        self.config.write_text(yaml)
        pipe = subprocess.PIPE
        pipes = {"stdin": pipe, "stdout": pipe, "text": True, "bufsize": 1}
        super().__init__([BIN / "jwt_check", self.config], folder / "jwt_check.log", **pipes)
        self.greeting = self.process.stdout.readline().strip()

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def verify(self, token):
        return self.ask(f"verify {token}")
