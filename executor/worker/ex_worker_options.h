/* ex_worker_options.h - the command line of sluice-worker; what it means stands in
 * ex_worker_proto.h. */
#ifndef EX_WORKER_OPTIONS_H
#define EX_WORKER_OPTIONS_H

#include "ex_engine.h"
#include "sl_log.h"

struct ex_worker_options {
    const char *model_dir;
    struct ex_slice slice;
    enum sl_log_level log_level;
    enum sl_log_format log_format;
};

enum ex_worker_options_outcome {
    EX_WORKER_OPTIONS_OK,
    EX_WORKER_OPTIONS_HELP, /* help or version was asked for and printed */
    EX_WORKER_OPTIONS_BAD   /* a sentence was printed on standard error */
};

/* Strings are borrowed from argv. */
enum ex_worker_options_outcome ex_worker_options_read(int argc, char **argv,
                                                      struct ex_worker_options *out);

/* "cpu", "whole", "mig", "mps", "shared". */
const char *ex_worker_slice_kind_name(enum ex_slice_kind kind);

#endif
