/* gw_methods_result.c - sluice.v1.Visitor/GetResult: the result of a call that is remembered, from where it is kept. Its tensors
 * leave by reference, as ModelInfer's do; only the head of the message is written here. */
#include "gw_kept.h"
#include "gw_pb.h"
#include "gw_services.h"

/* Field numbers and states of sluice.v1.GetResultResponse. */
enum { RES_STATE = 1, RES_RESULT = 2 };
enum { STATE_PENDING = 1, STATE_DONE = 2 };

/* ---- trailers, as the call had them */

static void tell_charge(struct gw_exchange *x, sl_gpu_us charged_us)
{
    gw_exchange_add_trailer(x, "sluice-charged-ms", gw_exchange_ms_text(x, charged_us));
}

static void tell(struct gw_exchange *x, const struct gw_outcome *o)
{
    gw_outcome_tell_times(o, x);
    tell_charge(x, o->charged_us);
}

/* ---- answers */

static void refuse(struct gw_flow *f, struct gw_inquiry *q, enum sl_reason reason, const char *text)
{
    struct sl_error err;
    sl_error_set(&err, reason, "%s", text);
    gw_inquiry_refuse(f, q, &err);
}

static uint8_t *put_state(uint8_t *p, uint64_t state)
{
    enum { VARINT = 0 }; /* the wire type */
    p = gw_pb_put_varint(p, RES_STATE << 3 | VARINT);
    return gw_pb_put_varint(p, state);
}

static void answer_pending(struct gw_flow *f, struct gw_inquiry *q)
{
    uint8_t *message = sl_arena_get(&q->exchange->arena, 1 + GW_PB_VARINT_MAX);
    uint8_t *end = message == NULL ? NULL : put_state(message, STATE_PENDING);
    gw_inquiry_answer(f, q, sl_span_of(message, message == NULL ? 0 : (size_t)(end - message)));
}

/* The head of the message, and the pieces of the result behind it. */
static bool put_head(struct gw_exchange *x)
{
    struct gw_reply *r = &x->reply;
    uint8_t *head = sl_arena_get(&x->arena, 2 * (1 + GW_PB_VARINT_MAX));
    struct sl_span *pieces = sl_arena_zero(&x->arena, r->piece_count + 1, sizeof *pieces);
    if (head == NULL || pieces == NULL)
        return false;
    uint8_t *end = put_state(head, STATE_DONE);
    end = gw_pb_put_head(end, RES_RESULT, (size_t)r->message_bytes);
    pieces[0] = sl_span_of(head, (size_t)(end - head));
    if (r->piece_count > 0)
        memcpy(pieces + 1, r->pieces, r->piece_count * sizeof *pieces);
    r->pieces = pieces;
    r->piece_count++;
    r->message_bytes += pieces[0].len;
    return true;
}

static void show(struct gw_flow *f, struct gw_inquiry *q, struct gw_outcome *o)
{
    struct sl_error err;
    struct gw_exchange *x = q->exchange;
    if (!gw_outcome_show(f, o, x, &err)) {
        gw_inquiry_refuse(f, q, &err);
    } else if (!put_head(x)) {
        refuse(f, q, SL_REASON_NO_CAPACITY, "no memory for the reply");
    } else {
        tell(x, o);
        gw_inquiry_answer_pieces(f, q);
    }
}

static void on_read(struct gw_flow *f, uint64_t id, struct gw_outcome *read)
{
    struct gw_inquiry *q = gw_inquiry_of_result(f, id);
    if (q == NULL)
        return;
    if (read != NULL)
        show(f, q, read);
    else
        refuse(f, q, SL_REASON_NO_CAPACITY, "the result that was kept cannot be read now");
}

static void fetch(struct gw_flow *f, struct gw_inquiry *q, struct gw_outcome *o)
{
    struct sl_error err;
    const struct gw_reader reader = {on_read, q->id};
    if (gw_inquiry_await_result(f, q) && !gw_outcome_fetch(f, o, reader, &err))
        gw_inquiry_refuse(f, q, &err);
}

static void answer_done(struct gw_flow *f, struct gw_inquiry *q, struct gw_outcome *o)
{
    if (o->error != NULL) {
        tell(q->exchange, o);
        gw_inquiry_refuse(f, q, o->error);
    } else if (gw_outcome_is_on_disk(o)) {
        fetch(f, q, o);
    } else {
        show(f, q, o);
    }
}

static void answer_gone(struct gw_flow *f, struct gw_inquiry *q, const struct gw_idem_found *found)
{
    struct sl_error err;
    tell_charge(q->exchange, found->outcome.charged_us);
    gw_kept_say_gone(found, &err);
    gw_inquiry_refuse(f, q, &err);
}

bool gw_visitor_kept_result(struct gw_flow *f, struct gw_inquiry *q, const uint8_t call_id[16])
{
    struct gw_idem_found found;
    uint8_t token[GW_IDEM_TOKEN_BYTES];
    bool has_token = gw_services_read_token(q->form.fetch_token, token);
    if (!gw_idem_fetch(f->idem, call_id, sl_span_str(gw_principal_name(&q->who)),
                       has_token ? token : NULL, q->now, &found))
        return false;
    if (found.verdict == GW_IDEM_RUNNING)
        answer_pending(f, q);
    else if (found.verdict == GW_IDEM_DONE)
        answer_done(f, q, found.result);
    else
        answer_gone(f, q, &found);
    return true;
}
