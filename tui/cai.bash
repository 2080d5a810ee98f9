# Shell completion of cai for bash.
_cai() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} cmd=
    local common='--json --model --threads --seed --session --template --log --help'
    local i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        tokenize | score | generate | chain | constitution | replay | repair | bench) cmd=${COMP_WORDS[i]}; break ;;
        esac
    done
    case $prev in
    --model | --log | --prefix-file | --script) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    --session) COMPREPLY=($(compgen -d -- "$cur")); return ;;
    --constitution) COMPREPLY=($(compgen -f -W 'harmless helpful-honest general courtesy' -- "$cur")); return ;;
    --layout) COMPREPLY=($(compgen -W 'chat paper' -- "$cur")); return ;;
    --against) COMPREPLY=($(compgen -W 'opposite none' -- "$cur")); return ;;
    --only) COMPREPLY=($(compgen -W 'tg128 pp512 score512' -- "$cur")); return ;;
    esac
    case $cmd in
    '') COMPREPLY=($(compgen -W "tokenize score generate chain constitution replay repair bench --version --help $common --color" -- "$cur")) ;;
    tokenize) COMPREPLY=($(compgen -f -W "$common" -- "$cur")) ;;
    score) COMPREPLY=($(compgen -f -W "$common --prefix-file --joint" -- "$cur")) ;;
    generate) COMPREPLY=($(compgen -W "$common --prompt --system --temp --top-k --top-p --min-p --max-tokens --guidance --with --without" -- "$cur")) ;;
    chain) COMPREPLY=($(compgen -W "$common --prompt --constitution --steps --layout --guidance --guide --against --fewshots --principle --temp --max-tokens" -- "$cur")) ;;
    constitution) COMPREPLY=($(compgen -f -W "list show lint $common" -- "$cur")) ;;
    replay) COMPREPLY=($(compgen -d -W "$common" -- "$cur")) ;;
    repair) COMPREPLY=($(compgen -d -W "$common" -- "$cur")) ;;
    bench) COMPREPLY=($(compgen -W "$common --only" -- "$cur")) ;;
    esac
}
complete -F _cai cai
