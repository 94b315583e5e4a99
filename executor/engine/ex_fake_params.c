#include "ex_fake_params.h"

#include <inttypes.h>
#include <stdio.h>

enum { PREFIX_BYTES = 4 };

/* As snprintf: out may be NULL with max 0. */
static size_t format(const struct ex_param *p, char *out, size_t max)
{
    int n = 0;
    switch (p->kind) {
    case EX_PARAM_BOOL:
        n = snprintf(out, max, "%s=bool:%s", p->name, p->value.b ? "true" : "false");
        break;
    case EX_PARAM_INT:
        n = snprintf(out, max, "%s=int:%" PRId64, p->name, p->value.i);
        break;
    case EX_PARAM_UINT:
        n = snprintf(out, max, "%s=uint:%" PRIu64, p->name, p->value.u);
        break;
    case EX_PARAM_DOUBLE:
        n = snprintf(out, max, "%s=double:%.17g", p->name, p->value.d);
        break;
    case EX_PARAM_STRING:
        n = snprintf(out, max, "%s=string:%s", p->name, p->value.s);
        break;
    }
    return n < 0 ? 0 : (size_t)n;
}

uint64_t ex_fake_params_bytes(const struct ex_param *params, size_t count)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += PREFIX_BYTES + format(&params[i], NULL, 0);
    return bytes;
}

void ex_fake_params_write(const struct ex_param *params, size_t count, char *out)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = format(&params[i], NULL, 0);
        for (size_t k = 0; k < PREFIX_BYTES; k++)
            *out++ = (char)(len >> (8 * k));
        out += format(&params[i], out, len + 1);
    }
}
