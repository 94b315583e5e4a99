/* test_ex_output_log.c - what a worker prints: lines, however they arrive; cut, and not too many. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "ex_output_log.h"
#include "sl_log.h"
#include "sl_test.h"

static char logged[1 << 20];
static size_t logged_len;
static unsigned lines;
static struct ex_output_log out;
static int ends[2];

static void sink(void *ctx, const char *line, unsigned len)
{
    (void)ctx;
    assert_true(logged_len + len < sizeof(logged));
    memcpy(logged + logged_len, line, len);
    logged_len += len;
    logged[logged_len] = '\0';
    lines++;
}

static int setup(void **state)
{
    (void)state;
    logged_len = lines = 0;
    logged[0] = '\0';
    sl_log_set_sink(sink, NULL);
    ex_output_log_init(&out, "m", 3);
    return pipe2(ends, O_NONBLOCK);
}

static int teardown(void **state)
{
    (void)state;
    sl_log_set_sink(NULL, NULL);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static void print(const char *text, size_t len, sl_mono_ns now)
{
    assert_int_equal(write(ends[1], text, len), len);
    assert_true(ex_output_log_read(&out, ends[0], now));
}

static void test_lines_in_pieces(void **state)
{
    (void)state;
    print("one\ntw", 6, 0);
    assert_int_equal(lines, 1);
    print("o\n\n\nthree", 9, 0);
    assert_int_equal(lines, 2); /* empty lines say nothing */
    assert_non_null(strstr(logged, "model=m slice=3 line=one"));
    assert_non_null(strstr(logged, "line=two"));
    ex_output_log_flush(&out, 0);
    assert_non_null(strstr(logged, "line=three"));
}

static void test_a_long_line_is_cut_and_no_line_forges_another(void **state)
{
    static char text[3 * EX_OUTPUT_LINE_MAX];
    (void)state;
    memset(text, 'x', sizeof(text));
    memcpy(text, "a\0b\r\"", 5);
    text[sizeof(text) - 2] = 'y';
    text[sizeof(text) - 1] = '\n';
    print(text, sizeof(text), 0);
    print("next\n", 5, 0);
    assert_int_equal(lines, 2);
    assert_null(strchr(logged, 'y'));
    assert_null(strchr(logged, '\r'));
    assert_non_null(strstr(logged, "line=next"));
}

static void test_too_many_lines_are_counted(void **state)
{
    (void)state;
    for (int i = 0; i < EX_OUTPUT_LINES_PER_SECOND + 50; i++)
        print("a\n", 2, 10);
    assert_int_equal(lines, EX_OUTPUT_LINES_PER_SECOND);
    print("b\n", 2, 10 + SL_NS_PER_S);
    assert_non_null(strstr(logged, "lines_dropped=50"));
    assert_non_null(strstr(logged, "line=b"));
}

static void test_the_end(void **state)
{
    (void)state;
    close(ends[1]);
    assert_false(ex_output_log_read(&out, ends[0], 0));
    ex_output_log_flush(&out, 0);
    assert_int_equal(lines, 0);
    ends[1] = -1;
}

#define log_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        log_test(test_lines_in_pieces),
        log_test(test_a_long_line_is_cut_and_no_line_forges_another),
        log_test(test_too_many_lines_are_counted),
        log_test(test_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
