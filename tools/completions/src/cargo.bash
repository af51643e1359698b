# Whether this folder is in a clone of the repository: other projects have a `cargo xtask` of their own.
__llama_xtask_is_here() {
    local dir=$PWD
    while [[ -n $dir && ! -f $dir/vendor/llama.cpp.toml ]]; do
        dir=${dir%/*}
    done
    [[ -n $dir ]]
}

__llama_xtask_cargo() {
    local at=1
    [[ ${COMP_WORDS[1]} == +* ]] && at=2
    if ((COMP_CWORD > at)) && [[ ${COMP_WORDS[at]} == xtask ]] && __llama_xtask_is_here; then
        local words=(llama_xtask "${COMP_WORDS[@]:at+1}")
        local COMP_WORDS=("${words[@]}") COMP_CWORD=$((COMP_CWORD - at))
        compopt -o nosort 2>/dev/null
        _llama_xtask llama_xtask "$2" "$3"
        return
    fi
    if [[ -z $__llama_xtask_cargo_before ]]; then
        # bash-completion loads cargo's own function when somebody needs it.
        if declare -F _comp_load >/dev/null; then
            _comp_load cargo
        elif declare -F _completion_loader >/dev/null; then
            _completion_loader cargo
        fi
        __llama_xtask_take_over
    fi
    if [[ -n $__llama_xtask_cargo_before ]]; then
        "$__llama_xtask_cargo_before" "$@"
    fi
}

# Puts our function in the place of cargo's own, which it calls for everything but `xtask`.
__llama_xtask_take_over() {
    local cargo
    cargo=$(complete -p cargo 2>/dev/null)
    if [[ $cargo =~ ' -F '([^ ]+) && ${BASH_REMATCH[1]} != __llama_xtask_cargo ]]; then
        __llama_xtask_cargo_before=${BASH_REMATCH[1]}
        eval "${cargo/ -F $__llama_xtask_cargo_before/ -F __llama_xtask_cargo}"
    else
        complete -F __llama_xtask_cargo -o bashdefault -o default cargo
    fi
}

__llama_xtask_take_over
