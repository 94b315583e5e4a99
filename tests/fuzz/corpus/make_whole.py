#!/usr/bin/env python3
"""Writes the inputs of fuzz_gw_whole: scripts of steps, as fuzz_gw_whole.c reads them.

    tests/fuzz/corpus/make_whole.py

The files are committed; run it again after a change of the steps there.
"""

import pathlib

HERE = pathlib.Path(__file__).parent / "fuzz_gw_whole"

PREFACE, NODE, NO_MEMORY = 1, 2, 4
# As gw_method.h has them.
METHODS = ["unknown", "live", "ready", "model_ready", "metadata", "model_metadata"]
METHODS += ["infer", "statistics", "index", "health", "quota", "receipts", "result", "issue"]
METHODS += ["status", "nodes", "models", "create_token", "tokens", "revoke_token", "tiers"]
METHODS += ["account", "accounts", "register_app", "apps", "remove_app", "pause_app", "resume_app"]
METHODS += ["usage", "grant", "grants", "block", "unblock", "blocks"]
ZIPPED, TIMEOUT, EXTRA, ENDS = 16, 32, 64, 128
EMPTY, NAME, ECHO, LARGE, PAIR, STALLS, DIES, FAILS, PACKED, MIDDLE = range(10)
ACCOUNT, TOKEN, APP, GRANT = range(10, 14)
TURN, ALL = [5], 255


def raw(data):
    return [0, len(data), *data]


def request(method, flags=0, extra=()):
    return [1, METHODS.index(method), flags, *extra]


def upload(message, stream=0):
    return [2, stream, message]


def data(amount=ALL, ends=True, stream=0):
    return [3, stream | (128 if ends else 0), amount]


def frame(kind, flags, stream, payload=b""):
    return [4, kind, flags, stream, len(payload), *payload]


def time(span):
    return [6, span]


def take(amount=ALL):
    return [7, amount]


def chunk(size):
    return [8, size]


def node(what):
    return [9, what]


def connect(which):
    return [10, which]


def call(method, message, flags=0):
    return request(method, flags) + upload(message) + data() + TURN + TURN + take()


def text(name, value):
    return [len(name), *name.encode(), len(value), *value.encode()]


def keyed(message, key="k"):
    flags, key = EXTRA, text("idempotency-key", key)
    return request("infer", flags, key) + upload(message) + data() + TURN


RESET = frame(3, 0, 0, b"\0\0\0\x08")

large = (
    request("infer")
    + upload(LARGE)
    + data() * 3
    + TURN
    + take()
    + data() * 6
    + TURN * 4
    + take() * 4
)

scripts = {
    "echo": call("infer", ECHO),
    "echo_cut": chunk(1) + call("infer", ECHO),
    "pair": call("infer", PAIR),
    "large": large,
    "large_slow_peer": large + take(1) + TURN + take(1) + time(5) + take(),
    "packed": request("infer", ZIPPED) + upload(PACKED) + data() + TURN * 4 + take() * 4,
    "packed_reply": call("infer", MIDDLE, ZIPPED),
    "stalls_cancelled": call("infer", STALLS) + frame(3, 0, 0, b"\0\0\0\x08") + TURN + TURN,
    "stalls_too_long": call("infer", STALLS) + time(3) + TURN + take(),
    "timeout": call("infer", STALLS, TIMEOUT) + time(2) + take(),
    "dies": call("infer", DIES),
    "fails": call("infer", FAILS),
    "questions": sum((call(m, EMPTY) for m in METHODS if m != "infer"), []),
    "model_questions": call("model_ready", NAME) + call("model_metadata", NAME),
    "token": call("create_token", TOKEN) + call("tokens", EMPTY) + call("revoke_token", TOKEN),
    "app": call("register_app", APP)
    + call("pause_app", APP)
    + call("apps", EMPTY)
    + call("resume_app", APP)
    + call("remove_app", APP),
    "account": call("grant", GRANT)
    + call("block", ACCOUNT)
    + call("infer", ECHO)
    + call("account", ACCOUNT)
    + call("blocks", EMPTY)
    + call("unblock", ACCOUNT),
    "asks_and_goes": request("receipts")
    + upload(EMPTY)
    + data()
    + TURN
    + frame(3, 0, 0, b"\0\0\0\x08")
    + TURN,
    "three_at_once": (request("infer") + upload(ECHO)) * 3
    + data(1, False, 2)
    + data(ALL, True, 1)
    + data(ALL, True, 0)
    + data(ALL, True, 2)
    + TURN * 3
    + take(),
    "node_lost": call("infer", STALLS) + node(0) + time(4) + node(1) + TURN * 4 + take(),
    "node_cut": call("infer", STALLS) + node(2) + TURN + time(4) + TURN * 3 + take(),
    "node_drains": node(3) + call("infer", ECHO) + time(2),
    "waits_for_node": node(0) + call("infer", ECHO) + node(1) + TURN * 4 + take(),
    "call_id": request(
        "infer", EXTRA, text("sluice-call-id", "0" * 8 + "-0000" * 3 + "-" + "0" * 12)
    )
    + upload(ECHO)
    + data()
    + TURN * 2
    + take(),
    "duration": request("infer", EXTRA, text("sluice-duration", "1s"))
    + upload(ECHO)
    + data()
    + TURN,
    "key_twice": keyed(ECHO) + keyed(ECHO) + TURN * 3 + take() + keyed(ECHO) + TURN + take(),
    "key_other": keyed(ECHO) + keyed(PAIR) + TURN * 2 + take() + keyed(DIES) + take(),
    "key_forgotten": keyed(ECHO) + TURN * 2 + take() + time(7) + keyed(ECHO) + TURN * 2 + take(),
    "key_joined_goes": keyed(STALLS) + keyed(STALLS) + RESET + TURN + time(3) + TURN + take(),
    "key_dies": keyed(DIES) + keyed(DIES) + TURN * 4 + take() + keyed(DIES) + TURN + take(),
    "key_large": keyed(LARGE)
    + data() * 9
    + keyed(LARGE)
    + data() * 9
    + TURN * 4
    + take() * 6
    + TURN
    + take() * 4,
    "key_node_lost": keyed(STALLS)
    + keyed(STALLS)
    + node(0)
    + time(4)
    + node(1)
    + TURN * 3
    + take(),
    "keep": request("infer", EXTRA, text("sluice-on-disconnect", "keep"))
    + upload(ECHO)
    + data()
    + connect(1)
    + TURN * 3
    + take(),
    "body_stalls": request("infer") + upload(LARGE) + data(9, False) + time(5) + take(),
    "ended_without_body": request("infer", ENDS) + TURN + take(),
    "window_zero": frame(4, 0, ALL, b"\0\4\0\0\0\0")
    + call("infer", ECHO)
    + frame(8, 0, 0, b"\0\0\x40\0")
    + take(),
    "ping_goaway": frame(6, 0, ALL, b"12345678") + frame(7, 0, ALL, b"\0" * 8) + take(),
    "second_connection": call("infer", ECHO) + connect(1) + call("infer", ECHO) + connect(0) + TURN,
    "raw_request": raw(bytes.fromhex("000000010500000001")) + TURN + take(),
}

HERE.mkdir(exist_ok=True)
for name, steps in scripts.items():
    (HERE / name).write_bytes(bytes([PREFACE | NODE, 0, *steps]))
for i in (5, 15, 25, 40, 60):
    (HERE / f"no_memory_{i}").write_bytes(bytes([PREFACE | NODE | NO_MEMORY, i, *large]))
(HERE / "no_node").write_bytes(bytes([PREFACE, 0, *call("infer", ECHO), *time(6), *take()]))
(HERE / "no_preface").write_bytes(bytes([NODE, 0, *raw(b"GET / HTTP/1.1\r\n\r\n"), *take()]))
