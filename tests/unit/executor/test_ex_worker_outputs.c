/* test_ex_worker_outputs.c - a worker's output segments: used again, given back, and while any system call fails: a run
 * fails by itself, both ends know the same segments, nothing is left over. */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ex_worker_outputs.h"
#include "fail_calls.h"
#include "sl_test.h"

enum {
    DATA_BYTES = EX_RING_DATA_MIN,
    RING_BYTES = EX_RING_HEADER_BYTES + DATA_BYTES,
    OUTPUTS_MAX = EX_SEGMENTS_MAX,
    RECORD_BYTES = EX_RING_FRAME_BYTES + 4 * OUTPUTS_MAX,
    KIB = 1024,
};

/* What the supervisor knows of a segment. */
struct seen {
    uint64_t bytes;
    uint8_t *map; /* NULL: it does not know it */
};

struct rig {
    uint8_t *up, *down;
    struct ex_ring worker, supervisor;
    int sockets[2];
    struct ex_worker_outputs outputs;
    struct seen seen[4096]; /* by number */
    long maps, descriptors;
};

/* ---- the rig */

static uint8_t *make_ring(void)
{
    uint8_t *ring = aligned_alloc(EX_RING_HEADER_BYTES, RING_BYTES);
    assert_non_null(ring);
    memset(ring, 0, RING_BYTES);
    ex_ring_format(ring, DATA_BYTES);
    return ring;
}

static struct rig *begin(void)
{
    struct rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->maps = fail_calls_maps();
    r->descriptors = fail_calls_descriptors();
    r->up = make_ring();
    r->down = make_ring();
    assert_ok(ex_ring_attach(&r->worker, r->up, RING_BYTES, r->down, RING_BYTES));
    assert_ok(ex_ring_attach(&r->supervisor, r->down, RING_BYTES, r->up, RING_BYTES));
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, r->sockets), 0);
    ex_worker_outputs_init(&r->outputs, &r->worker, r->sockets[0]);
    return r;
}

static void forget(struct seen *s)
{
    assert_int_equal(munmap(s->map, s->bytes), 0);
    s->map = NULL;
}

static void finish(struct rig *r)
{
    ex_worker_outputs_finish(&r->outputs);
    for (size_t i = 0; i < SL_ARRAY_LEN(r->seen); i++)
        if (r->seen[i].map != NULL)
            forget(&r->seen[i]);
    close(r->sockets[0]);
    close(r->sockets[1]);
    free(r->up);
    free(r->down);
    assert_int_equal(fail_calls_maps(), r->maps);
    assert_int_equal(fail_calls_descriptors(), r->descriptors);
    free(r);
}

/* ---- the supervisor */

static void see(struct rig *r, const struct ex_worker_message *m)
{
    assert_in_range(m->segment, 1, SL_ARRAY_LEN(r->seen) - 1);
    struct seen *s = &r->seen[m->segment];
    if (m->kind == EX_WORKER_FORGET) {
        assert_non_null(s->map);
        forget(s);
        return;
    }
    assert_int_equal(m->kind, EX_WORKER_SEGMENT);
    assert_null(s->map); /* numbers are not used again */
    s->bytes = m->bytes;
    s->map = mmap(NULL, m->bytes, PROT_READ, MAP_SHARED, m->fd, 0);
    assert_ptr_not_equal(s->map, MAP_FAILED);
    close(m->fd);
}

static void hear(struct rig *r)
{
    struct ex_worker_message m;
    while (ex_worker_receive(r->sockets[1], &m) == SL_OK)
        see(r, &m);
}

/* Both ends know the same segments. */
static void check_agreed(struct rig *r)
{
    size_t mine = 0, theirs = 0;
    hear(r);
    for (size_t i = 0; i < EX_SEGMENTS_MAX; i++) {
        const struct ex_worker_output *o = &r->outputs.items[i];
        mine += o->number != 0;
        assert_true(o->number == 0 || r->seen[o->number].bytes == o->bytes);
        assert_true(o->number == 0 || r->seen[o->number].map != NULL);
    }
    for (size_t i = 0; i < SL_ARRAY_LEN(r->seen); i++)
        theirs += r->seen[i].map != NULL;
    assert_int_equal(mine, theirs);
    assert_true(mine <= EX_SEGMENTS_MAX);
}

/* The next result's outputs hold what was written, and are needed no more. */
static void read_result(struct rig *r)
{
    struct ex_ring_record record;
    hear(r);
    assert_ok(ex_ring_next(&r->supervisor, &record));
    for (size_t i = 0; i < OUTPUTS_MAX; i++) {
        uint32_t number;
        memcpy(&number, record.bytes.data + EX_RING_FRAME_BYTES + 4 * i, sizeof number);
        if (number == 0)
            continue;
        assert_non_null(r->seen[number].map);
        assert_int_equal(r->seen[number].map[0], (uint8_t)i);
    }
    ex_ring_release(&r->supervisor, record.end);
    (void)!ex_ring_publish(&r->supervisor);
}

/* ---- the worker */

/* A run with count outputs; false: there was no memory for one, and there is no result. */
static bool run(struct rig *r, const uint64_t *sizes, size_t count)
{
    uint32_t numbers[OUTPUTS_MAX] = {0};
    uint8_t *record;
    assert_ok(ex_worker_outputs_check(&r->outputs, count));
    for (size_t i = 0; i < count; i++) {
        uint8_t *bytes = ex_worker_outputs_take(&r->outputs, sizes[i], &numbers[i]);
        if (bytes == NULL) {
            ex_worker_outputs_drop(&r->outputs);
            return false;
        }
        bytes[0] = (uint8_t)i;
        bytes[sizes[i] - 1] = bytes[0];
    }
    assert_ok(ex_ring_reserve(&r->worker, RECORD_BYTES, &record));
    memcpy(record + EX_RING_FRAME_BYTES, numbers, sizeof numbers);
    ex_ring_commit(&r->worker, RECORD_BYTES, 1);
    ex_worker_outputs_send(&r->outputs);
    (void)!ex_ring_publish(&r->worker);
    return true;
}

static bool run_and_read(struct rig *r, const uint64_t *sizes, size_t count)
{
    if (!run(r, sizes, count))
        return false;
    fail_calls_use(NULL); /* of the worker's calls alone */
    read_result(r);
    return true;
}

/* ---- tests */

static void segments_are_used_again(void **state SL_UNUSED)
{
    static const uint64_t sizes[] = {60 * KIB, 100 * KIB, 300 * KIB};
    static const uint64_t near[] = {64 * KIB, 90 * KIB, 310 * KIB};
    struct rig *r = begin();
    assert_true(ex_worker_outputs_is_empty(&r->outputs));
    for (int i = 0; i < 3; i++) {
        assert_true(run_and_read(r, sizes, 3));
        assert_true(run_and_read(r, near, 3));
    }
    assert_int_equal(r->outputs.last_number, 3);
    check_agreed(r);
    assert_true(run(r, sizes, 3)); /* not read yet: not free */
    assert_false(ex_worker_outputs_trim(&r->outputs));
    assert_true(run(r, sizes, 3));
    assert_int_equal(r->outputs.last_number, 6);
    read_result(r);
    read_result(r);
    assert_true(ex_worker_outputs_trim(&r->outputs));
    assert_true(ex_worker_outputs_is_empty(&r->outputs));
    check_agreed(r);
    finish(r);
}

static void what_is_not_read_has_a_limit(void **state SL_UNUSED)
{
    uint64_t sizes[OUTPUTS_MAX];
    struct rig *r = begin();
    for (size_t i = 0; i < OUTPUTS_MAX; i++)
        sizes[i] = 1 + i;
    assert_true(run(r, sizes, OUTPUTS_MAX - 1));
    assert_status(ex_worker_outputs_check(&r->outputs, 2), SL_EAGAIN);
    assert_true(run(r, sizes, 1));
    assert_status(ex_worker_outputs_check(&r->outputs, 1), SL_EAGAIN);
    read_result(r);
    read_result(r);
    check_agreed(r);
    assert_true(run_and_read(r, sizes, OUTPUTS_MAX));
    sizes[0] = 10 * 1024 * KIB; /* there is no place for another one: the others go */
    assert_true(run_and_read(r, sizes, 1));
    check_agreed(r);
    finish(r);
}

/* New ones, the same again, larger ones, and all given back. */
static size_t play(struct rig *r, struct fail_alloc *f)
{
    static const uint64_t sizes[] = {1, 70 * KIB}, larger[] = {400 * KIB, 400 * KIB, 5};
    size_t failed = 0;
    for (int i = 0; i < 4; i++) {
        fail_calls_use(f);
        failed += !run_and_read(r, i < 2 ? sizes : larger, i < 2 ? 2 : 3);
        fail_calls_use(NULL);
        check_agreed(r);
    }
    fail_calls_use(f);
    (void)ex_worker_outputs_trim(&r->outputs);
    fail_calls_use(NULL);
    check_agreed(r);
    return failed;
}

static void system_calls_fail(void **state SL_UNUSED)
{
    struct fail_alloc f;
    size_t points = 0;
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        struct rig *r = begin();
        assert_true(play(r, &f) <= f.failures);
        points += f.failures;
        assert_int_equal(play(r, NULL), 0); /* as if nothing had been */
        assert_true(ex_worker_outputs_is_empty(&r->outputs));
        finish(r);
    }
    print_message("%zu calls failed, each in its turn\n", points);
    assert_true(points > 20);
}

static void all_system_calls_fail_from_one_on(void **state SL_UNUSED)
{
    struct fail_alloc f;
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        struct rig *r = begin();
        f.keeps_failing = true;
        assert_true(play(r, &f) <= f.failures);
        assert_int_equal(play(r, NULL), 0);
        finish(r);
    }
}

static void the_supervisor_is_gone(void **state SL_UNUSED)
{
    static const uint64_t size = 100 * KIB;
    struct rig *r = begin();
    assert_true(run_and_read(r, &size, 1));
    close(r->sockets[1]);
    assert_true(run(r, &size, 1)); /* in memory that it had */
    assert_false(run(r, &size, 1));
    r->sockets[1] = dup(r->sockets[0]);
    finish(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_are_used_again),
        cmocka_unit_test(what_is_not_read_has_a_limit),
        cmocka_unit_test(system_calls_fail),
        cmocka_unit_test(all_system_calls_fail_from_one_on),
        cmocka_unit_test(the_supervisor_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
