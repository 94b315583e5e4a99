/* sim_report.h - results for people and for programs.
 *
 * Errors   SL_ENOMEM, SL_ETOOBIG (the buffer's maximum).
 */
#ifndef SIM_REPORT_H
#define SIM_REPORT_H

#include "sim_result.h"
#include "sl_buf.h"

/* A table for each result; with several, what they differ in is side by side. */
SL_MUST_CHECK sl_status sim_report_text(const struct sim_result *results, size_t count,
                                        struct sl_buf *out);
/* One object, ended by a newline. */
SL_MUST_CHECK sl_status sim_report_json(const struct sim_result *results, size_t count,
                                        struct sl_buf *out);

#endif
