/* test_gw_fleet.c - nodes come and go, models are merged by name, leases are counted: the
 * invariants hold after every step, and with every allocation failing in turn. */
#include "gw_fleet.h"

#include "fail_alloc.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

/* Expressions in the tests: one that begins with '?' cannot be compiled. */
struct gw_duration {
    const struct sl_alloc *alloc;
};

static int compiled_count;

static bool compile(struct sl_span text, const struct sl_alloc *alloc, struct gw_duration **out,
                    struct sl_error *err)
{
    if (text.data[0] == '?') {
        sl_error_set(err, SL_REASON_BAD_INPUT, "duration, line 1: unexpected symbol near '?'");
        return false;
    }
    *out = sl_alloc_zero(alloc, 1, sizeof **out);
    if (*out == NULL) {
        sl_error_set(err, SL_REASON_NO_CAPACITY, "no memory");
        return false;
    }
    (*out)->alloc = alloc;
    compiled_count++;
    return true;
}

static void destroy(struct gw_duration *d)
{
    compiled_count--;
    sl_alloc_free(d->alloc, d);
}

static const struct gw_duration_port durations = {.compile = compile, .destroy = destroy};

static const struct gw_fleet_conf conf = {.max_nodes = 4,
                                          .max_models = 8,
                                          .max_leases = 100,
                                          .feed_ahead_us = 2000,
                                          .feed_ahead_max = 5,
                                          .durations = &durations};

static const struct gw_size large = {"large", 500, UINT64_C(74625056768), 1000};

static const struct gw_tensor_spec in_spec = {"IN", SL_DTYPE_FP32, {-1}, 1};
static const struct gw_tensor_spec out_spec = {"OUT", SL_DTYPE_FP32, {-1}, 1};

static struct gw_model_spec model_spec(const char *name)
{
    return (struct gw_model_spec){.name = name,
                                  .version = "1",
                                  .engine = "fake",
                                  .inputs = &in_spec,
                                  .input_count = 1,
                                  .outputs = &out_spec,
                                  .output_count = 1,
                                  .duration_us = 100,
                                  .max_duration_us = 1000,
                                  .problem = ""};
}

/* An announcement of up to 4 slices and 8 models. */
struct announcement {
    struct gw_hello hello;
    struct gw_hello_slice slices[GW_FLEET_SLICES_MAX + 1];
    struct gw_model_spec models[10];
};

static void announce(struct announcement *a, const char *node, size_t slices)
{
    *a = (struct announcement){.hello = {.session = 1, .name = node, .version = "v"}};
    for (uint32_t i = 0; i < slices; i++)
        a->slices[i] = (struct gw_hello_slice){i, "cpu0", "cpu", 1 << 20, 500, 0};
    a->hello.slices = a->slices;
    a->hello.slice_count = slices;
    a->hello.models = a->models;
    a->hello.slice_backlog_max = 63;
}

static struct gw_model_spec *add_model(struct announcement *a, const char *name)
{
    a->models[a->hello.model_count] = model_spec(name);
    return &a->models[a->hello.model_count++];
}

static struct gw_fleet *make(const struct sl_alloc *alloc)
{
    struct gw_fleet *f = NULL;
    assert_ok(gw_fleet_create(alloc, &conf, &f));
    return f;
}

static struct gw_fleet_node *join(struct gw_fleet *f, const struct announcement *a)
{
    struct gw_fleet_node *node = NULL;
    struct sl_error err = {0};
    assert_ok(gw_fleet_join(f, &a->hello, 5, &node, &err));
    assert_ok(gw_fleet_check(f));
    return node;
}

static struct gw_fleet_node *join_one(struct gw_fleet *f, const char *node, const char *model)
{
    struct announcement a;
    announce(&a, node, 1);
    if (model != NULL)
        add_model(&a, model);
    return join(f, &a);
}

static struct gw_fleet_model *find(struct gw_fleet *f, const char *name)
{
    return gw_fleet_find(f, sl_span_str(name));
}

static void lost_nothing(void *ctx, struct gw_fleet_lease *lease)
{
    (void)ctx;
    fail_msg("lease %llu was lost", (unsigned long long)lease->id);
}

static void leave(struct gw_fleet *f, struct gw_fleet_node *node)
{
    gw_fleet_leave(f, node, lost_nothing, NULL);
    assert_ok(gw_fleet_check(f));
}

/* ---- joining */

static void a_node_is_there_as_it_announced_itself(void **state SL_UNUSED)
{
    struct gw_fleet *f = make(&sl_alloc_malloc);
    struct announcement a;
    char name[] = "gpu-1.rack_2";
    announce(&a, name, 2);
    add_model(&a, "m");
    a.slices[1] = (struct gw_hello_slice){7, "gpu3", "mig", 42, 125, 0};
    struct gw_fleet_node *n = join(f, &a);
    name[0] = 'X'; /* strings were copied */
    assert_string_equal(n->name, "gpu-1.rack_2");
    assert_string_equal(n->version, "v");
    assert_true(n->joined_at == 5 && n->heard_at == 5 && !n->is_draining);
    assert_int_equal(n->slice_count, 2);
    assert_int_equal(n->slices[1].id, 7);
    assert_string_equal(n->slices[1].device, "gpu3");
    assert_string_equal(n->slices[1].kind, "mig");
    assert_int_equal(n->slices[1].memory_bytes, 42);
    assert_int_equal(n->slices[1].share_thousandths, 125);
    assert_ptr_equal(gw_fleet_node_by_name(f, "gpu-1.rack_2"), n);
    assert_ptr_equal(gw_fleet_node_by_session(f, 1), n);
    assert_ptr_equal(gw_fleet_node(f, n->id), n);
    struct gw_fleet_totals t = gw_fleet_totals(f);
    assert_true(t.nodes == 1 && t.slices == 2 && t.models == 1 && t.models_ready == 1);
    assert_true(gw_fleet_is_ready(f));
    leave(f, n);
    assert_false(gw_fleet_is_ready(f));
    gw_fleet_destroy(f);
}

static void assert_join_refused(struct gw_fleet *f, const struct announcement *a, sl_status status,
                                const char *sentence)
{
    struct gw_fleet_totals before = gw_fleet_totals(f), after;
    struct gw_fleet_node *node = NULL;
    struct sl_error err = {0};
    assert_status(gw_fleet_join(f, &a->hello, 5, &node, &err), status);
    if (sentence != NULL)
        assert_string_equal(err.text, sentence);
    assert_true(sl_error_is_set(&err));
    assert_null(node);
    after = gw_fleet_totals(f);
    assert_memory_equal(&before, &after, sizeof before);
    assert_ok(gw_fleet_check(f));
}

static void bad_announcements_are_refused(void **state SL_UNUSED)
{
    static const char *const bad_names[] = {
        "", "a b", "n\xc3\xb6", "x/y",
        "1234567890123456789012345678901234567890123456789012345678901234"};
    struct gw_fleet *f = make(&sl_alloc_malloc);
    struct announcement a;
    for (size_t i = 0; i < SL_ARRAY_LEN(bad_names); i++) {
        announce(&a, bad_names[i], 1);
        assert_join_refused(f, &a, SL_EINVAL,
                            "the node's name is not 1 to 63 of A-Z a-z 0-9 . _ -");
    }
    announce(&a, "n", 0);
    assert_join_refused(f, &a, SL_EINVAL, NULL);
    announce(&a, "n", GW_FLEET_SLICES_MAX + 1);
    assert_join_refused(f, &a, SL_EINVAL,
                        "node 'n' announces 65 slices and 0 models; 1 to 64 slices with different "
                        "ids and up to 1024 models are possible");
    announce(&a, "n", 2);
    a.slices[1].id = a.slices[0].id;
    assert_join_refused(f, &a, SL_EINVAL, NULL);
    announce(&a, "n", 1);
    a.hello.session = 0;
    assert_join_refused(f, &a, SL_EINVAL, NULL);
    join_one(f, "n", NULL);
    announce(&a, "n", 1);
    assert_join_refused(f, &a, SL_EEXIST, "a node named 'n' is connected already");
    gw_fleet_destroy(f);
}

static void there_is_a_limit_of_nodes(void **state SL_UNUSED)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    struct gw_fleet *f = make(&sl_alloc_malloc);
    struct gw_fleet_node *last = NULL;
    struct announcement a;
    for (size_t i = 0; i < 4; i++)
        last = join_one(f, names[i], "m");
    announce(&a, "e", 1);
    assert_join_refused(f, &a, SL_EFULL, "no room for node 'e'; the limit is 4 nodes");
    leave(f, last);
    join(f, &a);
    gw_fleet_destroy(f);
}

/* ---- models */

static void models_of_all_nodes_are_merged_by_name(void **state SL_UNUSED)
{
    struct gw_fleet *f = make(&sl_alloc_malloc);
    struct gw_fleet_node *a = join_one(f, "a", "m"), *b = join_one(f, "b", "m");
    struct gw_fleet_model *m = find(f, "m");
    assert_int_equal(m->node_count, 2);
    assert_int_equal(gw_fleet_totals(f).models, 1);
    assert_null(find(f, "M"));
    assert_null(find(f, ""));
    leave(f, a);
    assert_true(gw_fleet_model_is_ready(m));
    leave(f, b);
    assert_ptr_equal(find(f, "m"), m); /* still known */
    assert_false(gw_fleet_model_is_ready(m));
    gw_fleet_destroy(f);
}

static void assert_problem(struct gw_fleet *f, const struct gw_model_spec *spec,
                           const char *problem)
{
    struct announcement a;
    announce(&a, "odd", 1);
    *add_model(&a, "m") = *spec;
    struct gw_fleet_node *n = join(f, &a);
    assert_null(n->offers[0].model);
    assert_string_equal(n->offers[0].name, spec->name);
    assert_string_equal(n->offers[0].problem, problem);
    leave(f, n);
}

static void one_bad_model_does_not_stop_its_node(void **state SL_UNUSED)
{
    static const struct gw_tensor_spec twice[] = {{"A", SL_DTYPE_FP32, {1}, 1},
                                                  {"A", SL_DTYPE_FP32, {1}, 1}};
    static const struct gw_tensor_spec below = {"A", SL_DTYPE_FP32, {-2}, 1};
    static const struct gw_tensor_spec nameless = {"", SL_DTYPE_FP32, {1}, 1};
    static const char tensor_problem[] =
        "a tensor's name is empty, over 255 bytes or there twice, its datatype is not known, or "
        "its shape has over 16 dimensions or one below -1";
    struct gw_fleet *f = make(&sl_alloc_malloc);
    struct gw_model_spec s = model_spec("a b");
    assert_problem(f, &s, "its name or version is not 1 to 127 of A-Z a-z 0-9 . _ -");
    s = model_spec("m");
    s.version = "";
    assert_problem(f, &s, "its name or version is not 1 to 127 of A-Z a-z 0-9 . _ -");
    s = model_spec("m");
    s.input_count = GW_TENSORS_MAX + 1;
    assert_problem(f, &s, "it has more than 64 inputs or outputs");
    s = model_spec("m");
    s.duration_us = 0;
    assert_problem(f, &s, "its duration is not positive, or above its max_duration");
    s = model_spec("m");
    s.max_duration_us = s.duration_us - 1;
    assert_problem(f, &s, "its duration is not positive, or above its max_duration");
    s = model_spec("m");
    s.inputs = twice;
    s.input_count = 2;
    assert_problem(f, &s, tensor_problem);
    s.inputs = &below;
    s.input_count = 1;
    assert_problem(f, &s, tensor_problem);
    s.inputs = &nameless;
    assert_problem(f, &s, tensor_problem);
    s = model_spec("m");
    s.problem = "model.yaml:3: no such file";
    assert_problem(f, &s, "model.yaml:3: no such file");
    assert_null(find(f, "m"));
    assert_int_equal(gw_fleet_totals(f).models, 0);
    gw_fleet_destroy(f);
}

static void an_expression_is_compiled_once_for_all_nodes(void **state SL_UNUSED)
{
    struct gw_fleet *f = make(&sl_alloc_malloc);
    struct announcement a, b;
    announce(&a, "a", 1);
    add_model(&a, "m")->duration = "2 * 3";
    add_model(&a, "plain");
    add_model(&a, "learned")->duration = "auto";
    struct gw_fleet_node *first = join(f, &a);
    assert_int_equal(compiled_count, 1);
    assert_non_null(find(f, "m")->duration);
    assert_null(find(f, "plain")->duration);
    assert_null(find(f, "learned")->duration);
    assert_true(gw_model_is_auto(&find(f, "learned")->spec));
    assert_false(gw_model_is_auto(&find(f, "m")->spec));
    b = a;
    b.hello.name = "b";
    b.hello.slices = b.slices;
    b.hello.models = b.models;
    struct gw_fleet_node *second = join(f, &b);
    assert_int_equal(compiled_count, 1);
    assert_int_equal(find(f, "m")->node_count, 2);
    leave(f, second);
    b.models[0].duration = "2 * 4"; /* that is another interface */
    second = join(f, &b);
    assert_string_equal(second->offers[0].problem,
                        "another node has a model of this name with another interface");
    leave(f, second);
    leave(f, first);
    join(f, &b);
    assert_string_equal(find(f, "m")->spec.duration, "2 * 4");
    assert_int_equal(compiled_count, 1); /* the old one is gone with its model */
    gw_fleet_destroy(f);
    assert_int_equal(compiled_count, 0);
}

static void an_expression_that_is_none_is_the_models_problem(void **state SL_UNUSED)
{
    struct gw_fleet_conf without = conf;
    struct gw_fleet *f = make(&sl_alloc_malloc);
    struct gw_model_spec s = model_spec("m");
    s.duration = "?";
    assert_problem(f, &s, "duration, line 1: unexpected symbol near '?'");
    assert_null(find(f, "m"));
    gw_fleet_destroy(f);
    without.durations = NULL;
    assert_ok(gw_fleet_create(&sl_alloc_malloc, &without, &f));
    s.duration = "1";
    assert_problem(f, &s, "its duration is an expression, and this gateway takes none");
    gw_fleet_destroy(f);
}

static void a_model_announced_twice_is_offered_once(void **state SL_UNUSED)
{
    struct gw_fleet *f = make(&sl_alloc_malloc);
    struct announcement a;
    announce(&a, "n", 1);
    add_model(&a, "m");
    add_model(&a, "other");
    add_model(&a, "m");
    add_model(&a, "m")->version = "2";
    struct gw_fleet_node *n = join(f, &a);
    assert_int_equal(find(f, "m")->node_count, 1);
    assert_string_equal(n->offers[2].problem, "it is announced twice");
    assert_string_equal(n->offers[3].problem,
                        "another node has a model of this name with another interface");
    leave(f, n);
    gw_fleet_destroy(f);
}

static void nodes_that_disagree_keep_the_first_interface(void **state SL_UNUSED)
{
    struct gw_fleet *f = make(&sl_alloc_malloc);
    struct announcement a;
    struct gw_fleet_node *first = join_one(f, "first", "m");
    announce(&a, "second", 1);
    add_model(&a, "m")->max_duration_us = 2000;
    struct gw_fleet_node *second = join(f, &a);
    assert_null(second->offers[0].model);
    assert_int_equal(find(f, "m")->spec.max_duration_us, 1000);
    leave(f, first);
    leave(f, second);
    join(f, &a); /* nobody has the old one any more: the new one counts */
    assert_int_equal(find(f, "m")->spec.max_duration_us, 2000);
    assert_true(gw_fleet_model_is_ready(find(f, "m")));
    gw_fleet_destroy(f);
}

static void a_changed_spec_leaves_the_old_one_to_its_holders(void **state SL_UNUSED)
{
    struct gw_fleet *f = make(&sl_alloc_malloc);
    struct announcement a;
    struct gw_fleet_node *n = join_one(f, "n", "m");
    struct gw_fleet_model *old = find(f, "m");
    gw_fleet_hold(old);
    leave(f, n);
    announce(&a, "n", 1);
    add_model(&a, "m")->version = "2";
    join(f, &a);
    assert_true(find(f, "m") != old);
    assert_string_equal(find(f, "m")->spec.version, "2");
    assert_string_equal(old->spec.version, "1");
    assert_null(gw_fleet_pick(f, old, &large, NULL));
    assert_int_equal(gw_fleet_totals(f).models, 1);
    gw_fleet_unhold(f, old); /* gone now: ASan would see a use */
    assert_ok(gw_fleet_check(f));
    gw_fleet_destroy(f);
}

static void a_model_its_node_came_back_without_is_forgotten(void **state SL_UNUSED)
{
    struct gw_fleet *f = make(&sl_alloc_malloc);
    struct gw_fleet_node *a = join_one(f, "a", "mine"), *b = join_one(f, "b", "other");
    leave(f, a);
    assert_false(gw_fleet_is_ready(f)); /* it may come back with it */
    leave(f, b);
    b = join_one(f, "b", "other"); /* b never had it */
    assert_non_null(find(f, "mine"));
    join_one(f, "a", "other");
    assert_null(find(f, "mine"));
    assert_true(gw_fleet_is_ready(f));
    gw_fleet_destroy(f);
}

static void models_nobody_has_give_up_their_places(void **state SL_UNUSED)
{
    struct gw_fleet *f = make(&sl_alloc_malloc);
    struct announcement a;
    static const char *const names[] = {"m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8"};
    announce(&a, "old", 1);
    for (size_t i = 0; i < 8; i++)
        add_model(&a, names[i]);
    struct gw_fleet_node *old = join(f, &a);
    struct gw_fleet_node *n = join_one(f, "n", "extra");
    assert_string_equal(n->offers[0].problem, "the gateway's limit of models is reached");
    leave(f, n);
    gw_fleet_hold(find(f, "m0"));
    leave(f, old);
    n = join_one(f, "n", "extra");
    assert_ptr_equal(n->offers[0].model, find(f, "extra"));
    assert_non_null(find(f, "m0")); /* somebody uses it */
    assert_null(find(f, "m1"));
    assert_int_equal(gw_fleet_totals(f).models, 8);
    gw_fleet_destroy(f);
}

/* ---- leases */

static struct gw_fleet_lease *lease(struct gw_fleet *f, struct gw_fleet_slice *s,
                                    struct gw_fleet_model *m, uint64_t call, sl_mono_ns now)
{
    struct gw_fleet_lease *l = NULL;
    assert_ok(gw_fleet_lease(f, s, m, call, now, &l));
    assert_ok(gw_fleet_check(f));
    return l;
}

static void warm_slices_first_then_the_longest_idle(void **state SL_UNUSED)
{
    struct gw_fleet *f = make(&sl_alloc_malloc);
    struct announcement a;
    announce(&a, "n", 3);
    add_model(&a, "m");
    add_model(&a, "other");
    struct gw_fleet_node *n = join(f, &a);
    struct gw_fleet_model *m = find(f, "m"), *other = find(f, "other");
    struct gw_fleet_lease *l[3];
    for (size_t i = 0; i < 3; i++)
        l[i] = lease(f, &n->slices[i], i == 1 ? m : other, i + 1, 10);
    assert_int_equal(gw_fleet_totals(f).slices_busy, 3);
    gw_fleet_end_lease(f, l[1], 5, 30);
    gw_fleet_end_lease(f, l[0], 5, 20);
    gw_fleet_end_lease(f, l[2], 5, 15);
    assert_ok(gw_fleet_check(f));
    assert_ptr_equal(gw_fleet_pick(f, m, &large, NULL), &n->slices[1]); /* warm, though used last */
    assert_ptr_equal(gw_fleet_pick(f, other, &large, NULL),
                     &n->slices[2]); /* warm, idle since 15 */
    lease(f, &n->slices[1], m, 9, 40);
    assert_ptr_equal(gw_fleet_pick(f, m, &large, NULL), &n->slices[2]); /* cold, idle longest */
    gw_fleet_destroy(f);
}

static void a_busy_slice_is_fed_ahead_up_to_the_limits(void **state SL_UNUSED)
{
    struct gw_fleet *f = make(&sl_alloc_malloc);
    struct announcement a;
    announce(&a, "n", 1);
    add_model(&a, "m")->duration_us = 900;
    add_model(&a, "other");
    struct gw_fleet_node *n = join(f, &a);
    struct gw_fleet_model *m = find(f, "m");
    size_t count = 0;
    while (gw_fleet_pick(f, m, &large, NULL) != NULL) {
        assert_null(count == 0 ? NULL : gw_fleet_pick(f, find(f, "other"), &large, NULL));
        lease(f, gw_fleet_pick(f, m, &large, NULL), m, ++count, 1);
    }
    assert_int_equal(count, 3); /* 900, 1800 <= 2000, 2700 is beyond */
    gw_fleet_destroy(f);
    f = make(&sl_alloc_malloc); /* and by number */
    announce(&a, "n", 1);
    add_model(&a, "m")->duration_us = 1;
    a.hello.slice_backlog_max = 2;
    n = join(f, &a);
    for (count = 0; gw_fleet_pick(f, find(f, "m"), &large, NULL) != NULL; count++)
        lease(f, &n->slices[0], find(f, "m"), count + 1, 1);
    assert_int_equal(count, 3); /* the running one and 2 */
    n->slice_backlog_max = UINT32_MAX;
    for (; gw_fleet_pick(f, find(f, "m"), &large, NULL) != NULL; count++)
        lease(f, &n->slices[0], find(f, "m"), count + 1, 1);
    assert_int_equal(count, conf.feed_ahead_max);
    gw_fleet_destroy(f);
}

/* Work that is far beyond feed_ahead_us: only what runs with calls that wait anyway is sent. */
static void calls_that_may_run_together_are_sent_together(void **state SL_UNUSED)
{
    struct gw_fleet *f = make(&sl_alloc_malloc);
    struct announcement a;
    announce(&a, "n", 1);
    add_model(&a, "m")->max_batch = 3;
    a.models[0].duration_us = a.models[0].max_duration_us = 1000000;
    join(f, &a);
    struct gw_fleet_model *m = find(f, "m");
    struct gw_fleet_lease *leases[3];
    for (size_t i = 0; i < 3; i++)
        leases[i] = lease(f, gw_fleet_pick(f, m, &large, NULL), m, i + 1, 1);
    assert_null(gw_fleet_pick(f, m, &large, NULL)); /* a fourth would be another run */
    leases[0]->is_started = true;
    assert_non_null(gw_fleet_pick(f, m, &large, NULL));
    leases[1]->is_started = leases[2]->is_started = true;
    assert_null(gw_fleet_pick(f, m, &large, NULL)); /* nobody waits there */
    for (size_t i = 0; i < 3; i++)
        gw_fleet_end_lease(f, leases[i], -1, 2);
    assert_non_null(gw_fleet_pick(f, m, &large, NULL));
    gw_fleet_destroy(f);
}

static void draining_and_full_nodes_are_passed_over(void **state SL_UNUSED)
{
    struct gw_fleet *f = make(&sl_alloc_malloc);
    struct gw_fleet_node *a = join_one(f, "a", "m"), *b = join_one(f, "b", "m");
    struct gw_fleet_model *m = find(f, "m");
    gw_fleet_new_round(f, 1);
    gw_fleet_set_full(f, a);
    assert_ptr_equal(gw_fleet_pick(f, m, &large, NULL), &b->slices[0]);
    gw_fleet_set_full(f, b);
    assert_null(gw_fleet_pick(f, m, &large, NULL));
    gw_fleet_new_round(f, 1);
    b->is_draining = true;
    assert_ptr_equal(gw_fleet_pick(f, m, &large, NULL), &a->slices[0]);
    a->is_draining = true;
    assert_null(gw_fleet_pick(f, m, &large, NULL));
    gw_fleet_destroy(f);
}

static void the_mean_is_learned_after_some_samples(void **state SL_UNUSED)
{
    struct gw_fleet *f = make(&sl_alloc_malloc);
    struct gw_fleet_node *n = join_one(f, "n", "m");
    struct gw_fleet_model *m = find(f, "m");
    for (int i = 0; i < GW_FLEET_SAMPLES_MIN; i++) {
        struct gw_fleet_lease *l = lease(f, &n->slices[0], m, 1, 1);
        assert_int_equal(l->expected_us, 100); /* as declared */
        gw_fleet_end_lease(f, l, 500 + 10 * i, 1);
    }
    struct gw_fleet_lease *l = lease(f, &n->slices[0], m, 1, 1);
    assert_in_range(l->expected_us, 515, 525);
    gw_fleet_end_lease(f, l, -1, 1); /* teaches nothing */
    assert_int_equal(m->samples, GW_FLEET_SAMPLES_MIN);
    for (int i = 0; i < 1000; i++)
        gw_fleet_end_lease(f, lease(f, &n->slices[0], m, 1, 1), 40, 1);
    assert_in_range(m->mean_exec_us, 38, 104);
    for (int i = 0; i < 1000; i++)
        gw_fleet_end_lease(f, lease(f, &n->slices[0], m, 1, 1), 0, 1);
    assert_true(m->mean_exec_us >= 1);
    gw_fleet_end_lease(f, lease(f, &n->slices[0], m, 1, 1), INT64_MAX / 1000, 1);
    assert_true(m->mean_exec_us >= 1);
    gw_fleet_destroy(f);
}

static void stale_lease_ids_find_nothing(void **state SL_UNUSED)
{
    struct gw_fleet *f = make(&sl_alloc_malloc);
    struct gw_fleet_node *n = join_one(f, "n", "m");
    struct gw_fleet_lease *l = lease(f, &n->slices[0], find(f, "m"), 1, 1);
    sl_slot_id id = l->id;
    assert_ptr_equal(gw_fleet_find_lease(f, id), l);
    gw_fleet_end_lease(f, l, 1, 1);
    assert_null(gw_fleet_find_lease(f, id));
    l = lease(f, &n->slices[0], find(f, "m"), 2, 1);
    assert_true(l->id != id);
    assert_null(gw_fleet_find_lease(f, id));
    gw_fleet_destroy(f);
}

struct losses {
    struct gw_fleet *f;
    uint64_t calls[8];
    size_t count;
};

static void note_loss(void *ctx, struct gw_fleet_lease *lost)
{
    struct losses *l = ctx;
    assert_non_null(gw_fleet_find_lease(l->f, lost->id));        /* it still exists */
    assert_null(gw_fleet_pick(l->f, lost->model, &large, NULL)); /* but its node takes nothing */
    l->calls[l->count++] = lost->call;
}

static void a_node_that_leaves_ends_its_leases_oldest_first(void **state SL_UNUSED)
{
    struct gw_fleet *f = make(&sl_alloc_malloc);
    struct announcement a;
    announce(&a, "n", 2);
    add_model(&a, "m");
    struct gw_fleet_node *n = join(f, &a);
    for (uint64_t i = 0; i < 6; i++)
        lease(f, &n->slices[i % 2], find(f, "m"), i + 1, 1);
    struct losses l = {.f = f};
    gw_fleet_leave(f, n, note_loss, &l);
    static const uint64_t wanted[] = {1, 3, 5, 2, 4, 6};
    assert_int_equal(l.count, 6);
    assert_memory_equal(l.calls, wanted, sizeof wanted);
    assert_int_equal(gw_fleet_totals(f).leases, 0);
    assert_ok(gw_fleet_check(f));
    gw_fleet_destroy(f);
}

/* ---- any order of things, with and without memory */

enum { NODES = 4, LEASES = 40 };

struct world {
    struct gw_fleet *f;
    struct sl_rng rng;
    sl_slot_id leases[LEASES];
    struct gw_fleet_model *held[4];
    uint64_t sessions;
};

static void ignore_loss(void *ctx, struct gw_fleet_lease *lost)
{
    (void)ctx;
    (void)lost;
}

static void random_join(struct world *w)
{
    static const char *const nodes[] = {"n0", "n1", "n2", "n3", "n4"};
    static const char *const models[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    struct announcement a;
    struct gw_fleet_node *node;
    struct sl_error err;
    announce(&a, nodes[sl_rng_below(&w->rng, 5)], 1 + (size_t)sl_rng_below(&w->rng, 3));
    a.hello.session = ++w->sessions;
    for (uint64_t n = sl_rng_below(&w->rng, 8); n > 0; n--) {
        struct gw_model_spec *s = add_model(&a, models[sl_rng_below(&w->rng, 10)]);
        if (sl_rng_below(&w->rng, 4) == 0)
            s->version = "2";
        if (sl_rng_below(&w->rng, 8) == 0)
            s->problem = "broken";
    }
    sl_status s = gw_fleet_join(w->f, &a.hello, 1, &node, &err);
    assert_true(s == SL_OK || s == SL_EEXIST || s == SL_EFULL || s == SL_ENOMEM);
}

static struct gw_fleet_node *random_node(struct world *w)
{
    size_t cursor = 0, skip = (size_t)sl_rng_below(&w->rng, NODES);
    struct gw_fleet_node *node = gw_fleet_next_node(w->f, &cursor), *next;
    while (skip-- > 0 && (next = gw_fleet_next_node(w->f, &cursor)) != NULL)
        node = next;
    return node;
}

static struct gw_fleet_model *random_model(struct world *w)
{
    size_t cursor = 0, skip = (size_t)sl_rng_below(&w->rng, 8);
    struct gw_fleet_model *m = gw_fleet_next_model(w->f, &cursor), *next;
    while (skip-- > 0 && (next = gw_fleet_next_model(w->f, &cursor)) != NULL)
        m = next;
    return m;
}

static void random_lease(struct world *w)
{
    struct gw_fleet_model *m = random_model(w);
    struct gw_fleet_slice *s = m == NULL ? NULL : gw_fleet_pick(w->f, m, &large, NULL);
    struct gw_fleet_lease *l = gw_fleet_find_lease(w->f, w->leases[sl_rng_below(&w->rng, LEASES)]);
    if (l != NULL && sl_rng_below(&w->rng, 2)) {
        gw_fleet_end_lease(w->f, l, (int64_t)sl_rng_below(&w->rng, 900) - 100, 1);
    } else if (s != NULL && gw_fleet_lease(w->f, s, m, 1, 1, &l) == SL_OK) {
        assert_true(s->lease_count == 1 || s->leases->model == m);
        w->leases[sl_rng_below(&w->rng, LEASES)] = l->id;
    }
}

static void random_hold(struct world *w)
{
    struct gw_fleet_model **place = &w->held[sl_rng_below(&w->rng, 4)];
    if (*place != NULL)
        gw_fleet_unhold(w->f, *place);
    *place = random_model(w);
    if (*place != NULL)
        gw_fleet_hold(*place);
}

static void run_world(const struct sl_alloc *alloc, uint64_t seed, int steps)
{
    struct world w = {0};
    sl_rng_seed(&w.rng, seed);
    if (gw_fleet_create(alloc, &conf, &w.f) != SL_OK)
        return;
    for (int i = 0; i < steps; i++) {
        uint64_t what = sl_rng_below(&w.rng, 20);
        if (what < 3)
            random_join(&w);
        else if (what < 4 && random_node(&w) != NULL)
            gw_fleet_leave(w.f, random_node(&w), ignore_loss, NULL);
        else if (what < 6)
            random_hold(&w);
        else
            random_lease(&w);
        assert_ok(gw_fleet_check(w.f));
    }
    gw_fleet_destroy(w.f);
}

static void invariants_hold_in_any_order_of_things(void **state SL_UNUSED)
{
    for (uint64_t seed = 1; seed <= 20; seed++)
        run_world(&sl_alloc_malloc, seed, 2000);
}

static void invariants_hold_whichever_allocation_fails(void **state SL_UNUSED)
{
    struct fail_alloc f;
    for (size_t at = 1; fail_alloc_start(&f, at); at++) {
        run_world(&f.alloc, 3, 60);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
}

static void a_join_without_memory_changes_nothing(void **state SL_UNUSED)
{
    struct announcement a, other;
    announce(&other, "other", 1);
    add_model(&other, "m0");
    announce(&a, "n", 3);
    add_model(&a, "m0");
    add_model(&a, "m1")->duration = "1";
    add_model(&a, "m2")->problem = "broken";
    for (size_t at = 1;; at++) {
        struct fail_alloc f;
        fail_alloc_init(&f);
        struct gw_fleet *fleet = make(&f.alloc);
        struct gw_fleet_node *node = NULL;
        struct sl_error err;
        join(fleet, &other);
        f.fail_at = f.calls + at;
        if (gw_fleet_join(fleet, &a.hello, 1, &node, &err) == SL_OK) {
            gw_fleet_destroy(fleet);
            assert_true(at > 10);
            break;
        }
        assert_int_equal(err.reason, SL_REASON_NO_CAPACITY);
        struct gw_fleet_totals t = gw_fleet_totals(fleet);
        assert_true(t.nodes == 1 && t.models == 1 && t.models_ready == 1 && t.slices == 1);
        assert_null(find(fleet, "m1"));
        assert_ok(gw_fleet_check(fleet));
        f.fail_at = 0;
        join(fleet, &a);
        gw_fleet_destroy(fleet);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_is_there_as_it_announced_itself),
        cmocka_unit_test(bad_announcements_are_refused),
        cmocka_unit_test(there_is_a_limit_of_nodes),
        cmocka_unit_test(models_of_all_nodes_are_merged_by_name),
        cmocka_unit_test(one_bad_model_does_not_stop_its_node),
        cmocka_unit_test(an_expression_is_compiled_once_for_all_nodes),
        cmocka_unit_test(an_expression_that_is_none_is_the_models_problem),
        cmocka_unit_test(a_model_announced_twice_is_offered_once),
        cmocka_unit_test(nodes_that_disagree_keep_the_first_interface),
        cmocka_unit_test(a_changed_spec_leaves_the_old_one_to_its_holders),
        cmocka_unit_test(a_model_its_node_came_back_without_is_forgotten),
        cmocka_unit_test(models_nobody_has_give_up_their_places),
        cmocka_unit_test(warm_slices_first_then_the_longest_idle),
        cmocka_unit_test(a_busy_slice_is_fed_ahead_up_to_the_limits),
        cmocka_unit_test(calls_that_may_run_together_are_sent_together),
        cmocka_unit_test(draining_and_full_nodes_are_passed_over),
        cmocka_unit_test(the_mean_is_learned_after_some_samples),
        cmocka_unit_test(stale_lease_ids_find_nothing),
        cmocka_unit_test(a_node_that_leaves_ends_its_leases_oldest_first),
        cmocka_unit_test(invariants_hold_in_any_order_of_things),
        cmocka_unit_test(invariants_hold_whichever_allocation_fails),
        cmocka_unit_test(a_join_without_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
