/* test_ex_conf.c - defaults, what is refused and how it is said, and that what is printed reads back. */
#include "ex_conf.h"
#include <stdlib.h>
#include <unistd.h>

#include "sl_test.h"
#include "sl_time.h"

static char path[64];

static int setup(void **state)
{
    (void)state;
    strcpy(path, "/tmp/sluice-conf-XXXXXX");
    const int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_file(const char *text, size_t len)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static void load(const char *text, struct ex_conf *out, struct sl_conf **owner)
{
    struct sl_buf errors;
    sl_buf_init(&errors, &sl_alloc_malloc, 10000);
    write_file(text, strlen(text));
    if (ex_conf_load(path, out, &errors, owner) != SL_OK)
        fail_msg("%.*s", (int)errors.len, (const char *)errors.data);
    sl_buf_finish(&errors);
}

/* The file is refused, and the errors name each of these (NULL-ended). */
static void expect_errors(const char *text, const char *const *wanted)
{
    struct ex_conf conf;
    struct sl_conf *owner;
    struct sl_buf errors;
    sl_buf_init(&errors, &sl_alloc_malloc, 10000);
    write_file(text, strlen(text));
    assert_status(ex_conf_load(path, &conf, &errors, &owner), SL_EINVAL);
    assert_ok(sl_buf_append(&errors, "", 1));
    for (; *wanted; wanted++) {
        if (!strstr((const char *)errors.data, *wanted))
            fail_msg("no '%s' in: %s", *wanted, (const char *)errors.data);
    }
    sl_buf_finish(&errors);
}

static void test_defaults(void **state)
{
    struct ex_conf conf;
    struct sl_conf *owner;
    (void)state;
    load("models: /m\nworker: {program: /bin/sh}\n", &conf, &owner);
    assert_true(conf.node[0] != '\0');
    assert_string_equal(conf.models, "/m");
    assert_string_equal(conf.link.control, "tcp://127.0.0.1:5571");
    assert_int_equal(conf.slices.cpu, 2);
    assert_int_equal(conf.worker.ring_bytes, 2 << 20);
    assert_true(conf.worker.loading >= 1);
    assert_int_equal(conf.lease.cancel_grace_ns, SL_NS_PER_S);
    sl_conf_destroy(owner);
}

static void test_refusals_name_key_value_and_line(void **state)
{
    (void)state;
    expect_errors("node: x\n", (const char *const[]){"models", NULL});
    expect_errors("models: /m\nnode: a b\nworker: {program: /nowhere, ring: 3MiB}\n"
                  "link:\n  control: udp://x\n  bulk: tcp://10.1.2.3:5\n",
                  (const char *const[]){":2: node: 'a b'", ":3: worker.program: '/nowhere'",
                                        ":3: worker.ring: '3145728' is not a power of two",
                                        ":5: link.control: 'udp://x' is neither",
                                        ":6: link.bulk: 'tcp://10.1.2.3:5' is off this machine",
                                        NULL});
    expect_errors("models: /m\nslices: {cpu: 0}\nnodes: 1\n",
                  (const char *const[]){"slices.cpu", "nodes", NULL});
}

static void test_a_gateway_elsewhere_is_known_by_its_key(void **state)
{
    struct ex_conf conf;
    struct sl_conf *owner;
    (void)state;
    load("models: /m\nworker: {program: /bin/sh}\n"
         "link: {control: \"tcp://10.1.2.3:5\", security: none}\n",
         &conf, &owner);
    assert_int_equal(conf.link.security, SL_LINK_NONE);
    sl_conf_destroy(owner);
    load("models: /m\nworker: {program: /bin/sh}\n"
         "link: {control: \"tcp://10.1.2.3:5\", secret_key: s, gateway_public_key: p}\n",
         &conf, &owner);
    assert_int_equal(conf.link.security, SL_LINK_CURVE);
    assert_int_equal(conf.link.bulk_security, SL_LINK_CURVE);
    sl_conf_destroy(owner);
    expect_errors("models: /m\nworker: {program: /bin/sh}\n"
                  "link: {control: \"tcp://10.1.2.3:5\", secret_key: s}\n",
                  (const char *const[]){"link.gateway_public_key: '' is missing", NULL});
}

static void test_what_is_printed_reads_back(void **state)
{
    struct ex_conf conf, again;
    struct sl_conf *owner, *owner_again;
    struct sl_buf first, second;
    (void)state;
    sl_buf_init(&first, &sl_alloc_malloc, 10000);
    sl_buf_init(&second, &sl_alloc_malloc, 10000);
    load("node: n\nmodels: /m\nworker: {program: /bin/sh, ring: 4MiB}\nlog: {format: json}\n",
         &conf, &owner);
    assert_ok(sl_conf_print(ex_conf_table, &conf, &first));
    assert_ok(sl_buf_append(&first, "", 1));
    load((const char *)first.data, &again, &owner_again);
    assert_ok(sl_conf_print(ex_conf_table, &again, &second));
    assert_ok(sl_buf_append(&second, "", 1));
    assert_string_equal((const char *)first.data, (const char *)second.data);
    sl_conf_destroy(owner);
    sl_conf_destroy(owner_again);
    sl_buf_finish(&first);
    sl_buf_finish(&second);
}

#define conf_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        conf_test(test_defaults),
        conf_test(test_refusals_name_key_value_and_line),
        conf_test(test_a_gateway_elsewhere_is_known_by_its_key),
        conf_test(test_what_is_printed_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
