/*
 * signals.h: signals as bytes in a pipe, and a sane terminal after a crash.
 *
 * TERM, HUP, INT, WINCH and CONT write one byte to the self-pipe and return. SEGV, ABRT,
 * BUS and FPE write one prebuilt string on an alternate stack, restore the terminal's
 * modes and die of the signal.
 */
#ifndef TUI_SIGNALS_H
#define TUI_SIGNALS_H

#include <stddef.h>

/* Readable end of the self-pipe, non-blocking, or -1. Before any mode is switched on: the
 * modes of now are what a crash goes back to. */
int signals_open(void);
void signals_close(void);
/* Next signal that came, 0 for none. */
int signals_take(int fd);
/* What a crash writes to fd; len 0: nothing. */
void signals_set_restore(int fd, const char *bytes, size_t len);

#endif
