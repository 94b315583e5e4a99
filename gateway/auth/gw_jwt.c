#include "gw_jwt.h"

#include <string.h>
#include <strings.h>

#include "gw_json.h"
#include "sl_base64url.h"

const char *const gw_alg_names[] = {"HS256", "RS256", "PS256", "ES256", "EdDSA", NULL};

/* ---- parts ---- */

/* "HEADER.CLAIMS.SIGNATURE" */
static bool split(struct sl_span text, struct sl_span parts[3])
{
    size_t begin = 0, count = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.data[i] != '.')
            continue;
        if (count == 3)
            return false;
        parts[count++] = sl_span_of(text.data + begin, i - begin);
        begin = i + 1;
    }
    return count == 3;
}

static json_t *read_object(struct sl_span part, const char *what, struct gw_finding *f)
{
    char bytes[SL_BASE64URL_BYTES(GW_JWT_BYTES_MAX) + 1];
    enum gw_json_fault fault;
    size_t len;
    if (sl_base64url_decode(part, bytes, sizeof bytes, &len) != SL_OK) {
        gw_finding_refuse(f, "the token's %s is no base64url", what);
        return NULL;
    }
    json_t *o = gw_json_read(sl_span_of(bytes, len), &fault);
    if (json_is_object(o))
        return o;
    if (fault == GW_JSON_NO_MEMORY)
        gw_finding_unavailable(f, "no memory to read the token's %s", what);
    else if (fault == GW_JSON_KEY_TWICE)
        gw_finding_refuse(f, "the token's %s has a key twice", what);
    else
        gw_finding_refuse(f, "the token's %s is no JSON object", what);
    json_decref(o);
    return NULL;
}

/* ---- header ---- */

static bool check_alg(struct gw_jwt *t, struct gw_finding *f)
{
    const char *alg = json_string_value(json_object_get(t->header, "alg"));
    if (alg == NULL)
        return gw_finding_refuse(f, "the token's header has no alg");
    for (size_t i = 0; i < GW_ALG_COUNT; i++) {
        if (strcmp(alg, gw_alg_names[i]) == 0) {
            t->alg = (enum gw_alg)i;
            return true;
        }
    }
    return gw_finding_refuse(f, strcasecmp(alg, "none") == 0
                                    ? "the token's alg is none: it is not signed"
                                    : "the token's alg is not one that is understood");
}

static bool check_kid(struct gw_jwt *t, struct gw_finding *f)
{
    json_t *kid = json_object_get(t->header, "kid");
    if (kid == NULL)
        return true;
    if (!json_is_string(kid))
        return gw_finding_refuse(f, "the token's kid is no text");
    size_t len = json_string_length(kid);
    t->kid = json_string_value(kid);
    if (len == 0 || len > GW_JWT_KID_MAX)
        return gw_finding_refuse(f, "the token's kid has %zu bytes; 1 to %d are possible", len,
                                 GW_JWT_KID_MAX);
    for (size_t i = 0; i < len; i++)
        if (t->kid[i] < ' ' || t->kid[i] > '~')
            return gw_finding_refuse(f, "the token's kid is not printable ASCII");
    return true;
}

static bool is_wanted_type(const char *typ, const char *wanted)
{
    static const char prefix[] = "application/";
    if (strncasecmp(typ, prefix, sizeof prefix - 1) == 0)
        typ += sizeof prefix - 1;
    if (wanted != NULL)
        return strcasecmp(typ, wanted) == 0;
    return strcasecmp(typ, "JWT") == 0 || strcasecmp(typ, "at+jwt") == 0;
}

bool gw_jwt_check_type(const struct gw_jwt *t, const char *wanted, struct gw_finding *f)
{
    json_t *typ = json_object_get(t->header, "typ");
    if (typ == NULL && wanted == NULL)
        return true;
    if (!json_is_string(typ) || !is_wanted_type(json_string_value(typ), wanted))
        return gw_finding_refuse(f, "the token's typ is not %s", wanted ? wanted : "JWT or at+jwt");
    return true;
}

static bool check_header(struct gw_jwt *t, struct gw_finding *f)
{
    if (json_object_get(t->header, "crit") != NULL)
        return gw_finding_refuse(f, "the token's header has crit; no extension is understood");
    /* b64 without crit is to be ignored (RFC 7797, 3); a signer that writes it means something else. */
    if (json_object_get(t->header, "b64") != NULL)
        return gw_finding_refuse(f, "the token's header has b64; no extension is understood");
    return check_alg(t, f) && check_kid(t, f);
}

/* ---- all ---- */

static bool parse_parts(struct gw_jwt *t, const struct sl_span parts[3], struct gw_finding *f)
{
    if (sl_base64url_decode(parts[2], t->signature, sizeof t->signature, &t->signature_len) !=
        SL_OK)
        return gw_finding_refuse(f, "the token's signature is no base64url of at most %d bytes",
                                 GW_JWT_SIGNATURE_MAX);
    t->header = read_object(parts[0], "header", f);
    if (t->header == NULL || !check_header(t, f))
        return false;
    t->claims = read_object(parts[1], "claims", f);
    return t->claims != NULL;
}

bool gw_jwt_is_shaped(struct sl_span text)
{
    struct sl_span parts[3];
    return text.len <= GW_JWT_BYTES_MAX && split(text, parts);
}

bool gw_jwt_parse(struct sl_span text, struct gw_jwt *out, struct gw_finding *f)
{
    struct sl_span parts[3];
    if (text.len > GW_JWT_BYTES_MAX)
        return gw_finding_refuse(f, "the token has %zu bytes; at most %d are read", text.len,
                                 GW_JWT_BYTES_MAX);
    if (!split(text, parts))
        return gw_finding_refuse(f, "the token does not have three parts");
    out->text = text;
    out->signed_part = sl_span_of(text.data, parts[0].len + 1 + parts[1].len);
    out->kid = NULL;
    out->header = out->claims = NULL;
    if (parse_parts(out, parts, f))
        return true;
    gw_jwt_finish(out);
    return false;
}

void gw_jwt_finish(struct gw_jwt *t)
{
    json_decref(t->header);
    json_decref(t->claims);
    t->header = t->claims = NULL;
}

enum gw_verdict gw_jwt_verify(struct sl_span token, gw_jwt_check *check, void *ctx, sl_wall_us now,
                              struct gw_claims *out, struct gw_denial *denial)
{
    struct gw_finding f = {.verdict = GW_VERDICT_GOOD};
    struct gw_jwt t;
    if (!gw_jwt_is_shaped(token))
        return GW_VERDICT_UNKNOWN;
    if (gw_jwt_parse(token, &t, &f)) {
        check(ctx, &t, now, out, &f);
        gw_jwt_finish(&t);
    }
    if (f.verdict != GW_VERDICT_GOOD)
        *denial = f.denial;
    return f.verdict;
}
