/* ex_param.h - a parameter of a call, as it comes from the caller and as an engine sees it. Pure
 * data. */
#ifndef EX_PARAM_H
#define EX_PARAM_H

#include <stdbool.h>
#include <stdint.h>

enum { EX_PARAMS_MAX = 64 };

/* The numbers stand in worker records (ex_record.h): never renumber. */
enum ex_param_kind {
    EX_PARAM_BOOL = 1,
    EX_PARAM_INT = 2,
    EX_PARAM_UINT = 3,
    EX_PARAM_DOUBLE = 4,
    EX_PARAM_STRING = 5
};

struct ex_param {
    const char *name;
    enum ex_param_kind kind;
    union {
        bool b;
        int64_t i;
        uint64_t u;
        double d;
        const char *s;
    } value;
};

#endif
