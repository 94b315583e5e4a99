#!/usr/bin/env python3
"""Writes the inputs of fuzz_gw_link: scripts of steps, as fuzz_gw_link.c reads them.

    tests/fuzz/corpus/make_link.py

The files are committed; run it again after a change of the steps there.
"""

import pathlib

HERE = pathlib.Path(__file__).parent / "fuzz_gw_link"

FAILED, STARTED, BY_BULK = 128, 64, 4
TURN = [10]
SEALED, UNSEALED, EMPTY, DEVICE, FILE, END = range(6)
SILENT, OTHER, ARMED = 1, 2, 4


def said(data):
    return [1, len(data), *data]


def hello(session=0):
    return [2, session]


def call(message=0):
    return [3, message]


def started(lease=0):
    return [4, lease]


def result(lease, how, *sizes):
    return [5, lease, how | len(sizes), *sizes, 9]


def returned(lease):
    return [6, lease]


def taken(size):
    return [7, size]


def bulk(offset, total, size, lease=0, who=0):
    return [8, who, *([] if who >= 128 else [lease]), offset, total, size]


def time(span):
    return [11, span]


def door(session=0, how=0):
    return [12, session, how]


def show(number, kind=SEALED, session=0):
    return [13, session, number, kind]


def shared(number, generation=1, offset=0, length=203, lease=0):
    return [14, lease, number, generation, offset, length]


def done(number=1, generation=1):
    return [15, number, generation]


up = hello() + TURN + bulk(0, 0, 0, who=129) + TURN
one = up + call() + TURN
seated = hello() + TURN + door() + TURN
lent = seated + call(3) + TURN * 2

scripts = {
    "inline": one + started() + result(0, STARTED, 1) + TURN,
    "result_without_started": one + result(0, STARTED, 1) + TURN,
    "two_outputs": up + call(1) + TURN + result(0, STARTED, 1, 2) + TURN,
    "too_few_outputs": up + call(1) + TURN + result(0, STARTED, 1) + TURN,
    "failed": one + result(0, STARTED | FAILED) + TURN,
    "returned": one + returned(0) + TURN + returned(1) + TURN,
    "returned_often": one + (returned(0) + returned(1) + returned(2) + returned(3) + TURN * 2) * 2,
    "bulk_after_result": one
    + result(0, STARTED | BY_BULK, 202)
    + TURN
    + bulk(0, 202, 201)
    + bulk(201, 202, 200)
    + TURN,
    "bulk_before_result": one + bulk(0, 202, 202) + TURN + result(0, STARTED | BY_BULK, 202) + TURN,
    "bulk_gap": one + bulk(0, 202, 200) + bulk(202, 202, 200) + TURN,
    "bulk_other_total": one + bulk(0, 202, 200) + bulk(200, 203, 200) + TURN,
    "bulk_too_large": one + bulk(0, 251, 200) + result(0, STARTED | BY_BULK, 249) + TURN,
    "bulk_unknown_session": up + bulk(0, 1, 1, who=2) + TURN,
    "bulk_other_socket": one + bulk(0, 202, 200, who=4) + TURN,
    "bulk_and_inline": one
    + bulk(0, 202, 200)
    + result(0, STARTED, 1)
    + TURN
    + bulk(200, 202, 200)
    + TURN,
    "bulk_down": up
    + call(2)
    + TURN
    + taken(201)
    + TURN
    + taken(255)
    + result(0, STARTED, 1)
    + TURN,
    "stale": one
    + result(0, STARTED, 1)
    + TURN
    + started()
    + result(0, STARTED, 1)
    + bulk(0, 1, 1)
    + TURN,
    "never_given": one + result(255, STARTED, 1) + started(255) + returned(255) + TURN,
    "silent": one + started() + time(2) + time(2),
    "many": up + call() * 8 + TURN + result(1, STARTED, 1) + started(2) + returned(3) + TURN * 2,
    "two_nodes": hello() + hello(1) + TURN + call() * 3 + TURN + time(2),
    "twice": hello() + hello() + TURN + call() + TURN + hello() + TURN,
    "odd_frames": up + [9, 0, 2, 8, 7] + [9, 3, 1, 1, 1, 1, 1, 1, 1, 1] + TURN,
    "draining": one + said(b"\x38\x01\x40\x01") + TURN + call() + TURN,
    "shared": lent + show(5) + shared(5) + done() + TURN * 2,
    "shared_twice": lent + show(5) + shared(5) + TURN + call() + TURN + shared(5, 2) + TURN,
    "shared_same_use": lent + show(5) + shared(5) + call() + TURN + shared(5, lease=1) + TURN,
    "shared_beyond": lent + show(5) + shared(5, 1, 4, 207) + TURN,
    "shared_overflow": lent + show(5) + shared(5, 1, 250, 250) + TURN,
    "shared_not_shown": lent + shared(5) + TURN,
    "shared_unsealed": lent + show(5, UNSEALED) + shared(5) + TURN,
    "shared_empty": lent + show(5, EMPTY) + shared(5) + TURN,
    "shared_device": lent + show(5, DEVICE) + shared(5) + TURN,
    "shared_file": lent + show(5, FILE) + shared(5) + TURN,
    "shared_ended": lent + show(5) + TURN + show(5, END) + shared(5) + TURN,
    "shared_ended_while_held": lent + show(5) + shared(5) + show(5, END) + TURN + time(1) + TURN,
    "shared_number_again": lent + show(5) + show(5) + TURN + time(1) + TURN,
    "shared_number_0": lent + show(0) + show(255) + time(1) + TURN,
    "shared_before_hello": door() + show(5) + TURN + hello() + TURN + call(3) + TURN,
    "shared_other_session": hello() + TURN + door(0, OTHER) + TURN + call(3) + TURN,
    "shared_silent_guests": hello() + TURN + door(0, SILENT) + door(1, SILENT) + TURN,
    "shared_armed_guest": hello() + TURN + door(0, ARMED) + TURN + call(3) + TURN,
    "shared_two_doors": seated + door() + TURN + call(3) + TURN * 2,
    "shared_door_left": lent + door(0, SILENT) + done() + TURN + time(1) + call(3) + TURN,
    "shared_done_twice": lent + done() + done() + done(9, 9) + TURN,
    "shared_never_done": lent + started() + time(3) + TURN,
    "shared_trimmed": lent + done() + shared(5) + TURN + time(3) + time(3) + TURN,
    "large_by_bulk": up + call(3) + TURN * 2 + taken(255) + TURN,
    "garbled": one + said(b"\xff\xff\xff") + [0, 3, 1, 2, 3] + TURN,
}

HERE.mkdir(exist_ok=True)
for name, steps in scripts.items():
    (HERE / name).write_bytes(bytes(steps))
