/* cli_input.h - one --input NAME=VALUE|@FILE|@FILE.npy, by the model's metadata, as a tensor. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "cli_value.h"
#include "sluice/sluice.h"

/* spec: what stands behind NAME=; shape_text: of --shape NAME=..., or NULL. Files are read into the
 * arena. Errors: SL_EINVAL (with a sentence in *why), SL_ENOMEM. */
SL_MUST_CHECK sl_status cli_input_read(const struct sluice_tensor_info *info, const char *spec,
                                       const char *shape_text, struct sl_arena *arena,
                                       struct cli_tensor *out, struct sl_error *why);

#endif
