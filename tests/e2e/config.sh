# config.json: keys are rebound, what is wrong in it is said with its line.
. "$(dirname "$0")/lib.sh"
printf '{\n "keys": {\n  "step": ["S", "<F5>"],\n  "nonsense": "x"\n }\n}\n' >"$top/home/.config/cai/config.json"
workbench 80x24
see 'config.json: line 4: no action is named "nonsense"'
keys s
sleep 0.2
see 'saved  1/1'
keys F5
see 'saved  2/2'
see 'S critique and revise'
keys q
see 'code=0'
