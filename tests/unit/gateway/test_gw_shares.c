/* test_gw_shares.c - turns by example, against the textbook, and after anything at all. */
#include "gw_shares.h"

#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

#define S(seconds) ((seconds)*SL_US_PER_S)
#define ONE        GW_FACTOR_ONE

enum { ANONYMOUS, FREE, PRO, CLASSES };

static const uint32_t weights[CLASSES] = {1, 4, 16};

static struct gw_shares make(void)
{
    struct gw_shares s;
    gw_shares_init(&s, CLASSES);
    for (size_t i = 0; i < CLASSES; i++)
        gw_shares_set_weight(&s, i, weights[i]);
    return s;
}

static size_t next(const struct gw_shares *s)
{
    return gw_shares_next(s, GW_SHARES_ALL);
}

static struct gw_share start(struct gw_shares *s, size_t class_index, int64_t expected_us)
{
    struct gw_share share = gw_shares_start(s, class_index, expected_us, ONE);
    assert_ok(gw_shares_check(s));
    return share;
}

static void end(struct gw_shares *s, const struct gw_share *share, int64_t used_us)
{
    gw_shares_end(s, share, used_us);
    assert_ok(gw_shares_check(s));
}

/* So many calls of the class whose turn it is, one after the other. Returns how many of them
 * were of `of`. */
static size_t turns(struct gw_shares *s, size_t count, size_t of)
{
    size_t got = 0;
    for (size_t i = 0; i < count; i++) {
        size_t c = next(s);
        struct gw_share share = start(s, c, S(1));
        got += c == of;
        end(s, &share, S(1));
    }
    return got;
}

/* ---- by example */

static void each_gets_its_weight(void **state SL_UNUSED)
{
    for (size_t of = 0; of < CLASSES; of++) {
        struct gw_shares s = make();
        for (size_t i = 0; i < CLASSES; i++)
            gw_shares_wait(&s, i);
        assert_int_equal(turns(&s, 2100, of), 100 * weights[of]);
    }
}

static void a_factor_counts_like_time(void **state SL_UNUSED)
{
    struct gw_shares s;
    gw_shares_init(&s, 2);
    gw_shares_wait(&s, 0);
    gw_shares_wait(&s, 1);
    size_t count[2] = {0};
    for (int i = 0; i < 300; i++) {
        size_t c = next(&s);
        struct gw_share share = gw_shares_start(&s, c, S(1), c == 0 ? 2 * ONE : ONE);
        count[c]++;
        end(&s, &share, S(1));
    }
    assert_int_equal(count[0], 100);
    assert_int_equal(count[1], 200);
}

static void only_those_asked_about_are_next(void **state SL_UNUSED)
{
    struct gw_shares s = make();
    assert_int_equal(next(&s), GW_SHARES_NONE);
    gw_shares_wait(&s, FREE);
    assert_int_equal(gw_shares_next(&s, 1 << PRO), GW_SHARES_NONE);
    gw_shares_wait(&s, PRO);
    assert_int_equal(next(&s), PRO); /* alike: the heavier */
    assert_int_equal(gw_shares_next(&s, 1 << FREE | 1 << ANONYMOUS), FREE);
    gw_shares_rest(&s, PRO);
    assert_int_equal(next(&s), FREE);
}

static void alike_the_one_served_longest_ago_is_next(void **state SL_UNUSED)
{
    struct gw_shares s;
    gw_shares_init(&s, 3);
    for (size_t i = 0; i < 3; i++)
        gw_shares_wait(&s, 2 - i);
    for (size_t i = 0; i < 9; i++) {
        assert_int_equal(next(&s), i % 3);
        struct gw_share share = start(&s, i % 3, S(1));
        end(&s, &share, S(1));
    }
}

static void who_comes_back_is_next_and_has_saved_nothing(void **state SL_UNUSED)
{
    struct gw_shares s = make();
    gw_shares_wait(&s, ANONYMOUS);
    turns(&s, 3600, ANONYMOUS);
    gw_shares_wait(&s, PRO);
    assert_int_equal(next(&s), PRO);
    gw_shares_wait(&s, FREE);
    size_t got = turns(&s, 210, ANONYMOUS);
    assert_in_range(got, 9, 11);
}

static void a_debt_is_kept_until_virtual_time_has_passed_it(void **state SL_UNUSED)
{
    struct gw_shares s;
    gw_shares_init(&s, 2);
    gw_shares_wait(&s, 0);
    gw_shares_wait(&s, 1);
    assert_int_equal(next(&s), 0);
    struct gw_share share = start(&s, 0, S(10));
    gw_shares_rest(&s, 0);
    assert_int_equal(turns(&s, 4, 1), 4);
    gw_shares_wait(&s, 0); /* it has had 10 s, the other 4 */
    assert_int_equal(turns(&s, 6, 1), 6);
    assert_int_equal(turns(&s, 10, 1), 5);
    end(&s, &share, S(10));
    gw_shares_rest(&s, 0);
    turns(&s, 100, 1);
    gw_shares_wait(&s, 0);
    assert_int_equal(next(&s), 0);
}

static void an_idle_fleet_forgives(void **state SL_UNUSED)
{
    struct gw_shares s = make();
    gw_shares_wait(&s, PRO);
    struct gw_share share = start(&s, PRO, S(300));
    gw_shares_rest(&s, PRO);
    end(&s, &share, S(300));
    gw_shares_wait(&s, ANONYMOUS);
    gw_shares_wait(&s, PRO);
    s.classes[PRO].started_in = 0;
    assert_int_equal(next(&s), PRO);
}

/* ---- corrections */

static void what_was_charged_too_much_comes_back(void **state SL_UNUSED)
{
    struct gw_shares s;
    gw_shares_init(&s, 2);
    gw_shares_wait(&s, 0);
    gw_shares_wait(&s, 1);
    struct gw_share share = start(&s, 0, S(60));
    assert_int_equal(turns(&s, 20, 1), 20);
    end(&s, &share, S(10)); /* so it is 10 s behind */
    assert_int_equal(turns(&s, 10, 0), 10);
    assert_int_equal(turns(&s, 10, 0), 5);
}

static void what_was_charged_too_little_is_charged_at_the_end(void **state SL_UNUSED)
{
    struct gw_shares s;
    gw_shares_init(&s, 2);
    gw_shares_wait(&s, 0);
    gw_shares_wait(&s, 1);
    struct gw_share share = start(&s, 0, S(1));
    end(&s, &share, S(10));
    assert_int_equal(turns(&s, 10, 1), 10);
    assert_int_equal(turns(&s, 10, 1), 5);
}

static void a_call_that_never_began_costs_nothing(void **state SL_UNUSED)
{
    struct gw_shares s = make(), before;
    gw_shares_wait(&s, PRO);
    gw_shares_wait(&s, FREE);
    turns(&s, 1, PRO);
    before = s;
    struct gw_share share = start(&s, FREE, S(60));
    end(&s, &share, 0);
    for (size_t i = 0; i < CLASSES; i++)
        assert_int_equal(s.classes[i].ahead, before.classes[i].ahead);
}

/* The refund is of a time in which others lost nothing by the charge. */
static void a_refund_from_before_a_rest_buys_nothing(void **state SL_UNUSED)
{
    struct gw_shares s;
    gw_shares_init(&s, 2);
    gw_shares_wait(&s, 0);
    struct gw_share share = start(&s, 0, S(60));
    gw_shares_rest(&s, 0);
    gw_shares_wait(&s, 1);
    turns(&s, 100, 1);
    gw_shares_wait(&s, 0);
    end(&s, &share, S(1));
    assert_int_equal(turns(&s, 20, 0), 10);
}

/* It came back in debt; half of it turns out not to have been one, and it is as if it had never
 * been. */
static void a_refund_from_before_a_rest_makes_the_debt_smaller(void **state SL_UNUSED)
{
    struct gw_shares s;
    gw_shares_init(&s, 2);
    gw_shares_wait(&s, 0);
    struct gw_share share = start(&s, 0, S(60));
    gw_shares_rest(&s, 0);
    gw_shares_wait(&s, 0);
    gw_shares_wait(&s, 1);
    end(&s, &share, S(30));
    assert_int_equal(turns(&s, 30, 1), 30);
    assert_int_equal(turns(&s, 10, 1), 5);
}

/* A crowd that runs alone gets refunds all the time; whoever comes is next all the same. */
static void a_refund_does_not_hold_up_who_comes_back(void **state SL_UNUSED)
{
    struct gw_shares s = make();
    struct gw_share shares[8];
    gw_shares_wait(&s, ANONYMOUS);
    for (size_t i = 0; i < SL_ARRAY_LEN(shares); i++)
        shares[i] = start(&s, ANONYMOUS, S(60));
    for (size_t i = 0; i < SL_ARRAY_LEN(shares); i++)
        end(&s, &shares[i], S(1));
    gw_shares_wait(&s, PRO);
    assert_int_equal(next(&s), PRO);
}

static void a_refund_puts_nobody_at_rest_into_debt(void **state SL_UNUSED)
{
    struct gw_shares s = make();
    struct gw_share shares[8];
    gw_shares_wait(&s, ANONYMOUS);
    for (size_t i = 0; i < SL_ARRAY_LEN(shares); i++)
        shares[i] = start(&s, ANONYMOUS, S(60));
    gw_shares_wait(&s, PRO);
    start(&s, PRO, S(16));
    gw_shares_rest(&s, PRO);
    for (size_t i = 0; i < SL_ARRAY_LEN(shares); i++)
        end(&s, &shares[i], S(1));
    assert_int_equal(s.classes[PRO].ahead, S(1) * ONE); /* what it had itself, by its weight */
    assert_int_equal(s.classes[ANONYMOUS].ahead, 0);
}

/* While a class could not use what was free, it did not save that up. */
static void waiting_for_another_slice_saves_up_nothing(void **state SL_UNUSED)
{
    struct gw_shares s = make();
    gw_shares_wait(&s, PRO);
    gw_shares_wait(&s, ANONYMOUS);
    for (int i = 0; i < 100; i++) {
        size_t c = gw_shares_next(&s, 1 << ANONYMOUS);
        struct gw_share share = start(&s, c, S(10));
        end(&s, &share, S(10));
    }
    assert_int_equal(next(&s), PRO);
    assert_in_range(turns(&s, 340, ANONYMOUS), 8, 11); /* 320 are what it has not had by weight */
}

/* ---- the textbook: tags for each call, by its arrival; virtual time that grows */

enum { BOOK_CALLS = 4000, SERVERS = 5 };

struct book_call {
    int64_t start, finish, length_us;
};

struct book {
    struct book_call calls[CLASSES][BOOK_CALLS];
    size_t arrived[CLASSES], begun[CLASSES];
    uint64_t started_in[CLASSES], start_count;
    int64_t now; /* virtual */
    int64_t latest;
};

static void book_arrive(struct book *b, size_t c, int64_t length_us)
{
    size_t n = b->arrived[c]++;
    struct book_call *call = &b->calls[c][n];
    int64_t before = n == 0 ? 0 : b->calls[c][n - 1].finish;
    call->start = before > b->now ? before : b->now;
    call->length_us = length_us;
    call->finish = call->start + length_us * ONE / weights[c];
    b->latest = call->finish > b->latest ? call->finish : b->latest;
}

static bool book_is_before(const struct book *b, size_t x, size_t y)
{
    int64_t a = b->calls[x][b->begun[x]].start, c = b->calls[y][b->begun[y]].start;
    if (a != c)
        return a < c;
    if (b->started_in[x] != b->started_in[y])
        return b->started_in[x] < b->started_in[y];
    return weights[x] > weights[y];
}

static size_t book_next(const struct book *b)
{
    size_t best = GW_SHARES_NONE;
    for (size_t c = 0; c < CLASSES; c++)
        if (b->begun[c] < b->arrived[c] && (best == GW_SHARES_NONE || book_is_before(b, c, best)))
            best = c;
    return best;
}

struct running {
    struct gw_share share;
    int64_t length_us;
};

struct lesson {
    struct book book;
    struct gw_shares shares;
    struct running running[SERVERS];
    size_t running_count;
    struct sl_rng rng;
};

static void lesson_arrive(struct lesson *l)
{
    size_t c = sl_rng_below(&l->rng, CLASSES);
    if (l->book.arrived[c] == BOOK_CALLS)
        return;
    book_arrive(&l->book, c, 1 + (int64_t)sl_rng_below(&l->rng, (uint64_t)S(60)) / 16 * 16);
    gw_shares_wait(&l->shares, c);
}

static void lesson_start(struct lesson *l)
{
    size_t c = book_next(&l->book);
    assert_int_equal(next(&l->shares), c);
    const struct book_call *call = &l->book.calls[c][l->book.begun[c]++];
    l->book.now = call->start;
    l->book.started_in[c] = ++l->book.start_count;
    l->running[l->running_count++] =
        (struct running){start(&l->shares, c, call->length_us), call->length_us};
    if (l->book.begun[c] == l->book.arrived[c])
        gw_shares_rest(&l->shares, c);
}

static void lesson_end(struct lesson *l)
{
    if (l->running_count == 0)
        return;
    struct running *r = &l->running[sl_rng_below(&l->rng, l->running_count)];
    struct running ended = *r;
    *r = l->running[--l->running_count];
    end(&l->shares, &ended.share, ended.length_us);
    if (l->running_count == 0 && book_next(&l->book) == GW_SHARES_NONE)
        l->book.now = l->book.latest;
}

static void turns_are_those_of_the_textbook(void **state SL_UNUSED)
{
    static struct lesson l;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        l = (struct lesson){.shares = make()};
        sl_rng_seed(&l.rng, seed);
        size_t servers = 1 + seed % SERVERS;
        for (size_t i = 0; i < BOOK_CALLS; i++) {
            bool is_busy_time = i / 200 % 2 == 0;
            if (sl_rng_below(&l.rng, 100) < (is_busy_time ? 60 : 30))
                lesson_arrive(&l);
            else
                lesson_end(&l);
            while (l.running_count < servers && book_next(&l.book) != GW_SHARES_NONE)
                lesson_start(&l);
        }
        assert_true(l.book.start_count > BOOK_CALLS / 5);
    }
}

/* ---- anything at all */

enum { OPEN = 50 };

struct chaos {
    struct gw_shares s;
    struct gw_share open[OPEN];
    size_t open_count;
    struct sl_rng rng;
};

/* Of any magnitude, and sometimes below 0. */
static int64_t any_time(struct sl_rng *r)
{
    uint64_t x = sl_rng_u64(r) >> sl_rng_below(r, 64);
    return sl_rng_below(r, 20) == 0 ? -(int64_t)(x / 2) - 1 : (int64_t)(x / 2);
}

static void chaos_step(struct chaos *c)
{
    size_t of = sl_rng_below(&c->rng, GW_SHARES_MAX), n;
    switch (sl_rng_below(&c->rng, 5)) {
    case 0:
        gw_shares_wait(&c->s, of);
        break;
    case 1:
        gw_shares_rest(&c->s, of);
        break;
    case 2:
        gw_shares_set_weight(&c->s, of, 1 + (uint32_t)sl_rng_below(&c->rng, UINT32_MAX));
        break;
    case 3:
        n = gw_shares_next(&c->s, (uint32_t)sl_rng_u64(&c->rng));
        if (n != GW_SHARES_NONE && c->open_count < OPEN)
            c->open[c->open_count++] =
                gw_shares_start(&c->s, n, any_time(&c->rng), (uint32_t)sl_rng_u64(&c->rng));
        break;
    default:
        if (c->open_count == 0)
            break;
        n = sl_rng_below(&c->rng, c->open_count);
        gw_shares_end(&c->s, &c->open[n], any_time(&c->rng));
        c->open[n] = c->open[--c->open_count];
    }
}

static void invariants_hold_after_anything(void **state SL_UNUSED)
{
    struct chaos c = {0};
    gw_shares_init(&c.s, GW_SHARES_MAX);
    sl_rng_seed(&c.rng, 1);
    for (int i = 0; i < 200000; i++) {
        chaos_step(&c);
        assert_ok(gw_shares_check(&c.s));
    }
}

static void the_check_finds_what_is_wrong(void **state SL_UNUSED)
{
    struct gw_shares s = make(), good;
    gw_shares_wait(&s, PRO);
    good = s;
    s.classes[PRO].ahead = -1;
    assert_status(gw_shares_check(&s), SL_EBROKEN);
    s = good;
    s.running_count = 1;
    assert_status(gw_shares_check(&s), SL_EBROKEN);
    s = good;
    s.waiting = 0;
    assert_status(gw_shares_check(&s), SL_EBROKEN);
    s = good;
    s.classes[FREE].weight = 0;
    assert_status(gw_shares_check(&s), SL_EBROKEN);
    s = make();
    s.classes[FREE].ahead = 1;
    assert_status(gw_shares_check(&s), SL_EBROKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_gets_its_weight),
        cmocka_unit_test(a_factor_counts_like_time),
        cmocka_unit_test(only_those_asked_about_are_next),
        cmocka_unit_test(alike_the_one_served_longest_ago_is_next),
        cmocka_unit_test(who_comes_back_is_next_and_has_saved_nothing),
        cmocka_unit_test(a_debt_is_kept_until_virtual_time_has_passed_it),
        cmocka_unit_test(an_idle_fleet_forgives),
        cmocka_unit_test(what_was_charged_too_much_comes_back),
        cmocka_unit_test(what_was_charged_too_little_is_charged_at_the_end),
        cmocka_unit_test(a_call_that_never_began_costs_nothing),
        cmocka_unit_test(a_refund_from_before_a_rest_buys_nothing),
        cmocka_unit_test(a_refund_from_before_a_rest_makes_the_debt_smaller),
        cmocka_unit_test(a_refund_does_not_hold_up_who_comes_back),
        cmocka_unit_test(a_refund_puts_nobody_at_rest_into_debt),
        cmocka_unit_test(waiting_for_another_slice_saves_up_nothing),
        cmocka_unit_test(turns_are_those_of_the_textbook),
        cmocka_unit_test(invariants_hold_after_anything),
        cmocka_unit_test(the_check_finds_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
