/* test_sim_input.c - what is laid over a scenario: changes from the command line, and a day that was. */
#include <stdlib.h>
#include <unistd.h>

#include "sim_change.h"
#include "sim_day.h"
#include "sim_replay.h"
#include "sl_base.h"
#include "sl_log.h"
#include "sl_test.h"

static char path[] = "/tmp/test_sim_input_XXXXXX";

static void write_file(const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int make_file(void **state SL_UNUSED)
{
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state SL_UNUSED)
{
    return unlink(path);
}

static void a_change_is_a_text_with_sections(void **state SL_UNUSED)
{
    static const struct {
        const char *change, *text;
    } rows[] = {
        {"seed=5", "{\"seed\": 5}"},
        {"fleet.h200.nodes=12", "{\"fleet\": {\"h200\": {\"nodes\": 12}}}"},
        {"models.m.run=lognormal 5s 0.5", "{\"models\": {\"m\": {\"run\": lognormal 5s 0.5}}}"},
        {"a=[{at: 1h, x: a=b}]", "{\"a\": [{at: 1h, x: a=b}]}"},
        {"seed=", NULL},
        {"=5", NULL},
        {"a..b=5", NULL},
        {"a.=5", NULL},
        {"a\"b=5", NULL},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
        struct sl_buf out;
        sl_buf_init(&out, &sl_alloc_malloc, 1000);
        sl_status s = sim_change_write(rows[i].change, &out);
        if ((s == SL_OK) != (rows[i].text != NULL))
            fail_msg("%s: %s", rows[i].change, sl_status_text(s));
        if (s == SL_OK)
            assert_span_text(sl_buf_span(&out), rows[i].text);
        sl_buf_finish(&out);
    }
}

static void changes_are_values_and_files(void **state SL_UNUSED)
{
    struct sim_changes c = {0};
    struct sl_error why;
    write_file("seed: 7\n");
    assert_ok(sim_changes_add(&c, "a.b=1", &why));
    assert_ok(sim_changes_add(&c, path, &why));
    assert_span_text(c.over[1].text, "seed: 7\n");
    assert_status(sim_changes_add(&c, "/no/such/file", &why), SL_EINVAL);
    assert_non_null(strstr(why.text, "/no/such/file is no KEY=VALUE"));
    while (c.count < SIM_CHANGES_MAX)
        assert_ok(sim_changes_add(&c, "a=1", &why));
    assert_status(sim_changes_add(&c, "a=1", &why), SL_EINVAL);
    sim_changes_finish(&c);
}

/* 2026-03-01, 06:00:00 UTC. */
#define AT(seconds) "17723448" #seconds "000000"

static const char receipts[] =
    "{\"receipts\": ["
    "{\"accounts\": [\"user:b\"], \"tier\": \"pro\", \"model\": \"m\", \"size\": \"large\","
    " \"ended_at_us\": " AT(
        40) ", \"declared_us\": 9000000, \"used_us\": 4000000, \"queue_us\": 6000000},"
            "{\"accounts\": [\"user:a\"], \"tier\": \"free\", \"model\": \"n\", \"size\": "
            "\"large\","
            " \"ended_at_us\": " AT(
                30) ", \"declared_us\": 5000000, \"used_us\": 2000000, \"queue_us\": 0},"
                    "{\"accounts\": [\"user:b\"], \"tier\": \"pro\", \"model\": \"m\", \"size\": "
                    "\"large\","
                    " \"ended_at_us\": " AT(
                        31) ", \"declared_us\": 9000000, \"used_us\": 0, \"queue_us\": 1000000},"
                            "{\"accounts\": [], \"tier\": \"\", \"model\": \"m\", "
                            "\"ended_at_us\": " AT(50) ", \"orphan\": true}"
                                                       "], \"has_more\": false}";

static void receipts_are_calls_again(void **state SL_UNUSED)
{
    struct sim_replay *r;
    struct sl_error why;
    size_t count;
    write_file(receipts);
    assert_ok(sim_replay_load(path, &r, &why));
    const struct sim_past_call *c = sim_replay_calls(r, &count);
    assert_int_equal(count, 3);
    assert_int_equal(c[0].at_us, (6 * 3600 + 28) * SL_US_PER_S);
    assert_int_equal(c[0].run_us, 2 * SL_US_PER_S);
    assert_int_equal(c[1].at_us, (6 * 3600 + 30) * SL_US_PER_S);
    assert_int_equal(c[2].at_us, c[1].at_us);
    assert_int_equal(c[1].visitor, c[2].visitor);
    assert_int_not_equal(c[0].visitor, c[1].visitor);
    assert_int_not_equal(c[0].group, c[1].group);
    assert_true(c[1].run_us == 4 * SL_US_PER_S || c[1].run_us == 4 * SL_US_PER_S + 1);
    assert_int_equal(c[2].declared_us, 9 * SL_US_PER_S);
    sim_replay_destroy(r);
}

static void a_day_that_was_is_played(void **state SL_UNUSED)
{
    static struct sim_scenario s;
    static struct sim_result result;
    const struct sim_day_options o = {.seed = 1, .is_paranoid = true};
    char scenario_path[sizeof path + 8];
    struct sim_replay *r;
    struct sl_error why;
    struct sl_buf errors;
    write_file(receipts);
    assert_ok(sim_replay_load(path, &r, &why));
    snprintf(scenario_path, sizeof scenario_path, "%s.yaml", path);
    FILE *f = fopen(scenario_path, "w");
    assert_non_null(f);
    fputs("fleet: {gpu: {slices: 1}}\n", f);
    assert_int_equal(fclose(f), 0);
    sl_buf_init(&errors, &sl_alloc_malloc, 1 << 16);
    assert_ok(sim_scenario_load(scenario_path, NULL, 0, r, &s, &errors));
    assert_ok(sim_day_run(&s, &o, &result));
    assert_string_equal(result.wrong, "");
    assert_int_equal(result.calls, 3);
    assert_int_equal(result.groups[0].calls + result.groups[1].calls, 3);
    assert_int_equal(result.groups[0].ended[SL_REASON_OK] + result.groups[1].ended[SL_REASON_OK],
                     3);
    sim_result_finish(&result);
    sim_scenario_finish(&s);
    sim_replay_destroy(r);
    sl_buf_finish(&errors);
    assert_int_equal(unlink(scenario_path), 0);
}

static void what_are_no_receipts_is_told(void **state SL_UNUSED)
{
    static const struct {
        const char *text, *sentence;
    } rows[] = {
        {"{", ":1: "},
        {"{}", "0 receipts"},
        {"{\"receipts\": []}", "0 receipts"},
        {"{\"receipts\": [{\"tier\": \"pro\"}, 5]}", "none of 2 receipts is of a call"},
    };
    struct sim_replay *r;
    struct sl_error why;
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
        write_file(rows[i].text);
        assert_status(sim_replay_load(path, &r, &why), SL_EINVAL);
        if (strstr(why.text, rows[i].sentence) == NULL)
            fail_msg("%s: %s", rows[i].text, why.text);
    }
    assert_status(sim_replay_load("/no/such/file", &r, &why), SL_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_is_a_text_with_sections),
        cmocka_unit_test(changes_are_values_and_files),
        cmocka_unit_test(receipts_are_calls_again),
        cmocka_unit_test(a_day_that_was_is_played),
        cmocka_unit_test(what_are_no_receipts_is_told),
    };
    sl_log_setup("test", SL_LOG_ERROR, SL_LOG_TEXT);
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
