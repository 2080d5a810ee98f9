/*
 * diff.h: what changed between two texts, by words.
 *
 * Words, runs of blanks and single punctuation marks are the symbols. Myers' greedy
 * algorithm ("An O(ND) difference algorithm and its variations", 1986); texts that differ
 * by more than DIFF_MAX_D symbols are shown as replaced between their common ends.
 */
#ifndef TUI_DIFF_H
#define TUI_DIFF_H

#include <stddef.h>

enum { DIFF_MAX_D = 3000 };
enum diff_kind { DIFF_SAME, DIFF_REMOVED, DIFF_ADDED };

/* Consecutive bytes of the old text (same, removed) or of the new one (added). */
struct diff_run {
    enum diff_kind kind;
    size_t at, len;
};

struct diff {
    struct diff_run *v;
    size_t n, cap;
    size_t n_added, n_removed; /* words */
};

void diff_words(struct diff *d, const char *a, size_t a_len, const char *b, size_t b_len);
void diff_free(struct diff *d);

#endif
