/* sluice_api.c - the calls of the public header: encode, run, decode. */
#include <inttypes.h>

#include "sl_text.h"
#include "sluice_call.h"
#include "sluice_pb.h"
#include "sluice_status.h"
#include "sluice_wire.h"

#define SERVICE "/inference.GRPCInferenceService/"

enum { NAME_BYTES_MAX = 1024 };

static int refuse_body(const struct sluice_channel *channel, sl_status s,
                       struct sluice_status *status)
{
    if (s == SL_ENOMEM)
        return sluice_status_set(status, SLUICE_RESOURCE_EXHAUSTED, "OUT_OF_MEMORY",
                                 "no memory for the message");
    return sluice_status_set(status, SLUICE_RESOURCE_EXHAUSTED, "TOO_LARGE",
                             "the message is larger than the channel's limit of %" PRIu64
                             " bytes (max_message_bytes)",
                             channel->max_message_bytes);
}

/* reader NULL: unary. */
static int run_encoded(struct sluice_channel *channel, const char *method, struct sl_span message,
                       const struct sluice_reader *reader,
                       const struct sluice_call_options *options, struct sluice_result **out,
                       struct sluice_status *status)
{
    struct sluice_status unused;
    struct sluice_body body;

    *out = NULL;
    if (status == NULL)
        status = &unused;
    sluice_body_init(&body);
    sl_status s = sluice_body_of_bytes(&body, message, channel->max_message_bytes);
    int code = s == SL_OK ? sluice_call_run(channel, method, &body, reader, options, out, status)
                          : refuse_body(channel, s, status);
    sluice_body_finish(&body);
    return code;
}

int sluice_unary(struct sluice_channel *channel, const char *method, const void *message,
                 size_t bytes, const struct sluice_call_options *options,
                 struct sluice_result **out, struct sluice_status *status)
{
    return run_encoded(channel, method, sl_span_of(message, bytes), NULL, options, out, status);
}

int sluice_server_stream(struct sluice_channel *channel, const char *method, const void *message,
                         size_t bytes, sluice_message_fn on_message, void *user,
                         const struct sluice_call_options *options, struct sluice_result **out,
                         struct sluice_status *status)
{
    const struct sluice_reader reader = {on_message, user};
    return run_encoded(channel, method, sl_span_of(message, bytes), &reader, options, out, status);
}

static int bad_reply(const struct sluice_channel *channel, sl_status s,
                     struct sluice_status *status)
{
    if (s == SL_ENOMEM)
        return refuse_body(channel, s, status);
    return sluice_status_set(status, SLUICE_INTERNAL, "BAD_REPLY",
                             "the answer of %s cannot be read", channel->address_text);
}

/* A call whose answer is one bool. */
static int ask_bool(struct sluice_channel *channel, const char *method, struct sl_span message,
                    const struct sluice_call_options *options, bool *out,
                    struct sluice_status *status)
{
    struct sluice_status local;
    struct sluice_result *result;

    if (status == NULL)
        status = &local;
    int code = sluice_unary(channel, method, message.data, message.len, options, &result, status);
    if (code == SLUICE_OK) {
        sl_status s = sluice_wire_get_bool(sl_span_of(result->message, result->message_len), out);
        if (s != SL_OK)
            code = bad_reply(channel, s, status);
    }
    sluice_result_destroy(result);
    return code;
}

int sluice_server_live(struct sluice_channel *channel, const struct sluice_call_options *options,
                       bool *out_live, struct sluice_status *status)
{
    return ask_bool(channel, SERVICE "ServerLive", sl_span_of(NULL, 0), options, out_live, status);
}

int sluice_server_ready(struct sluice_channel *channel, const struct sluice_call_options *options,
                        bool *out_ready, struct sluice_status *status)
{
    return ask_bool(channel, SERVICE "ServerReady", sl_span_of(NULL, 0), options, out_ready,
                    status);
}

/* "" for NULL; refuses what cannot be a name. */
static int check_names(const char **model, const char **version, struct sluice_status *status)
{
    if (*version == NULL)
        *version = "";
    if (*model == NULL || **model == '\0' || strnlen(*model, NAME_BYTES_MAX + 1) > NAME_BYTES_MAX ||
        strnlen(*version, NAME_BYTES_MAX + 1) > NAME_BYTES_MAX ||
        !sl_text_is_utf8(sl_span_str(*model)) || !sl_text_is_utf8(sl_span_str(*version)))
        return sluice_status_set(status, SLUICE_INVALID_ARGUMENT, "BAD_INPUT",
                                 "the model's name and version must be UTF-8 of at most %d bytes, "
                                 "and the name not empty",
                                 NAME_BYTES_MAX);
    return SLUICE_OK;
}

int sluice_model_ready(struct sluice_channel *channel, const char *model, const char *version,
                       const struct sluice_call_options *options, bool *out_ready,
                       struct sluice_status *status)
{
    struct sluice_status local;
    struct sl_buf message;

    if (status == NULL)
        status = &local;
    int code = check_names(&model, &version, status);
    if (code != SLUICE_OK)
        return code;
    sl_buf_init(&message, &sl_alloc_malloc, 4 * NAME_BYTES_MAX);
    sl_status s = sluice_wire_put_model_ready(model, version, &message);
    code = s == SL_OK ? ask_bool(channel, SERVICE "ModelReady", sl_buf_span(&message), options,
                                 out_ready, status)
                      : refuse_body(channel, s, status);
    sl_buf_finish(&message);
    return code;
}

/* The answer of ModelMetadata. */
static int ask_metadata(struct sluice_channel *channel, struct sl_span message,
                        const struct sluice_call_options *options, struct sluice_model **out,
                        struct sluice_status *status)
{
    struct sluice_result *result;
    int code = sluice_unary(channel, SERVICE "ModelMetadata", message.data, message.len, options,
                            &result, status);
    if (code == SLUICE_OK) {
        sl_status s = sluice_wire_get_model(sl_span_of(result->message, result->message_len), out);
        if (s != SL_OK)
            code = bad_reply(channel, s, status);
    }
    sluice_result_destroy(result);
    return code;
}

int sluice_model_metadata(struct sluice_channel *channel, const char *model, const char *version,
                          const struct sluice_call_options *options, struct sluice_model **out,
                          struct sluice_status *status)
{
    struct sluice_status local;
    struct sl_buf message;

    *out = NULL;
    if (status == NULL)
        status = &local;
    int code = check_names(&model, &version, status);
    if (code != SLUICE_OK)
        return code;
    sl_buf_init(&message, &sl_alloc_malloc, 4 * NAME_BYTES_MAX);
    sl_status s = sluice_wire_put_model_metadata(model, version, &message);
    code = s == SL_OK ? ask_metadata(channel, sl_buf_span(&message), options, out, status)
                      : refuse_body(channel, s, status);
    sl_buf_finish(&message);
    return code;
}

/* The call was OK: is its answer one? */
static int take_apart(struct sluice_result **out, struct sluice_status *status)
{
    struct sluice_status why;
    sl_status s = sluice_wire_get_infer(*out, &why);
    if (s == SL_OK)
        return SLUICE_OK;
    *status = why;
    sluice_result_destroy(*out);
    *out = NULL;
    return status->code;
}

int sluice_infer(struct sluice_channel *channel, const struct sluice_request *request,
                 const struct sluice_call_options *options, struct sluice_result **out,
                 struct sluice_status *status)
{
    struct sluice_status unused;
    struct sluice_body body;

    *out = NULL;
    if (status == NULL)
        status = &unused;
    *status = request->error;
    if (status->code != SLUICE_OK)
        return status->code;
    sluice_body_init(&body);
    sl_status s = sluice_wire_put_infer(request, channel->max_message_bytes, &body);
    int code = s == SL_OK ? sluice_call_run(channel, SERVICE "ModelInfer", &body, NULL, options,
                                            out, status)
                          : refuse_body(channel, s, status);
    sluice_body_finish(&body);
    return code == SLUICE_OK ? take_apart(out, status) : code;
}

/* ---- a result that was kept ------------------------------------------------------------------ */

enum { KEPT_TEXT_MAX = 64 }; /* a UUID has 36 bytes, a token for fetching at most so many */
enum { CALL_ID_FIELD = 1, FETCH_TOKEN_FIELD = 2, STATE_FIELD = 1, RESULT_FIELD = 2, DONE = 2 };

static sl_status put_text(struct sl_buf *out, uint8_t field, const char *text)
{
    uint8_t head[1 + SLUICE_PB_VARINT_MAX] = {(uint8_t)(field << 3 | SLUICE_PB_BYTES)};
    size_t len = 1 + sluice_pb_put_varint(strlen(text), head + 1);
    sl_status s = sl_buf_append(out, head, len);

    return s == SL_OK ? sl_buf_append(out, text, strlen(text)) : s;
}

/* The answer becomes the message that is in it. Errors: SL_EPROTO. */
static sl_status unwrap(struct sluice_result *r, bool *out_done)
{
    struct sl_span rest = sl_span_of(r->message, r->message_len);
    struct sl_span inner = sl_span_of(r->message, 0);
    struct sluice_pb_field f;
    sl_status s;

    *out_done = false;
    while ((s = sluice_pb_next(&rest, &f)) == SL_OK) {
        if (f.number == STATE_FIELD && f.wire == SLUICE_PB_VARINT)
            *out_done = f.value == DONE;
        else if (f.number == RESULT_FIELD && f.wire == SLUICE_PB_BYTES)
            inner = f.bytes;
    }
    if (s != SL_ENOENT)
        return SL_EPROTO;
    r->message += inner.data - r->message;
    r->message_len = inner.len;
    return SL_OK;
}

static int take_kept(struct sluice_channel *channel, bool *out_pending, struct sluice_result **out,
                     struct sluice_status *status)
{
    bool is_done;
    sl_status s = unwrap(*out, &is_done);

    if (s == SL_OK && is_done)
        return take_apart(out, status);
    sluice_result_destroy(*out);
    *out = NULL;
    *out_pending = s == SL_OK;
    return s == SL_OK ? SLUICE_OK : bad_reply(channel, s, status);
}

int sluice_get_result(struct sluice_channel *channel, const char *call_id, const char *fetch_token,
                      const struct sluice_call_options *options, bool *out_pending,
                      struct sluice_result **out, struct sluice_status *status)
{
    struct sluice_status unused;
    struct sl_buf message;

    *out = NULL;
    *out_pending = false;
    if (status == NULL)
        status = &unused;
    if (call_id == NULL || strnlen(call_id, KEPT_TEXT_MAX + 1) > KEPT_TEXT_MAX ||
        (fetch_token != NULL && strnlen(fetch_token, KEPT_TEXT_MAX + 1) > KEPT_TEXT_MAX))
        return sluice_status_set(status, SLUICE_INVALID_ARGUMENT, "BAD_INPUT",
                                 "the call's id and the token for fetching have at most %d bytes",
                                 KEPT_TEXT_MAX);
    sl_buf_init(&message, &sl_alloc_malloc, 4 * NAME_BYTES_MAX);
    sl_status s = put_text(&message, CALL_ID_FIELD, call_id);
    if (s == SL_OK && fetch_token != NULL)
        s = put_text(&message, FETCH_TOKEN_FIELD, fetch_token);
    int code = s == SL_OK ? sluice_unary(channel, "/sluice.v1.Visitor/GetResult", message.data,
                                         message.len, options, out, status)
                          : refuse_body(channel, s, status);
    sl_buf_finish(&message);
    return code == SLUICE_OK ? take_kept(channel, out_pending, out, status) : code;
}
