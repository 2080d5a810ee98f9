/*
 * log.h: what was said, in a file, for whoever looks later. Off until log_open().
 *
 * One line a message: monotonic milliseconds, where it comes from, the text with control
 * bytes as \xNN, so that neither a model nor a file name steers the pager it is read in.
 * A line that cannot be written is dropped: the log never fails what it reports.
 * Thread: UI thread.
 */
#ifndef TUI_LOG_H
#define TUI_LOG_H

#include <stddef.h>

/* Appends to path from now on. 0 and a sentence when it cannot be written. */
int log_open(const char *path, char *err, size_t errlen);
/* Nothing when the log is off. */
void log_line(const char *from, const char *text);

#endif
