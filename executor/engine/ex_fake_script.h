/* ex_fake_script.h - what engine `fake` is told to do: the section `fake:` of model.yaml, and for
 * one call its parameters, which have the same names with "fake_" before them. Pure.
 *
 *   run          how long a run takes: a duration (as a parameter also a number of milliseconds)
 *   item         how much longer it takes for each item: row of the first input's first dimension
 *   how          how that time passes: sleep | busy
 *   result       zeros | copy | hash | params | items. copy: the i-th output's bytes are the i-th input's, from the
 *                start again when they end. hash: numbers that depend on every input byte and on
 *                the output's index (ex_fake_hash). BYTES outputs are empty elements; with
 *                params those of one dimension are the call's parameters (ex_fake_params.h). items: the number
 *                of the run's items, as words of 8 bytes
 *   rows         the first free dimension of each output; without it the first dimension of the
 *                first input, or 1. Other free dimensions are 1
 *   memory       bytes that are taken, written to, and given back in each run
 *   error        the run fails with this text, after its time
 *   reason       that error's reason, by name; MODEL_ERROR without it
 *   crash        none | segv | abort | exit | kill: so the process ends, after the run's time
 *   hang         true | false: the run never ends
 *   every        error, crash and hang befall only each n-th run of the process
 *   bad          they befall only runs of which an item of the first input begins with this byte
 *   load_delay   how long loading takes: a duration            (model.yaml only)
 *   load_error   loading fails with this text                  (model.yaml only)
 *   load_memory  bytes that are written to and kept            (model.yaml only)
 *
 * Parameters without "fake_" are not looked at.
 */
#ifndef EX_FAKE_SCRIPT_H
#define EX_FAKE_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ex_model.h"
#include "ex_param.h"
#include "sl_reason.h"

enum ex_fake_how { EX_FAKE_SLEEP, EX_FAKE_BUSY };
enum ex_fake_result { EX_FAKE_ZEROS, EX_FAKE_COPY, EX_FAKE_HASH, EX_FAKE_PARAMS, EX_FAKE_ITEMS };
enum ex_fake_crash { EX_FAKE_NO_CRASH, EX_FAKE_SEGV, EX_FAKE_ABORT, EX_FAKE_EXIT, EX_FAKE_KILL };

struct ex_fake_script {
    int64_t run_ns;
    int64_t item_ns;
    int how;      /* enum ex_fake_how */
    int result;   /* enum ex_fake_result */
    int64_t rows; /* 0: as the input */
    uint64_t memory_bytes;
    const char *error;  /* NULL: none; borrowed from where it was read */
    const char *reason; /* NULL: MODEL_ERROR */
    int crash;          /* enum ex_fake_crash */
    bool hang;
    int64_t every; /* 1: each run */
    int64_t bad;   /* a byte; 0: each run */
    int64_t load_delay_ns;
    const char *load_error;
    uint64_t load_memory_bytes;
};

/* Reads the options of model.yaml. False: *err is MODEL_ERROR and names key and value. */
bool ex_fake_script_read(const struct ex_model_spec *spec, struct ex_fake_script *out,
                         struct sl_error *err);

/* Changes *script by a call's parameters. False: *err is BAD_INPUT and names parameter and value.
 * Texts are borrowed. */
bool ex_fake_script_apply(struct ex_fake_script *script, const struct ex_param *params,
                          size_t count, struct sl_error *err);

/* The i-th word of result `hash` for inputs whose bytes, one after the other, hash to seed. */
uint64_t ex_fake_hash(uint64_t seed, size_t output, size_t i);
/* seed after more bytes; begin with EX_FAKE_SEED (FNV-1a, 64 bits). */
#define EX_FAKE_SEED UINT64_C(0xcbf29ce484222325)
uint64_t ex_fake_seed(uint64_t seed, struct sl_span bytes);

#endif
