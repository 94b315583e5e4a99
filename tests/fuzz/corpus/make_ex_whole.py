#!/usr/bin/env python3
"""Writes the inputs of fuzz_ex_whole: scripts of steps, as fuzz_ex_whole.c reads them.

    tests/fuzz/corpus/make_ex_whole.py

The files are committed; run it again after a change of the steps there.
"""

import pathlib

HERE = pathlib.Path(__file__).parent / "fuzz_ex_whole"

ECHO, STALLS, FAILS, DIES, PAIR, NONE = range(6)
BY_BULK, SHORT = 64, 32
TURN, CUT, REFUSE, BEAT = [10], [12], [3], [7]
SEALED, UNSEALED, EMPTY, DEVICE, FILE, END = range(6)
SHARES = 32


def welcome(how=0):
    return [2, how] + TURN * 2


def dispatch(lease, model=ECHO, how=0, count=1):
    return [4, lease, model, how, count]


def cancel(lease):
    return [5, lease]


def taken(size):
    return [6, size]


def bulk(lease, offset, total, amount):
    return [8, lease, offset, total, amount]


def time(span):
    return [11, span]


def node(shares=1):
    return [13, shares]


def show(number, kind=SEALED):
    return [14, number, kind]


def lend(lease, number, generation=1, offset=0, length=203, model=ECHO, count=203):
    return [15, lease, model, 0, count, number, generation, offset, length]


def done(number=1, generation=1):
    return [16, number, generation]


seated = node() + TURN + welcome(SHARES)
large = dispatch(1, ECHO, BY_BULK, 200)

scripts = {
    "echo": welcome() + dispatch(1) + TURN * 2,
    "echo_large": welcome() + dispatch(1, ECHO, 0, 199) + TURN * 2,
    "bulk": welcome() + large + bulk(1, 0, 200, 199) + bulk(1, 199, 200, 200) + TURN * 3,
    "bulk_whole": welcome() + large + bulk(1, 0, 200, 200) + TURN * 3 + taken(200) + TURN,
    "bulk_early": welcome() + bulk(1, 0, 200, 200) + TURN + large + TURN * 3,
    "bulk_early_never": welcome() + bulk(1, 0, 200, 200) + TURN + time(3),
    "bulk_gap": welcome() + large + bulk(1, 50, 200, 20) + TURN,
    "bulk_stops": welcome() + large + bulk(1, 0, 200, 10) + TURN + BEAT + time(2) + BEAT + time(3),
    "small_window": welcome(4) + dispatch(1, ECHO, 0, 199) + TURN * 3 + taken(180) + TURN,
    "two_slices": welcome() + dispatch(1, ECHO, 0) + dispatch(2, STALLS, 1) + TURN * 2,
    "line": welcome()
    + sum((dispatch(i, STALLS) for i in range(1, 8)), [])
    + TURN
    + cancel(2)
    + TURN,
    "cancel_running": welcome() + dispatch(1, STALLS) + TURN + cancel(1) + TURN * 2,
    "cancel_waiting": welcome() + dispatch(1, STALLS) + dispatch(2, ECHO) + cancel(2) + TURN,
    "limit": welcome() + dispatch(1, STALLS, SHORT) + TURN + time(1) + TURN,
    "dies": welcome() + dispatch(1, DIES) + dispatch(2, DIES) + TURN * 3,
    "fails": welcome() + dispatch(1, FAILS) + TURN * 2,
    "no_such_model": welcome() + dispatch(1, NONE) + TURN,
    "no_such_slice": welcome() + dispatch(1, ECHO, 3) + TURN,
    "other_input": welcome() + dispatch(1, ECHO, 4) + dispatch(2, ECHO, 8) + TURN,
    "out_of_range": welcome() + dispatch(1, ECHO, 16) + dispatch(2, ECHO, 0, 255) + TURN,
    "same_lease_twice": welcome()
    + dispatch(1, STALLS)
    + dispatch(1, STALLS)
    + TURN
    + cancel(1)
    + TURN,
    "cut": welcome() + dispatch(1, STALLS) + TURN + CUT + TURN + time(1) + welcome() + TURN,
    "silent": welcome() + dispatch(1, STALLS) + TURN + time(3) + TURN,
    "refused": REFUSE + TURN + time(3) + TURN + welcome(),
    "other_protocol": welcome(3) + time(3) + TURN,
    "before_welcome": dispatch(1) + TURN + welcome() + TURN,
    "shared": seated + show(5) + lend(1, 5) + TURN * 3 + done() + TURN,
    "shared_again": seated
    + show(5)
    + lend(1, 5)
    + TURN * 3
    + done()
    + lend(2, 5, 2)
    + TURN * 3
    + done(1, 2)
    + TURN,
    "shared_same_use": seated + show(5) + lend(1, 5) + TURN + lend(2, 5) + TURN * 2,
    "shared_beyond": seated + show(5) + lend(1, 5, 1, 4, 207) + lend(2, 5, 1, 250, 250) + TURN,
    "shared_shorter": seated + show(5) + lend(1, 5, 1, 0, 201) + TURN * 2,
    "shared_longer": seated + show(5) + lend(1, 5, 1, 0, 207) + TURN * 2,
    "shared_not_shown": seated + lend(1, 5) + TURN * 2,
    "shared_unsealed": seated + show(5, UNSEALED) + lend(1, 5) + TURN * 2,
    "shared_empty": seated + show(5, EMPTY) + lend(1, 5) + TURN * 2,
    "shared_device": seated + show(5, DEVICE) + lend(1, 5) + TURN * 2,
    "shared_file": seated + show(5, FILE) + lend(1, 5) + TURN * 2,
    "shared_ended": seated + show(5) + TURN + show(5, END) + lend(1, 5) + TURN * 2,
    "shared_number_0": seated + show(0) + TURN + time(2) + TURN,
    "shared_cancelled": seated + show(5) + lend(1, 5, model=STALLS) + TURN + cancel(1) + TURN * 2,
    "shared_cut": seated + show(5) + lend(1, 5) + CUT + TURN + time(2) + TURN,
    "shared_never_done": seated + show(5) + lend(1, 5) + TURN * 3 + time(3) + time(3) + TURN,
    "shared_not_wanted": node(0) + TURN + welcome(SHARES) + show(5) + lend(1, 5) + TURN * 2,
    "shared_segments": node() + TURN + welcome() + large + bulk(1, 0, 200, 200) + TURN * 3,
    "other_node": welcome() + dispatch(1, STALLS) + TURN + node(0) + TURN + welcome() + TURN,
    "garbled": welcome() + [0, 3, 255, 255, 255] + [1, 2, 34, 9] + TURN,
    "odd_frames": welcome() + [9, 0, 1, 8] + [9, 3, 1, 1, 1, 1, 1, 1, 1, 1] + TURN,
}

HERE.mkdir(exist_ok=True)
for name, steps in scripts.items():
    (HERE / name).write_bytes(bytes(steps))
