/* sluice_result.h - the inside of a result: metadata, the received message, and what it was taken
 * apart into.
 *
 * Memory   The message lies in one aligned block; raw outputs are found in it, except those that are
 *          not aligned there, which are copied. Everything else lies in the arena.
 */
#ifndef SLUICE_RESULT_H
#define SLUICE_RESULT_H

#include "sl_arena.h"
#include "sl_span.h"
#include "sluice_pairs.h"

enum { SLUICE_DATA_ALIGN = 16 };

struct sluice_result {
    struct sluice_pairs_list pairs[3]; /* by enum sluice_pairs */
    uint8_t *block;                    /* holds the message, or NULL */
    uint8_t *message;                  /* within block */
    size_t message_len;
    struct sl_arena arena;
    bool is_inference; /* the message was taken apart */
    const char *model_name;
    const char *model_version;
    const char *id;
    struct sluice_tensor *outputs;
    size_t output_count;
    struct sluice_parameter *parameters;
    size_t parameter_count;
};

/* NULL: no memory. */
struct sluice_result *sluice_result_create(void);
/* Frees the message's block. */
void sluice_result_drop_message(struct sluice_result *r);

#endif
