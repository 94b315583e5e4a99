/* micro_ledger.c - what a call's money costs: hold, start and settle in a ledger with many accounts, each call of
 * another visitor, chosen at random; and the bytes of its receipt.
 *
 *   micro_ledger [ACCOUNTS [PAIRS]]     1000000 and 3000000 when not given
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gw_ledger.h"
#include "gw_receipt_code.h"
#include "sl_base.h"
#include "sl_rng.h"

#define NOW (INT64_C(1789000000) * SL_US_PER_S)

enum { NAME_BYTES = 16, BATCH = 64, USED_US = 3 };

struct bench {
    size_t accounts, pairs;
    char (*names)[NAME_BYTES];
    struct gw_ledger *ledger;
    struct gw_tiers tiers;
    struct gw_principal who;
    struct sl_rng rng;
};

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "micro_ledger: %s\n", what);
    exit(1);
}

/* CPU time of this process: what others do meanwhile does not count. */
static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * SL_NS_PER_S + t.tv_nsec;
}

static double resident_bytes(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL || fscanf(f, "%*s %ld", &pages) != 1)
        pages = 0;
    if (f != NULL)
        fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* ---- accounts with a window open and something spent, as after a start */

static void fill(struct bench *b)
{
    struct gw_ledger_conf conf = {.max_accounts = b->accounts, .max_holds = 4096, .seed = {1, 2}};
    double before = resident_bytes();
    int64_t from = now_ns();
    require(gw_ledger_create(&sl_alloc_malloc, &conf, &b->ledger) == SL_OK, "no memory");
    for (size_t i = 0; i < b->accounts; i++) {
        struct gw_account_row row = {sl_span_str(b->names[i]), NOW - 1 - (int64_t)i % 1000, 1, 0};
        require(gw_ledger_restore(b->ledger, &row, NOW) == SL_OK, "an account was refused");
    }
    printf("%zu accounts: %.0f ns and %.0f bytes for each\n", b->accounts,
           (double)(now_ns() - from) / (double)b->accounts,
           (resident_bytes() - before) / (double)b->accounts);
}

static void begin(struct bench *b)
{
    sl_rng_seed(&b->rng, 1);
    b->tiers = (struct gw_tiers){
        .tiers = {{.name = "pro", .daily_us = INT64_MAX / 4, .in_flight = BATCH}}, .tier_count = 1};
    b->who = (struct gw_principal){.kind = GW_PRINCIPAL_USER, .purse_count = 1};
    b->who.purses[0].limit_thousandths = GW_FACTOR_ONE;
    b->names = malloc(b->accounts * sizeof *b->names);
    require(b->names != NULL, "no memory");
    for (size_t i = 0; i < b->accounts; i++)
        snprintf(b->names[i], NAME_BYTES, "user:%08zx", i);
    fill(b);
}

static void choose(struct bench *b)
{
    const char *name = b->names[sl_rng_below(&b->rng, b->accounts)];
    memcpy(b->who.purses[0].account, name, NAME_BYTES);
}

/* ---- what is timed */

static gw_hold_id hold(struct bench *b)
{
    struct gw_hold_ask ask = {.who = &b->who,
                              .tiers = &b->tiers,
                              .duration_us = 60 * SL_US_PER_S,
                              .factor_thousandths = GW_FACTOR_ONE};
    struct gw_hold got;
    struct gw_hold_refusal refusal;
    require(gw_ledger_hold(b->ledger, &ask, NOW, &got, &refusal) == SL_OK, "a hold was refused");
    return got.id;
}

static void settle(struct bench *b, gw_hold_id id)
{
    struct gw_usage usage = {.reason = SL_REASON_OK, .was_started = true, .used_us = USED_US};
    struct gw_settlement got;
    require(gw_ledger_settle(b->ledger, id, &usage, NOW, &got) == SL_OK, "a settle was refused");
    require(got.charged_us == USED_US, "a charge is wrong");
}

/* BATCH calls are open at once, as in a busy gateway. */
static void run_pairs(struct bench *b, size_t pairs)
{
    gw_hold_id open[BATCH];
    for (size_t done = 0; done < pairs; done += BATCH) {
        for (size_t i = 0; i < BATCH; i++) {
            choose(b);
            open[i] = hold(b);
        }
        for (size_t i = 0; i < BATCH; i++)
            settle(b, open[i]);
    }
}

static void time_pairs(struct bench *b)
{
    size_t pairs = (b->pairs + BATCH - 1) / BATCH * BATCH;
    run_pairs(b, BATCH);
    int64_t from = now_ns();
    for (size_t i = 0; i < pairs; i++)
        choose(b);
    int64_t chosen = now_ns();
    run_pairs(b, pairs);
    int64_t ended = now_ns();
    double choice = (double)(chosen - from) / (double)pairs;
    printf("hold + start + settle: %.0f ns (choosing the visitor, %.0f ns, taken off)\n",
           (double)(ended - chosen) / (double)pairs - choice, choice);
    struct gw_account_view v;
    size_t cursor = 0;
    sl_gpu_us spent = 0;
    while (gw_ledger_next_account(b->ledger, &cursor, &v))
        spent += v.row.spent_us;
    require(spent == (sl_gpu_us)(b->accounts + (pairs + BATCH) * USED_US), "the sum is wrong");
    require(gw_ledger_check(b->ledger) == SL_OK, "an invariant is broken");
}

static void time_receipts(struct bench *b)
{
    struct gw_receipt r = {.ended_at = NOW,
                           .accounts = {sl_span_str(b->names[0])},
                           .windows_opened_at = {NOW - 5},
                           .account_count = 1,
                           .tier = sl_span_str("pro"),
                           .model = sl_span_str("sdxl-turbo"),
                           .size = sl_span_str("large"),
                           .node = sl_span_str("node-1"),
                           .declared_us = 60000000,
                           .held_us = 60000000,
                           .used_us = 1234567,
                           .charged_us = 1234567,
                           .lease_journal = UINT64_C(0x123456789abcdef),
                           .lease_record = 99 << 16};
    uint8_t bytes[GW_RECEIPT_BYTES_MAX];
    size_t len = 0;
    struct gw_receipt back;
    int64_t from = now_ns();
    for (size_t i = 0; i < b->pairs; i++) {
        r.queue_us = (int64_t)i;
        require(gw_receipt_encode(&r, bytes, sizeof bytes, &len) == SL_OK, "encode failed");
    }
    int64_t encoded = now_ns();
    for (size_t i = 0; i < b->pairs; i++)
        require(gw_receipt_decode(sl_span_of(bytes, len), &back) == SL_OK, "decode failed");
    printf("a receipt of %zu bytes: encode %.0f ns, decode %.0f ns\n", len,
           (double)(encoded - from) / (double)b->pairs,
           (double)(now_ns() - encoded) / (double)b->pairs);
}

static size_t count_of(int argc, char **argv, int at, size_t otherwise)
{
    if (argc <= at)
        return otherwise;
    char *end;
    unsigned long n = strtoul(argv[at], &end, 10);
    require(*end == '\0' && n > 0 && n < UINT32_MAX / 4, "usage: micro_ledger [ACCOUNTS [PAIRS]]");
    return n;
}

int main(int argc, char **argv)
{
    static struct bench b;
    b.accounts = count_of(argc, argv, 1, 1000000);
    b.pairs = count_of(argc, argv, 2, 3000000);
    begin(&b);
    time_pairs(&b);
    time_receipts(&b);
    gw_ledger_destroy(b.ledger);
    free(b.names);
    return 0;
}
