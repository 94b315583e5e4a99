/* cli_screen.h - the whole terminal for pictures that follow each other: its size, its keys, and giving it back as it
 * was, also by Ctrl-C. Plain ANSI sequences; one screen at a time. */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

/* Takes the terminal of stdout, which must be one. */
void cli_screen_open(void);
/* Gives it back; again is fine. */
void cli_screen_close(void);
/* Columns and lines; 0 when the terminal does not say. */
void cli_screen_size(int *out_width, int *out_height);
/* In the place of what was there. */
void cli_screen_draw(const char *text);

enum cli_screen_event { CLI_SCREEN_TIME, CLI_SCREEN_RESIZED, CLI_SCREEN_KEY, CLI_SCREEN_QUIT };
/* What comes first: the time is over, the size has changed, a key, or the wish to end (q, or nobody is there). */
enum cli_screen_event cli_screen_wait(int64_t ms);

#endif
