/* sluice_details.c - google.rpc.Status, of which only ErrorInfo and RetryInfo are read.
 *
 * Field numbers: googleapis/googleapis, google/rpc/status.proto and error_details.proto;
 * google/protobuf/any.proto and duration.proto. */
#include "sl_time.h"
#include "sluice_pb.h"
#include "sluice_status.h"
#include "sluice_wire.h"

enum { STATUS_DETAILS = 3, ANY_TYPE_URL = 1, ANY_VALUE = 2 };
enum { ERROR_INFO_REASON = 1, ERROR_INFO_METADATA = 3, ENTRY_KEY = 1, ENTRY_VALUE = 2 };
enum { RETRY_INFO_DELAY = 1, DURATION_SECONDS = 1, DURATION_NANOS = 2 };

/* The bytes of a message's fields 1 and 2: an Any's type and value, a map entry's key and value. */
static void get_two(struct sl_span message, struct sl_span *first, struct sl_span *second)
{
    struct sluice_pb_field f;

    *first = *second = sl_span_of("", 0);
    while (sluice_pb_next(&message, &f) == SL_OK) {
        if (f.wire != SLUICE_PB_BYTES)
            continue;
        if (f.number == ANY_TYPE_URL)
            *first = f.bytes;
        else if (f.number == ANY_VALUE)
            *second = f.bytes;
    }
}

static void get_error_info(struct sl_span message, struct sluice_status *s,
                           struct sluice_pairs_list *details)
{
    struct sluice_pb_field f;

    while (sluice_pb_next(&message, &f) == SL_OK) {
        if (f.wire != SLUICE_PB_BYTES)
            continue;
        if (f.number == ERROR_INFO_REASON) {
            sluice_status_copy_text(s->reason, sizeof(s->reason), f.bytes);
        } else if (f.number == ERROR_INFO_METADATA) {
            struct sl_span key;
            struct sl_span value;
            get_two(f.bytes, &key, &value);
            if (sluice_pairs_add(details, key, value) != SL_OK)
                return; /* more details than are kept: the first ones stay */
        }
    }
}

static int64_t duration_ms(struct sl_span message)
{
    struct sluice_pb_field f;
    int64_t ms = 0;

    while (sluice_pb_next(&message, &f) == SL_OK) {
        if (f.wire != SLUICE_PB_VARINT)
            continue;
        if (f.number == DURATION_SECONDS)
            ms = sl_sat_add(ms, sl_sat_mul((int64_t)f.value, 1000));
        else if (f.number == DURATION_NANOS)
            ms = sl_sat_add(ms, (int64_t)f.value / SL_NS_PER_MS);
    }
    return ms >= 0 ? ms : 0;
}

static void get_retry_info(struct sl_span message, struct sluice_status *s)
{
    struct sluice_pb_field f;

    while (sluice_pb_next(&message, &f) == SL_OK) {
        if (f.wire == SLUICE_PB_BYTES && f.number == RETRY_INFO_DELAY)
            s->retry_after_ms = duration_ms(f.bytes);
    }
}

/* Does the Any's type URL name this message? Only what follows the last '/' counts. */
static bool is_type(struct sl_span url, const char *name)
{
    size_t len = strlen(name);
    return url.len > len && url.data[url.len - len - 1] == '/' &&
           memcmp(url.data + url.len - len, name, len) == 0;
}

void sluice_wire_get_details(struct sl_span message, struct sluice_status *s,
                             struct sluice_pairs_list *details)
{
    struct sluice_pb_field f;

    while (sluice_pb_next(&message, &f) == SL_OK) {
        struct sl_span url;
        struct sl_span value;
        if (f.number != STATUS_DETAILS || f.wire != SLUICE_PB_BYTES)
            continue;
        get_two(f.bytes, &url, &value);
        if (is_type(url, "google.rpc.ErrorInfo"))
            get_error_info(value, s, details);
        else if (is_type(url, "google.rpc.RetryInfo"))
            get_retry_info(value, s);
    }
}
