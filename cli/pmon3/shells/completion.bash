# Completion of pmon3 for bash: pmon3 itself says what a word can become.
_pmon3_complete() {
    local line=${COMP_LINE:0:COMP_POINT} cur=${COMP_WORDS[COMP_CWORD]} found word
    # Bash also breaks words at = and : and replaces only what follows; pmon3 gives whole words.
    local typed=${line##*[[:space:]]}
    [[ $cur == [=:] ]] && cur=
    local before=
    [[ $typed == *"$cur" ]] && before=${typed%"$cur"}
    COMPREPLY=()
    while IFS= read -r found; do
        word=${found%%$'\t'*}
        case $word in
            :files) compopt -o default ;;
            :folders) compopt -o dirnames ;;
            *) printf -v word '%q' "${word#"$before"}" && COMPREPLY+=("$word") ;;
        esac
    done < <("${COMP_WORDS[0]}" __complete --line "$line" 2>/dev/null)
}
complete -F _pmon3_complete pmon3
