/* sim_receipts.c - what lasts, and what is kept for those who ask again: here receipts are read, summed up and
 * forgotten, and nobody asks again. */
#include <string.h>

#include "gw_receipt_code.h"
#include "sim_day_int.h"

static sl_status append(void *ctx, enum gw_record_kind kind, struct sl_span bytes, uint64_t ticket)
{
    struct sim *s = ctx;
    struct gw_receipt r;
    (void)ticket;
    if (kind != GW_RECORD_RECEIPT)
        return SL_OK;
    if (gw_receipt_decode(bytes, &r) != SL_OK) {
        sim_complain(s, "a receipt cannot be read");
        return SL_OK;
    }
    s->receipts_us += r.used_us;
    if (r.charged_us > r.held_us)
        sim_complain(s, "a receipt charges %lld us, more than the %lld us that were held",
                     (long long)r.charged_us, (long long)r.held_us);
    return SL_OK;
}

static bool may_admit(void *ctx, struct sl_error *why)
{
    (void)ctx, (void)why;
    return true;
}

static bool must_wait(void *ctx)
{
    (void)ctx;
    return false;
}

struct gw_store_port sim_receipts_port(struct sim *s)
{
    return (struct gw_store_port){
        .ctx = s, .append = append, .may_admit = may_admit, .must_wait = must_wait};
}

static sl_status digest(void *ctx, struct sl_span text, struct gw_body *body, uint64_t ticket,
                        uint8_t out[GW_IDEM_DIGEST_BYTES])
{
    (void)ctx, (void)text, (void)body, (void)ticket;
    memset(out, 0, GW_IDEM_DIGEST_BYTES);
    return SL_OK;
}

static sl_status random_bytes(void *ctx, uint8_t *out, size_t bytes)
{
    (void)ctx;
    memset(out, 0, bytes);
    return SL_OK;
}

struct gw_results_port sim_results_port(void)
{
    return (struct gw_results_port){.digest = digest, .random = random_bytes};
}
