/* micro_identify.c - what it costs to know who calls, of callers that were seen before.
 *
 *   micro_identify [CALLS]     2000000 of each kind when not given
 *
 * Kinds: an API token among 100,000; a signed token of 1 KiB that was verified a moment ago; an IPv4
 * address; an IPv6 address; a cookie. CPU time of the process, the best of five rounds.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gw_auth.h"
#include "gw_token_make.h"
#include "sl_base.h"
#include "sl_text.h"

#define NOW (INT64_C(1789000000) * SL_US_PER_S)

enum { TOKENS = 100000, ROUNDS = 5, SIGNED_BYTES = 1024 };

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "micro_identify: %s\n", what);
    exit(1);
}

static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * SL_NS_PER_S + t.tv_nsec;
}

/* Everything that begins with GOOD is good; what is asked for once is remembered. */
static enum gw_verdict verify(void *ctx, struct sl_span token, sl_wall_us now,
                              struct gw_claims *out, struct gw_denial *denial)
{
    size_t *asked = ctx;
    (void)token, (void)now, (void)denial;
    ++*asked;
    *out = (struct gw_claims){.account = "user:idp#7", .tier = "free", .expires_at = INT64_MAX};
    return GW_VERDICT_GOOD;
}

static struct gw_auth *make_auth(size_t *asked)
{
    static const struct gw_auth_metrics nobody_counts;
    static const struct gw_tiers tiers = {.tiers = {{.name = "free"}}, .tier_count = 1};
    static const struct gw_auth_conf conf = {
        .tiers = &tiers,
        .serves_anonymous = true,
        .cookies_per_address = 10,
        .cookies = {SL_US_PER_S * 86400, SL_US_PER_S * 86400},
        .state_dir = "",
        .tokens_max = TOKENS,
        .apps_max = 1,
        .cache_max = 4096,
        .cache_us = INT64_MAX,
    };
    struct gw_auth *a;
    struct sl_error err;
    require(gw_auth_create(&sl_alloc_malloc, &conf, &nobody_counts, &a, &err) == SL_OK, err.text);
    require(gw_auth_add_verifier(a, &(struct gw_verifier){asked, verify}) == SL_OK, "verifier");
    return a;
}

/* The last one's text goes to out. */
static void make_tokens(struct gw_auth *a, char out[64])
{
    struct gw_digest *d;
    require(gw_digest_create(&d) == SL_OK, "no memory");
    memcpy(out, "Bearer ", 7);
    for (size_t i = 0; i < TOKENS; i++) {
        struct gw_token_row row = {.user = "ana", .tier = "free"};
        sl_status s;
        do { /* two may have one prefix */
            require(gw_token_make(d, out + 7, &row) == SL_OK, "no token");
            s = gw_token_table_add(gw_auth_tokens(a), &row);
        } while (s == SL_EEXIST);
        require(s == SL_OK, sl_status_text(s));
    }
    gw_digest_destroy(d);
}

static double best_ns(struct gw_auth *a, const struct gw_credentials *c, size_t calls)
{
    struct gw_principal who;
    struct sl_error err;
    int64_t best = INT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t began = cpu_ns();
        for (size_t i = 0; i < calls; i++)
            require(gw_auth_identify(a, c, NOW, &who, &err) == GW_IDENTITY_KNOWN, err.text);
        int64_t took = cpu_ns() - began;
        best = took < best ? took : best;
    }
    return (double)best / (double)calls;
}

static struct gw_credentials from(const char *address)
{
    struct gw_credentials c = {.origin = {.is_tls = true}};
    require(gw_address_parse(sl_span_str(address), &c.origin.address), "no address");
    return c;
}

int main(int argc, char **argv)
{
    static char signed_token[SIGNED_BYTES + 1], bearer[64];
    struct gw_visit_answer given;
    int64_t calls = 2000000;
    size_t asked = 0;
    struct sl_error err;
    require(argc < 2 || (sl_text_int(sl_span_str(argv[1]), &calls) == SL_OK && calls > 0),
            "CALLS is a number");
    struct gw_auth *a = make_auth(&asked);
    make_tokens(a, bearer);
    memset(signed_token, 'a', SIGNED_BYTES);
    memcpy(signed_token, "Bearer ", 7);
    gw_auth_tick(a, NOW);
    require(gw_visits_answer(gw_auth_visits(a), &(struct gw_visit){0}, NOW, &given, &err) == SL_OK,
            err.text);

    struct gw_credentials api = from("203.0.113.7"), jwt = api, crumb = api;
    struct gw_credentials ipv4 = api, ipv6 = from("2001:db8:1:2:3:4:5:6");
    api.authorization = sl_span_str(bearer);
    jwt.authorization = sl_span_str(signed_token);
    crumb.cookie = sl_span_str(given.cookie);
    const struct {
        const char *name;
        const struct gw_credentials *c;
    } kinds[] = {{"API token, one of 100,000", &api},
                 {"signed token of 1 KiB, remembered", &jwt},
                 {"IPv4 address", &ipv4},
                 {"IPv6 address, three purses", &ipv6},
                 {"cookie", &crumb}};
    for (size_t i = 0; i < SL_ARRAY_LEN(kinds); i++)
        printf("%-36s %7.0f ns\n", kinds[i].name, best_ns(a, kinds[i].c, (size_t)calls));
    require(asked == 1, "a remembered token was verified again");
    gw_auth_destroy(a);
    return 0;
}
