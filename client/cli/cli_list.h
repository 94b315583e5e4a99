/* cli_list.h - lists that come in pages: a table for people, one JSON document for programs. */
#ifndef CLI_LIST_H
#define CLI_LIST_H

#include <protobuf-c/protobuf-c.h>

#include "cli.h"
#include "cli_table.h"

enum { CLI_LIST_DEFAULT = 1000, CLI_LIST_MAX = 100000 };
#define CLI_LIST_HELP "      --limit N                 at most so many (1000; up to 100000)\n"

/* A request with the fields page_size and page, and an answer whose first repeated field are the
 * rows (messages), with next_page. */
struct cli_list {
    const char *method;
    ProtobufCMessage *request; /* its page fields are set here */
    const ProtobufCMessageDescriptor *answer;
    int64_t limit; /* rows */
    /* For people. */
    const char *const *heads;
    size_t column_count;
    void (*add_row)(struct cli_table *t, const ProtobufCMessage *row, void *ctx);
    void (*print_end)(void *ctx, int64_t count,
                      bool has_more); /* behind the table; NULL: nothing but has_more */
    void *ctx;
    const char *none; /* instead of an empty table: "no tokens" */
};

/* Asks page by page and prints. CLI_OK, or the exit code after the error was told. */
int cli_list_run(struct cli_common *c, const struct cli_list *l);

#endif
