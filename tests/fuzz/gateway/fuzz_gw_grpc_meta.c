/* fuzz_gw_grpc_meta.c - lines "name: value" as the headers of a request: what is kept is printable and
 * counted, a refusal has a sentence, and what goes back is fit for a header. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gw_grpc_meta.h"

enum { BYTES_MAX = 4096 };

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_fields(const struct gw_grpc_fields *f)
{
    check(f->count <= GW_GRPC_FIELDS_MAX);
    for (size_t i = 0; i < f->count; i++)
        for (size_t k = 0; k < f->at[i].value_len; k++)
            check(f->at[i].value[k] >= 0x20 && f->at[i].value[k] <= 0x7e);
}

static void check_refusal(const struct gw_grpc_meta *m, const struct gw_reply *refusal)
{
    struct gw_grpc_fields fields;
    check(sl_error_is_set(&refusal->error) && refusal->error.text[0] != '\0');
    gw_grpc_fields_trailers_only(&fields, m->http_status, refusal);
    check_fields(&fields);
}

static void check_accepted(const struct gw_grpc_meta *m, const struct gw_request *r)
{
    check(r->method != GW_METHOD_UNKNOWN && m->bytes <= BYTES_MAX);
    check(r->deadline_at >= r->arrived_at);
    for (size_t i = 0; i < r->authorization.len; i++)
        check(r->authorization.data[i] >= 0x20 && r->authorization.data[i] <= 0x7e);
}

static void put_line(struct gw_grpc_meta *m, struct sl_span line)
{
    const uint8_t *colon = NULL;
    if (line.len > 1)
        colon = memchr(line.data + 1, ':', line.len - 1); /* ":path: /" has its own */
    if (colon == NULL)
        return;
    size_t name_len = (size_t)(colon - line.data), from = name_len + 1;
    from += from < line.len && line.data[from] == ' ';
    gw_grpc_meta_header(m, sl_span_of(line.data, name_len),
                        sl_span_of(line.data + from, line.len - from));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gw_grpc_meta m;
    struct gw_request req;
    struct gw_reply refusal;
    struct sl_arena arena;
    sl_arena_init(&arena, &sl_alloc_malloc, 1 << 16);
    gw_grpc_meta_begin(&m, &req, &refusal, &arena, BYTES_MAX);
    for (size_t at = 0; at < size;) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t len = end != NULL ? (size_t)(end - data) - at : size - at;
        put_line(&m, sl_span_of(data + at, len));
        at += len + 1;
    }
    if (gw_grpc_meta_end(&m, 1000))
        check_accepted(&m, &req);
    else
        check_refusal(&m, &refusal);
    sl_arena_finish(&arena);
    return 0;
}
