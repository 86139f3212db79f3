#!/bin/sh
# chronyc of a practice host: its clock follows that of the fleet when it is told to.
root=$CERTDECK_ROOT
for word; do
    case $word in
        makestep|burst|online)
            if [ "$word" = makestep ]; then
                cat "$root/clock.true" >"$root/clock.$$" && mv "$root/clock.$$" "$root/clock"
            fi
            echo '200 OK'
            exit ;;
        waitsync) exit ;;
        tracking)
            echo 'Reference ID    : C0000201 (ntp.example.net)'
            echo 'Leap status     : Normal'
            exit ;;
        -*) ;;
        *)
            echo 'Unrecognized command' >&2
            exit 1 ;;
    esac
done
