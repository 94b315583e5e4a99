/* gw_record.c - each record's fields are named once: the same walk writes and reads them. */
#include "gw_record.h"

#include <string.h>

enum { VERSION = 1, VARINT_MAX = 10 };

struct walk {
    bool is_writing;
    bool is_good;
    uint8_t *out;
    struct sl_span in;
    size_t at, end;
};

/* ---- one field */

static void put_byte(struct walk *w, uint8_t byte)
{
    if (w->at < w->end)
        w->out[w->at++] = byte;
    else
        w->is_good = false;
}

static void put_varint(struct walk *w, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        put_byte(w, (uint8_t)(v | 0x80));
    put_byte(w, (uint8_t)v);
}

/* Only the shortest form, and no bits beyond 64. */
static uint64_t take_varint(struct walk *w)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < VARINT_MAX && w->at < w->end; i++) {
        uint8_t byte = w->in.data[w->at++];
        v |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) != 0)
            continue;
        if ((i > 0 && byte == 0) || (i == VARINT_MAX - 1 && byte > 1))
            break;
        return v;
    }
    w->is_good = false;
    return 0;
}

static void walk_int(struct walk *w, int64_t *value)
{
    if (w->is_writing) {
        put_varint(w, ((uint64_t)*value << 1) ^ (uint64_t)(*value >> 63));
        return;
    }
    uint64_t v = take_varint(w);
    *value = (int64_t)((v >> 1) ^ (0 - (v & 1)));
}

static void walk_bytes(struct walk *w, uint8_t *bytes, size_t len)
{
    if (w->end - w->at < len) {
        w->is_good = false;
        return;
    }
    if (w->is_writing)
        memcpy(w->out + w->at, bytes, len);
    else
        memcpy(bytes, w->in.data + w->at, len);
    w->at += len;
}

static void put_span(struct walk *w, struct sl_span text, size_t max)
{
    put_varint(w, text.len);
    if (text.len > max || w->end - w->at < text.len) {
        w->is_good = false;
        return;
    }
    if (text.len > 0)
        memcpy(w->out + w->at, text.data, text.len);
    w->at += text.len;
}

static void walk_span(struct walk *w, struct sl_span *text, size_t max)
{
    if (w->is_writing) {
        put_span(w, *text, max);
        return;
    }
    uint64_t len = take_varint(w);
    if (len > max || len > w->end - w->at) {
        w->is_good = false;
        return;
    }
    *text = sl_span_of(w->in.data + w->at, (size_t)len);
    w->at += (size_t)len;
}

static void walk_text(struct walk *w, struct sl_span *text)
{
    walk_span(w, text, GW_RECORD_TEXT_MAX);
}

/* An integer of [0, max]. */
static int64_t walk_choice(struct walk *w, int64_t value, int64_t max)
{
    walk_int(w, &value);
    if (value >= 0 && value <= max)
        return value;
    w->is_good = false;
    return 0;
}

/* ---- the records */

static void walk_window(struct walk *w, struct gw_record_window *r)
{
    walk_text(w, &r->account);
    walk_int(w, &r->opened_at);
}

static void walk_grant(struct walk *w, struct gw_record_grant *r)
{
    walk_text(w, &r->account);
    walk_text(w, &r->by);
    walk_text(w, &r->reason);
    walk_int(w, &r->at);
    walk_int(w, &r->window_opened_at);
    walk_int(w, &r->amount_us);
}

static void walk_account(struct walk *w, struct gw_record_account *r)
{
    walk_text(w, &r->account);
    walk_int(w, &r->window_opened_at);
    walk_int(w, &r->spent_us);
    walk_int(w, &r->granted_us);
}

static void walk_token(struct walk *w, struct gw_record_token *r)
{
    walk_bytes(w, r->hash, sizeof r->hash);
    walk_text(w, &r->prefix);
    walk_text(w, &r->user);
    walk_text(w, &r->tier);
    walk_text(w, &r->app);
    walk_int(w, &r->created_at);
    walk_int(w, &r->expires_at);
    walk_int(w, &r->revoked_at);
    r->is_admin = walk_choice(w, r->is_admin, 1) == 1;
}

static void walk_app(struct walk *w, struct gw_record_app *r)
{
    walk_text(w, &r->name);
    walk_text(w, &r->owner);
    r->state = (enum gw_app_state)walk_choice(w, r->state, GW_APP_REMOVED);
    walk_int(w, &r->at);
}

static void walk_block(struct walk *w, struct gw_record_block *r)
{
    walk_text(w, &r->account);
    walk_text(w, &r->by);
    walk_text(w, &r->reason);
    walk_int(w, &r->at);
    r->is_blocked = walk_choice(w, r->is_blocked, 1) == 1;
}

static void walk_loss(struct walk *w, struct gw_record_loss *r)
{
    walk_int(w, &r->first_n);
    walk_int(w, &r->last_n);
    walk_int(w, &r->at);
}

static void walk_learned(struct walk *w, struct gw_record_learned *r)
{
    walk_text(w, &r->model);
    walk_text(w, &r->version);
    walk_int(w, &r->at);
    walk_span(w, &r->samples, GW_RECORD_SAMPLES_MAX);
}

/* false: no kind of this file's. */
static bool walk_record(struct walk *w, struct gw_record *r)
{
    switch (r->kind) {
    case GW_RECORD_WINDOW:
        walk_window(w, &r->window);
        return true;
    case GW_RECORD_GRANT:
        walk_grant(w, &r->grant);
        return true;
    case GW_RECORD_ACCOUNT:
        walk_account(w, &r->account);
        return true;
    case GW_RECORD_TOKEN:
        walk_token(w, &r->token);
        return true;
    case GW_RECORD_APP:
        walk_app(w, &r->app);
        return true;
    case GW_RECORD_BLOCK:
        walk_block(w, &r->block);
        return true;
    case GW_RECORD_LOSS:
        walk_loss(w, &r->loss);
        return true;
    case GW_RECORD_LEARNED:
        walk_learned(w, &r->learned);
        return true;
    case GW_RECORD_RECEIPT:
        break;
    }
    return false;
}

const char *gw_record_name(int kind)
{
    switch (kind) {
#define RECORD_NAME(name, number, text)                                                            \
    case number:                                                                                   \
        return text;
        GW_RECORD_MAP(RECORD_NAME)
#undef RECORD_NAME
    default:
        return "unknown";
    }
}

sl_status gw_record_encode(const struct gw_record *r, uint8_t *out, size_t *out_len)
{
    struct gw_record copy = *r; /* the walk takes what it could also fill */
    struct walk w = {.is_writing = true, .is_good = true, .out = out, .end = GW_RECORD_BYTES_MAX};
    put_byte(&w, VERSION);
    if (!walk_record(&w, &copy))
        return SL_EINVAL;
    if (!w.is_good)
        return SL_ETOOBIG;
    *out_len = w.at;
    return SL_OK;
}

sl_status gw_record_decode(int kind, struct sl_span bytes, struct gw_record *out)
{
    struct gw_record r = {.kind = (enum gw_record_kind)kind};
    struct walk w = {.is_good = true, .in = bytes, .at = 1, .end = bytes.len};
    if (bytes.len == 0)
        return SL_EPROTO;
    if (bytes.data[0] > VERSION || !walk_record(&w, &r))
        return SL_ENEVER;
    if (bytes.data[0] != VERSION || !w.is_good || w.at != w.end)
        return SL_EPROTO;
    *out = r;
    return SL_OK;
}
