/* ex_ring.c - a pair of byte rings in shared memory; the layout stands in ex_ring.h. */
#include "ex_ring.h"

#include <assert.h>
#include <string.h>

enum {
    AT_MAGIC = 0,
    AT_VERSION = 4,
    AT_DATA_BYTES = 8,
    AT_HEAD = 64,
    AT_CONSUMED = 128,
    AT_SLEEPING = 192,
    AT_STARTED_NS = 256,
    AT_STARTED_SEQ = 264,
    AT_CANCELLED = 512,

    WAKE_BITS = EX_RING_WAKE_RECORD | EX_RING_WAKE_SPACE,
    SLEEP_STEP = WAKE_BITS + 1
};

/* Shared numbers are read and written through these alone. */
static uint64_t load_u64(const uint8_t *ring, size_t at, int order)
{
    return __atomic_load_n((const uint64_t *)(const void *)(ring + at), order);
}

static void store_u64(uint8_t *ring, size_t at, uint64_t value, int order)
{
    __atomic_store_n((uint64_t *)(void *)(ring + at), value, order);
}

static uint64_t round_up(uint64_t n)
{
    return (n + EX_RING_ALIGN - 1) & ~(uint64_t)(EX_RING_ALIGN - 1);
}

bool ex_ring_is_data_bytes(uint64_t n)
{
    return n >= EX_RING_DATA_MIN && n <= EX_RING_DATA_MAX && (n & (n - 1)) == 0;
}

void ex_ring_format(uint8_t header[EX_RING_HEADER_BYTES], uint64_t data_bytes)
{
    const uint32_t magic = EX_RING_MAGIC;
    const uint32_t version = EX_RING_VERSION;
    memset(header, 0, EX_RING_HEADER_BYTES);
    memcpy(header + AT_MAGIC, &magic, sizeof(magic));
    memcpy(header + AT_VERSION, &version, sizeof(version));
    memcpy(header + AT_DATA_BYTES, &data_bytes, sizeof(data_bytes));
}

/* Is this the header of a ring whose whole length is total_bytes? */
static bool is_header(const uint8_t *header, size_t total_bytes)
{
    uint32_t magic;
    uint32_t version;
    uint64_t data_bytes;
    memcpy(&magic, header + AT_MAGIC, sizeof(magic));
    memcpy(&version, header + AT_VERSION, sizeof(version));
    memcpy(&data_bytes, header + AT_DATA_BYTES, sizeof(data_bytes));
    return magic == EX_RING_MAGIC && version == EX_RING_VERSION &&
           data_bytes == total_bytes - EX_RING_HEADER_BYTES;
}

static bool is_total(size_t total_bytes)
{
    return total_bytes > EX_RING_HEADER_BYTES &&
           ex_ring_is_data_bytes(total_bytes - EX_RING_HEADER_BYTES);
}

sl_status ex_ring_attach(struct ex_ring *r, void *out, size_t out_bytes, const void *in,
                         size_t in_bytes)
{
    if (!is_total(out_bytes) || !is_total(in_bytes))
        return SL_EINVAL;
    if (!is_header(out, out_bytes) || !is_header(in, in_bytes))
        return SL_EPROTO;
    *r = (struct ex_ring){
        .out = out,
        .in = in,
        .out_bytes = out_bytes - EX_RING_HEADER_BYTES,
        .in_bytes = in_bytes - EX_RING_HEADER_BYTES,
    };
    return SL_OK;
}

/* ---- writing */

uint64_t ex_ring_record_max(const struct ex_ring *r)
{
    return r->out_bytes / EX_RING_RECORD_SHARE;
}

static uint8_t *out_at(const struct ex_ring *r, uint64_t position)
{
    return r->out + EX_RING_HEADER_BYTES + (position & (r->out_bytes - 1));
}

static void write_frame(const struct ex_ring *r, uint64_t bytes, uint32_t kind)
{
    const uint32_t frame[2] = {(uint32_t)bytes, kind};
    memcpy(out_at(r, r->out_committed), frame, sizeof(frame));
}

/* Looks how far the peer has consumed. Errors: SL_EPROTO (it went back, or beyond the head). */
static sl_status see_consumed(struct ex_ring *r)
{
    const uint64_t consumed = load_u64(r->in, AT_CONSUMED, __ATOMIC_ACQUIRE);
    if (consumed - r->out_consumed > r->out_published - r->out_consumed ||
        consumed % EX_RING_ALIGN != 0)
        return SL_EPROTO;
    r->out_consumed = consumed;
    return SL_OK;
}

static bool has_room(const struct ex_ring *r, uint64_t bytes)
{
    return bytes <= r->out_bytes - (r->out_committed - r->out_consumed);
}

sl_status ex_ring_reserve(struct ex_ring *r, size_t bytes, uint8_t **out)
{
    if (bytes > ex_ring_record_max(r))
        return SL_ETOOBIG;
    const uint64_t to_end = r->out_bytes - (r->out_committed & (r->out_bytes - 1));
    const uint64_t skip = bytes > to_end ? to_end : 0;
    const uint64_t need = skip + round_up(bytes);
    if (!has_room(r, need)) {
        const sl_status s = see_consumed(r);
        if (s != SL_OK)
            return s;
        if (!has_room(r, need))
            return SL_EAGAIN;
    }
    if (skip > 0) {
        write_frame(r, skip, 0);
        r->out_committed += skip;
    }
    r->out_reserved = bytes;
    *out = out_at(r, r->out_committed);
    return SL_OK;
}

void ex_ring_commit(struct ex_ring *r, size_t bytes, uint32_t kind)
{
    assert(bytes >= EX_RING_FRAME_BYTES && bytes <= r->out_reserved && kind != 0);
    write_frame(r, bytes, kind);
    r->out_committed += round_up(bytes);
    r->out_reserved = 0;
}

/* Does the peer's sleep, begun with this word, end by what was published just now? */
static bool is_awaited(uint64_t sleeping, bool has_records, bool has_space)
{
    return (has_records && (sleeping & EX_RING_WAKE_RECORD)) ||
           (has_space && (sleeping & EX_RING_WAKE_SPACE));
}

bool ex_ring_publish(struct ex_ring *r)
{
    const bool has_records = r->out_published != r->out_committed;
    const bool has_space = r->in_published != r->in_released;
    if (has_space) {
        r->in_published = r->in_released;
        store_u64(r->out, AT_CONSUMED, r->in_released, __ATOMIC_SEQ_CST);
    }
    if (has_records) {
        r->out_published = r->out_committed;
        store_u64(r->out, AT_HEAD, r->out_committed, __ATOMIC_SEQ_CST);
    }
    const uint64_t sleeping = load_u64(r->in, AT_SLEEPING, __ATOMIC_SEQ_CST);
    if (sleeping == r->rung || !is_awaited(sleeping, has_records, has_space))
        return false;
    r->rung = sleeping;
    return true;
}

uint64_t ex_ring_written(const struct ex_ring *r)
{
    return r->out_committed;
}

sl_status ex_ring_see_released(struct ex_ring *r, uint64_t end)
{
    const sl_status s = see_consumed(r);
    if (s != SL_OK)
        return s;
    return r->out_consumed >= end ? SL_OK : SL_EAGAIN;
}

/* ---- reading */

/* Looks how far the peer has published. Errors: SL_EPROTO. */
static sl_status see_head(struct ex_ring *r)
{
    const uint64_t head = load_u64(r->in, AT_HEAD, __ATOMIC_SEQ_CST);
    const uint64_t room = r->in_bytes - (r->in_head - r->in_published);
    if (head - r->in_head > room || head % EX_RING_ALIGN != 0)
        return SL_EPROTO;
    r->in_head = head;
    return SL_OK;
}

struct frame {
    uint32_t bytes;
    uint32_t kind;
};

static const uint8_t *in_at(const struct ex_ring *r, uint64_t position)
{
    return r->in + EX_RING_HEADER_BYTES + (position & (r->in_bytes - 1));
}

/* The frame at in_next, copied once and checked against what is published (at least a frame). */
static sl_status read_frame(const struct ex_ring *r, struct frame *out)
{
    memcpy(out, in_at(r, r->in_next), sizeof(*out));
    const uint64_t to_end = r->in_bytes - (r->in_next & (r->in_bytes - 1));
    const uint64_t there = r->in_head - r->in_next;
    if (out->bytes < EX_RING_FRAME_BYTES || round_up(out->bytes) > there || out->bytes > to_end)
        return SL_EPROTO;
    if (out->kind == 0)
        return out->bytes == to_end ? SL_OK : SL_EPROTO;
    return out->bytes <= r->in_bytes / EX_RING_RECORD_SHARE ? SL_OK : SL_EPROTO;
}

sl_status ex_ring_next(struct ex_ring *r, struct ex_ring_record *out)
{
    struct frame frame;
    do {
        sl_status s = r->in_next == r->in_head ? see_head(r) : SL_OK;
        if (s == SL_OK && r->in_next == r->in_head)
            s = SL_EAGAIN;
        if (s == SL_OK)
            s = read_frame(r, &frame);
        if (s != SL_OK)
            return s;
        out->bytes = sl_span_of(in_at(r, r->in_next), frame.bytes);
        out->kind = frame.kind;
        r->in_next += round_up(frame.bytes);
        out->end = r->in_next;
    } while (frame.kind == 0);
    return SL_OK;
}

bool ex_ring_has_record(const struct ex_ring *r)
{
    return load_u64(r->in, AT_HEAD, __ATOMIC_ACQUIRE) != r->in_next;
}

void ex_ring_release(struct ex_ring *r, uint64_t end)
{
    if (end - r->in_released <= r->in_next - r->in_released)
        r->in_released = end;
}

/* ---- sleeping */

bool ex_ring_sleep(struct ex_ring *r, unsigned wake_on)
{
    r->sleep_count += SLEEP_STEP;
    store_u64(r->out, AT_SLEEPING, r->sleep_count | (wake_on & WAKE_BITS), __ATOMIC_SEQ_CST);
    const bool has_record =
        (wake_on & EX_RING_WAKE_RECORD) && load_u64(r->in, AT_HEAD, __ATOMIC_SEQ_CST) != r->in_next;
    const bool has_space = (wake_on & EX_RING_WAKE_SPACE) &&
                           load_u64(r->in, AT_CONSUMED, __ATOMIC_SEQ_CST) != r->out_consumed;
    if (!has_record && !has_space)
        return true;
    ex_ring_wake(r);
    return false;
}

void ex_ring_wake(struct ex_ring *r)
{
    store_u64(r->out, AT_SLEEPING, 0, __ATOMIC_SEQ_CST);
}

/* ---- what began, and what need not begin */

void ex_ring_set_started(struct ex_ring *r, uint64_t seq, uint64_t now_ns)
{
    store_u64(r->out, AT_STARTED_NS, now_ns, __ATOMIC_RELAXED);
    store_u64(r->out, AT_STARTED_SEQ, seq, __ATOMIC_RELEASE);
}

uint64_t ex_ring_started(const struct ex_ring *r, uint64_t *out_ns)
{
    const uint64_t seq = load_u64(r->in, AT_STARTED_SEQ, __ATOMIC_ACQUIRE);
    *out_ns = load_u64(r->in, AT_STARTED_NS, __ATOMIC_RELAXED);
    return seq;
}

static size_t cancel_slot(uint64_t seq)
{
    return AT_CANCELLED + seq % EX_RING_CANCEL_SLOTS * sizeof(uint64_t);
}

void ex_ring_cancel(struct ex_ring *r, uint64_t seq)
{
    store_u64(r->out, cancel_slot(seq), seq, __ATOMIC_RELEASE);
}

bool ex_ring_is_cancelled(const struct ex_ring *r, uint64_t seq)
{
    return load_u64(r->in, cancel_slot(seq), __ATOMIC_ACQUIRE) == seq;
}
