#include "gw_conf_issuers.h"

#include <stdio.h>
#include <string.h>

#include "gw_claims.h"
#include "gw_identity.h"
#include "gw_jwks_fetch.h"
#include "gw_jwt.h"
#include "gw_tier.h"

enum { AUDIENCES_MAX = 32, TIERS_MAX = 64, ORGANISATIONS_MAX = 256 };
enum { CLAIM_NAME_MAX = 255, VALUE_MAX = 255, URL_MAX = 2000 };

static const struct sl_conf_key audience_table[] = {
    {"", SL_CONF_STRING, 0, .max = VALUE_MAX, .help = "Exactly as tokens say it."},
    {0},
};

static const struct sl_conf_key algorithm_table[] = {
    {"", SL_CONF_CHOICE, 0, .choices = gw_alg_names,
     .help = "HS256 needs jwks_file: a shared secret has no place at a URL."},
    {0},
};

static const struct sl_conf_key tier_table[] = {
    {"", SL_CONF_STRING, offsetof(struct gw_issuer_tier, tier), .max = GW_TIER_NAME_MAX,
     .help = "The tier of those whose claims.tier is, or holds, NAME."},
    {0},
};

static const struct sl_conf_key organisation_table[] = {
    {"", SL_CONF_STRING, offsetof(struct gw_issuer_tier, tier), .max = GW_TIER_NAME_MAX,
     .help = "The tier that those whose claims.organisation is NAME have at least."},
    {0},
};

#define KEY(name_, type_, field, default_, ...)                                                    \
    {                                                                                              \
        .name = (name_), .type = (type_), .offset = offsetof(struct gw_issuer_conf, field),        \
        .default_text = (default_), __VA_ARGS__                                                    \
    }

/* clang-format off: one key a paragraph */
const struct sl_conf_key gw_conf_issuer_table[] = {
    KEY("issuer", SL_CONF_STRING, issuer, NULL, .max = VALUE_MAX,
        .help = "Who signs: the iss of its tokens, exactly."),
    KEY("audience", SL_CONF_LIST, audience, NULL, .max = AUDIENCES_MAX, .items = audience_table,
        .item_bytes = sizeof(const char *),
        .help = "For whom: a token's aud must name one of these. At least one is needed, or tokens "
                "for other services would be taken."),
    KEY("jwks_url", SL_CONF_STRING, jwks_url, "", .max = URL_MAX,
        .help = "Where its keys are: https, or http on this machine. This or jwks_file."),
    KEY("jwks_file", SL_CONF_STRING, jwks_file, "", .max = 4096,
        .help = "File of its keys (a JWK set), read at start and on SIGHUP; one with a shared "
                "secret needs mode 0600."),
    KEY("ca", SL_CONF_STRING, ca, "", .max = 4096,
        .help = "PEM file of the authorities for jwks_url; without it, the system's."),
    KEY("algorithms", SL_CONF_LIST, algorithms, "[RS256, ES256]", .max = 16,
        .items = algorithm_table, .item_bytes = sizeof(int),
        .help = "By which its tokens may be signed; any other is refused."),
    KEY("claims.user", SL_CONF_STRING, user_claim, "sub", .max = CLAIM_NAME_MAX,
        .help = "The claim that says who it is: by its name, or by a JSON pointer "
                "(/realm/user) into nested ones. The account is user:NAME#VALUE."),
    KEY("claims.organisation", SL_CONF_STRING, organisation_claim, "", .max = CLAIM_NAME_MAX,
        .help = "The claim that names the organisation, which may decide the tier by way of "
                "organisations: a text, or a list of at most 256 texts, of which the one of "
                "organisations with the highest tier counts. Empty: none."),
    KEY("claims.tier", SL_CONF_STRING, tier_claim, "", .max = CLAIM_NAME_MAX,
        .help = "The claim, a text or a list of texts, that decides the tier by way of tiers."),
    KEY("tiers", SL_CONF_MAP, tiers, NULL, .max = TIERS_MAX, .items = tier_table,
        .item_bytes = sizeof(struct gw_issuer_tier),
        .help = "From values of claims.tier to tiers; the first row that fits counts."),
    KEY("tier", SL_CONF_STRING, tier, "free", .max = GW_TIER_NAME_MAX,
        .help = "The tier of those whom no row fits."),
    KEY("organisations", SL_CONF_MAP, organisations, NULL, .max = ORGANISATIONS_MAX,
        .items = organisation_table, .item_bytes = sizeof(struct gw_issuer_tier),
        .help = "From values of claims.organisation, exactly, to tiers: a member has that tier, or "
                "the one by tiers and tier where that is higher (by weight, then by "
                "daily time, calls in flight, apps)."),
    KEY("leeway", SL_CONF_DURATION, leeway_ns, "30s", .min = 0, .max = 300 * SL_NS_PER_S,
        .help = "By how much the issuer's clock may differ from ours."),
    {0},
};
/* clang-format on */

/* ---- checks; each adds its sentence */

static const char no_tier[] = "is no tier of this gateway";

static void complain(struct sl_conf_check *c, const struct gw_issuer_conf *i, const char *key,
                     const char *value, const char *why)
{
    char path[GW_ISSUER_NAME_MAX + 64];
    snprintf(path, sizeof path, "issuers.%.*s%s%s", GW_ISSUER_NAME_MAX, i->name,
             key[0] != '\0' ? "." : "", key);
    sl_conf_complain(c, path, value, why);
}

/* A name is part of accounts and of the log. */
static void check_name(struct sl_conf_check *c, const struct gw_issuer_conf *i)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t len = strlen(i->name);
    if (len == 0 || len > GW_ISSUER_NAME_MAX || strspn(i->name, allowed) < len)
        complain(c, i, "", i->name, "is no name of 1 to 63 letters, digits and - _ .");
}

static void check_place(struct sl_conf_check *c, const struct gw_issuer_conf *i)
{
    bool has_url = i->jwks_url[0] != '\0', has_file = i->jwks_file[0] != '\0';
    const char *why = has_url ? gw_jwks_fetch_check_url(i->jwks_url) : NULL;
    if (!has_url && !has_file)
        complain(c, i, "", i->name, "has neither jwks_url nor jwks_file: where are its keys?");
    else if (has_url && has_file)
        complain(c, i, "jwks_url", i->jwks_url, "stands beside jwks_file; give one of them");
    else if (why != NULL)
        complain(c, i, "jwks_url", i->jwks_url, why);
    if (i->ca[0] != '\0' && !has_url)
        complain(c, i, "ca", i->ca, "stands without jwks_url");
}

static void check_algorithms(struct sl_conf_check *c, const struct gw_issuer_conf *i)
{
    const int *algorithms = i->algorithms.items;
    if (i->algorithms.count == 0)
        complain(c, i, "algorithms", "", "is empty: no token could be taken");
    for (size_t k = 0; k < i->algorithms.count; k++)
        if (algorithms[k] == GW_ALG_HS256 && i->jwks_file[0] == '\0')
            complain(c, i, "algorithms", "HS256", "needs jwks_file: its key is a shared secret");
}

static void check_texts(struct sl_conf_check *c, const struct gw_issuer_conf *i)
{
    if (i->issuer[0] == '\0')
        complain(c, i, "issuer", "", "is empty");
    if (i->audience.count == 0)
        complain(c, i, "", i->name, "has no audience: tokens for other services would be taken");
    if (i->user_claim[0] == '\0')
        complain(c, i, "claims.user", "", "is empty: nobody would be known");
    if (i->tier_claim[0] == '\0' && i->tiers.count > 0)
        complain(c, i, "tiers", "", "is of no use without claims.tier");
    if (i->organisation_claim[0] == '\0' && i->organisations.count > 0)
        complain(c, i, "organisations", "", "is of no use without claims.organisation");
}

/* A claim that is longer is refused, so a longer name in the table would wait for ever. */
static void check_organisations(struct sl_conf_check *c, const struct gw_issuer_conf *i)
{
    const struct gw_issuer_tier *rows = i->organisations.items;
    for (size_t k = 0; k < i->organisations.count; k++)
        if (strlen(rows[k].value) > GW_ORGANISATION_MAX)
            complain(c, i, "organisations", rows[k].value,
                     "is too long for an organisation: 63 bytes are possible");
}

static void check_rows(struct sl_conf_check *c, const struct gw_issuer_conf *i, const char *key,
                       const struct sl_conf_seq *seq, const struct gw_tiers *tiers)
{
    const struct gw_issuer_tier *rows = seq->items;
    for (size_t k = 0; k < seq->count; k++)
        if (gw_tiers_index(tiers, rows[k].tier) < 0)
            complain(c, i, key, rows[k].tier, no_tier);
}

static void check_tiers(struct sl_conf_check *c, const struct gw_issuer_conf *i,
                        const struct gw_tiers *tiers)
{
    if (gw_tiers_index(tiers, i->tier) < 0)
        complain(c, i, "tier", i->tier, no_tier);
    check_rows(c, i, "tiers", &i->tiers, tiers);
    check_rows(c, i, "organisations", &i->organisations, tiers);
}

/* ---- order */

static bool is_higher(const struct gw_tiers *tiers, const char *a, const char *b)
{
    int x = gw_tiers_index(tiers, a), y = gw_tiers_index(tiers, b);
    return x >= 0 && y >= 0 && gw_tiers_higher(tiers, (uint16_t)y, (uint16_t)x) != y;
}

/* Whoever is in several has the best of them; even ones stay as they were written. */
static void put_in_order(const struct sl_conf_seq *organisations, const struct gw_tiers *tiers)
{
    struct gw_issuer_tier *rows = organisations->items;
    for (size_t i = 1; i < organisations->count; i++) {
        struct gw_issuer_tier row = rows[i];
        size_t at = i;
        for (; at > 0 && is_higher(tiers, row.tier, rows[at - 1].tier); at--)
            rows[at] = rows[at - 1];
        rows[at] = row;
    }
}

void gw_conf_check_issuers(struct sl_conf_check *c, const struct sl_conf_seq *issuers,
                           const char *own, const struct gw_tiers *tiers)
{
    const struct gw_issuer_conf *all = issuers->items;
    for (size_t i = 0; i < issuers->count; i++) {
        check_name(c, &all[i]);
        check_texts(c, &all[i]);
        check_place(c, &all[i]);
        check_algorithms(c, &all[i]);
        check_organisations(c, &all[i]);
        check_tiers(c, &all[i], tiers);
        put_in_order(&all[i].organisations, tiers);
        if (strcmp(all[i].issuer, own) == 0)
            complain(c, &all[i], "issuer", own, "is what this gateway's own tokens say");
        for (size_t k = 0; k < i; k++)
            if (strcmp(all[i].issuer, all[k].issuer) == 0)
                complain(c, &all[i], "issuer", all[i].issuer, "is another issuer's too");
    }
}
