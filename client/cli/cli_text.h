/* cli_text.h - texts that others have written, fit to be shown on a terminal. Pure. */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

/* Puts '?' in the place of control characters (of which escape sequences are made) and of what is
 * not UTF-8. */
void cli_text_make_safe(char *text);
/* Characters, not bytes. */
int cli_text_width(const char *text);
/* At most so many characters, at least 1; the last of them is '~' where there were more. */
void cli_text_cut(char *text, int width);

#endif
