# Whether this folder is in a clone of the repository: other projects have a `cargo xtask` of their own.
function __llama_xtask_is_here
    set -l dir $PWD
    while test -n "$dir" -a ! -f "$dir/vendor/llama.cpp.toml"
        set dir (string replace -r '/[^/]*$' '' -- $dir)
    end
    test -n "$dir"
end

# The words between `cargo xtask` and the one that is completed; fails without `xtask`.
function __llama_xtask_words
    set -l words (commandline -opc)
    set -e words[1]
    string match -q -- '+*' $words[1]
    and set -e words[1]
    test "$words[1]" = xtask
    and __llama_xtask_is_here
    or return 1
    string escape -- $words[2..]
    return 0
end

complete -c cargo -n '__llama_xtask_words >/dev/null' -f -k \
    -a '(complete -C (string join " " -- llama_xtask (__llama_xtask_words) (commandline -ct)))'
