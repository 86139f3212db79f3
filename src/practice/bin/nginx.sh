#!/bin/sh
# nginx of a practice host: reads the certificates that its sites name. What it has loaded lies in
# run/nginx, and is what is served.
root=$CERTDECK_ROOT
say() { echo "nginx: $*" >&2; }

# Calls what follows with every certificate and key of a site; a path is one of the host's.
each_file() {
    site=$1
    shift
    while read -r key value _; do
        value=${value%;}
        case $value in "$root"/*) file=$value ;; *) file=$root$value ;; esac
        case $key in ssl_certificate|ssl_certificate_key) "$@" || return 1 ;; esac
    done <"$site"
}

readable() {
    [ -r "$file" ] && return
    say "[emerg] cannot load certificate \"$value\": BIO_new_file() failed (SSL: error:80000002:system library::No such file or directory:calling fopen($value, r) error:10000080:BIO routines::no such file)"
    say "configuration file /etc/nginx/nginx.conf test failed"
    return 1
}

test_all() {
    for site in "$root"/etc/nginx/sites-enabled/*; do
        [ ! -f "$site" ] || each_file "$site" readable || return 1
    done
}

load_all() {
    mkdir -p "$root/run/nginx"
    for site in "$root"/etc/nginx/sites-enabled/*; do
        [ -f "$site" ] || continue
        new=$root/run/nginx/.new.$$
        (umask 077; : >"$new")
        each_file "$site" load
        mv "$new" "$root/run/nginx/${site##*/}"
    done
}

load() { cat "$file" >>"$new"; }

case $1 in
    -t)
        test_all || exit 1
        say 'the configuration file /etc/nginx/nginx.conf syntax is ok'
        say 'configuration file /etc/nginx/nginx.conf test is successful' ;;
    -s) test_all && load_all ;;
    -v) echo 'nginx version: nginx/1.22.1' >&2 ;;
    *) exit 1 ;;
esac
