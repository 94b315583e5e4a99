#include "sim_rig.h"

#include <stdlib.h>

#include "sl_test.h"

void rig_read(const char *text, struct sim_scenario *out)
{
    struct sl_buf errors;
    sl_buf_init(&errors, &sl_alloc_malloc, 1 << 16);
    if (sim_scenario_parse("day.yaml", sl_span_str(text), out, &errors) != SL_OK)
        fail_msg("%s\n%.*s", text, (int)errors.len, (const char *)errors.data);
    sl_buf_finish(&errors);
}

void rig_run(const struct sim_scenario *s, const struct sim_day_options *o, struct sim_result *out)
{
    assert_ok(sim_day_run(s, o, out));
    if (out->wrong[0] != '\0')
        fail_msg("seed %llu, step %llu: %s", (unsigned long long)o->seed,
                 (unsigned long long)out->steps, out->wrong);
}

unsigned rig_count(const char *what, unsigned count, unsigned least)
{
    const char *scale = getenv("SLUICE_SCALE");
    bool is_whole = scale != NULL && getenv("UNDER_VALGRIND") == NULL;
    double scaled = count * (is_whole ? atof(scale) : 0.05);
    unsigned n = scaled < least ? least : (unsigned)scaled;
    printf("%s: %u\n", what, n);
    return n;
}
