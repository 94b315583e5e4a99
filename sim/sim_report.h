/* sim_report.h - results for people, as text and as a page, and for programs.
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
/* The last part of that: a row for each number, a column for each result. */
SL_MUST_CHECK sl_status sim_report_compare(const struct sim_result *results, size_t count,
                                           struct sl_buf *out);
/* One object, ended by a newline. */
SL_MUST_CHECK sl_status sim_report_json(const struct sim_result *results, size_t count,
                                        struct sl_buf *out);
/* A page with tables and plots that needs nothing else, light or dark as its reader likes. */
SL_MUST_CHECK sl_status sim_report_html(const struct sim_result *results, size_t count,
                                        struct sl_buf *out);

#endif
