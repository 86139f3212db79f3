#!/bin/sh
# systemctl of a practice host: tells what the files in ../units say, and changes them.
here=${0%/*}/../units
verb= units= wanted= style=pretty bare= now=
while [ $# -gt 0 ]; do
    case $1 in
        -p|--property) wanted=$wanted,$2; shift ;;
        --property=*) wanted=$wanted,${1#*=} ;;
        -p*) wanted=$wanted,${1#-p} ;;
        --timestamp) style=$2; shift ;;
        --timestamp=*) style=${1#*=} ;;
        --value) bare=1 ;;
        --now) now=1 ;;
        -*) ;;
        *) if [ -z "$verb" ]; then verb=$1; else units="$units $1"; fi ;;
    esac
    shift
done

tell() {
    case ,$wanted, in
        ,,|*,"$1",*) if [ "$bare" ]; then echo "$2"; else echo "$1=$2"; fi ;;
    esac
}

value() {
    while IFS='=' read -r key rest; do
        [ "$key" != "$2" ] || { echo "$rest"; return; }
    done <"$here/$1"
}

show() {
    tell Id "$1"
    if ! [ -f "$here/$1" ]; then
        tell LoadState not-found
        tell ActiveState inactive
        tell SubState dead
        return
    fi
    while IFS='=' read -r key rest; do
        case $style:$rest in
            unix*:@*) rest=${rest%% *} ;;
            *:@*) rest=${rest#* } ;;
        esac
        tell "$key" "$rest"
    done <"$here/$1"
}

# Writes a unit anew, with other values.
change() {
    unit=$1 new=$here/.$1.$$
    shift
    cp "$here/$unit" "$new"
    for pair; do
        sed "s|^${pair%%=*}=.*|$pair|" "$new" >"$new.2" && mv "$new.2" "$new"
    done
    mv "$new" "$here/$unit"
}

next() {
    at=$(($(date +%s) + 22440))
    text=$(LC_ALL=C TZ=UTC /bin/date -d "@$at" '+%a %Y-%m-%d %H:%M:%S UTC' 2>/dev/null) ||
        text=$(LC_ALL=C TZ=UTC /bin/date -r "$at" '+%a %Y-%m-%d %H:%M:%S UTC')
    echo "NextElapseUSecRealtime=@$at $text"
}

known() {
    case $1 in *.*) unit=$1 ;; *) unit=$1.service ;; esac
    [ -f "$here/$unit" ] && return
    echo "Failed to $verb $unit: Unit $unit not found." >&2
    exit 5
}

run() {
    case $unit in
        certbot.timer) change "$unit" ActiveState=active SubState=waiting "$(next)" ;;
        nginx.service)
            if ! "${0%/*}/nginx" -s reload 2>/dev/null; then
                echo "Job for nginx.service failed because the control process exited with error code." >&2
                echo 'See "systemctl status nginx.service" and "journalctl -xeu nginx.service" for details.' >&2
                exit 1
            fi
            change "$unit" ActiveState=active SubState=running ;;
        certbot.service)
            echo 'a practice host starts certbot.service by its timer alone' >&2
            exit 1 ;;
        *) change "$unit" ActiveState=active SubState=running ;;
    esac
}

halt() { change "$unit" ActiveState=inactive SubState=dead NextElapseUSecRealtime=; }

link=/etc/systemd/system/timers.target.wants/certbot.timer
case $verb in
    show)
        gap=
        for unit in $units; do
            [ -z "$gap" ] || echo
            gap=1
            show "$unit"
        done ;;
    is-active|is-enabled)
        key=ActiveState good=active
        [ "$verb" = is-active ] || { key=UnitFileState good=enabled; }
        failed=0
        for unit in $units; do
            state=
            [ ! -f "$here/$unit" ] || state=$(value "$unit" $key)
            echo "${state:-not-found}"
            [ "$state" = "$good" ] || failed=3
        done
        exit $failed ;;
    is-system-running) echo running ;;
    daemon-reload|unmask) ;;
    reload|reload-or-restart|restart|start|try-restart)
        for unit in $units; do known "$unit"; run; done ;;
    stop) for unit in $units; do known "$unit"; halt; done ;;
    enable)
        for unit in $units; do
            known "$unit"
            if [ "$unit" = certbot.timer ] && [ "$(value "$unit" UnitFileState)" != enabled ]; then
                echo "Created symlink $link → /lib/systemd/system/certbot.timer." >&2
            fi
            change "$unit" UnitFileState=enabled
            [ -z "$now" ] || run
        done ;;
    disable)
        for unit in $units; do
            known "$unit"
            [ "$unit" != certbot.timer ] || echo "Removed $link." >&2
            change "$unit" UnitFileState=disabled
            [ -z "$now" ] || halt
        done ;;
    cat)
        for unit in $units; do
            known "$unit"
            echo '# /lib/systemd/system/'"$unit"
            [ "$unit" != certbot.timer ] || cat <<'END'
[Unit]
Description=Run certbot twice daily

[Timer]
OnCalendar=*-*-* 00,12:00:00
RandomizedDelaySec=43200
Persistent=true

[Install]
WantedBy=timers.target
END
            [ "$unit" != certbot.service ] || cat <<'END'
[Unit]
Description=Certbot

[Service]
Type=oneshot
ExecStart=/usr/bin/certbot -q renew --no-random-sleep-on-renew
PrivateTmp=true
END
        done ;;
    *)
        echo "a practice host cannot do this: systemctl $verb" >&2
        exit 1 ;;
esac
