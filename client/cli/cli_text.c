/* cli_text.c - texts that others have written, fit to be shown on a terminal. */
#include "cli_text.h"

#include <string.h>

#include "sl_text.h"

static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0);
}

void cli_text_make_safe(char *text)
{
    struct sl_span rest = sl_span_str(text);

    while (rest.len > 0) {
        uint32_t code = 0;
        size_t len = sl_text_utf8_next(rest, &code);
        char *at = text + (rest.data - (const uint8_t *)text);
        if (len == 0 || is_control(code)) {
            len = len > 0 ? len : 1;
            memset(at, '?', len);
        }
        rest = sl_span_of(rest.data + len, rest.len - len);
    }
}

int cli_text_width(const char *text)
{
    int width = 0;
    for (; *text != '\0'; text++)
        width += (*text & 0xC0) != 0x80;
    return width;
}

void cli_text_cut(char *text, int width)
{
    if (cli_text_width(text) <= width)
        return;
    for (int i = 1; i < width; i++)
        for (text++; (*text & 0xC0) == 0x80;)
            text++;
    text[0] = '~';
    text[1] = '\0';
}
