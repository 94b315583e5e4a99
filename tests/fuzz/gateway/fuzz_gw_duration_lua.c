/* fuzz_gw_duration_lua.c - any bytes as an expression for durations: refused with a sentence, or
 * the same answer for the same call each time, within the limits; and nothing of it is left
 * behind. */
#include "duration_rig.h"
#include "fail_alloc.h"
#include "fuzz_script.h"
#include "gw_lua_box.h"
#include "sl_text.h"

#define MAX_US (300 * SL_US_PER_S)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_sentence(const struct sl_error *err)
{
    struct sl_span text = sl_span_str(err->text);
    fuzz_require(err->reason == SL_REASON_BAD_INPUT || err->reason == SL_REASON_DURATION_TOO_LONG);
    fuzz_require(text.len > 0 && sl_text_is_utf8(text));
    for (size_t i = 0; i < text.len; i++)
        fuzz_require(text.data[i] >= ' ' && text.data[i] != 0x7f);
}

static void check_runs(struct gw_duration *d, const struct gw_duration_facts *facts,
                       const struct fail_alloc *f)
{
    size_t rest_bytes = f->live_bytes;
    sl_gpu_us first_us = 0;
    struct sl_error first = {0};
    bool is_given = gw_duration_evaluate(d, facts, MAX_US, &first_us, &first);
    if (is_given)
        fuzz_require(first_us >= 1 && first_us <= MAX_US);
    else
        check_sentence(&first);
    for (int i = 0; i < 2; i++) {
        sl_gpu_us us = 0;
        struct sl_error err = {0};
        fuzz_require(gw_duration_evaluate(d, facts, MAX_US, &us, &err) == is_given);
        fuzz_require(us == first_us && strcmp(err.text, first.text) == 0);
        fuzz_require(f->live_bytes <= rest_bytes + 2 * (size_t)GW_LUA_BYTES_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct duration_rig call;
    static bool is_ready;
    struct fail_alloc f;
    struct gw_duration *d;
    struct sl_error err = {0};
    if (!is_ready)
        duration_rig_init(&call);
    is_ready = true;
    fail_alloc_init(&f);
    if (gw_duration_compile(sl_span_of(data, size), &f.alloc, &d, &err)) {
        check_runs(d, &call.facts, &f);
        gw_duration_destroy(d);
    } else {
        check_sentence(&err);
    }
    fuzz_require(fail_alloc_finish(&f) == 0);
    return 0;
}
