/* gw_grpc_meta.c - the headers we know as a table; below it, the header lists of replies. */
#include "gw_grpc_meta.h"

#include <stdio.h>
#include <string.h>

#include "gw_cookie.h"
#include "gw_forwarded.h"
#include "sl_base64.h"
#include "sl_text.h"

#define LIT_LEN(s) (sizeof(s) - 1)

/* As HTTP/2 counts a header list (RFC 9113, 6.5.2). */
enum { FIELD_OVERHEAD_BYTES = 32 };

/* ---- requests ---- */

typedef void (*header_fn)(struct gw_grpc_meta *m, struct sl_span value);

static void refuse(struct gw_grpc_meta *m, enum sl_reason reason, const char *text)
{
    if (!sl_error_is_set(&m->refusal->error))
        sl_error_set(&m->refusal->error, reason, "%s", text);
}

static void refuse_value(struct gw_grpc_meta *m, const char *header, enum sl_reason reason,
                         const char *fmt, struct sl_span value)
{
    enum { SHOWN_MAX = 80 };
    struct sl_error *e = &m->refusal->error;
    if (sl_error_is_set(e))
        return;
    sl_error_set(e, reason, fmt, (int)(value.len < SHOWN_MAX ? value.len : SHOWN_MAX), value.data);
    sl_error_set_field(e, "%s", header);
}

/* fmt takes the header's name. */
static void refuse_header(struct gw_grpc_meta *m, const char *header, const char *fmt)
{
    refuse_value(m, header, SL_REASON_BAD_INPUT, fmt, sl_span_str(header));
}

static void refuse_twice(struct gw_grpc_meta *m, const char *header)
{
    refuse_header(m, header, "The header %.*s stands there twice.");
}

static bool is_printable(struct sl_span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] < 0x20 || s.data[i] > 0x7e)
            return false;
    return true;
}

static bool begins_with(struct sl_span s, const char *prefix, size_t len)
{
    return s.len >= len && memcmp(s.data, prefix, len) == 0;
}

static void on_method(struct gw_grpc_meta *m, struct sl_span value)
{
    m->is_post = sl_span_eq_str(value, "POST");
}

/* application/grpc or application/grpc+proto, with or without parameters. */
static void on_content_type(struct gw_grpc_meta *m, struct sl_span value)
{
    static const char plain[] = "application/grpc", proto[] = "application/grpc+proto";
    size_t len = begins_with(value, proto, LIT_LEN(proto)) ? LIT_LEN(proto) : LIT_LEN(plain);
    if (m->has_content_type)
        refuse_twice(m, "content-type");
    m->has_content_type = true;
    m->is_grpc = begins_with(value, plain, LIT_LEN(plain)) &&
                 (value.len == len || value.data[len] == ';' || value.data[len] == ' ');
}

static void on_timeout(struct gw_grpc_meta *m, struct sl_span value)
{
    if (m->timeout_ns >= 0)
        refuse_twice(m, "grpc-timeout");
    else if (gw_grpc_timeout(value, &m->timeout_ns) != SL_OK)
        refuse_value(m, "grpc-timeout", SL_REASON_BAD_INPUT,
                     "The grpc-timeout \"%.*s\" is not 1 to 8 digits and one of H M S m u n.",
                     value);
}

static void on_encoding(struct gw_grpc_meta *m, struct sl_span value)
{
    if (m->has_encoding)
        refuse_twice(m, "grpc-encoding");
    m->has_encoding = true;
    if (!gw_encoding_from_name(value, &m->req->encoding))
        refuse_value(m, "grpc-encoding", SL_REASON_UNIMPLEMENTED,
                     "The grpc-encoding \"%.*s\" is none of those that this server "
                     "reads: " GW_ENCODINGS_TEXT ".",
                     value);
}

static void on_accept_encoding(struct gw_grpc_meta *m, struct sl_span value)
{
    m->req->accepts |= gw_encoding_list(value);
}

static void refuse_no_memory(struct gw_grpc_meta *m)
{
    refuse(m, SL_REASON_NO_CAPACITY, "There is no memory for the request's headers.");
}

/* A client may cut a cookie header between any two cookies (RFC 9113, 8.2.3). */
static void on_cookie(struct gw_grpc_meta *m, struct sl_span value)
{
    struct sl_span ours = gw_cookie_find(value);
    if (ours.data == NULL || m->req->cookie.data != NULL)
        return;
    char *copy = sl_arena_str(m->arena, ours);
    if (copy == NULL)
        refuse_no_memory(m);
    else
        m->req->cookie = sl_span_of(copy, ours.len);
}

/* Every proxy may add a line of its own; they mean what one line with commas means (RFC 9110, 5.3). */
static void on_forwarded(struct gw_grpc_meta *m, struct sl_span value)
{
    struct sl_span before = m->req->forwarded;
    size_t len = before.len + (before.data != NULL) + value.len;
    char *joined;
    if (len > GW_FORWARDED_MAX) {
        refuse_header(m, "x-forwarded-for", "The header %.*s has more than 1024 bytes.");
    } else if ((joined = sl_arena_get(m->arena, len + 1)) == NULL) {
        refuse_no_memory(m);
    } else {
        int n = before.data == NULL ? 0
                                    : snprintf(joined, len + 1, "%.*s,", (int)before.len,
                                               (const char *)before.data);
        memcpy(joined + n, value.data, value.len);
        joined[len] = '\0';
        m->req->forwarded = sl_span_of(joined, len);
    }
}

/* A header is handled by a function, or kept as it is at an offset of struct gw_request. */
struct known {
    const char *name;
    size_t len;
    header_fn on_value;
    size_t offset;
};

#define HANDLED(name, fn)                                                                          \
    {                                                                                              \
        name, LIT_LEN(name), fn, 0                                                                 \
    }
#define KEPT(name, field)                                                                          \
    {                                                                                              \
        name, LIT_LEN(name), NULL, offsetof(struct gw_request, field)                              \
    }

static const struct known known[] = {
    HANDLED(":method", on_method),
    KEPT(":path", path),
    HANDLED("content-type", on_content_type),
    KEPT("user-agent", user_agent),
    HANDLED("grpc-timeout", on_timeout),
    HANDLED("grpc-encoding", on_encoding),
    HANDLED("grpc-accept-encoding", on_accept_encoding),
    KEPT("authorization", authorization),
    KEPT("x-ip-token", x_ip_token),
    HANDLED("cookie", on_cookie),
    HANDLED("x-forwarded-for", on_forwarded),
    KEPT("sluice-call-id", call_id),
    KEPT("idempotency-key", idempotency_key),
    KEPT("sluice-duration", duration),
    KEPT("sluice-size", size),
    KEPT("sluice-max-wait", max_wait),
    KEPT("sluice-on-disconnect", on_disconnect),
    KEPT("sluice-watch", watch),
    KEPT("traceparent", traceparent),
};

static const struct known *find_known(struct sl_span name)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(known); i++)
        if (known[i].len == name.len && memcmp(known[i].name, name.data, name.len) == 0)
            return &known[i];
    return NULL;
}

/* Keeps a copy that ends with NUL, which the span does not count. */
static void keep(struct gw_grpc_meta *m, const struct known *k, struct sl_span value)
{
    struct sl_span *field = (struct sl_span *)((char *)m->req + k->offset);
    if (field->data != NULL) {
        refuse_twice(m, k->name);
        return;
    }
    char *copy = sl_arena_str(m->arena, value);
    if (copy == NULL)
        refuse_no_memory(m);
    else
        *field = sl_span_of(copy, value.len);
}

static bool is_binary(struct sl_span name)
{
    static const char end[] = "-bin";
    return name.len > LIT_LEN(end) &&
           memcmp(name.data + name.len - LIT_LEN(end), end, LIT_LEN(end)) == 0;
}

/* Values that we do not know are not decoded, but who sends what is no base64 is told so. Proxies
 * join the values of one name by commas, which base64 does not have. */
static void check_binary(struct gw_grpc_meta *m, struct sl_span name, struct sl_span value)
{
    struct sl_span item;
    while (sl_text_next_item(&value, &item)) {
        if (sl_base64_is_valid(item))
            continue;
        char text[SL_ERROR_FIELD_MAX];
        snprintf(text, sizeof text, "%.*s", (int)name.len, (const char *)name.data);
        refuse_header(m, text, "The header %.*s is not base64, as a name that ends in -bin wants.");
        return;
    }
}

void gw_grpc_meta_begin(struct gw_grpc_meta *m, struct gw_request *req, struct gw_reply *refusal,
                        struct sl_arena *arena, size_t bytes_max)
{
    *m = (struct gw_grpc_meta){
        .req = req,
        .refusal = refusal,
        .arena = arena,
        .bytes_max = bytes_max,
        .timeout_ns = -1,
        .http_status = 200,
    };
    memset(req, 0, sizeof *req);
    refusal->error.reason = SL_REASON_OK;
    refusal->error.text[0] = '\0';
    refusal->trailer_count = 0;
    refusal->retry_after_ms = 0;
}

bool gw_grpc_meta_header(struct gw_grpc_meta *m, struct sl_span name, struct sl_span value)
{
    m->bytes += name.len + value.len + FIELD_OVERHEAD_BYTES;
    if (m->bytes > m->bytes_max) {
        if (!sl_error_is_set(&m->refusal->error))
            sl_error_set(&m->refusal->error, SL_REASON_TOO_LARGE,
                         "The request's headers have more than %zu bytes, which is the limit.",
                         m->bytes_max);
        return false;
    }
    const struct known *k = find_known(name);
    if (k == NULL) {
        if (is_binary(name))
            check_binary(m, name, value);
        return true;
    }
    /* What other services put into their cookies is not ours to judge. */
    if (k->on_value != on_cookie && !is_printable(value)) {
        refuse_header(m, k->name, "The header %.*s holds a byte that is not printable ASCII.");
    } else if (k->on_value != NULL) {
        k->on_value(m, value);
    } else {
        keep(m, k, value);
    }
    return true;
}

/* A request that is not gRPC is told so in HTTP's own way, whatever else is wrong with it. */
static bool is_http_acceptable(struct gw_grpc_meta *m)
{
    struct sl_error *e = &m->refusal->error;
    if (!m->is_post) {
        m->http_status = 405;
        sl_error_set(e, SL_REASON_BAD_INPUT, "gRPC requests have the method POST.");
    } else if (!m->is_grpc) {
        m->http_status = 415;
        sl_error_set(e, SL_REASON_BAD_INPUT,
                     "This port takes content-type application/grpc; REST is on the other port.");
    }
    return m->http_status == 200;
}

static void refuse_method(struct gw_grpc_meta *m)
{
    const char *why = gw_method_why_not(m->req->path);
    if (why != NULL)
        refuse(m, SL_REASON_UNIMPLEMENTED, why);
    else
        refuse_value(m, ":path", SL_REASON_UNIMPLEMENTED,
                     "There is no method \"%.*s\" on this server.", m->req->path);
}

bool gw_grpc_meta_end(struct gw_grpc_meta *m, sl_mono_ns now)
{
    struct gw_request *r = m->req;
    bool is_too_large = m->bytes > m->bytes_max; /* then nobody knows what was cut off */
    if (!is_too_large && !is_http_acceptable(m))
        return false;
    if (sl_error_is_set(&m->refusal->error))
        return false;
    r->arrived_at = now;
    r->deadline_at = m->timeout_ns < 0 ? SL_MONO_NEVER : sl_sat_add(now, m->timeout_ns);
    r->method = gw_method_find(r->path);
    if (r->method == GW_METHOD_UNKNOWN)
        refuse_method(m);
    return r->method != GW_METHOD_UNKNOWN;
}

static int64_t unit_ns(uint8_t unit)
{
    switch (unit) {
    case 'H':
        return 3600 * SL_NS_PER_S;
    case 'M':
        return 60 * SL_NS_PER_S;
    case 'S':
        return SL_NS_PER_S;
    case 'm':
        return SL_NS_PER_MS;
    case 'u':
        return SL_NS_PER_US;
    case 'n':
        return 1;
    default:
        return 0;
    }
}

sl_status gw_grpc_timeout(struct sl_span text, int64_t *out_ns)
{
    enum { DIGITS_MAX = 8 };
    if (text.len < 2 || text.len > DIGITS_MAX + 1)
        return SL_EINVAL;
    int64_t count = 0;
    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return SL_EINVAL;
        count = count * 10 + (text.data[i] - '0');
    }
    int64_t unit = unit_ns(text.data[text.len - 1]);
    if (unit == 0)
        return SL_EINVAL;
    *out_ns = sl_sat_mul(count, unit);
    return SL_OK;
}

/* ---- replies ---- */

static size_t character_bytes(uint8_t first)
{
    return first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

static size_t encode_byte(uint8_t b, char *out)
{
    static const char hex[] = "0123456789ABCDEF";
    if (b >= 0x20 && b <= 0x7e && b != '%') {
        out[0] = (char)b;
        return 1;
    }
    out[0] = '%';
    out[1] = hex[b >> 4];
    out[2] = hex[b & 15];
    return 3;
}

size_t gw_grpc_percent_encode(struct sl_span text, char *out, size_t out_bytes)
{
    enum { CHARACTER_ENCODED_MAX = 12 };
    size_t len = 0;
    for (size_t i = 0; i < text.len;) {
        char encoded[CHARACTER_ENCODED_MAX];
        size_t n = 0, end = i + character_bytes(text.data[i]);
        for (; i < end && i < text.len; i++)
            n += encode_byte(text.data[i], encoded + n);
        if (len + n >= out_bytes)
            break;
        memcpy(out + len, encoded, n);
        len += n;
    }
    out[len] = '\0';
    return len;
}

static const char *const status_texts[] = {"0", "1",  "2",  "3",  "4",  "5",  "6",  "7", "8",
                                           "9", "10", "11", "12", "13", "14", "15", "16"};

static void add_static(struct gw_grpc_fields *f, const char *name, const char *value)
{
    f->at[f->count++] =
        (struct gw_grpc_field){name, value, strlen(name), strlen(value), true, true};
}

static void add_varying(struct gw_grpc_fields *f, const char *name, const char *value,
                        size_t value_len, bool recurs)
{
    f->at[f->count++] = (struct gw_grpc_field){name, value, strlen(name), value_len, recurs, false};
}

/* Trailers whose values are the same from call to call; the others (ids, times) would only push
 * these out of the peer's header table. */
static bool is_recurring(const char *name)
{
    return strcmp(name, "sluice-node") == 0 || strcmp(name, "sluice-visitor") == 0;
}

static void add_error(struct gw_grpc_fields *f, const struct gw_reply *r)
{
    size_t len = gw_grpc_percent_encode(sl_span_str(r->error.text), f->message, sizeof f->message);
    add_varying(f, "grpc-message", f->message, len, false);
    add_static(f, "sluice-reason", sl_reason_name(r->error.reason));
    len = gw_grpc_details(r, f->details);
    if (len > 0)
        add_varying(f, "grpc-status-details-bin", f->details, len, false);
    if (sl_reason_forbids_retry(r->error.reason)) /* grpc/proposal, A6: negative, do not retry */
        add_static(f, "grpc-retry-pushback-ms", "-1");
}

void gw_grpc_fields_add(struct gw_grpc_fields *f, const struct gw_trailer *more, size_t count)
{
    for (size_t i = 0; i < count && i < GW_TRAILERS_MAX; i++)
        add_varying(f, more[i].name, more[i].value, strlen(more[i].value),
                    is_recurring(more[i].name));
}

static void add_status(struct gw_grpc_fields *f, const struct gw_reply *r)
{
    add_static(f, "grpc-status", status_texts[sl_reason_grpc(r->error.reason)]);
    if (sl_error_is_set(&r->error))
        add_error(f, r);
    gw_grpc_fields_add(f, r->trailers, r->trailer_count);
}

void gw_grpc_fields_head(struct gw_grpc_fields *f, enum gw_encoding encoding)
{
    f->count = 0;
    add_static(f, ":status", "200");
    add_static(f, "content-type", "application/grpc");
    add_static(f, "grpc-accept-encoding", GW_ENCODINGS_TEXT);
    if (encoding != GW_ENCODING_IDENTITY)
        add_static(f, "grpc-encoding", gw_encoding_name(encoding));
}

void gw_grpc_fields_trailers(struct gw_grpc_fields *f, const struct gw_reply *r)
{
    f->count = 0;
    add_status(f, r);
}

void gw_grpc_fields_trailers_only(struct gw_grpc_fields *f, int http_status,
                                  const struct gw_reply *r)
{
    gw_grpc_fields_head(f, GW_ENCODING_IDENTITY);
    if (http_status != 200)
        f->at[0].value = http_status == 405 ? "405" : "415";
    add_status(f, r);
}
