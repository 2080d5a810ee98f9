/*
 * list.h: position in a list of rows: selection, scroll, movement. Widgets share the
 * movement words, so the same keys do the same in every list and text.
 */
#ifndef TUI_LIST_H
#define TUI_LIST_H

#include <stddef.h>

enum move {
    MOVE_UP,
    MOVE_DOWN,
    MOVE_PAGE_UP,
    MOVE_PAGE_DOWN,
    MOVE_HALF_UP,
    MOVE_HALF_DOWN,
    MOVE_HOME,
    MOVE_END
};

/* from + the move, within 0 .. last. */
size_t move_apply(enum move m, size_t from, size_t last, int page);

struct list {
    size_t n, sel, top;
    int rows; /* visible, from the last layout */
};

void list_move(struct list *l, enum move m);
/* New number of rows and new place of the selected one, which keeps its screen row. */
void list_place(struct list *l, size_t n, size_t sel);
/* Scrolls so that the selection is visible in `rows` rows. */
void list_layout(struct list *l, int rows);

#endif
