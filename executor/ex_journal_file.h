/* ex_journal_file.h - the memory of the journal of leases: a file in the state directory, or memory
 * that does not outlive the process.
 *
 * The file is mapped, and never written back on purpose: a killed process loses nothing, a machine that
 * loses power may. One executor at a time has it (flock); one that is taken is waited for, for 2 s.
 */
#ifndef EX_JOURNAL_FILE_H
#define EX_JOURNAL_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "ex_journal.h"

struct ex_journal_file {
    int fd; /* -1: memory only */
    void *map;
    size_t bytes;
};

/* Maps DIR/leases.journal, made when it is not there, with room for max records that wait, on the disk
 * too; a directory of one new level is made. dir "": memory only. Errors: SL_EIO, with a sentence. */
SL_MUST_CHECK sl_status ex_journal_file_open(const char *dir, uint32_t max,
                                             struct ex_journal_file *out, struct sl_error *err);
/* Closed, or never opened (fd -1, map NULL), is fine. */
void ex_journal_file_close(struct ex_journal_file *f);

/* The journal in the file: a new one's id is random. Errors: SL_EPROTO, SL_ENOMEM, with a sentence. */
SL_MUST_CHECK sl_status ex_journal_file_journal(const struct ex_journal_file *f, uint32_t max,
                                                struct ex_journal **out, struct sl_error *err);
/* What the file of another, perhaps running, executor says. Errors: SL_EIO, SL_EPROTO, with a sentence. */
SL_MUST_CHECK sl_status ex_journal_file_read(const char *dir, struct ex_journal_totals *out,
                                             struct sl_error *err);

#endif
