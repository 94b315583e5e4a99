/* gw_marks.c - a list of windows, the one left longest first. */
#include "gw_marks.h"

#include <string.h>
#include <utlist.h>

enum { WORD_BITS = 64 };

struct gw_mark {
    struct gw_mark *prev, *next; /* gw_marks.list */
    uint64_t journal;
    uint64_t newest; /* serial; 0: none yet */
    bool is_used;
    uint64_t bits[GW_MARKS_SPAN / WORD_BITS]; /* of serial s at s % GW_MARKS_SPAN */
};

struct gw_marks {
    const struct sl_alloc *alloc;
    size_t max_count, count;
    struct gw_mark *list; /* those in use and those left last are last */
};

sl_status gw_marks_create(const struct sl_alloc *alloc, size_t max_count, struct gw_marks **out)
{
    struct gw_marks *m = sl_alloc_zero(alloc, 1, sizeof *m);
    if (m == NULL)
        return SL_ENOMEM;
    m->alloc = alloc;
    m->max_count = max_count;
    *out = m;
    return SL_OK;
}

static void forget(struct gw_marks *m, struct gw_mark *mark)
{
    DL_DELETE(m->list, mark);
    m->count--;
    sl_alloc_free(m->alloc, mark);
}

void gw_marks_destroy(struct gw_marks *m)
{
    if (m == NULL)
        return;
    while (m->list != NULL)
        forget(m, m->list);
    sl_alloc_free(m->alloc, m);
}

static struct gw_mark *find(struct gw_marks *m, uint64_t journal)
{
    struct gw_mark *mark;
    DL_SEARCH_SCALAR(m->list, mark, journal, journal);
    return mark;
}

static sl_status make_room(struct gw_marks *m)
{
    struct gw_mark *mark;
    if (m->count < m->max_count)
        return SL_OK;
    DL_SEARCH_SCALAR(m->list, mark, is_used, false);
    if (mark == NULL)
        return SL_EFULL;
    forget(m, mark);
    return SL_OK;
}

static sl_status add(struct gw_marks *m, uint64_t journal, struct gw_mark **out)
{
    struct gw_mark *mark = sl_alloc_zero(m->alloc, 1, sizeof *mark);
    if (mark == NULL)
        return SL_ENOMEM;
    sl_status s = make_room(m);
    if (s != SL_OK) {
        sl_alloc_free(m->alloc, mark);
        return s;
    }
    mark->journal = journal;
    mark->is_used = true;
    DL_APPEND(m->list, mark);
    m->count++;
    *out = mark;
    return SL_OK;
}

sl_status gw_marks_join(struct gw_marks *m, uint64_t journal, struct gw_mark **out)
{
    struct gw_mark *mark = find(m, journal);
    if (mark == NULL)
        return add(m, journal, out);
    if (mark->is_used)
        return SL_EEXIST;
    mark->is_used = true;
    *out = mark;
    return SL_OK;
}

void gw_marks_leave(struct gw_marks *m, struct gw_mark *mark)
{
    if (mark == NULL)
        return;
    mark->is_used = false;
    DL_DELETE(m->list, mark);
    DL_APPEND(m->list, mark);
}

sl_status gw_marks_note(struct gw_marks *m, uint64_t journal, uint64_t record)
{
    struct gw_mark *mark = find(m, journal);
    sl_status s = SL_OK;
    if (mark == NULL) {
        s = add(m, journal, &mark);
        if (s == SL_OK)
            mark->is_used = false;
    }
    if (s == SL_OK)
        (void)!gw_mark_take(mark, record);
    return s;
}

uint64_t gw_mark_journal(const struct gw_mark *mark)
{
    return mark->journal;
}

static uint64_t *word_of(struct gw_mark *mark, uint64_t serial, uint64_t *out_bit)
{
    *out_bit = UINT64_C(1) << serial % WORD_BITS;
    return &mark->bits[serial % GW_MARKS_SPAN / WORD_BITS];
}

/* The window moves: bits that stood for older serials stand for new ones. */
static void advance(struct gw_mark *mark, uint64_t serial)
{
    uint64_t bit;
    if (serial - mark->newest >= GW_MARKS_SPAN) {
        memset(mark->bits, 0, sizeof mark->bits);
        mark->newest = serial;
    }
    while (mark->newest < serial) {
        uint64_t *word = word_of(mark, ++mark->newest, &bit);
        *word &= ~bit;
    }
}

bool gw_mark_take(struct gw_mark *mark, uint64_t record)
{
    const uint64_t serial = record >> GW_MARKS_PLACE_BITS;
    uint64_t bit;
    if (serial > mark->newest)
        advance(mark, serial);
    else if (mark->newest - serial >= GW_MARKS_SPAN)
        return false;
    uint64_t *word = word_of(mark, serial, &bit);
    if (*word & bit)
        return false;
    *word |= bit;
    return true;
}

void gw_mark_give_back(struct gw_mark *mark, uint64_t record)
{
    const uint64_t serial = record >> GW_MARKS_PLACE_BITS;
    uint64_t bit;
    if (serial > mark->newest || mark->newest - serial >= GW_MARKS_SPAN)
        return;
    uint64_t *word = word_of(mark, serial, &bit);
    *word &= ~bit;
}
