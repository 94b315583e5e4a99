#include "gw_json.h"

#include <setjmp.h>
#include <string.h>

#include "sl_buf.h"

enum { BLOCKS_BYTES_MAX = 16 << 20 };

static const struct sl_alloc *memory = &sl_alloc_malloc;

/* What this thread reads just now. Not on the stack of gw_json_read: a longjmp may spoil what changes there. */
static _Thread_local struct {
    bool is_on;
    struct sl_buf
        taken; /* pointers to all blocks; those that have been released are given back at the end */
    struct sl_buf released; /* those among them */
    jmp_buf no_memory;
} reading;

/* ---- jansson's memory ---- */

static void *get(size_t bytes)
{
    void *p = sl_alloc_get(memory, bytes);
    if (!reading.is_on)
        return p;
    if (p != NULL && sl_buf_append(&reading.taken, &p, sizeof p) == SL_OK)
        return p;
    sl_alloc_free(memory, p);
    longjmp(reading.no_memory, 1);
}

static void release(void *p)
{
    if (!reading.is_on)
        sl_alloc_free(memory, p);
    else if (p != NULL && sl_buf_append(&reading.released, &p, sizeof p) != SL_OK)
        longjmp(reading.no_memory, 1);
}

void gw_json_guard(const struct sl_alloc *alloc)
{
    memory = alloc;
    json_set_alloc_funcs(get, release);
}

/* ---- reading ---- */

static void begin(void)
{
    sl_buf_init(&reading.taken, memory, BLOCKS_BYTES_MAX);
    sl_buf_init(&reading.released, memory, BLOCKS_BYTES_MAX);
    reading.is_on = true;
}

static void end(const struct sl_buf *give_back)
{
    void *p;
    reading.is_on = false;
    for (size_t at = 0; at < give_back->len; at += sizeof p) {
        memcpy(&p, give_back->data + at, sizeof p);
        sl_alloc_free(memory, p);
    }
    sl_buf_finish(&reading.taken);
    sl_buf_finish(&reading.released);
}

static enum gw_json_fault fault_of(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_duplicate_key:
        return GW_JSON_KEY_TWICE;
    case json_error_out_of_memory:
        return GW_JSON_NO_MEMORY;
    default:
        return GW_JSON_MALFORMED;
    }
}

json_t *gw_json_read(struct sl_span text, enum gw_json_fault *out_fault)
{
    json_error_t error = {.line = 0};
    if (setjmp(reading.no_memory) != 0) {
        end(&reading.taken);
        *out_fault = GW_JSON_NO_MEMORY;
        return NULL;
    }
    begin();
    json_t *value = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &error);
    end(&reading.released);
    *out_fault = value != NULL ? GW_JSON_FINE : fault_of(&error);
    return value;
}
