# A text through the user's editor and back; its failure changes nothing.
. "$(dirname "$0")/lib.sh"
cat >"$top/ed" <<'END'
#!/bin/sh
ls -l "$1" >>"$0.seen"
[ -e "$0.fail" ] && exit 3
echo 'in the editor'
read -r line </dev/tty
echo "$line" >"$1"
END
chmod +x "$top/ed"
bare="$bare CAI_EDITOR=$top/ed"
workbench 80x24
keys E
see 'in the editor'
text 'Written; by $HOME `hand`'
keys Enter
see 'c1 Written; by $HOME `hand`'
see '? help'
grep -q '^-rw-------' "$top/ed.seen" || fail "mode: $(cat "$top/ed.seen")"
[ ! -e "$(sed 's/.* //' "$top/ed.seen")" ] || fail 'the file stays'
touch "$top/ed.fail"
keys E
see 'ended with status 3'
see 'c1 Written'
keys q
see 'code=0'
