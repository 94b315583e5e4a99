#include "gw_jwt_claims.h"

#include <stdio.h>
#include <string.h>

#include "sl_text.h"

#define WALL_MAX_S 253402300799.0 /* the end of the year 9999 */

enum { GROUPS_MAX = 256 }; /* in the organisation's claim, if it is a list */

/* ---- times ---- */

enum when { WHEN_ABSENT, WHEN_THERE, WHEN_BAD };

/* NumericDate: seconds, maybe with a fraction. */
static enum when read_time(const json_t *claims, const char *name, sl_wall_us *out)
{
    const json_t *value = json_object_get(claims, name);
    if (value == NULL)
        return WHEN_ABSENT;
    double seconds = json_number_value(value);
    if (!json_is_number(value) || !(seconds >= 0 && seconds <= WALL_MAX_S))
        return WHEN_BAD;
    *out = json_is_integer(value) ? (sl_wall_us)json_integer_value(value) * SL_US_PER_S
                                  : (sl_wall_us)(seconds * (double)SL_US_PER_S);
    return WHEN_THERE;
}

static bool check_not_before(const json_t *claims, const char *name, int64_t leeway_us,
                             sl_wall_us now, struct gw_finding *f)
{
    sl_wall_us at = 0;
    switch (read_time(claims, name, &at)) {
    case WHEN_BAD:
        return gw_finding_refuse(f, "the token's %s is no time", name);
    case WHEN_THERE:
        return at <= now + leeway_us ||
               gw_finding_refuse(f, "the token's %s is %lld s in the future", name,
                                 (long long)((at - now + SL_US_PER_S - 1) / SL_US_PER_S));
    default:
        return true;
    }
}

bool gw_jwt_claims_check_times(const json_t *claims, int64_t leeway_us, sl_wall_us now,
                               struct gw_claims *out, struct gw_finding *f)
{
    sl_wall_us expires_at = 0;
    switch (read_time(claims, "exp", &expires_at)) {
    case WHEN_ABSENT:
        return gw_finding_refuse(f, "the token has no exp");
    case WHEN_BAD:
        return gw_finding_refuse(f, "the token's exp is no time");
    default:
        break;
    }
    out->expires_at = expires_at + leeway_us;
    if (!check_not_before(claims, "nbf", leeway_us, now, f) ||
        !check_not_before(claims, "iat", leeway_us, now, f))
        return false;
    if (now < out->expires_at)
        return true;
    return gw_finding_expired(f, now - expires_at);
}

/* ---- texts ---- */

static bool is_plain(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return false;
    return true;
}

bool gw_jwt_claims_text(const json_t *claim, const char *what, char *out, size_t max,
                        struct gw_finding *f)
{
    size_t len = json_string_length(claim);
    if (!json_is_string(claim))
        return gw_finding_refuse(f, "the token's %s is %s", what,
                                 claim == NULL ? "not there" : "no text");
    if (len == 0 || len > max)
        return gw_finding_refuse(f, "the token's %s has %zu bytes; 1 to %zu are possible", what,
                                 len, max);
    if (!is_plain(json_string_value(claim), len))
        return gw_finding_refuse(f, "the token's %s has control characters", what);
    memcpy(out, json_string_value(claim), len + 1);
    return true;
}

static bool is_in_seq(const struct sl_conf_seq *texts, const json_t *value)
{
    const char *const *items = texts->items;
    for (size_t i = 0; json_is_string(value) && i < texts->count; i++)
        if (strcmp(items[i], json_string_value(value)) == 0)
            return true;
    return false;
}

/* ---- iss, aud ---- */

static bool check_issuer(const json_t *claims, const struct gw_issuer_conf *issuer,
                         struct gw_finding *f)
{
    const char *iss = json_string_value(json_object_get(claims, "iss"));
    return (iss != NULL && strcmp(iss, issuer->issuer) == 0) ||
           gw_finding_refuse(f, "the token's iss is not the issuer's");
}

static bool check_audience(const json_t *claims, const struct gw_issuer_conf *issuer,
                           struct gw_finding *f)
{
    const json_t *aud = json_object_get(claims, "aud");
    json_t *one;
    size_t i;
    if (aud == NULL)
        return gw_finding_refuse(f, "the token has no aud");
    if (is_in_seq(&issuer->audience, aud))
        return true;
    if (json_is_array(aud))
        json_array_foreach(aud, i, one) if (is_in_seq(&issuer->audience, one)) return true;
    return gw_finding_refuse(f, "the token's aud names none of the issuer's audiences");
}

/* ---- mapping ---- */

/* One step of a JSON pointer (RFC 6901): the name up to the next '/', with ~1 and ~0 undone. Returns what
 * follows; NULL: longer than room. */
static const char *next_name(const char *pointer, char *name, size_t room)
{
    size_t len = 0;
    while (*pointer != '\0' && *pointer != '/') {
        char c = *pointer++;
        if (c == '~' && (*pointer == '0' || *pointer == '1'))
            c = *pointer++ == '1' ? '/' : '~';
        if (len + 1 >= room)
            return NULL;
        name[len++] = c;
    }
    name[len] = '\0';
    return pointer;
}

static const json_t *find_claim(const json_t *claims, const char *path)
{
    char name[256];
    if (path[0] != '/')
        return json_object_get(claims, path);
    while (claims != NULL && path[0] == '/') {
        path = next_name(path + 1, name, sizeof name);
        if (path == NULL)
            return NULL;
        claims = json_object_get(claims, name);
    }
    return claims;
}

static bool map_user(const json_t *claims, const struct gw_issuer_conf *issuer,
                     struct gw_claims *out, struct gw_finding *f)
{
    const json_t *user = find_claim(claims, issuer->user_claim);
    int n = snprintf(out->account, sizeof out->account, "user:%s#", issuer->name);
    char *to = out->account + n;
    size_t max = GW_ACCOUNT_NAME_MAX - (size_t)n;
    if (!json_is_integer(user))
        return gw_jwt_claims_text(user, "user claim", to, max, f);
    snprintf(to, max + 1, "%lld", (long long)json_integer_value(user));
    return true;
}

static bool is_text(const json_t *claim, const char *value)
{
    return json_is_string(claim) && strcmp(json_string_value(claim), value) == 0;
}

/* The claim that is this text, or the one of a list that is. */
static const json_t *find_text(const json_t *claim, const char *value)
{
    json_t *one;
    size_t i;
    if (json_is_array(claim))
        json_array_foreach(claim, i, one) if (is_text(one, value)) return one;
    return is_text(claim, value) ? claim : NULL;
}

/* A list is of groups, and most of them are no organisation of the configuration. */
static const json_t *choose_organisation(const json_t *list, const struct gw_issuer_conf *issuer)
{
    const struct gw_issuer_tier *rows = issuer->organisations.items;
    const json_t *found = NULL;
    for (size_t i = 0; found == NULL && i < issuer->organisations.count; i++)
        found = find_text(list, rows[i].value);
    return found;
}

static bool map_organisation(const json_t *claims, const struct gw_issuer_conf *issuer,
                             struct gw_claims *out, struct gw_finding *f)
{
    const json_t *claim = issuer->organisation_claim[0] == '\0'
                              ? NULL
                              : find_claim(claims, issuer->organisation_claim);
    out->organisation[0] = '\0';
    if (json_array_size(claim) > GROUPS_MAX)
        return gw_finding_refuse(f,
                                 "the token's organisation claim has %zu values; %d are possible",
                                 json_array_size(claim), GROUPS_MAX);
    if (json_is_array(claim))
        claim = choose_organisation(claim, issuer);
    return claim == NULL || json_is_null(claim) ||
           gw_jwt_claims_text(claim, "organisation claim", out->organisation, GW_ORGANISATION_MAX,
                              f);
}

static void map_tier(const json_t *claims, const struct gw_issuer_conf *issuer,
                     struct gw_claims *out)
{
    const struct gw_issuer_tier *rows = issuer->tiers.items;
    const json_t *claim =
        issuer->tier_claim[0] == '\0' ? NULL : find_claim(claims, issuer->tier_claim);
    const char *tier = issuer->tier;
    for (size_t i = 0; i < issuer->tiers.count; i++) {
        if (find_text(claim, rows[i].value) != NULL) {
            tier = rows[i].tier;
            break;
        }
    }
    snprintf(out->tier, sizeof out->tier, "%s", tier);
}

/* Which of the two tiers is the higher is not known here: gw_auth has the tiers. */
static void map_organisation_tier(const struct gw_issuer_conf *issuer, struct gw_claims *out)
{
    const struct gw_issuer_tier *rows = issuer->organisations.items;
    out->organisation_tier[0] = '\0';
    for (size_t i = 0; i < issuer->organisations.count; i++)
        if (strcmp(rows[i].value, out->organisation) == 0)
            snprintf(out->organisation_tier, sizeof out->organisation_tier, "%s", rows[i].tier);
}

bool gw_jwt_claims_check(const json_t *claims, const struct gw_issuer_conf *issuer, sl_wall_us now,
                         struct gw_claims *out, struct gw_finding *f)
{
    if (!check_issuer(claims, issuer, f) || !check_audience(claims, issuer, f) ||
        !gw_jwt_claims_check_times(claims, issuer->leeway_ns / SL_NS_PER_US, now, out, f) ||
        !map_user(claims, issuer, out, f) || !map_organisation(claims, issuer, out, f))
        return false;
    map_tier(claims, issuer, out);
    map_organisation_tier(issuer, out);
    out->app[0] = '\0';
    f->verdict = GW_VERDICT_GOOD;
    return true;
}
