#compdef pmon3
# Completion of pmon3 for zsh: pmon3 itself says what a word can become.
_pmon3() {
    local found word
    local -a matches texts
    for found in "${(@f)$("${words[1]}" __complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}"; do
        word=${found%%$'\t'*}
        case $word in
            '') ;;
            :files) _files; return ;;
            :folders) _files -/; return ;;
            *)
                matches+=("$word")
                if [[ $found == *$'\t'* ]]; then texts+=("$word  -- ${found#*$'\t'}"); else texts+=("$word"); fi
                ;;
        esac
    done
    compadd -l -d texts -a matches
}
if [[ ${funcstack[1]} == _pmon3 ]]; then _pmon3 "$@"; else compdef _pmon3 pmon3; fi
