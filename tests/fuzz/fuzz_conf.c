/* fuzz_conf.c - any bytes as a configuration file: either a report of whole lines, or values that
 * print, read back and print the same. */
#include <stdlib.h>
#include <string.h>

#include "conf_sample.h"
#include "sl_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* An error is told in whole lines that begin with the file's name, in UTF-8. */
static void check_report(const struct sl_buf *errors)
{
    require(errors->len > 0 && errors->data[errors->len - 1] == '\n');
    require(sl_text_is_utf8(sl_buf_span(errors)));
    for (size_t at = 0; at < errors->len;) {
        const uint8_t *line = errors->data + at;
        require(errors->len - at > 2 && memcmp(line, "f:", 2) == 0);
        at += (size_t)((const uint8_t *)memchr(line, '\n', errors->len - at) - line) + 1;
    }
}

/* Reads text and prints what was read into out; false: it was refused. */
static bool read_and_print(struct sl_span text, struct sl_buf *out)
{
    struct sample v = {0};
    struct sl_conf *conf = NULL;
    struct sl_buf errors;
    sl_buf_init(&errors, &sl_alloc_malloc, 1 << 24);
    sl_status s = sl_conf_parse("f", text, sample_table, &v, &errors, &conf);
    if (s == SL_OK) {
        require(errors.len == 0);
        require(sl_conf_print(sample_table, &v, out) == SL_OK);
        sl_conf_destroy(conf);
    } else {
        require(s == SL_EINVAL);
        check_report(&errors);
    }
    sl_buf_finish(&errors);
    return s == SL_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_buf first;
    struct sl_buf second;
    sl_buf_init(&first, &sl_alloc_malloc, 1 << 24);
    sl_buf_init(&second, &sl_alloc_malloc, 1 << 24);
    if (read_and_print(sl_span_of(data, size), &first)) {
        require(read_and_print(sl_buf_span(&first), &second));
        require(sl_span_eq(sl_buf_span(&first), sl_buf_span(&second)));
    }
    sl_buf_finish(&first);
    sl_buf_finish(&second);
    return 0;
}
