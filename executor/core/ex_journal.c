/* ex_journal.c - records in places of a map, and in memory which of them wait. */
#include "ex_journal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "sl_base.h"
#include "sl_text.h"

enum {
    VERSION = 1,
    HEAD_BYTES = 4096,
    SPARE_PLACES = EX_SLICES_MAX + 2, /* leases that are open, and the last record */
    NO_PLACE = UINT16_MAX,
};

static const uint64_t magic = UINT64_C(0x6c6e726a65636c73); /* "slcejrnl" */

/* What the map begins with. */
struct head {
    uint64_t magic; /* written last */
    uint32_t version;
    uint32_t place_count;
    uint64_t id;
    uint64_t boot;
    sl_mono_ns alive_at;
};

struct map {
    union {
        struct head head;
        uint8_t head_bytes[HEAD_BYTES];
    };
    struct ex_journal_entry open[EX_SLICES_MAX]; /* by slice; lease 0: none */
    struct ex_journal_entry places[];
};

static_assert(sizeof(struct ex_journal_entry) == 256, "none lies across pages");
static_assert(offsetof(struct map, places) % 4096 == 0, "places begin with a page");
static_assert(EX_JOURNAL_MAX + SPARE_PLACES < NO_PLACE, "a place is a number of 16 bits");

/* In memory, of one place. */
struct place {
    struct place *prev, *next; /* ex_journal.waiting */
    bool is_waiting, is_told;
};

struct ex_journal {
    const struct sl_alloc *alloc;
    struct map *map;
    uint32_t max;
    uint32_t place_count;
    struct place *waiting; /* not acknowledged, oldest first */
    struct place *cursor;  /* all before it are told; NULL: all are */
    uint32_t waiting_count, untold_count;
    uint32_t passed_over, ended_open;
    uint64_t last; /* the last record; 0: none yet */
    sl_gpu_us total_us;
    int64_t wall_ahead_us; /* of the monotonic clock */
    uint16_t *free;        /* a stack */
    uint32_t free_count;
    struct place places[];
};

/* Keeps the compiler from moving stores across; the process alone may die, not its order. */
static void in_order(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static uint32_t place_of(uint64_t record)
{
    return (uint32_t)(record & ((1U << EX_JOURNAL_PLACE_BITS) - 1));
}

static uint64_t serial_of(uint64_t record)
{
    return record >> EX_JOURNAL_PLACE_BITS;
}

static struct ex_journal_entry *entry_of(const struct ex_journal *j, const struct place *p)
{
    return &j->map->places[p - j->places];
}

size_t ex_journal_bytes(uint32_t max)
{
    return offsetof(struct map, places) +
           ((size_t)max + SPARE_PLACES) * sizeof(struct ex_journal_entry);
}

/* ---- places */

static void give_place(struct ex_journal *j, uint32_t place)
{
    j->free[j->free_count++] = (uint16_t)place;
}

static void await(struct ex_journal *j, struct place *p)
{
    *p = (struct place){.is_waiting = true};
    DL_APPEND(j->waiting, p);
    if (!j->cursor)
        j->cursor = p;
    j->waiting_count++;
    j->untold_count++;
}

/* The last record's place is free once there is a later one: it carries the sum. */
static void replace_last(struct ex_journal *j, uint64_t record)
{
    const uint64_t old = j->last;
    j->last = record;
    if (old != 0 && !j->places[place_of(old)].is_waiting)
        give_place(j, place_of(old));
}

static uint64_t append(struct ex_journal *j, struct ex_journal_entry *open, sl_gpu_us held_us,
                       const char *cause, sl_wall_us ended_at)
{
    const uint32_t place = j->free[--j->free_count];
    const uint64_t record = (serial_of(j->last) + 1) << EX_JOURNAL_PLACE_BITS | place;
    struct ex_journal_entry *e = &j->map->places[place];
    e->record = 0;
    in_order();
    *e = *open; /* whose record is 0 */
    e->held_us = held_us;
    e->total_us = j->total_us = sl_sat_add(j->total_us, held_us);
    e->ended_at = ended_at;
    strncpy(e->cause, cause, EX_JOURNAL_CAUSE_MAX);
    in_order();
    e->record = record;
    in_order();
    open->lease = 0;
    await(j, &j->places[place]);
    replace_last(j, record);
    return record;
}

/* ---- taking up what is there */

static bool is_empty(const struct map *m)
{
    return m->head.magic == 0;
}

static void format(struct map *m, const struct ex_journal_conf *conf)
{
    m->head = (struct head){.version = VERSION, .id = conf->fresh_id, .boot = conf->boot};
    in_order();
    m->head.magic = magic;
}

static bool is_sound(const struct map *m, size_t bytes)
{
    return m->head.magic == magic && m->head.version == VERSION && m->head.id != 0 &&
           m->head.place_count <=
               (bytes - offsetof(struct map, places)) / sizeof(struct ex_journal_entry);
}

/* A record that stands where its number says. */
static bool holds_record(const struct map *m, uint32_t place)
{
    const uint64_t record = m->places[place].record;
    return record != 0 && place_of(record) == place;
}

static void find_last(struct ex_journal *j)
{
    for (uint32_t i = 0; i < j->place_count; i++) {
        const struct ex_journal_entry *e = &j->map->places[i];
        if (holds_record(j->map, i) && serial_of(e->record) > serial_of(j->last)) {
            j->last = e->record;
            j->total_us = e->total_us;
        }
    }
}

static int by_serial(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Those that wait, in their order; the other places are free. */
static void sort_places(struct ex_journal *j, uint64_t *records)
{
    size_t count = 0;
    for (uint32_t i = j->place_count; i-- > 0;) {
        const struct ex_journal_entry *e = &j->map->places[i];
        if (holds_record(j->map, i) && !e->is_acknowledged)
            records[count++] = e->record;
        else if (j->last == 0 || place_of(j->last) != i)
            give_place(j, i);
    }
    qsort(records, count, sizeof(*records), by_serial);
    for (size_t i = 0; i < count; i++)
        await(j, &j->places[place_of(records[i])]);
}

/* After another boot the same serials may have been given twice. */
static void begin_boot(struct ex_journal *j, const struct ex_journal_conf *conf)
{
    for (uint32_t i = 0; i < j->place_count; i++) {
        struct ex_journal_entry *e = &j->map->places[i];
        j->passed_over += holds_record(j->map, i) && !e->is_acknowledged;
        e->is_acknowledged = true;
    }
    j->map->head.id = conf->fresh_id;
    in_order();
    j->map->head.boot = conf->boot;
}

/* Died the process between the record of the lease and its end? */
static bool is_recorded(const struct ex_journal *j, const struct ex_journal_entry *open)
{
    for (uint32_t i = 0; i < j->place_count; i++) {
        const struct ex_journal_entry *e = &j->map->places[i];
        if (holds_record(j->map, i) && e->lease == open->lease &&
            e->gateway_run == open->gateway_run && e->started_mono == open->started_mono)
            return true;
    }
    return false;
}

static void end_open(struct ex_journal *j)
{
    for (uint32_t i = 0; i < EX_SLICES_MAX; i++) {
        struct ex_journal_entry *open = &j->map->open[i];
        if (open->lease == 0)
            continue;
        if (is_recorded(j, open) || j->free_count == 0) {
            open->lease = 0;
            continue;
        }
        const int64_t ran_ns = j->map->head.alive_at - open->started_mono;
        const sl_gpu_us held = ran_ns > 0 ? ran_ns / SL_NS_PER_US : 0;
        append(j, open, held, sl_reason_name(SL_REASON_EXECUTOR_LOST),
               sl_sat_add(open->started_at, held));
        j->ended_open++;
    }
}

static sl_status take_up(struct ex_journal *j, const struct ex_journal_conf *conf)
{
    uint64_t *records = sl_alloc_zero(j->alloc, j->place_count, sizeof(*records));
    if (!records)
        return SL_ENOMEM;
    if (j->map->head.boot != conf->boot)
        begin_boot(j, conf);
    find_last(j);
    sort_places(j, records);
    end_open(j);
    sl_alloc_free(j->alloc, records);
    return SL_OK;
}

sl_status ex_journal_create(const struct sl_alloc *alloc, void *map, size_t bytes,
                            const struct ex_journal_conf *conf, struct ex_journal **out)
{
    struct map *m = map;
    if (conf->max == 0 || conf->max > EX_JOURNAL_MAX || conf->fresh_id == 0 ||
        bytes < ex_journal_bytes(conf->max))
        return SL_EINVAL;
    if (is_empty(m))
        format(m, conf);
    if (!is_sound(m, bytes))
        return SL_EPROTO;
    uint64_t count = (bytes - offsetof(struct map, places)) / sizeof(struct ex_journal_entry);
    if (count > NO_PLACE)
        count = NO_PLACE;
    m->head.place_count = (uint32_t)count;
    struct ex_journal *j =
        sl_alloc_zero(alloc, 1, sizeof(*j) + (size_t)count * sizeof(j->places[0]));
    if (!j)
        return SL_ENOMEM;
    *j = (struct ex_journal){
        .alloc = alloc, .map = m, .max = conf->max, .place_count = (uint32_t)count};
    j->free = sl_alloc_zero(alloc, (size_t)count, sizeof(*j->free));
    if (!j->free || take_up(j, conf) != SL_OK) {
        ex_journal_destroy(j);
        return SL_ENOMEM;
    }
    *out = j;
    return SL_OK;
}

void ex_journal_destroy(struct ex_journal *j)
{
    if (!j)
        return;
    sl_alloc_free(j->alloc, j->free);
    sl_alloc_free(j->alloc, j);
}

void ex_journal_tick(struct ex_journal *j, sl_mono_ns now, sl_wall_us wall)
{
    j->map->head.alive_at = now;
    j->wall_ahead_us = wall - now / SL_NS_PER_US;
}

/* ---- leases */

bool ex_journal_has_room(const struct ex_journal *j, uint64_t open_count)
{
    const uint64_t next = serial_of(j->last) + 1;
    const uint64_t oldest = j->waiting ? serial_of(entry_of(j, j->waiting)->record) : next;
    return open_count < EX_JOURNAL_MAX && j->waiting_count + open_count < j->max &&
           next - oldest + open_count < EX_JOURNAL_SPAN_MAX;
}

void ex_journal_began(struct ex_journal *j, const struct ex_journal_start *start)
{
    struct ex_journal_entry *open = &j->map->open[start->slice];
    open->lease = 0;
    in_order();
    *open = (struct ex_journal_entry){
        .gateway_run = start->gateway_run,
        .started_mono = start->at,
        .started_at = start->at / SL_NS_PER_US + j->wall_ahead_us,
        .slice = start->slice,
    };
    (void)sl_text_read_uuid(sl_span_str(start->call_id), open->call_id);
    strncpy(open->model, start->model, EX_NAME_MAX);
    in_order();
    open->lease = start->lease;
}

void ex_journal_undone(struct ex_journal *j, uint32_t slice)
{
    j->map->open[slice].lease = 0;
}

uint64_t ex_journal_ended(struct ex_journal *j, uint32_t slice, sl_gpu_us held_us,
                          enum sl_reason cause)
{
    struct ex_journal_entry *open = &j->map->open[slice];
    if (open->lease == 0 || j->free_count == 0)
        return 0;
    if (held_us < 0)
        held_us = 0;
    return append(j, open, held_us, sl_reason_name(cause), sl_sat_add(open->started_at, held_us));
}

/* ---- the gateway */

void ex_journal_tell_again(struct ex_journal *j)
{
    struct place *p;
    DL_FOREACH (j->waiting, p) {
        p->is_told = false;
    }
    j->cursor = j->waiting;
    j->untold_count = j->waiting_count;
}

const struct ex_journal_entry *ex_journal_next_untold(struct ex_journal *j)
{
    if (j->untold_count == 0)
        return NULL;
    while (j->cursor->is_told)
        j->cursor = j->cursor->next;
    return entry_of(j, j->cursor);
}

/* The place of a record that waits, or NULL. */
static struct place *find_waiting(struct ex_journal *j, uint64_t record)
{
    const uint32_t place = place_of(record);
    if (record == 0 || place >= j->place_count || !j->places[place].is_waiting ||
        j->map->places[place].record != record)
        return NULL;
    return &j->places[place];
}

void ex_journal_told(struct ex_journal *j, uint64_t record)
{
    struct place *p = find_waiting(j, record);
    if (!p || p->is_told)
        return;
    p->is_told = true;
    j->untold_count--;
}

bool ex_journal_acknowledge(struct ex_journal *j, uint64_t record)
{
    struct place *p = find_waiting(j, record);
    if (!p)
        return false;
    entry_of(j, p)->is_acknowledged = true;
    if (j->cursor == p)
        j->cursor = p->next;
    DL_DELETE(j->waiting, p);
    j->waiting_count--;
    j->untold_count -= !p->is_told;
    p->is_waiting = false;
    if (record != j->last)
        give_place(j, place_of(record));
    return true;
}

/* ---- looking */

struct ex_journal_totals ex_journal_totals(const struct ex_journal *j)
{
    return (struct ex_journal_totals){.id = j->map->head.id,
                                      .leases = serial_of(j->last),
                                      .held_us = j->total_us,
                                      .unacknowledged = j->waiting_count,
                                      .passed_over = j->passed_over,
                                      .ended_open = j->ended_open};
}

/* What was read before it was read before what is read after it. ThreadSanitizer knows no fences of
 * threads, and sees one process of the two anyway. */
static void order_reads(void)
{
#ifdef __SANITIZE_THREAD__
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
#else
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
#endif
}

/* A copy of an entry that is not written meanwhile, or none. */
static bool copy_entry(const struct map *m, uint32_t place, struct ex_journal_entry *out)
{
    const struct ex_journal_entry *e = &m->places[place];
    const uint64_t before = __atomic_load_n(&e->record, __ATOMIC_ACQUIRE);
    *out = *e;
    order_reads();
    return before != 0 && place_of(before) == place &&
           __atomic_load_n(&e->record, __ATOMIC_RELAXED) == before;
}

sl_status ex_journal_read(const void *map, size_t bytes, struct ex_journal_totals *out)
{
    const struct map *m = map;
    if (bytes < ex_journal_bytes(1) || !is_sound(m, bytes))
        return SL_EPROTO;
    *out = (struct ex_journal_totals){.id = m->head.id};
    for (uint32_t i = 0; i < m->head.place_count; i++) {
        struct ex_journal_entry e;
        if (!copy_entry(m, i, &e))
            continue;
        out->unacknowledged += !e.is_acknowledged;
        if (serial_of(e.record) > out->leases) {
            out->leases = serial_of(e.record);
            out->held_us = e.total_us;
        }
    }
    return SL_OK;
}

static bool is_list_sound(const struct ex_journal *j)
{
    const struct place *p;
    uint64_t before = 0;
    uint32_t count = 0, untold = 0;
    DL_FOREACH (j->waiting, p) {
        const struct ex_journal_entry *e = entry_of(j, p);
        if (!p->is_waiting || e->is_acknowledged || serial_of(e->record) <= before)
            return false;
        before = serial_of(e->record);
        count++;
        untold += !p->is_told;
    }
    return count == j->waiting_count && untold == j->untold_count;
}

sl_status ex_journal_check(const struct ex_journal *j)
{
    struct ex_journal_totals read;
    const size_t bytes =
        offsetof(struct map, places) + j->place_count * sizeof(struct ex_journal_entry);
    const bool keeps_last = j->last != 0 && !j->places[place_of(j->last)].is_waiting;
    if (ex_journal_read(j->map, bytes, &read) != SL_OK || !is_list_sound(j))
        return SL_EBROKEN;
    if (read.leases != serial_of(j->last) || read.held_us != j->total_us ||
        read.unacknowledged != j->waiting_count)
        return SL_EBROKEN;
    return j->free_count + j->waiting_count + keeps_last == j->place_count ? SL_OK : SL_EBROKEN;
}
