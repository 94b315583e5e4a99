/* cli_show.h - a received tensor as text for people and as JSON. Pure. */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include <jansson.h>
#include <sluice/sluice.h>

#include "sl_buf.h"

/* The first max_elements elements, separated by spaces, and how many more there are.
 * Errors: SL_ENOMEM, SL_ETOOBIG. */
SL_MUST_CHECK sl_status cli_show_values(const struct sluice_tensor *t, size_t max_elements,
                                        struct sl_buf *out);

/* {"name", "datatype", "shape", "data": [...]}, flat, all elements. BYTES that are not UTF-8 become
 * {"base64": ...}; numbers that JSON has not become "NaN", "Infinity", "-Infinity". NULL: no memory. */
json_t *cli_show_json(const struct sluice_tensor *t);

#endif
