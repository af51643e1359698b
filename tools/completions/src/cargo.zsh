# Whether this folder is in a clone of the repository: other projects have a `cargo xtask` of their own.
__llama_xtask_is_here() {
    local dir=$PWD
    while [[ -n $dir && ! -f $dir/vendor/llama.cpp.toml ]]; do
        dir=${dir%/*}
    done
    [[ -n $dir ]]
}

# Cargo's own completion calls the function `_cargo-WORD` for a word that it does not know.
_cargo-xtask() {
    if __llama_xtask_is_here; then
        words[1]=llama_xtask
        _llama_xtask "$@"
    else
        _default
    fi
}

# Without cargo's own completion.
if (( ! $+_comps[cargo] )); then
    _llama_xtask-cargo() {
        if (( CURRENT > 2 )) && [[ $words[2] == xtask ]]; then
            shift words
            (( CURRENT -= 1 ))
            _cargo-xtask
        else
            _default
        fi
    }
    compdef _llama_xtask-cargo cargo
fi
