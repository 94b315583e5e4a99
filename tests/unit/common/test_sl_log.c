/* test_sl_log.c - lines as operators and programs read them: one event, one line, one write. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sl_log.h"
#include "sl_rng.h"
#include "sl_test.h"
#include "sl_text.h"

static struct {
    char text[SL_LOG_LINE_MAX + 1];
    unsigned len;
    unsigned count;
} seen;

static void keep(void *ctx, const char *line, unsigned len)
{
    assert_ptr_equal(ctx, &seen);
    assert_true(len <= SL_LOG_LINE_MAX);
    memcpy(seen.text, line, len);
    seen.text[len] = '\0';
    seen.len = len;
    seen.count++;
}

static void start(enum sl_log_format format)
{
    memset(&seen, 0, sizeof(seen));
    sl_log_setup("gateway", SL_LOG_INFO, format);
    sl_log_set_sink(keep, &seen);
}

/* Behind "2026-01-02T03:04:05.678Z", whose form is checked. */
static const char *behind_time(const char *s)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    for (size_t i = 0; form[i]; i++) {
        if (form[i] == 'd')
            assert_in_range(s[i], '0', '9');
        else
            assert_int_equal(s[i], form[i]);
    }
    return s + strlen(form);
}

static void assert_text(const char *wanted)
{
    assert_string_equal(behind_time(seen.text), wanted);
}

static void assert_json(const char *wanted)
{
    static const char head[] = "{\"time\":\"";
    assert_memory_equal(seen.text, head, strlen(head));
    assert_string_equal(behind_time(seen.text + strlen(head)), wanted);
}

static void text_line(void **state SL_UNUSED)
{
    start(SL_LOG_TEXT);
    sl_log(SL_LOG_INFO, "node connected", SL_S("node", "gpu1"), SL_U("slices", 2), SL_I("left", -5),
           SL_U("max", UINT64_MAX), SL_I("min", INT64_MIN));
    assert_text(" info gateway node connected node=gpu1 slices=2 left=-5 max=18446744073709551615 "
                "min=-9223372036854775808\n");
    sl_log(SL_LOG_ERROR, "no fields");
    assert_text(" error gateway no fields\n");
}

static void json_line(void **state SL_UNUSED)
{
    start(SL_LOG_JSON);
    sl_log(SL_LOG_WARN, "node \"lost\"", SL_S("node", "gpu1"), SL_U("slices", 2), SL_I("left", -5));
    assert_json("\",\"level\":\"warn\",\"component\":\"gateway\",\"message\":\"node \\\"lost\\\"\","
                "\"node\":\"gpu1\",\"slices\":2,\"left\":-5}\n");
}

static void values_from_outside_are_escaped(void **state SL_UNUSED)
{
    static const struct {
        const char *value;
        const char *text;
        const char *json;
    } cases[] = {
        {"plain-1.2:/@", "plain-1.2:/@", "\"plain-1.2:/@\""},
        {"", "\"\"", "\"\""},
        {NULL, "-", "null"},
        {"two words", "\"two words\"", "\"two words\""},
        {"a=b", "\"a=b\"", "\"a=b\""},
        {"a\"b\\c", "\"a\\\"b\\\\c\"", "\"a\\\"b\\\\c\""},
        {"x\nerror gateway forged", "\"x\\nerror gateway forged\"", "\"x\\nerror gateway forged\""},
        {"\r\t", "\"\\r\\t\"", "\"\\r\\t\""},
        {"\x1b[31m\x7f", "\"\\u001b[31m\\u007f\"", "\"\\u001b[31m\\u007f\""},
        {"\xc2\x9b"
         "0m",
         "\"\\u009b0m\"", "\"\\u009b0m\""}, /* C1: CSI in one character */
        {"\xc2\x80", "\"\\u0080\"", "\"\\u0080\""},
        {"\xc2\xa0", "\"\xc2\xa0\"", "\"\xc2\xa0\""}, /* a space that harms nobody */
        {"\xef\xbb\xbf", "\"\\ufeff\"", "\"\\ufeff\""},
        {"\xe2\x80\xa9", "\"\\u2029\"", "\"\\u2029\""},
        {"\xe2\x80\xaa", "\"\\u202a\"", "\"\\u202a\""},
        {"\xe2\x80\xaf", "\"\xe2\x80\xaf\"", "\"\xe2\x80\xaf\""},
        {"\xe2\x81\xa5", "\"\xe2\x81\xa5\"", "\"\xe2\x81\xa5\""},
        {"\xe2\x81\xa6", "\"\\u2066\"", "\"\\u2066\""},
        {"\xe2\x81\xa9", "\"\\u2069\"", "\"\\u2069\""},
        {"\xe2\x81\xaa", "\"\xe2\x81\xaa\"", "\"\xe2\x81\xaa\""},
        {"a\xe2\x80\xae"
         "b",
         "\"a\\u202eb\"", "\"a\\u202eb\""}, /* right-to-left override */
        {"a\xe2\x80\xa8"
         "b",
         "\"a\\u2028b\"", "\"a\\u2028b\""}, /* line separator */
        {"gr\xc3\xbc\xc3\x9f"
         "e",
         "\"gr\xc3\xbc\xc3\x9f"
         "e\"",
         "\"gr\xc3\xbc\xc3\x9f"
         "e\""},
        {"\xff\xc3", "\"\\xff\\xc3\"", "\"\\ufffd\\ufffd\""},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        char wanted[256];
        start(SL_LOG_TEXT);
        sl_log(SL_LOG_INFO, "m", SL_S("k", cases[i].value));
        snprintf(wanted, sizeof(wanted), " info gateway m k=%s\n", cases[i].text);
        assert_text(wanted);
        start(SL_LOG_JSON);
        sl_log(SL_LOG_INFO, "m", SL_S("k", cases[i].value));
        snprintf(wanted, sizeof(wanted),
                 "\",\"level\":\"info\",\"component\":\"gateway\",\"message\":\"m\",\"k\":%s}\n",
                 cases[i].json);
        assert_json(wanted);
    }
}

static void levels(void **state SL_UNUSED)
{
    start(SL_LOG_TEXT);
    sl_log(SL_LOG_DEBUG, "hidden");
    assert_int_equal(seen.count, 0);
    assert_false(sl_log_is_on(SL_LOG_DEBUG));
    assert_true(sl_log_is_on(SL_LOG_INFO));
    sl_log_set_level(SL_LOG_DEBUG);
    sl_log(SL_LOG_DEBUG, "shown");
    assert_int_equal(seen.count, 1);
    sl_log_set_level(SL_LOG_ERROR);
    sl_log(SL_LOG_WARN, "hidden");
    sl_log(SL_LOG_ERROR, "shown");
    assert_int_equal(seen.count, 2);
}

static void names_are_those_of_the_enums(void **state SL_UNUSED)
{
    assert_string_equal(sl_log_level_names[SL_LOG_DEBUG], "debug");
    assert_string_equal(sl_log_level_names[SL_LOG_INFO], "info");
    assert_string_equal(sl_log_level_names[SL_LOG_WARN], "warn");
    assert_string_equal(sl_log_level_names[SL_LOG_ERROR], "error");
    assert_null(sl_log_level_names[SL_LOG_ERROR + 1]);
    assert_string_equal(sl_log_format_names[SL_LOG_TEXT], "text");
    assert_string_equal(sl_log_format_names[SL_LOG_JSON], "json");
    assert_null(sl_log_format_names[SL_LOG_JSON + 1]);
}

static bool ends_with(const char *tail)
{
    size_t len = strlen(tail);
    return seen.len >= len && strcmp(seen.text + seen.len - len, tail) == 0;
}

static void long_values_are_cut(void **state SL_UNUSED)
{
    static char value[10000];
    memset(value, 'x', sizeof(value) - 1);
    start(SL_LOG_TEXT);
    sl_log(SL_LOG_INFO, "m", SL_S("a", value), SL_I("b", 1));
    assert_true(ends_with("xxx...\" cut=true\n"));
    assert_true(seen.len > SL_LOG_LINE_MAX - 40);
    start(SL_LOG_JSON);
    sl_log(SL_LOG_INFO, "m", SL_S("a", value), SL_I("b", 1));
    assert_true(ends_with("xxx...\",\"cut\":true}\n"));
    start(SL_LOG_TEXT);
    sl_log(SL_LOG_INFO, value);
    assert_true(ends_with("xxx cut=true\n"));
    start(SL_LOG_JSON);
    sl_log(SL_LOG_INFO, value);
    assert_true(ends_with("xxx...\",\"cut\":true}\n"));
}

/* A line that grows by one byte at a time past the end: whole, then cut, and always well-formed. */
static void every_length_around_the_limit(void **state SL_UNUSED)
{
    static char value[SL_LOG_LINE_MAX + 64];
    static char key[SL_LOG_LINE_MAX + 64];
    for (int format = SL_LOG_TEXT; format <= SL_LOG_JSON; format++) {
        for (size_t len = SL_LOG_LINE_MAX - 200; len < SL_LOG_LINE_MAX + 60; len++) {
            memset(value, 'v', len);
            value[len] = '\0';
            memset(key, 'k', len);
            key[len] = '\0';
            start((enum sl_log_format)format);
            sl_log(SL_LOG_INFO, "m", SL_S("a", value), SL_I("number", -12345), SL_S("n", NULL));
            assert_int_equal(seen.text[seen.len - 1], '\n');
            bool is_whole = strstr(seen.text, "12345") != NULL && strstr(seen.text, "cut") == NULL;
            bool is_cut = ends_with(format == SL_LOG_TEXT ? " cut=true\n" : ",\"cut\":true}\n");
            assert_true(is_whole != is_cut);
            sl_log(SL_LOG_INFO, "m", SL_I(key, 7));
            assert_int_equal(seen.text[seen.len - 1], '\n');
            assert_true(strstr(seen.text, "k=7\n") || strstr(seen.text, "k\":7}\n") ||
                        ends_with(format == SL_LOG_TEXT ? "gateway m cut=true\n"
                                                        : "\"message\":\"m\",\"cut\":true}\n"));
        }
    }
}

/* Is p a JSON object of strings, numbers and null on one line? As small as the writer. */
static bool is_json_line(const char *p)
{
    bool in_string = false;
    if (*p++ != '{')
        return false;
    for (; *p && *p != '\n'; p++) {
        if (in_string && *p == '\\') {
            p++;
            if (!strchr("nrt\"\\u", *p) || (*p == 'u' && strspn(p + 1, "0123456789abcdef") < 4))
                return false;
        } else if (*p == '"') {
            in_string = !in_string;
        } else if (!in_string && !strchr("{}:,-0123456789nulltrue", *p)) {
            return false;
        } else if ((unsigned char)*p < ' ') {
            return false;
        }
    }
    return !in_string && p[-1] == '}' && strcmp(p, "\n") == 0;
}

static void any_bytes_make_one_safe_line(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 13);
    for (int round = 0; round < 4000; round++) {
        static char value[6000];
        size_t max = round % 8 == 0 ? sizeof(value) : 60;
        size_t len = sl_rng_below(&rng, max);
        for (size_t i = 0; i < len; i++)
            value[i] = (char)(1 + sl_rng_below(&rng, 255));
        value[len] = '\0';
        start(round % 2 ? SL_LOG_JSON : SL_LOG_TEXT);
        sl_log(SL_LOG_INFO, value, SL_S("a", value), SL_I("n", round), SL_S("b", value));
        assert_true(sl_text_is_utf8(sl_span_of(seen.text, seen.len)));
        assert_ptr_equal(strchr(seen.text, '\n'), seen.text + seen.len - 1);
        for (unsigned i = 0; i + 1 < seen.len; i++)
            assert_true((unsigned char)seen.text[i] >= ' ' && seen.text[i] != 0x7f);
        if (round % 2)
            assert_true(is_json_line(seen.text));
    }
}

/* -------------------------------------------------------------------------- the real way: write */

enum { THREADS = 4, LINES = 500 };

static void *write_lines(void *arg)
{
    char value[200];
    memset(value, 'a' + *(const int *)arg, sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    for (int i = 0; i < LINES; i++)
        sl_log(SL_LOG_INFO, "line", SL_S("v", value));
    return NULL;
}

/* A pipe keeps writes of up to PIPE_BUF bytes whole: lines that are one write each never mix. */
static void *count_whole_lines(void *arg)
{
    FILE *f = fdopen(*(const int *)arg, "r");
    static int whole;
    char line[SL_LOG_LINE_MAX];
    whole = 0;
    while (fgets(line, sizeof(line), f)) {
        const char *v = strstr(line, " v=");
        if (v && strspn(v + 3, (char[]){v[3], '\0'}) == 199)
            whole++;
    }
    fclose(f);
    return &whole;
}

static void lines_of_threads_do_not_mix(void **state SL_UNUSED)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    int saved = dup(STDERR_FILENO);
    dup2(fds[1], STDERR_FILENO);
    close(fds[1]);
    sl_log_setup("test", SL_LOG_INFO, SL_LOG_TEXT);
    sl_log_set_sink(NULL, NULL);

    pthread_t reader;
    pthread_t writers[THREADS];
    int numbers[THREADS];
    pthread_create(&reader, NULL, count_whole_lines, &fds[0]);
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        pthread_create(&writers[i], NULL, write_lines, &numbers[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(writers[i], NULL);
    dup2(saved, STDERR_FILENO);
    close(saved);
    sl_log_setup("test", SL_LOG_INFO, SL_LOG_TEXT);
    void *whole;
    pthread_join(reader, &whole);
    assert_int_equal(*(int *)whole, THREADS * LINES);
}

/* Standard error as somebody else's end has it. */
struct stand_in {
    int reader, saved;
};

static struct stand_in begin_stand_in(const int fds[2])
{
    const struct stand_in s = {fds[0], dup(STDERR_FILENO)};
    dup2(fds[1], STDERR_FILENO);
    close(fds[1]);
    sl_log_setup("test", SL_LOG_INFO, SL_LOG_TEXT);
    sl_log_set_sink(NULL, NULL);
    return s;
}

static void end_stand_in(const struct stand_in *s)
{
    dup2(s->saved, STDERR_FILENO);
    close(s->saved);
    sl_log_setup("test", SL_LOG_INFO, SL_LOG_TEXT); /* the other end's reader sees the end */
}

/* All that is there; lines that say what was lost are added up. */
static unsigned read_lines(int fd, unsigned *out_lost)
{
    char line[SL_LOG_LINE_MAX];
    unsigned count = 0;
    FILE *f = fdopen(fd, "r");
    *out_lost = 0;
    while (fgets(line, sizeof line, f)) {
        const char *told = strstr(line, " lines=");
        if (told != NULL)
            *out_lost += (unsigned)strtoul(told + 7, NULL, 10);
        else
            count++;
    }
    fclose(f);
    return count;
}

static void drain(int fd)
{
    char bytes[65536];
    assert_true(read(fd, bytes, sizeof bytes) > 0);
}

enum { UNREAD = 5000 };

/* The program goes on, and the first line that is read again says how many were not. */
static void assert_nobody_is_waited_for(const int fds[2])
{
    unsigned lost;
    const struct stand_in s = begin_stand_in(fds);
    for (int i = 0; i < UNREAD; i++)
        sl_log(SL_LOG_INFO, "nobody reads this");
    drain(s.reader);
    sl_log(SL_LOG_INFO, "and now somebody does");
    end_stand_in(&s);
    unsigned read = read_lines(s.reader, &lost);
    assert_true(lost > 0);
    assert_true(read + lost <= UNREAD + 1); /* what drain took is in neither */
}

static void a_pipe_that_nobody_reads(void **state SL_UNUSED)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_nobody_is_waited_for(fds);
}

static void a_socket_that_nobody_reads(void **state SL_UNUSED)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_nobody_is_waited_for(fds);
}

/* The open file is others' too: they would not expect it to be without waits. */
static void what_others_share_stays_as_it_was(void **state SL_UNUSED)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    const struct stand_in s = begin_stand_in(fds);
    assert_int_equal(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
    end_stand_in(&s);
    close(s.reader);
}

static void *read_late(void *arg)
{
    static unsigned counts[2];
    usleep(50000); /* less than the patience */
    counts[0] = read_lines(*(const int *)arg, &counts[1]);
    return counts;
}

static void a_slow_reader_is_waited_for(void **state SL_UNUSED)
{
    int fds[2];
    pthread_t reader;
    void *counts;
    assert_int_equal(pipe(fds), 0);
    const struct stand_in s = begin_stand_in(fds);
    pthread_create(&reader, NULL, read_late, (void *)(uintptr_t)&s.reader);
    for (int i = 0; i < UNREAD; i++)
        sl_log(SL_LOG_INFO, "somebody reads this");
    end_stand_in(&s);
    pthread_join(reader, &counts);
    assert_int_equal(((unsigned *)counts)[0], UNREAD);
    assert_int_equal(((unsigned *)counts)[1], 0);
}

/* How many lines one read brings; 0: there is nothing. */
static unsigned lines_there(int fd)
{
    char bytes[65536];
    unsigned count = 0;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, 0) != 1)
        return 0;
    ssize_t n = read(fd, bytes, sizeof bytes);
    for (ssize_t i = 0; i < n; i++)
        count += bytes[i] == '\n';
    return count;
}

static void lines_that_are_gathered_go_out_together(void **state SL_UNUSED)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    const struct stand_in s = begin_stand_in(fds);
    unsigned waited[6];
    sl_log_gather();
    for (int i = 0; i < 5; i++)
        sl_log(SL_LOG_INFO, "one of some");
    waited[0] = lines_there(s.reader);
    sl_log(SL_LOG_WARN, "this is for now");
    waited[1] = lines_there(s.reader);
    sl_log(SL_LOG_INFO, "before something is sent");
    sl_log_flush();
    waited[2] = lines_there(s.reader);
    sl_log(SL_LOG_INFO, "the last");
    waited[3] = lines_there(s.reader);
    sl_log_release();
    waited[4] = lines_there(s.reader);
    sl_log(SL_LOG_INFO, "as ever");
    waited[5] = lines_there(s.reader);
    end_stand_in(&s);
    close(s.reader);
    assert_int_equal(waited[0], 0);
    assert_int_equal(waited[1], 6);
    assert_int_equal(waited[2], 1);
    assert_int_equal(waited[3], 0);
    assert_int_equal(waited[4], 1);
    assert_int_equal(waited[5], 1);
}

static void more_than_can_be_gathered_is_whole(void **state SL_UNUSED)
{
    int fds[2];
    unsigned lost;
    assert_int_equal(pipe(fds), 0);
    const struct stand_in s = begin_stand_in(fds);
    sl_log_gather();
    for (int i = 0; i < 300; i++)
        sl_log(SL_LOG_INFO, "one of many", SL_I("i", i));
    sl_log_release();
    end_stand_in(&s);
    assert_int_equal(read_lines(s.reader, &lost), 300);
    assert_int_equal(lost, 0);
}

/* Each line counts that was lost, not each write. */
static void gathered_lines_are_lost_by_the_line(void **state SL_UNUSED)
{
    int fds[2];
    unsigned lost;
    assert_int_equal(pipe(fds), 0);
    const struct stand_in s = begin_stand_in(fds);
    sl_log_gather();
    for (int i = 0; i < UNREAD; i++)
        sl_log(SL_LOG_INFO, "nobody reads this");
    sl_log_release();
    unsigned taken = lines_there(s.reader);
    sl_log(SL_LOG_INFO, "and now somebody does");
    end_stand_in(&s);
    unsigned read = read_lines(s.reader, &lost);
    assert_true(lost > 0);
    assert_int_equal(taken + read + lost, UNREAD + 1);
}

static void numbers_have_all_their_digits(void **state SL_UNUSED)
{
    start(SL_LOG_TEXT);
    sl_log(SL_LOG_INFO, "n", SL_I("a", INT64_MIN), SL_I("b", INT64_MAX), SL_I("c", 0),
           SL_I("d", -1), SL_U("e", UINT64_MAX), SL_U("f", 10));
    assert_text(" info gateway n a=-9223372036854775808 b=9223372036854775807 c=0 d=-1 "
                "e=18446744073709551615 f=10\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_all_their_digits),
        cmocka_unit_test(text_line),
        cmocka_unit_test(json_line),
        cmocka_unit_test(values_from_outside_are_escaped),
        cmocka_unit_test(levels),
        cmocka_unit_test(names_are_those_of_the_enums),
        cmocka_unit_test(long_values_are_cut),
        cmocka_unit_test(every_length_around_the_limit),
        cmocka_unit_test(any_bytes_make_one_safe_line),
        cmocka_unit_test(lines_of_threads_do_not_mix),
        cmocka_unit_test(a_pipe_that_nobody_reads),
        cmocka_unit_test(a_socket_that_nobody_reads),
        cmocka_unit_test(what_others_share_stays_as_it_was),
        cmocka_unit_test(a_slow_reader_is_waited_for),
        cmocka_unit_test(lines_that_are_gathered_go_out_together),
        cmocka_unit_test(more_than_can_be_gathered_is_whole),
        cmocka_unit_test(gathered_lines_are_lost_by_the_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
