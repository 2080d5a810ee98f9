#!/bin/sh
# An editor for tests: turns the text into capitals.
tr a-z A-Z <"$1" >"$1.new" && mv "$1.new" "$1"
