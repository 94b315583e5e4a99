/* test_gw_jwks.c - keys and signatures: the examples of RFC 7515 and RFC 8037, keys that are not taken,
 * which key a token gets, files. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gw_jwk_evp.h"
#include "gw_jwks.h"
#include "jwt_maker.h"
#include "sl_base64url.h"
#include "sl_test.h"

/* ---- the RFCs' examples ---- */

#define RFC7515_CLAIMS                                                                             \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl" \
    "fQ"

static const char *const rfc7515[][2] = {
    /* A.1: HS256 */
    {"{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-"
     "1qS0gZH75aKtMN3Yj0iPS4hc"
     "gUuTwjAzZr1Z9CAow\"}",
     "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." RFC7515_CLAIMS
     ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
    /* A.2: RS256 */
    {"{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-"
     "Vaw-"
     "4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LO"
     "L-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9"
     "kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\""
     "e\":\"AQAB\"}",
     "eyJhbGciOiJSUzI1NiJ9." RFC7515_CLAIMS
     ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5"
     "jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
     "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L"
     "07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEU"
     "ipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
    /* A.3: ES256 */
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
     "\"y\":\"x_"
     "FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
     "eyJhbGciOiJFUzI1NiJ9." RFC7515_CLAIMS
     ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
};

static struct gw_jwk *key_of(const char *json)
{
    const char *why;
    json_t *parsed = json_loads(json, 0, NULL);
    assert_non_null(parsed);
    struct gw_jwk *k = gw_jwk_create(parsed, &why);
    json_decref(parsed);
    if (k == NULL)
        fail_msg("not taken: %s: %s", json, why);
    return k;
}

static bool verifies(const struct gw_jwk *k, const char *token)
{
    struct gw_finding f = {.verdict = GW_VERDICT_GOOD};
    struct gw_jwt t;
    if (!gw_jwt_parse(sl_span_str(token), &t, &f))
        return false;
    bool good = gw_jwk_verify(k, &t) == GW_SIGNATURE_GOOD;
    gw_jwt_finish(&t);
    return good;
}

static void examples_of_rfc_7515(void **state SL_UNUSED)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(rfc7515); i++) {
        struct gw_jwk *k = key_of(rfc7515[i][0]);
        for (size_t j = 0; j < SL_ARRAY_LEN(rfc7515); j++)
            assert_int_equal(verifies(k, rfc7515[j][1]), i == j);
        gw_jwk_destroy(k);
    }
}

static bool is_eddsa(EVP_PKEY *key, struct sl_span message, struct sl_span signature)
{
    return gw_signature_verify(GW_ALG_EDDSA, key, message, signature) == GW_SIGNATURE_GOOD;
}

/* RFC 8037, A.4: its payload is no JSON. */
static void example_of_rfc_8037(void **state SL_UNUSED)
{
    static const char signed_part[] = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    uint8_t x[32], signature[64];
    size_t len;
    assert_ok(sl_base64url_decode(sl_span_str("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"), x,
                                  sizeof x, &len));
    EVP_PKEY *key = gw_jwk_evp_ed25519(x);
    assert_non_null(key);
    assert_ok(sl_base64url_decode(
        sl_span_str(
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_"
            "MuM0KAg"),
        signature, sizeof signature, &len));
    assert_true(is_eddsa(key, sl_span_str(signed_part), sl_span_of(signature, len)));
    assert_false(is_eddsa(key, sl_span_str("another"), sl_span_of(signature, len)));
    assert_false(is_eddsa(key, sl_span_str(signed_part), sl_span_of(signature, len - 1)));
    for (size_t bit = 0; bit < 8 * sizeof signature; bit++) {
        signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(is_eddsa(key, sl_span_str(signed_part), sl_span_of(signature, len)));
        signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    EVP_PKEY_free(key);
}

/* ---- signatures of ours ---- */

/* A shorter MAC must not be compared beyond its end, and r and s with a zero in front are another text. */
static void signatures_of_another_length_are_refused(void **state SL_UNUSED)
{
    for (enum gw_alg alg = 0; alg < GW_ALG_COUNT; alg++) {
        char token[JWT_TEXT_MAX], other[JWT_TEXT_MAX + 8];
        struct jwt_key *key = jwt_key_create(alg, NULL);
        struct gw_jwk *jwk = key_of(jwt_key_jwk(key));
        jwt_make(key, "{}", token);
        assert_true(verifies(jwk, token));
        char *signature = strrchr(token, '.') + 1;
        for (int keep = 0; keep < (int)strlen(signature); keep++) {
            snprintf(other, sizeof other, "%.*s", (int)(signature - token) + keep, token);
            assert_false(verifies(jwk, other));
        }
        snprintf(other, sizeof other, "%sAAAA", token);
        assert_false(verifies(jwk, other));
        gw_jwk_destroy(jwk);
        jwt_key_destroy(key);
    }
}

static void a_leading_zero_is_another_signature(void **state SL_UNUSED)
{
    char token[JWT_TEXT_MAX];
    uint8_t raw[64], longer[66] = {0};
    size_t len;
    struct jwt_key *key = jwt_key_create(GW_ALG_ES256, NULL);
    struct gw_jwk *jwk = key_of(jwt_key_jwk(key));
    jwt_make(key, "{}", token);
    char *signature = strrchr(token, '.') + 1;
    assert_ok(sl_base64url_decode(sl_span_str(signature), raw, sizeof raw, &len));
    memcpy(longer + 1, raw, 32);
    memcpy(longer + 34, raw + 32, 32);
    sl_base64url_encode(sl_span_of(longer, sizeof longer), signature);
    assert_false(verifies(jwk, token));
    memset(raw, 0, sizeof raw); /* r = s = 0 */
    sl_base64url_encode(sl_span_of(raw, sizeof raw), signature);
    assert_false(verifies(jwk, token));
    gw_jwk_destroy(jwk);
    jwt_key_destroy(key);
}

/* The public key, which everyone has, as the secret of HS256. */
static void a_public_key_is_no_secret(void **state SL_UNUSED)
{
    for (enum gw_alg alg = GW_ALG_RS256; alg < GW_ALG_COUNT; alg++) {
        char token[JWT_TEXT_MAX];
        struct jwt_key *key = jwt_key_create(alg, NULL);
        struct gw_jwk *jwk = key_of(jwt_key_jwk(key));
        jwt_sign(key, GW_ALG_HS256, "{\"alg\":\"HS256\"}", "{}", token);
        assert_false(verifies(jwk, token));
        gw_jwk_destroy(jwk);
        jwt_key_destroy(key);
    }
}

static void a_key_serves_the_algorithm_that_it_names(void **state SL_UNUSED)
{
    char token[JWT_TEXT_MAX], jwk[JWT_JWK_MAX + 32];
    struct jwt_key *key = jwt_key_create(GW_ALG_RS256, NULL);
    jwt_sign(key, GW_ALG_PS256, "{\"alg\":\"PS256\"}", "{}", token);
    struct gw_jwk *any = key_of(jwt_key_jwk(key));
    assert_true(verifies(any, token));
    snprintf(jwk, sizeof jwk, "{\"alg\":\"RS256\",%s", jwt_key_jwk(key) + 1);
    struct gw_jwk *one = key_of(jwk);
    assert_false(verifies(one, token));
    gw_jwk_destroy(any);
    gw_jwk_destroy(one);
    jwt_key_destroy(key);
}

/* ---- keys that are not taken ---- */

#define OKP                                                                                        \
    "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define Z43 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void keys_that_are_not_taken(void **state SL_UNUSED)
{
    static const char *const bad[] = {
        "7",
        "{}",
        "{\"kty\":\"DSA\"}",
        "{\"kty\":7}",
        "{\"kty\":\"RSA\"}",
        "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"n\":7,\"e\":\"AQAB\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" Z43 "\",\"y\":\"" Z43 "\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" Z43 "\",\"y\":\"" Z43
        "\"}", /* not on the curve */
        "{\"kty\":\"oct\",\"k\":\"c2hvcnQ\"}",
        "{\"kty\":\"oct\",\"k\":\"\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"" Z43 "\"}",
        "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" Z43 "\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}",
        "{" OKP ",\"use\":\"enc\"}",
        "{" OKP ",\"key_ops\":[\"sign\"]}",
        "{" OKP ",\"alg\":\"RS256\"}",
        "{" OKP ",\"alg\":\"none\"}",
        "{" OKP ",\"kid\":7}",
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(bad); i++) {
        const char *why = NULL;
        json_t *json = json_loads(bad[i], JSON_DECODE_ANY, NULL);
        assert_non_null(json);
        if (gw_jwk_create(json, &why) != NULL)
            fail_msg("taken: %s", bad[i]);
        assert_non_null(why);
        json_decref(json);
    }
    gw_jwk_destroy(key_of("{" OKP ",\"use\":\"sig\",\"key_ops\":[\"verify\"],\"alg\":\"EdDSA\"}"));
}

/* Text of a set of one RSA key whose n or e is replaced. */
static void weak_rsa_is_not_taken(void **state SL_UNUSED)
{
    static const char *const exponents[] = {"AQ", "Ag", "AAAA", "", "AQAC", "AQAAAAAAAAAB"};
    const char *why;
    struct jwt_key *small = jwt_key_create_rsa(1024, NULL);
    struct jwt_key *good = jwt_key_create_rsa(2048, NULL);
    json_t *json = json_loads(jwt_key_jwk(small), 0, NULL);
    assert_null(gw_jwk_create(json, &why));
    assert_string_equal(why, "RSA keys have 2048 to 8192 bits");
    json_decref(json);
    json = json_loads(jwt_key_jwk(good), 0, NULL);
    for (size_t i = 0; i < SL_ARRAY_LEN(exponents); i++) {
        json_object_set_new(json, "e", json_string(exponents[i]));
        assert_null(gw_jwk_create(json, &why));
    }
    json_decref(json);
    jwt_key_destroy(small);
    jwt_key_destroy(good);
}

/* ---- sets ---- */

static sl_status parse_set(const char *text, struct gw_jwks **out, struct sl_error *error)
{
    return gw_jwks_parse(sl_span_str(text), false, out, error);
}

static void sets_that_are_not_taken(void **state SL_UNUSED)
{
    static const char *const rows[][2] = {
        {"", "no key set"},
        {"[]", "no key set"},
        {"{}", "no key set"},
        {"{\"keys\":{}}", "no key set"},
        {"{\"keys\":[]}", "it is empty"},
        {"{\"keys\":[],\"keys\":[{" OKP "}]}", "no key set"},
        {"{\"keys\":[{\"kty\":\"DSA\"}]}", "kty is not"},
        {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"" Z43 "\"}]}", "from files alone"},
        {"<html>", "no key set"},
    };
    struct gw_jwks *set;
    struct sl_error error;
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
        assert_status(parse_set(rows[i][0], &set, &error), SL_EINVAL);
        if (strstr(error.text, rows[i][1]) == NULL)
            fail_msg("%s: got '%s'", rows[i][0], error.text);
    }
    assert_ok(parse_set("{\"keys\":[{\"kty\":\"new\"},{" OKP "}],\"more\":1}", &set, &error));
    assert_int_equal(gw_jwks_count(set), 1);
    assert_int_equal(gw_jwks_left_out(set), 1);
    gw_jwks_destroy(set);
}

static void sets_have_a_largest_size(void **state SL_UNUSED)
{
    static char text[GW_JWKS_BYTES_MAX + 2];
    struct gw_jwks *set;
    struct sl_error error;
    size_t len = (size_t)sprintf(text, "{\"keys\":[{" OKP "}");
    for (int i = 1; i < GW_JWKS_KEYS_MAX; i++)
        len += (size_t)sprintf(text + len, ",{" OKP "}");
    size_t full = len;
    sprintf(text + len, "]}");
    assert_ok(parse_set(text, &set, &error));
    assert_int_equal(gw_jwks_count(set), GW_JWKS_KEYS_MAX);
    gw_jwks_destroy(set);
    sprintf(text + full, ",{" OKP "}]}");
    assert_status(parse_set(text, &set, &error), SL_EINVAL);
    assert_non_null(strstr(error.text, "129 keys"));
    len = (size_t)sprintf(text, "{\"keys\":[{" OKP "}]}");
    memset(text + len, ' ', sizeof text - len);
    assert_ok(gw_jwks_parse(sl_span_of(text, GW_JWKS_BYTES_MAX), false, &set, &error));
    gw_jwks_destroy(set);
    assert_status(gw_jwks_parse(sl_span_of(text, GW_JWKS_BYTES_MAX + 1), false, &set, &error),
                  SL_ETOOBIG);
}

static const struct gw_jwk *find(const struct gw_jwks *set, enum gw_alg alg, const char *kid)
{
    struct gw_jwt t = {.alg = alg, .kid = kid};
    return gw_jwks_find(set, &t);
}

static void which_key_a_token_gets(void **state SL_UNUSED)
{
    char text[4 * JWT_JWK_MAX];
    struct gw_jwks *set;
    struct sl_error error;
    struct jwt_key *rsa = jwt_key_create(GW_ALG_RS256, "a"),
                   *ec = jwt_key_create(GW_ALG_ES256, "a"),
                   *ec2 = jwt_key_create(GW_ALG_ES256, "b"),
                   *okp = jwt_key_create(GW_ALG_EDDSA, NULL);
    snprintf(text, sizeof text, "{\"keys\":[%s,%s,%s,%s]}", jwt_key_jwk(rsa), jwt_key_jwk(ec),
             jwt_key_jwk(ec2), jwt_key_jwk(okp));
    assert_ok(parse_set(text, &set, &error));
    assert_string_equal(gw_jwk_kid(find(set, GW_ALG_ES256, "b")), "b");
    assert_ptr_not_equal(find(set, GW_ALG_ES256, "a"), find(set, GW_ALG_RS256, "a"));
    assert_ptr_equal(find(set, GW_ALG_RS256, NULL), find(set, GW_ALG_RS256, "a"));
    assert_null(find(set, GW_ALG_ES256, NULL)); /* two of them */
    assert_null(find(set, GW_ALG_RS256, "b"));
    assert_null(find(set, GW_ALG_RS256, "../../a"));
    assert_null(find(set, GW_ALG_EDDSA, "a"));
    assert_non_null(find(set, GW_ALG_EDDSA, NULL));
    gw_jwks_destroy(set);
    jwt_key_destroy(rsa), jwt_key_destroy(ec), jwt_key_destroy(ec2), jwt_key_destroy(okp);
}

/* ---- files ---- */

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void files(void **state SL_UNUSED)
{
    char dir[] = "/tmp/test_gw_jwks.XXXXXX", path[64];
    struct gw_jwks *set;
    struct sl_error error;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/keys.json", dir);
    assert_status(gw_jwks_read_file(path, &set, &error), SL_EIO);
    assert_non_null(strstr(error.text, "No such file"));
    assert_status(gw_jwks_read_file(dir, &set, &error), SL_EINVAL);
    write_file(path, "{\"keys\":[{" OKP "}]}", 0644);
    assert_ok(gw_jwks_read_file(path, &set, &error));
    gw_jwks_destroy(set);
    write_file(path, "{\"keys\":[{\"kty\":\"oct\",\"k\":\"" Z43 "\"}]}", 0640);
    assert_status(gw_jwks_read_file(path, &set, &error), SL_EINVAL);
    assert_non_null(strstr(error.text, "chmod 600"));
    assert_null(strstr(error.text, Z43));
    assert_int_equal(chmod(path, 0600), 0);
    assert_ok(gw_jwks_read_file(path, &set, &error));
    gw_jwks_destroy(set);
    write_file(path, "nonsense", 0600);
    assert_status(gw_jwks_read_file(path, &set, &error), SL_EINVAL);
    assert_int_equal(truncate(path, GW_JWKS_BYTES_MAX + 1), 0);
    assert_int_equal(gw_jwks_read_file(path, &set, &error) == SL_OK, 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* not waited for */
    assert_status(gw_jwks_read_file(path, &set, &error), SL_EINVAL);
    unlink(path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_of_rfc_7515),
        cmocka_unit_test(example_of_rfc_8037),
        cmocka_unit_test(signatures_of_another_length_are_refused),
        cmocka_unit_test(a_leading_zero_is_another_signature),
        cmocka_unit_test(a_public_key_is_no_secret),
        cmocka_unit_test(a_key_serves_the_algorithm_that_it_names),
        cmocka_unit_test(keys_that_are_not_taken),
        cmocka_unit_test(weak_rsa_is_not_taken),
        cmocka_unit_test(sets_that_are_not_taken),
        cmocka_unit_test(sets_have_a_largest_size),
        cmocka_unit_test(which_key_a_token_gets),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
