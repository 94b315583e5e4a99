/* jwt_check.c - the gateway's verifiers as a program, for tests with real issuers over a real network.
 *
 *   jwt_check CONFIG
 *
 * Reads commands, a line each, and answers each with a line:
 *   verify TOKEN              waits while keys are fetched: good ACCOUNT|ORGANISATION|TIER|APP, refused WHY|TOLD,
 *                             unavailable WHY|TOLD, unknown
 *   once TOKEN                the same without waiting: also later
 *   issue ACCOUNT APP TIER    a token of the gateway
 *   jwks                      the gateway's public keys
 *   pass SECONDS              moves both clocks
 *   reload                    reads CONFIG again: ok, or the error
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gw_json.h"
#include "gw_verifiers.h"
#include "sl_clock.h"
#include "sl_log.h"

enum { LINE_MAX_BYTES = 65536, WAIT_MS = 20000 };

static struct {
    const char *path;
    struct gw_verifiers verifiers;
    int wake_fd;
    int64_t passed_s;
} app;

static sl_mono_ns mono(void)
{
    return sl_clock_mono(&sl_clock_real) + app.passed_s * SL_NS_PER_S;
}

static sl_wall_us wall(void)
{
    return sl_clock_wall(&sl_clock_real) + app.passed_s * SL_US_PER_S;
}

static void on_wake(void *ctx)
{
    (void)ctx;
    eventfd_write(app.wake_fd, 1);
}

static void turn(void)
{
    eventfd_t ignored;
    eventfd_read(app.wake_fd, &ignored);
    gw_verifiers_turn(&app.verifiers, mono(), wall());
}

/* ---- commands ---- */

static enum gw_verdict ask(const char *token, struct gw_claims *claims, struct gw_denial *denial)
{
    struct gw_verifier all[] = {gw_sign_verifier(app.verifiers.sign),
                                gw_issuers_verifier(app.verifiers.issuers)};
    enum gw_verdict verdict = GW_VERDICT_UNKNOWN;
    for (size_t i = 0; i < SL_ARRAY_LEN(all) && verdict == GW_VERDICT_UNKNOWN; i++)
        verdict = all[i].verify(all[i].ctx, sl_span_str(token), wall(), claims, denial);
    return verdict;
}

static void verify(const char *token, bool waits)
{
    static const char *const names[] = {"unknown", "good", "refused", "later", "unavailable"};
    struct pollfd p = {app.wake_fd, POLLIN, 0};
    struct gw_claims c;
    struct gw_denial d = {.why = ""};
    enum gw_verdict verdict;
    turn();
    while ((verdict = ask(token, &c, &d)) == GW_VERDICT_LATER && waits && poll(&p, 1, WAIT_MS) == 1)
        turn();
    if (verdict == GW_VERDICT_GOOD)
        printf("good %s|%s|%s|%s\n", c.account, c.organisation, c.tier, c.app);
    else if (verdict == GW_VERDICT_REFUSED || verdict == GW_VERDICT_UNAVAILABLE)
        printf("%s %s|%s\n", names[verdict], d.why, d.told);
    else
        printf("%s\n", names[verdict]);
}

static void issue(char *arguments)
{
    char token[GW_SIGN_TOKEN_MAX], account[256], name[64], tier[32];
    sl_wall_us expires_at;
    if (sscanf(arguments, "%255s %63s %31s", account, name, tier) != 3)
        exit(2);
    const struct gw_sign_visitor visitor = {account, name, tier};
    sl_status s = gw_sign_issue(app.verifiers.sign, &visitor, wall(), token, &expires_at);
    printf("%s\n", s == SL_OK ? token : sl_status_text(s));
}

static void print_jwks(void)
{
    struct sl_buf text;
    sl_buf_init(&text, &sl_alloc_malloc, 65536);
    if (gw_sign_copy_jwks(app.verifiers.sign, &text) == SL_OK)
        printf("%.*s\n", (int)text.len, (const char *)text.data);
    sl_buf_finish(&text);
}

/* Opens or reloads; what is wrong is printed. */
static bool load(bool is_first)
{
    static struct gw_conf conf;
    struct sl_conf *owner;
    struct sl_buf errors;
    struct sl_error error;
    sl_buf_init(&errors, &sl_alloc_malloc, 65536);
    sl_status s = gw_conf_load(app.path, &conf, &errors, &owner);
    if (s != SL_OK) {
        printf("%.*s", (int)errors.len, (const char *)errors.data);
    } else {
        s = is_first
                ? gw_verifiers_open(&app.verifiers, &conf, on_wake, NULL, mono(), wall(), &error)
                : gw_verifiers_reload(&app.verifiers, &conf, mono(), &error);
        printf("%s\n", s == SL_OK ? "ok" : error.text);
        sl_conf_destroy(owner);
    }
    sl_buf_finish(&errors);
    return s == SL_OK;
}

static void obey(char *line)
{
    char *space = strchr(line, ' ');
    char *arguments = space == NULL ? line + strlen(line) : space + 1;
    if (space != NULL)
        *space = '\0';
    if (strcmp(line, "verify") == 0 || strcmp(line, "once") == 0)
        verify(arguments, line[0] == 'v');
    else if (strcmp(line, "issue") == 0)
        issue(arguments);
    else if (strcmp(line, "jwks") == 0)
        print_jwks();
    else if (strcmp(line, "reload") == 0)
        load(false);
    else if (strcmp(line, "pass") == 0)
        printf("%lld\n", (long long)(app.passed_s += atoll(arguments)));
    else
        exit(2);
}

int main(int argc, char **argv)
{
    static char line[LINE_MAX_BYTES];
    if (argc != 2)
        return 2;
    app.path = argv[1];
    app.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    sl_log_setup("jwt_check", SL_LOG_INFO, SL_LOG_TEXT);
    setvbuf(stdout, NULL, _IOLBF, 0);
    gw_json_guard(&sl_alloc_malloc);
    if (!load(true))
        return 1;
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        obey(line);
    }
    gw_verifiers_close(&app.verifiers);
    close(app.wake_fd);
    return 0;
}
