/* test_sl_conf_libyaml.c - libyaml takes its memory from malloc, so here malloc itself fails:
 * every time sl_conf answers SL_ENOMEM and loses nothing. */
#include <stdbool.h>
#include <stdlib.h>

#include "conf_sample.h"
#include "sl_base.h"
#include "sl_test.h"

/* -------------------------------------------------------- glibc's allocator, and ours before it */

void *__libc_malloc(size_t bytes);
void *__libc_realloc(void *p, size_t bytes);
void __libc_free(void *p);

static struct {
    bool is_watching;
    size_t calls;
    size_t fail_at; /* 0: none */
    bool has_failed;
    long live_blocks;
} heap;

static bool refuses(void)
{
    heap.calls += heap.is_watching;
    if (!heap.is_watching || heap.calls != heap.fail_at)
        return false;
    heap.has_failed = true;
    return true;
}

void *malloc(size_t bytes)
{
    void *p = refuses() ? NULL : __libc_malloc(bytes);
    heap.live_blocks += p != NULL;
    return p;
}

void *realloc(void *old, size_t bytes)
{
    void *p = refuses() ? NULL : __libc_realloc(old, bytes);
    heap.live_blocks += p != NULL && old == NULL;
    return p;
}

void free(void *p)
{
    heap.live_blocks -= p != NULL;
    __libc_free(p);
}

static void fail_nth(size_t n)
{
    heap.calls = 0;
    heap.fail_at = n;
    heap.has_failed = false;
    heap.is_watching = true;
}

/* Under valgrind the functions above are not called. */
static bool is_in_charge(void)
{
    fail_nth(1);
    void *volatile p = malloc(1);
    heap.is_watching = false;
    bool is_ours = p == NULL;
    free(p);
    return is_ours;
}

/* ---------------------------------------------------------------------------------------- tests */

static const char text[] = "listen: {grpc: x, tls: {use: true}}\n"
                           "tiers:\n  pro: {daily: 1s}\n"
                           "inputs:\n  - name: |\n      long text\n    type: {shape: [1, 2, 3]}\n";

static sl_status parse(const char *yaml, const char *above, struct sample *v, struct sl_conf **conf)
{
    struct sl_buf errors;
    *v = (struct sample){0};
    sl_buf_init(&errors, &sl_alloc_malloc, 1 << 16);
    const struct sl_conf_over over = {"over", sl_span_str(above)};
    sl_status s = sl_conf_parse_over("f", sl_span_str(yaml), &over, above[0] != '\0', sample_table,
                                     v, &errors, conf);
    sl_buf_finish(&errors);
    return s;
}

/* The sweep over one file, whose status without failures is wanted. */
static void sweep_parse(const char *yaml, const char *above, sl_status wanted)
{
    if (!is_in_charge())
        skip();
    size_t n = 1;
    do {
        struct sample v;
        struct sl_conf *conf = NULL;
        long live_before = heap.live_blocks;
        fail_nth(n++);
        sl_status s = parse(yaml, above, &v, &conf);
        heap.is_watching = false;
        sl_conf_destroy(conf);
        assert_status(s, heap.has_failed ? SL_ENOMEM : wanted);
        /* libyaml 0.2.5 itself loses the new node's items when its list of nodes cannot grow. */
        assert_in_range(heap.live_blocks - live_before, 0, heap.has_failed);
    } while (heap.has_failed);
    assert_true(n > 20);
}

static void reading_a_good_file(void **state SL_UNUSED)
{
    sweep_parse(text, "", SL_OK);
}

static void laying_one_over_another(void **state SL_UNUSED)
{
    sweep_parse(text, "{listen: {tls: {use: false}}, hosts: [x, y], tiers: {new: {daily: 5s}}}",
                SL_OK);
}

static void reading_a_bad_file(void **state SL_UNUSED)
{
    sweep_parse("listen: {gprc: x}\ntimeout: [5]\n", "", SL_EINVAL);
}

static void reading_what_is_not_yaml(void **state SL_UNUSED)
{
    sweep_parse("listen: {grpc: &x y}\nhosts: [*x\ntimeout: 5", "", SL_EINVAL);
}

static void printing(void **state SL_UNUSED)
{
    if (!is_in_charge())
        skip();
    struct sample v;
    struct sl_conf *conf;
    assert_ok(parse(text, "", &v, &conf));
    size_t n = 1;
    do {
        struct sl_buf out;
        long live_before = heap.live_blocks;
        sl_buf_init(&out, &sl_alloc_malloc, 1 << 16);
        fail_nth(n++);
        sl_status s = sl_conf_print(sample_table, &v, &out);
        heap.is_watching = false;
        assert_status(s, heap.has_failed ? SL_ENOMEM : SL_OK);
        assert_true(s == SL_OK || out.len == 0);
        sl_buf_finish(&out);
        assert_int_equal(heap.live_blocks, live_before);
    } while (heap.has_failed);
    assert_true(n > 50);
    sl_conf_destroy(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_a_good_file),
        cmocka_unit_test(laying_one_over_another),
        cmocka_unit_test(reading_a_bad_file),
        cmocka_unit_test(reading_what_is_not_yaml),
        cmocka_unit_test(printing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
