#include "gw_finding.h"

#include <stdarg.h>
#include <stdio.h>

static void set(struct gw_finding *f, enum gw_verdict verdict, const char *fmt, va_list args)
{
    f->verdict = verdict;
    f->denial.told[0] = '\0';
    vsnprintf(f->denial.why, sizeof f->denial.why, fmt, args);
}

bool gw_finding_refuse(struct gw_finding *f, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    set(f, GW_VERDICT_REFUSED, fmt, args);
    va_end(args);
    return false;
}

bool gw_finding_unknown(struct gw_finding *f, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    set(f, GW_VERDICT_UNKNOWN, fmt, args);
    va_end(args);
    return false;
}

bool gw_finding_unavailable(struct gw_finding *f, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    set(f, GW_VERDICT_UNAVAILABLE, fmt, args);
    va_end(args);
    snprintf(f->denial.told, sizeof f->denial.told, "cannot be checked now; try again");
    return false;
}

bool gw_finding_later(struct gw_finding *f)
{
    f->verdict = GW_VERDICT_LATER;
    f->denial = (struct gw_denial){.why = "the issuer's keys are being fetched"};
    return false;
}

/* "5 s", "3 min", "2 h", "4 days": the largest unit of which there is at least one. */
static void tell_span(int64_t us, char *out, size_t out_bytes)
{
    static const struct {
        int64_t seconds;
        const char *one, *many;
    } units[] = {{86400, "day", "days"}, {3600, "h", "h"}, {60, "min", "min"}, {1, "s", "s"}};
    int64_t seconds = us / SL_US_PER_S;
    size_t i = 0;
    while (units[i].seconds > 1 && seconds < units[i].seconds)
        i++;
    int64_t n = seconds / units[i].seconds;
    snprintf(out, out_bytes, "%lld %s", (long long)n, n == 1 ? units[i].one : units[i].many);
}

bool gw_finding_expired(struct gw_finding *f, int64_t for_us)
{
    char span[32];
    tell_span(for_us, span, sizeof span);
    gw_finding_refuse(f, "the token has expired %s ago", span);
    snprintf(f->denial.told, sizeof f->denial.told, "expired %s ago", span);
    return false;
}

bool gw_finding_name(struct gw_finding *f, const char *issuer)
{
    char why[GW_DENIAL_MAX + 1];
    snprintf(why, sizeof why, "%s", f->denial.why);
    snprintf(f->denial.why, sizeof f->denial.why, "%s: %s", issuer, why);
    return false;
}
