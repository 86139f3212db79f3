#!/bin/sh
# The clock of a practice host: as many seconds off this machine's as ../clock says. Setting it
# changes that file and nothing else.
clock=$CERTDECK_ROOT/clock
offset=0
[ ! -r "$clock" ] || read -r offset <"$clock"
at=$(($(/bin/date +%s) + offset))
wanted=
for word; do
    case $wanted$word in
        =*) wanted=$word ;;
        -s|--set) wanted== ;;
        -s*) wanted=${word#-s} ;;
        --set=*) wanted=${word#*=} ;;
    esac
done
if [ -n "$wanted" ]; then
    case $wanted in
        @*) to=${wanted#@} to=${to%%.*} ;;
        *) to=$(/bin/date -d "$wanted" +%s) || exit 1 ;;
    esac
    echo $((to - at + offset)) >"$clock.$$" && mv "$clock.$$" "$clock"
    exec "$0"
fi
# GNU's way, then BSD's.
/bin/date -d "@$at" "$@" 2>/dev/null || exec /bin/date -r "$at" "$@"
