/* list.c: see list.h. */
#include "list.h"

size_t move_apply(enum move m, size_t from, size_t last, int page)
{
    size_t step = page > 1 ? (size_t)page - 1 : 1, half = page > 1 ? (size_t)page / 2 : 1;

    switch (m) {
    case MOVE_UP: return from > 0 ? from - 1 : 0;
    case MOVE_DOWN: return from < last ? from + 1 : last;
    case MOVE_PAGE_UP: return from > step ? from - step : 0;
    case MOVE_PAGE_DOWN: return last - from > step && from < last ? from + step : last;
    case MOVE_HALF_UP: return from > half ? from - half : 0;
    case MOVE_HALF_DOWN: return from < last && last - from > half ? from + half : last;
    case MOVE_HOME: return 0;
    case MOVE_END: return last;
    }
    return from;
}

void list_move(struct list *l, enum move m)
{
    if (l->n > 0)
        l->sel = move_apply(m, l->sel, l->n - 1, l->rows);
}

void list_place(struct list *l, size_t n, size_t sel)
{
    size_t row = l->sel >= l->top ? l->sel - l->top : 0;

    l->n = n;
    l->sel = n == 0 ? 0 : sel < n ? sel : n - 1;
    l->top = l->sel > row ? l->sel - row : 0;
}

void list_layout(struct list *l, int rows)
{
    size_t h = rows > 0 ? (size_t)rows : 1;

    l->rows = rows;
    if (l->sel < l->top)
        l->top = l->sel;
    if (l->sel >= l->top + h)
        l->top = l->sel - h + 1;
    if (l->top + h > l->n)
        l->top = l->n > h ? l->n - h : 0;
}
