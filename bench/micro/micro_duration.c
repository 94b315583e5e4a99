/* micro_duration.c - what a duration that is an expression costs: to compile, in memory, and for
 * each call.
 *
 *   micro_duration [ROUNDS]
 *
 * CPU time of the thread, the median of the rounds. The last rows are expressions that do all they
 * can to be slow, and that the limits stop: what a call of a hostile model costs the gateway at
 * most.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "duration_rig.h"
#include "fail_alloc.h"
#include "sl_base.h"

enum { ROUNDS = 21, ROUNDS_MAX = 1001, CALLS_A_ROUND = 500, STOPPED_A_ROUND = 1 };

struct subject {
    const char *name, *text;
    bool is_stopped;
};

#define FUNCTION(body) "(function() " body " end)()"
/* Two equal texts of 16,000 bytes, which are compared to the end. */
#define TEXTS                                                                                      \
    "local s = '0123456789' for i = 1, 10 do s = s .. s end "                                      \
    "local a, b = s .. 1, s .. 2 "

static const struct subject subjects[] = {
    {"a number", "5", false},
    {"a parameter", "2 + 0.5 * (parameters.guidance or 1)", false},
    {"a shape", "0.5 + inputs.IMAGE.shape[1] * inputs.IMAGE.shape[2] / 2^20", false},
    {"value, shape, math",
     "math.min(60, 1 + inputs.STEPS.value * inputs.IMAGE.shape[1] * inputs.IMAGE.shape[2] / 2^16)",
     false},
    {"a loop over a shape",
     FUNCTION("local n = 1 for i = 1, #inputs.IMAGE.shape do n = n * inputs.IMAGE.shape[i] end "
              "return n / 1000"),
     false},
    {"stopped: a loop", FUNCTION("while true do end"), true},
    {"stopped: functions", FUNCTION("while true do math.sin(1e300) end"), true},
    {"stopped: long texts", FUNCTION(TEXTS "while true do local x = a < b end"), true},
    {"stopped: tables", FUNCTION("while true do local x = {} end"), true},
    {"stopped: names", FUNCTION("while true do local x = parameters.none end"), true},
};

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "micro_duration: %s\n", what);
    exit(1);
}

static double cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return values[count / 2];
}

static struct gw_duration *compiled(const struct subject *s, const struct sl_alloc *alloc)
{
    struct gw_duration *d = NULL;
    struct sl_error err;
    must(gw_duration_compile(sl_span_str(s->text), alloc, &d, &err), s->text);
    return d;
}

static double us_to_compile(const struct subject *s)
{
    double begin = cpu_us();
    struct gw_duration *d = compiled(s, &sl_alloc_malloc);
    double took = cpu_us() - begin;
    gw_duration_destroy(d);
    return took;
}

static double us_to_evaluate(const struct subject *s, struct gw_duration *d,
                             const struct gw_duration_facts *facts)
{
    int calls = s->is_stopped ? STOPPED_A_ROUND : CALLS_A_ROUND;
    double begin = cpu_us();
    for (int i = 0; i < calls; i++) {
        struct sl_error err;
        sl_gpu_us us;
        must(gw_duration_evaluate(d, facts, INT64_MAX, &us, &err) != s->is_stopped, s->text);
    }
    return (cpu_us() - begin) / calls;
}

static size_t bytes_at_rest(const struct subject *s)
{
    struct fail_alloc f;
    fail_alloc_init(&f);
    struct gw_duration *d = compiled(s, &f.alloc);
    size_t bytes = f.live_bytes;
    gw_duration_destroy(d);
    return bytes;
}

static void measure(const struct subject *s, const struct gw_duration_facts *facts, int rounds)
{
    static double compile[ROUNDS_MAX], evaluate[ROUNDS_MAX];
    struct gw_duration *d = compiled(s, &sl_alloc_malloc);
    for (int i = 0; i < rounds; i++) {
        compile[i] = us_to_compile(s);
        evaluate[i] = us_to_evaluate(s, d, facts);
    }
    gw_duration_destroy(d);
    printf("%-20s %9.1f us %9.1f us %8zu bytes\n", s->name, median(compile, rounds),
           median(evaluate, rounds), bytes_at_rest(s));
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;
    struct duration_rig r;
    must(rounds > 0 && rounds <= ROUNDS_MAX, "ROUNDS is 1 to 1001");
    duration_rig_init(&r);
    printf("%d rounds of %d calls (of %d that are stopped); CPU time of one, medians\n", rounds,
           CALLS_A_ROUND, STOPPED_A_ROUND);
    printf("%-20s %12s %12s %14s\n", "", "to compile", "for a call", "memory");
    for (size_t i = 0; i < SL_ARRAY_LEN(subjects); i++)
        measure(&subjects[i], &r.facts, rounds);
    duration_rig_finish(&r);
    return 0;
}
