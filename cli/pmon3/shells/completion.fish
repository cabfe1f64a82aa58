# Completion of pmon3 for fish: pmon3 itself says what a word can become.
function __pmon3_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for found in ($words[1] __complete $words[2..-1] "$current" 2>/dev/null)
        switch $found
            case :files
                __fish_complete_path "$current"
            case :folders
                __fish_complete_directories "$current"
            case '*'
                printf '%s\n' $found
        end
    end
end
complete -c pmon3 -f -a '(__pmon3_complete)'
