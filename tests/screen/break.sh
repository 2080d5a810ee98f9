#!/bin/sh
# An editor for tests: writes a byte that is no UTF-8.
printf 'broken \377 text\n' >"$1"
