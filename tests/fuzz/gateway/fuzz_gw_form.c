/* fuzz_gw_form.c - any bytes as a request of sluice.v1, and any text as an account's name.
 *
 * Input: one byte for the method, then the message. */
#include <stdint.h>
#include <stdlib.h>

#include "fuzz_script.h"
#include "gw_account_name.h"
#include "gw_form.h"
#include "gw_principal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t max)
{
    fuzz_require(text != NULL && strlen(text) <= max);
    for (const char *p = text; *p != '\0'; p++)
        fuzz_require((uint8_t)*p >= 0x20 && *p != 0x7f);
}

static void check_form(const struct gw_form *form)
{
    check_text(form->account, GW_ACCOUNT_NAME_MAX);
    check_text(form->owner, GW_ACCOUNT_NAME_MAX);
    check_text(form->app, GW_APP_NAME_MAX);
    check_text(form->user, GW_FORM_USER_MAX);
    check_text(form->visitor, GW_FORM_VISITOR_MAX);
    check_text(form->reason, GW_FORM_REASON_MAX);
    fuzz_require(form->page >= 0 && form->from >= 0 && form->until >= 0);
    fuzz_require(form->page_rows >= 0 && form->page_rows <= GW_FORM_PAGE_ROWS_MAX);
    fuzz_require(form->by >= 0 && form->by <= GW_FORM_BY_VISITOR);
}

/* The form in which the ledger has it is read as itself. */
static void check_name(const char *text)
{
    char name[GW_ACCOUNT_NAME_MAX + 1], again[GW_ACCOUNT_NAME_MAX + 1];
    struct sl_error err;
    if (!gw_account_name_read(sl_span_str(text), name, &err))
        return;
    fuzz_require(gw_account_name_read(sl_span_str(name), again, &err));
    fuzz_require(strcmp(name, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_arena arena;
    struct gw_form form;
    struct sl_error err = {.reason = SL_REASON_OK};
    if (size == 0)
        return 0;
    sl_arena_init(&arena, &sl_alloc_malloc, 1 << 20);
    enum gw_method m = (enum gw_method)(data[0] % GW_METHOD_COUNT);
    if (gw_form_read(m, sl_span_of(data + 1, size - 1), &arena, &form, &err)) {
        check_form(&form);
        check_name(form.account);
    } else {
        fuzz_require(err.reason != SL_REASON_OK && err.text[0] != '\0');
    }
    sl_arena_finish(&arena);
    return 0;
}
