/* cli_outputs.c - a result's outputs and receipt, to files and to stdout. */
#include "cli_outputs.h"

#include <stdio.h>
#include <string.h>

#include "cli_npy.h"
#include "cli_receipt.h"
#include "cli_show.h"

enum { SHOWN_ELEMENTS = 16, SHOWN_BYTES_MAX = 64 * 1024 };

static bool is_npy(const char *path)
{
    size_t len = strlen(path);
    return len >= 4 && strcmp(path + len - 4, ".npy") == 0;
}

static int write_output(const struct cli_common *c, const struct sluice_tensor *t, const char *path)
{
    struct sl_buf head;
    enum sl_dtype dtype = sl_dtype_from_name(sl_span_str(t->datatype));
    int code = CLI_OK;

    sl_buf_init(&head, &sl_alloc_malloc, 4096);
    if (is_npy(path) && cli_npy_write_head(dtype, t->shape, t->rank, &head) != SL_OK) {
        sl_buf_finish(&head);
        return cli_fail(c, CLI_FAILED, "a .npy file cannot hold %s", t->datatype);
    }
    FILE *f = fopen(path, "wbe");
    if (f == NULL || fwrite(head.data, 1, head.len, f) != head.len ||
        fwrite(t->data, 1, t->bytes, f) != t->bytes)
        code = cli_fail(c, CLI_FAILED, "cannot write %s: %m", path);
    if (f != NULL && fclose(f) != 0 && code == CLI_OK)
        code = cli_fail(c, CLI_FAILED, "cannot write %s: %m", path);
    sl_buf_finish(&head);
    return code;
}

static int write_outputs(const struct cli_common *c, const struct sluice_result *r,
                         const struct cli_named_list *files)
{
    for (size_t i = 0; i < files->count; i++) {
        const struct cli_named *o = &files->items[i];
        const struct sluice_tensor *t = sluice_result_output_named(r, o->name);
        if (o->value == NULL)
            continue;
        if (t == NULL)
            return cli_fail(c, CLI_FAILED, "there is no output %s to write to %s", o->name,
                            o->value);
        int code = write_output(c, t, o->value[0] == '@' ? o->value + 1 : o->value);
        if (code != CLI_OK)
            return code;
    }
    return CLI_OK;
}

static json_t *parameter_json(const struct sluice_parameter *p)
{
    switch (p->kind) {
    case SLUICE_PARAMETER_BOOL:
        return json_boolean(p->value.boolean);
    case SLUICE_PARAMETER_INT64:
        return json_integer(p->value.int64);
    case SLUICE_PARAMETER_UINT64:
        return json_integer((json_int_t)p->value.uint64);
    case SLUICE_PARAMETER_DOUBLE:
        return json_real(p->value.real);
    default:
        return json_string(p->value.string);
    }
}

/* The trailers that Sluice's contract names. */
static json_t *metadata_json(const struct sluice_result *r)
{
    json_t *o = json_object();
    for (size_t i = 0; i < sluice_result_pair_count(r, SLUICE_TRAILERS); i++) {
        const struct sluice_pair *p = sluice_result_pair(r, SLUICE_TRAILERS, i);
        if (strncmp(p->name, "sluice-", 7) == 0)
            json_object_set_new(o, p->name, json_string(p->value));
    }
    return o;
}

static int print_json(const struct sluice_result *r)
{
    struct sluice_receipt receipt = SLUICE_RECEIPT_INIT;
    json_t *outputs = json_array();
    json_t *parameters = json_object();

    sluice_result_receipt(r, &receipt);
    for (size_t i = 0; i < sluice_result_output_count(r); i++)
        json_array_append_new(outputs, cli_show_json(sluice_result_output(r, i)));
    for (size_t i = 0; i < sluice_result_parameter_count(r); i++) {
        const struct sluice_parameter *p = sluice_result_parameter(r, i);
        json_object_set_new(parameters, p->name, parameter_json(p));
    }
    return cli_print_json(json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "model_name",
                                    sluice_result_model_name(r), "model_version",
                                    sluice_result_model_version(r), "id", sluice_result_id(r),
                                    "parameters", parameters, "outputs", outputs, "receipt",
                                    cli_receipt_json(&receipt), "metadata", metadata_json(r)));
}

static void print_output(const struct sluice_tensor *t)
{
    struct sl_buf text;
    char shape[256];

    sl_buf_init(&text, &sl_alloc_malloc, SHOWN_BYTES_MAX);
    if (cli_show_values(t, SHOWN_ELEMENTS, &text) == SL_OK && text.len > 0)
        printf("%s %s %s: %.*s\n", t->name, t->datatype,
               sl_shape_format(t->shape, t->rank, shape, sizeof(shape)), (int)text.len,
               (const char *)text.data);
    sl_buf_finish(&text);
}

static void print_line(sl_status (*format)(const struct sluice_receipt *, struct sl_buf *),
                       const struct sluice_receipt *receipt)
{
    struct sl_buf text;

    sl_buf_init(&text, &sl_alloc_malloc, SHOWN_BYTES_MAX);
    if (format(receipt, &text) == SL_OK && text.len > 0)
        printf("%.*s\n", (int)text.len, (const char *)text.data);
    sl_buf_finish(&text);
}

static void print_receipt(const struct sluice_result *r)
{
    struct sluice_receipt receipt = SLUICE_RECEIPT_INIT;

    sluice_result_receipt(r, &receipt);
    print_line(cli_receipt_money, &receipt);
    print_line(cli_receipt_way, &receipt);
}

static int print_text(const struct sluice_result *r)
{
    for (size_t i = 0; i < sluice_result_output_count(r); i++)
        print_output(sluice_result_output(r, i));
    print_receipt(r);
    return CLI_OK;
}

int cli_outputs_show(const struct cli_common *c, const struct sluice_result *r,
                     const struct cli_named_list *files)
{
    int code = write_outputs(c, r, files);

    if (code != CLI_OK)
        return code;
    return c->json ? print_json(r) : print_text(r);
}
