/* gw_grpc_details.c - google.rpc.Status, from the inside out: a detail, its Any, the status. */
#include "gw_grpc_details.h"

#include "gw_pb.h"
#include "sl_base64.h"
#include "sl_time.h"

#define TYPE_URL "type.googleapis.com/google.rpc."

enum { STATUS_MAX = 1535, DETAIL_MAX = 800, ENTRY_MAX = 300, SUBJECT_MAX = 300 };
_Static_assert(SL_BASE64_LEN(STATUS_MAX) <= GW_GRPC_DETAILS_MAX, "a whole status fits");

/* Of google/rpc/status.proto, error_details.proto, google/protobuf/any.proto, duration.proto. */
enum { STATUS_CODE = 1, STATUS_MESSAGE = 2, STATUS_DETAILS = 3, ANY_TYPE_URL = 1, ANY_VALUE = 2 };
enum { INFO_REASON = 1, INFO_DOMAIN = 2, INFO_METADATA = 3, ENTRY_KEY = 1, ENTRY_VALUE = 2 };
enum { BAD_VIOLATIONS = 1, VIOLATION_FIELD = 1, VIOLATION_DESCRIPTION = 2 };
enum { QUOTA_VIOLATIONS = 1, QUOTA_SUBJECT = 1, QUOTA_DESCRIPTION = 2 };
enum { RETRY_DELAY = 1, DURATION_SECONDS = 1, DURATION_NANOS = 2 };

/* A message being written. What does not fit is left out, and told. */
struct writer {
    uint8_t *data;
    size_t len;
    size_t max;
    bool is_full;
};

#define WRITER(room) ((struct writer){(room), 0, sizeof(room), false})

static void put(struct writer *w, uint32_t number, struct sl_span content)
{
    if (gw_pb_bytes_size(content.len) > w->max - w->len)
        w->is_full = true;
    else
        w->len = (size_t)(gw_pb_put_bytes(w->data + w->len, number, content) - w->data);
}

static void put_str(struct writer *w, uint32_t number, const char *text)
{
    put(w, number, sl_span_str(text));
}

static void put_message(struct writer *w, uint32_t number, const struct writer *inner)
{
    w->is_full |= inner->is_full;
    put(w, number, sl_span_of(inner->data, inner->len));
}

static void put_int(struct writer *w, uint32_t number, uint64_t value)
{
    if (value == 0)
        return; /* proto3: absent */
    if (1 + gw_pb_varint_bytes(value) > w->max - w->len) {
        w->is_full = true;
        return;
    }
    uint8_t *end = gw_pb_put_varint(w->data + w->len, number << 3 | GW_PB_VARINT);
    w->len = (size_t)(gw_pb_put_varint(end, value) - w->data);
}

static void put_detail(struct writer *status, const char *type_url, const struct writer *detail)
{
    uint8_t room[DETAIL_MAX + 100];
    struct writer any = WRITER(room);
    put_str(&any, ANY_TYPE_URL, type_url);
    put_message(&any, ANY_VALUE, detail);
    put_message(status, STATUS_DETAILS, &any);
}

static void put_entry(struct writer *info, const char *key, const char *value)
{
    uint8_t room[ENTRY_MAX];
    struct writer entry = WRITER(room);
    put_str(&entry, ENTRY_KEY, key);
    put_str(&entry, ENTRY_VALUE, value);
    put_message(info, INFO_METADATA, &entry);
}

static void put_error_info(struct writer *status, const struct gw_reply *r)
{
    uint8_t room[DETAIL_MAX];
    struct writer info = WRITER(room);
    put_str(&info, INFO_REASON, sl_reason_name(r->error.reason));
    put_str(&info, INFO_DOMAIN, "sluice");
    for (size_t i = 0; i < r->trailer_count && i < GW_TRAILERS_MAX; i++) {
        const struct gw_trailer *t = &r->trailers[i];
        if (strcmp(t->name, "sluice-call-id") == 0)
            put_entry(&info, "call_id", t->value);
        else if (strcmp(t->name, "sluice-node") == 0)
            put_entry(&info, "node", t->value);
    }
    put_detail(status, TYPE_URL "ErrorInfo", &info);
}

static void put_bad_request(struct writer *status, const struct sl_error *e)
{
    uint8_t outer[DETAIL_MAX], inner[DETAIL_MAX];
    struct writer bad = WRITER(outer), violation = WRITER(inner);
    put_str(&violation, VIOLATION_FIELD, e->field);
    put_str(&violation, VIOLATION_DESCRIPTION, e->text);
    put_message(&bad, BAD_VIOLATIONS, &violation);
    put_detail(status, TYPE_URL "BadRequest", &bad);
}

/* Whose quota it is, as its trailer says; a name that is far too long is there alone. */
static void put_quota_failure(struct writer *status, const struct gw_reply *r)
{
    uint8_t outer[DETAIL_MAX], inner[DETAIL_MAX];
    struct writer failure = WRITER(outer), violation = WRITER(inner);
    for (size_t i = 0; i < r->trailer_count && i < GW_TRAILERS_MAX; i++)
        if (strcmp(r->trailers[i].name, "sluice-visitor") == 0 &&
            strlen(r->trailers[i].value) <= SUBJECT_MAX)
            put_str(&violation, QUOTA_SUBJECT, r->trailers[i].value);
    put_str(&violation, QUOTA_DESCRIPTION, "GPU time");
    put_message(&failure, QUOTA_VIOLATIONS, &violation);
    put_detail(status, TYPE_URL "QuotaFailure", &failure);
}

static void put_retry_info(struct writer *status, int64_t delay_ms)
{
    uint8_t outer[64], inner[32];
    struct writer retry = WRITER(outer), delay = WRITER(inner);
    put_int(&delay, DURATION_SECONDS, (uint64_t)(delay_ms / 1000));
    put_int(&delay, DURATION_NANOS, (uint64_t)(delay_ms % 1000 * SL_NS_PER_MS));
    put_message(&retry, RETRY_DELAY, &delay);
    put_detail(status, TYPE_URL "RetryInfo", &retry);
}

size_t gw_grpc_details(const struct gw_reply *r, char out[GW_GRPC_DETAILS_MAX + 1])
{
    uint8_t room[STATUS_MAX];
    struct writer status = WRITER(room);
    int64_t delay_ms = r->retry_after_ms;
    if (delay_ms == 0)
        delay_ms = sl_reason_retry_after_ms(r->error.reason);
    put_int(&status, STATUS_CODE, sl_reason_grpc(r->error.reason));
    put_str(&status, STATUS_MESSAGE, r->error.text);
    put_error_info(&status, r);
    if (r->error.field[0] != '\0' && sl_reason_grpc(r->error.reason) == SL_GRPC_INVALID_ARGUMENT)
        put_bad_request(&status, &r->error);
    if (r->error.reason == SL_REASON_QUOTA_EXCEEDED)
        put_quota_failure(&status, r);
    if (delay_ms >= 0)
        put_retry_info(&status, delay_ms);
    out[0] = '\0';
    return status.is_full ? 0 : sl_base64_encode(sl_span_of(room, status.len), out);
}
