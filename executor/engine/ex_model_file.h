/* ex_model_file.h - reads one model's directory: DIR/model.yaml and the version directories beside
 * it.
 *
 *   engine: onnx                          # identity | fake | onnx
 *   duration: 5s                          # of a call that does not say; ex_model_duration.h; 60s without it
 *   max_duration: 60s                     # 300s without it
 *   max_batch: 8                          # items of several calls that one run takes; 1 without it
 *   batch_delay: 2ms                      # how long a call waits for others; 1ms without it
 *   inputs:  [{name: INPUT0, datatype: FP32, shape: [-1, 4]}]
 *   outputs: [{name: OUTPUT0, datatype: FP32, shape: [-1, 4]}]
 *   onnx: {file: model.onnx}              # the engine's own section; its keys stand at the engine
 *
 * The version is the largest number among the names of DIR's subdirectories (1, 2, 10: no other
 * characters, no leading zero); without such a directory it is "1" and the files lie in DIR.
 *
 * Errors   All of a file at once, appended to `errors`, one sentence a line, each with file, line
 *          and, where the reader knows it, column: SL_ENOENT (no model.yaml), SL_EINVAL, SL_ENOMEM.
 * Memory   The file owns its spec; all by the allocator of `errors`.
 * Threads  One.
 */
#ifndef EX_MODEL_FILE_H
#define EX_MODEL_FILE_H

#include "ex_model.h"
#include "sl_buf.h"
#include "sl_status.h"

struct ex_model_file;

SL_MUST_CHECK sl_status ex_model_file_load(const char *dir, struct sl_buf *errors,
                                           struct ex_model_file **out);
const struct ex_model_spec *ex_model_file_spec(const struct ex_model_file *f);
void ex_model_file_destroy(struct ex_model_file *f); /* NULL is fine */

/* The keys of model.yaml as a Markdown table, for the reference page. */
SL_MUST_CHECK sl_status ex_model_file_reference(struct sl_buf *out);

#endif
