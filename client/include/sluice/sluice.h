/* sluice.h - libsluice: call models on a Sluice gateway, or on any gRPC server of the Open Inference
 * Protocol v2, from C.
 *
 * A first call (examples/ex01_hello.c is the whole program):
 *
 *     struct sluice_channel *channel;
 *     struct sluice_request *request;
 *     struct sluice_result *result;
 *     struct sluice_status status;
 *
 *     sluice_channel_create("127.0.0.1:8001", NULL, &channel, &status);
 *     sluice_request_create("identity", "", &request);
 *     sluice_request_add_input(request, "INPUT0", "FP32", (int64_t[]){1, 4}, 2, data, 16);
 *     if (sluice_infer(channel, request, NULL, &result, &status) != SLUICE_OK)
 *         fprintf(stderr, "%s: %s\n", status.reason, status.message);
 *
 * Transport  gRPC over HTTP/2, on plain TCP by prior knowledge ("h2c") or by TLS 1.2 and 1.3 (use_tls). The
 *            server's certificate is always checked.
 * Errors     Every function that can fail returns an enum sluice_code; SLUICE_OK is 0. Functions that
 *            take a struct sluice_status fill it in every case; it may be NULL. The library never
 *            ends the process, raises no signal (a broken connection gives a status, not SIGPIPE)
 *            and prints nothing.
 * Memory     "Borrowed" means that the caller keeps the memory and leaves it unchanged for as long
 *            as the sentence says. Pointers that an object hands out live as long as the object.
 *            Every ..._destroy accepts NULL.
 * Threads    A channel is used by one thread at a time; a second thread that calls into a busy
 *            channel is refused with SLUICE_FAILED_PRECONDITION. Different channels are independent.
 *            Requests and results belong to one thread at a time and to no channel; reading a result
 *            from several threads is fine. sluice_cancel_trigger may be called from any thread and
 *            from a signal handler, at any time between create and destroy.
 * Shapes     Arrays of rank dimensions (int64_t), outermost first; a shape of rank 0 has one
 *            element. -1 stands for a free dimension in metadata and is not a shape of data.
 * Datatypes  By their names in the protocol: BOOL, UINT8, UINT16, UINT32, UINT64, INT8, INT16, INT32,
 *            INT64, FP16, FP32, FP64, BF16, BYTES.
 * Data       Row-major, little-endian, without padding. A BYTES element is a 4-byte little-endian
 *            length followed by that many bytes.
 * Units      Times are milliseconds, and -1 means "none" or "not told"; sizes are bytes.
 * Version    Symbols carry the version SLUICE_0. Structs that may grow begin with struct_bytes, which
 *            their ..._INIT macro sets: a program built with an older header keeps working.
 */
#ifndef SLUICE_SLUICE_H
#define SLUICE_SLUICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status ---------------------------------------------------------------------------------- */

/* The canonical gRPC codes (https://grpc.io/docs/guides/status-codes/). */
enum sluice_code {
    SLUICE_OK = 0,
    SLUICE_CANCELLED = 1,
    SLUICE_UNKNOWN = 2,
    SLUICE_INVALID_ARGUMENT = 3,
    SLUICE_DEADLINE_EXCEEDED = 4,
    SLUICE_NOT_FOUND = 5,
    SLUICE_ALREADY_EXISTS = 6,
    SLUICE_PERMISSION_DENIED = 7,
    SLUICE_RESOURCE_EXHAUSTED = 8,
    SLUICE_FAILED_PRECONDITION = 9,
    SLUICE_ABORTED = 10,
    SLUICE_OUT_OF_RANGE = 11,
    SLUICE_UNIMPLEMENTED = 12,
    SLUICE_INTERNAL = 13,
    SLUICE_UNAVAILABLE = 14,
    SLUICE_DATA_LOSS = 15,
    SLUICE_UNAUTHENTICATED = 16,
};

/* "NOT_FOUND"; "UNKNOWN" for a number outside the table. Static. */
const char *sluice_code_name(int code);

enum { SLUICE_REASON_BYTES = 64, SLUICE_MESSAGE_BYTES = 1024 };

/* How a call ended. A plain value: copied freely, never freed. */
struct sluice_status {
    int code; /* enum sluice_code */
    /* true: the server said so. false: found here, without an answer from the server; then
     * SLUICE_UNAVAILABLE means that it could not be reached or that the connection was lost. */
    bool from_server;
    /* Wait this long before trying again, as the server asks (RetryInfo); -1: not told. */
    int64_t retry_after_ms;
    /* The cause as one word, such as MODEL_NOT_FOUND or QUEUE_FULL; "" when none was given. From the
     * server's ErrorInfo, else its trailer sluice-reason. Found here: UNREACHABLE, CONNECTION_LOST,
     * DEADLINE_EXCEEDED, CANCELLED, BAD_INPUT, TOO_LARGE, BAD_REPLY, CHANNEL_BUSY, OUT_OF_MEMORY,
     * PLAINTEXT_TOKEN, TLS_FAILED. */
    char reason[SLUICE_REASON_BYTES];
    /* A sentence for people, UTF-8, cut at a character when longer; "" when code is SLUICE_OK. */
    char message[SLUICE_MESSAGE_BYTES];
};

/* The library's version, "MAJOR.MINOR.PATCH". Static. */
const char *sluice_version(void);

/* ---- Channel: one connection, opened when first needed ---------------------------------------- */

struct sluice_channel;

struct sluice_channel_options {
    size_t struct_bytes; /* set by SLUICE_CHANNEL_OPTIONS_INIT */
    /* Most time for opening a connection, not counting the resolution of a name; 1 or more. A call's
     * own timeout ends it earlier. */
    int64_t connect_timeout_ms;
    /* The largest message sent or accepted; 1 to SLUICE_MAX_MESSAGE_BYTES. */
    uint64_t max_message_bytes;
    /* Sent as "authorization: Bearer TOKEN" with each call; NULL: none. Copied at create and wiped
     * at destroy. 1 to 8192 visible ASCII characters. */
    const char *token;
    /* Send the token also where others could read it on the way: to an address that is not this
     * machine's loopback. Otherwise such a call fails with PLAINTEXT_TOKEN and sends nothing. */
    bool allow_plaintext_token;
    /* Put before "libsluice/VERSION" in the user-agent header; NULL: nothing. At most 200 visible
     * ASCII characters and spaces. Copied at create. */
    const char *user_agent;
    /* Speak TLS. The server's certificate must come from an authority of ca_file (PEM; NULL: those of the
     * system) and be for the host of the address, or for server_name where that is not NULL. A server's
     * self-signed certificate is trusted by naming it as ca_file; nothing leaves the check out. */
    bool use_tls;
    const char *ca_file;
    const char *server_name;
    /* What this client shows a server that asks: PEM files, the key without a passphrase. Both or none.
     * The files are read at create. */
    const char *certificate_file;
    const char *key_file;
};

#define SLUICE_MAX_MESSAGE_BYTES (UINT64_C(2147483647))
#define SLUICE_CHANNEL_OPTIONS_INIT                                                                \
    {                                                                                              \
        sizeof(struct sluice_channel_options), 10000, UINT64_C(64) << 20, NULL, false, NULL,       \
            false, NULL, NULL, NULL, NULL                                                          \
    }

/* A channel to address: "HOST:PORT" with a name or an IPv4 address, or "[IPV6]:PORT". Opens nothing
 * yet. options: NULL for the defaults above. *out: end it with sluice_channel_destroy; NULL on error.
 * Errors: SLUICE_INVALID_ARGUMENT (address or an option), SLUICE_RESOURCE_EXHAUSTED (no memory). */
int sluice_channel_create(const char *address, const struct sluice_channel_options *options,
                          struct sluice_channel **out, struct sluice_status *status);

/* Closes the connection at once. No call may be running on the channel. */
void sluice_channel_destroy(struct sluice_channel *channel);

/* The address given at create. */
const char *sluice_channel_address(const struct sluice_channel *channel);

/* ---- Cancellation ----------------------------------------------------------------------------- */

/* A switch that ends the calls it was given to. It stays on until it is reset: a call that begins
 * with a triggered switch ends at once with SLUICE_CANCELLED. One switch may serve many calls. */
struct sluice_cancel;

/* *out: end it with sluice_cancel_destroy, when no call uses it any more. Errors:
 * SLUICE_RESOURCE_EXHAUSTED (no memory or no file descriptor). */
int sluice_cancel_create(struct sluice_cancel **out);
void sluice_cancel_destroy(struct sluice_cancel *cancel);

/* Any thread; async-signal-safe. The call returns soon after, and the server is told to stop (HTTP/2
 * RST_STREAM with CANCEL). */
void sluice_cancel_trigger(struct sluice_cancel *cancel);
/* Switches off again. Not while a call uses it. */
void sluice_cancel_reset(struct sluice_cancel *cancel);

/* ---- What every call may be given ------------------------------------------------------------- */

/* A name with a value, both NUL-terminated. */
struct sluice_pair {
    const char *name;
    const char *value;
};

struct sluice_call_options {
    size_t struct_bytes; /* set by SLUICE_CALL_OPTIONS_INIT */
    /* Ends the call after this long with SLUICE_DEADLINE_EXCEEDED, counted from the call of the
     * function, connecting included; the server is told as grpc-timeout. -1: no limit; 0 has passed
     * already. */
    int64_t timeout_ms;
    /* NULL: the call cannot be cancelled. Borrowed until the call returns. */
    struct sluice_cancel *cancel;
    /* Request metadata, for example {"sluice-size", "xlarge"}; at most SLUICE_METADATA_MAX pairs of
     * 16 KiB in all. Names: lower-case letters, digits, '-', '_' and '.', not beginning with "grpc-"
     * or ':'; values: visible ASCII and inner spaces. Borrowed until the call returns. */
    const struct sluice_pair *metadata;
    size_t metadata_count;
};

enum { SLUICE_METADATA_MAX = 64 };
#define SLUICE_CALL_OPTIONS_INIT                                                                   \
    {                                                                                              \
        sizeof(struct sluice_call_options), -1, NULL, NULL, 0                                      \
    }

/* All calls below block until they ended, take options == NULL as SLUICE_CALL_OPTIONS_INIT, and may
 * end with:
 *   SLUICE_UNAVAILABLE          no connection (TLS_FAILED: or no trust), or it was lost (CONNECTION_LOST:
 *                               the call may have run)
 *   SLUICE_DEADLINE_EXCEEDED    timeout_ms passed
 *   SLUICE_CANCELLED            the switch was triggered
 *   SLUICE_INVALID_ARGUMENT     an argument that the library itself refuses (BAD_INPUT)
 *   SLUICE_FAILED_PRECONDITION  CHANNEL_BUSY, PLAINTEXT_TOKEN
 *   SLUICE_RESOURCE_EXHAUSTED   TOO_LARGE, OUT_OF_MEMORY
 *   SLUICE_INTERNAL             the server's answer breaks gRPC or the protocol (BAD_REPLY)
 * or with whatever the server answers. A call is sent a second time only when the server said that
 * it had not begun it (GOAWAY, REFUSED_STREAM). A lost connection is opened again by the next call. */

/* ---- Health and metadata ---------------------------------------------------------------------- */

/* Does the server process serve at all? *out_live is set on SLUICE_OK only. */
int sluice_server_live(struct sluice_channel *channel, const struct sluice_call_options *options,
                       bool *out_live, struct sluice_status *status);
/* Can the server run its models? *out_ready is set on SLUICE_OK only. */
int sluice_server_ready(struct sluice_channel *channel, const struct sluice_call_options *options,
                        bool *out_ready, struct sluice_status *status);
/* Can this model run now? version "" or NULL: the newest. *out_ready is set on SLUICE_OK only.
 * Further errors: SLUICE_NOT_FOUND (no such model or version). */
int sluice_model_ready(struct sluice_channel *channel, const char *model, const char *version,
                       const struct sluice_call_options *options, bool *out_ready,
                       struct sluice_status *status);

/* What a model takes and gives. */
struct sluice_model;

/* One input or output as the model declares it. */
struct sluice_tensor_info {
    const char *name;
    const char *datatype;
    const int64_t *shape; /* rank dimensions; -1: free */
    size_t rank;
};

/* version "" or NULL: the newest. *out: end it with sluice_model_destroy; NULL on error. Further
 * errors: SLUICE_NOT_FOUND. */
int sluice_model_metadata(struct sluice_channel *channel, const char *model, const char *version,
                          const struct sluice_call_options *options, struct sluice_model **out,
                          struct sluice_status *status);
void sluice_model_destroy(struct sluice_model *model);

const char *sluice_model_name(const struct sluice_model *model);
const char *sluice_model_platform(const struct sluice_model *model); /* the engine: "onnx", ... */
size_t sluice_model_version_count(const struct sluice_model *model);
/* NULL when index is past the end; so for all accessors by index. */
const char *sluice_model_version(const struct sluice_model *model, size_t index);
size_t sluice_model_input_count(const struct sluice_model *model);
const struct sluice_tensor_info *sluice_model_input(const struct sluice_model *model, size_t index);
size_t sluice_model_output_count(const struct sluice_model *model);
const struct sluice_tensor_info *sluice_model_output(const struct sluice_model *model,
                                                     size_t index);

/* ---- Inference: the request ------------------------------------------------------------------- */

enum { SLUICE_INPUTS_MAX = 64, SLUICE_OUTPUTS_MAX = 64, SLUICE_RANK_MAX = 16 };

/* What to run on what. May be sent many times, to any channel. Names and texts are copied; tensor
 * data given to sluice_request_add_input are borrowed until the request is cleared or destroyed, and
 * are sent from where they lie.
 *
 * The setters return SLUICE_OK, SLUICE_INVALID_ARGUMENT or SLUICE_RESOURCE_EXHAUSTED. The first error
 * is kept in the request with its sentence, and sluice_infer then fails with it: a program may check
 * only sluice_infer. */
struct sluice_request;

/* version "" or NULL: the newest. *out: end it with sluice_request_destroy; NULL when there is no
 * memory (SLUICE_RESOURCE_EXHAUSTED). */
int sluice_request_create(const char *model, const char *version, struct sluice_request **out);
void sluice_request_destroy(struct sluice_request *request);
/* Takes away inputs, outputs, parameters, id and error; model and version stay. */
void sluice_request_clear(struct sluice_request *request);

/* Returned in the result as it came. At most 1024 bytes; "" for none. */
int sluice_request_set_id(struct sluice_request *request, const char *id);

/* An input tensor. shape: rank dimensions >= 0, at most SLUICE_RANK_MAX; data: bytes bytes, borrowed
 * (NULL when bytes is 0). For fixed-size datatypes bytes must be what shape and datatype give. */
int sluice_request_add_input(struct sluice_request *request, const char *name, const char *datatype,
                             const int64_t *shape, size_t rank, const void *data, size_t bytes);

/* Some bytes: an element of a BYTES tensor. */
struct sluice_bytes {
    const void *data;
    size_t bytes;
};

/* A BYTES input of count elements, as many as shape says; the elements are copied, so nothing is
 * borrowed. For big elements without a copy, lay them out with their lengths and use
 * sluice_request_add_input. */
int sluice_request_add_bytes_input(struct sluice_request *request, const char *name,
                                   const int64_t *shape, size_t rank,
                                   const struct sluice_bytes *elements, size_t count);

/* Asks for this output; without any, all outputs come. */
int sluice_request_add_output(struct sluice_request *request, const char *name);

enum sluice_parameter_kind {
    SLUICE_PARAMETER_BOOL = 1,
    SLUICE_PARAMETER_INT64,
    SLUICE_PARAMETER_STRING,
    SLUICE_PARAMETER_DOUBLE,
    SLUICE_PARAMETER_UINT64,
};

struct sluice_parameter {
    const char *name;
    enum sluice_parameter_kind kind; /* says which of these is set */
    union {
        bool boolean;
        int64_t int64;
        const char *string;
        double real;
        uint64_t uint64;
    } value;
};

/* A parameter of the call; at most 64, each name once. A gateway takes sluice_duration, sluice_size
 * and sluice_max_wait for itself; the others go to the model. Copied. */
int sluice_request_add_parameter(struct sluice_request *request,
                                 const struct sluice_parameter *parameter);

/* ---- Inference: the result -------------------------------------------------------------------- */

/* One received tensor; all pointers live as long as the result. */
struct sluice_tensor {
    const char *name;
    const char *datatype;
    const int64_t *shape;
    size_t rank;
    const void *data; /* bytes bytes; aligned to 16, so that it may be read as its C type */
    size_t bytes;
};

/* An answer: the message as it was received, in one piece, with its metadata. */
struct sluice_result;

/* Runs request on channel. request is borrowed until the call returns.
 * *out: on SLUICE_OK the outputs; on an error that the server answered, a result without outputs
 * whose metadata can be read; else NULL. End it with sluice_result_destroy in every case. Further
 * errors: what the setters of the request refused; as the server answers. */
int sluice_infer(struct sluice_channel *channel, const struct sluice_request *request,
                 const struct sluice_call_options *options, struct sluice_result **out,
                 struct sluice_status *status);

/* The result of a call that was made before, by its id, where the gateway kept it: of calls with the metadata
 * {"idempotency-key", ...} or {"sluice-on-disconnect", "keep"}. fetch_token: the trailer
 * sluice-fetch-token of the call's answer, for callers without a token, whose address others may
 * share; else NULL. *out_pending: the call has not ended, ask again; then SLUICE_OK, and *out is
 * NULL. *out else as for sluice_infer, with the receipt of the call. Further errors: as the call
 * ended; SLUICE_NOT_FOUND (RESULT_GONE: it is not kept any more, or no call of this caller). */
int sluice_get_result(struct sluice_channel *channel, const char *call_id, const char *fetch_token,
                      const struct sluice_call_options *options, bool *out_pending,
                      struct sluice_result **out, struct sluice_status *status);

/* Any unary gRPC method of the server: method is "/package.Service/Method", message the encoded
 * request (bytes bytes, borrowed until the call returns, NULL when 0). *out as for sluice_infer; the
 * encoded answer is sluice_result_message. */
int sluice_unary(struct sluice_channel *channel, const char *method, const void *message,
                 size_t bytes, const struct sluice_call_options *options,
                 struct sluice_result **out, struct sluice_status *status);

/* A message of a stream, which is the library's: it is gone when the function returns. false: no more
 * are wanted. Called on the thread of the call; it must not call a function of the same channel. */
typedef bool (*sluice_message_fn)(void *user, struct sluice_bytes message);

/* Any method of the server that answers one request with a stream of messages, such as
 * /sluice.v1.Visitor/WatchCall: each is given to on_message as it comes. Arguments as of sluice_unary.
 * SLUICE_OK when the stream has ended well, or when on_message has ended it: then the server is told
 * to stop (CANCEL), and *out is NULL. *out else has the metadata and no message. Messages that came
 * before an error were given to on_message all the same. */
int sluice_server_stream(struct sluice_channel *channel, const char *method, const void *message,
                         size_t bytes, sluice_message_fn on_message, void *user,
                         const struct sluice_call_options *options, struct sluice_result **out,
                         struct sluice_status *status);

void sluice_result_destroy(struct sluice_result *result);

const char *sluice_result_model_name(const struct sluice_result *result);
const char *sluice_result_model_version(const struct sluice_result *result);
const char *sluice_result_id(const struct sluice_result *result);

size_t sluice_result_output_count(const struct sluice_result *result);
const struct sluice_tensor *sluice_result_output(const struct sluice_result *result, size_t index);
/* By name; NULL when the result has no such output. */
const struct sluice_tensor *sluice_result_output_named(const struct sluice_result *result,
                                                       const char *name);

/* The next element of a BYTES tensor: *cursor starts at 0 and is moved on. false at the end. (The
 * lengths were checked when the result was received.) */
bool sluice_tensor_next_bytes(const struct sluice_tensor *tensor, size_t *cursor,
                              struct sluice_bytes *out);

size_t sluice_result_parameter_count(const struct sluice_result *result);
const struct sluice_parameter *sluice_result_parameter(const struct sluice_result *result,
                                                       size_t index);

/* The encoded answer of sluice_unary; empty for sluice_infer, whose message is taken apart. */
struct sluice_bytes sluice_result_message(const struct sluice_result *result);

/* Where a pair of names and values came from. */
enum sluice_pairs {
    SLUICE_HEADERS = 0,  /* initial metadata */
    SLUICE_TRAILERS = 1, /* sluice-call-id, sluice-queue-ms, sluice-exec-ms, ... */
    SLUICE_DETAILS = 2,  /* of an error: the metadata of its ErrorInfo */
};
size_t sluice_result_pair_count(const struct sluice_result *result, enum sluice_pairs from);
/* NULL when index is past the end. */
const struct sluice_pair *sluice_result_pair(const struct sluice_result *result,
                                             enum sluice_pairs from, size_t index);
/* The value of the first trailer, else header, of that (lower-case) name; NULL: none. */
const char *sluice_result_metadata(const struct sluice_result *result, const char *name);

/* ---- The receipt ------------------------------------------------------------------------------ */

enum {
    SLUICE_RECEIPT_CALL_ID_BYTES = 40,
    SLUICE_RECEIPT_VISITOR_BYTES = 256,
    SLUICE_RECEIPT_NAME_BYTES = 64,
};

/* What a call cost, whom, and what is left, as a gateway of Sluice tells it in the trailers of each
 * inference, refusals included. A plain value: copied freely, never freed. Numbers that were not
 * told, or that are none, are -1, texts are ""; longer texts are cut at a character. */
struct sluice_receipt {
    size_t struct_bytes; /* set by SLUICE_RECEIPT_INIT */
    /* GPU time, in microseconds of one slice times the size's factor: what this call was charged (0
     * for what costs nothing), and what its visitor may still use. Calls in flight hold time, which
     * is not left. */
    int64_t charged_us;
    int64_t left_us;
    /* When the visitor's 24 h are over and all of the time is there again: seconds since
     * 1970-01-01T00:00:00Z. */
    int64_t resets_at_s;
    /* Waiting, and holding the slice, in microseconds; of a call that was started. */
    int64_t queue_us;
    int64_t exec_us;
    char call_id[SLUICE_RECEIPT_CALL_ID_BYTES]; /* a UUID */
    char
        visitor[SLUICE_RECEIPT_VISITOR_BYTES]; /* who was charged: "user:alice", "ip:203.0.113.7" */
    char tier[SLUICE_RECEIPT_NAME_BYTES];      /* the visitor's: "pro" */
    char node[SLUICE_RECEIPT_NAME_BYTES];      /* where it ran */
};

#define SLUICE_RECEIPT_INIT                                                                        \
    {                                                                                              \
        sizeof(struct sluice_receipt), -1, -1, -1, -1, -1, "", "", "", ""                          \
    }

/* Reads the receipt; out begins as SLUICE_RECEIPT_INIT. result may be NULL. false: this answer does
 * not say who was charged (another server, or a caller that was not let in); what else it told is
 * there all the same. */
bool sluice_result_receipt(const struct sluice_result *result, struct sluice_receipt *out);

#ifdef __cplusplus
}
#endif

#endif
