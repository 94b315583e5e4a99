/* gw_json.h - JSON of strangers, read by jansson without its fault.
 *
 * Up to 2.14 and beyond jansson does not notice when there is no memory for one more character of the text it is at
 * (lex_save in its load.c; its issue 362), takes what it has for the whole, and runs past the end of it. So jansson
 * gets its memory here: a reading for which there is none is left on the spot (longjmp), and all that it has taken is
 * given back. That can be done, since a reading has nothing but memory.
 *
 * Threads  Any; jansson's memory is one for all of the process.
 * Memory   While a text is read, a list of the blocks that it takes.
 */
#ifndef GW_JSON_H
#define GW_JSON_H

#include <jansson.h>

#include "sl_alloc.h"
#include "sl_span.h"

enum gw_json_fault { GW_JSON_FINE, GW_JSON_MALFORMED, GW_JSON_KEY_TWICE, GW_JSON_NO_MEMORY };

/* From now on jansson takes its memory from alloc, which any thread may use, and the fault is guarded against. While
 * jansson holds no block of another one, and before there are threads. alloc is borrowed for good. */
void gw_json_guard(const struct sl_alloc *alloc);

/* The value of a text that is an array or an object, without a key that is there twice; json_decref ends it. NULL:
 * *out_fault says why. */
json_t *gw_json_read(struct sl_span text, enum gw_json_fault *out_fault);

#endif
