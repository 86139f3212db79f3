store=$2 name=$3 how=$4 conf=$5 want=$6 in=$CERTDECK_INPUT
shift 6
# Hooks have no business with it.
unset CERTDECK_INPUT
case $store in /etc/certdeck) store=$CERTDECK_ROOT$store;; esac
op=${in%/input} op=${op##*/}
live=$store/live/$name archive=$store/archive/$name order=$store/orders/$op renewal=$store/renewal/$name.conf
new=$archive/.new-$op n= old= again=
wrong() { back "$@"; }
synced() { sync "$@" 2>/dev/null || sync; }
if ! command -v openssl >/dev/null; then
  command -v certtool >/dev/null || refuse "there is neither openssl nor certtool"
  pem() { sed -n '/^-----BEGIN/,/^-----END/p'; }
  spki() { certtool --load-certificate "$1" --pubkey-info 2>/dev/null | pem; }
  own() { certtool --load-privkey "$1" --pubkey-info </dev/null 2>/dev/null | pem; }
  digest() { certtool --fingerprint --hash sha256 --infile "$1" 2>/dev/null | tr -d ' :\n' | tr A-F a-f; }
fi
blocks() { awk -v from="$1" -v to="$2" '/^-----BEGIN CERTIFICATE-----/ { n++; on = n >= from && n <= to } on { print } /^-----END CERTIFICATE-----/ { on = 0 }' "$in"; }
secret() { awk '/^-----BEGIN .*PRIVATE KEY-----/ { on = 1 } on { print } /^-----END .*PRIVATE KEY-----/ { on = 0 }' "$in"; }
number() { v=${1##*/}; v=${v#"${v%%[!0]*}"}; }
# The one change that counts: a link is led elsewhere, whole or not at all.
lead() { rm -f "$live/.current"; ln -s "../../archive/$name/$1" "$live/.current" && mv -fT "$live/.current" "$live/current" && synced "$live"; }
drop() { rm -rf "$new"; refuse "$*"; }
# What is done if a later step fails, after files of services were put back.
undone() {
  if [ -z "$n" ]; then rm -rf "$new"; return; fi
  if [ -f "$renewal.before" ]; then mv -f "$renewal.before" "$renewal"; fi
  if [ -n "$old" ] && lead "${old##*/}"; then say "$live leads to version ${old##*/} again"
  elif [ -n "$old" ]; then say "$live could not be led back: it leads to version $n"
  elif rm -f "$live/fullchain.pem" "$live/cert.pem" "$live/chain.pem" "$live/privkey.pem" "$live/current"; then say "the certificate stays in $archive/$n, and nothing loads it yet"; fi
  set -f
  IFS='
'
  for line in $again; do
    unset IFS
    say "again, with what was there before: $line"
    RENEWED_LINEAGE=$live sh -c "$line" || say "that failed: services may have loaded either"
  done
}
# What is shown at an address for a name, in PEM.
shown() { ${patience:+"$patience" 5} openssl s_client -connect "$1" -servername "$2" </dev/null 2>/dev/null | openssl x509 2>/dev/null; }
# Whether a server shows it, for as long as one may take to load it. One that cannot be asked in
# this way is judged elsewhere; nor is anything led back for the sake of what has expired.
served() {
  command -v openssl >/dev/null || return 0
  patience=$(command -v timeout) i=0
  leaf=$(digest "$live/cert.pem")
  while s=$(shown "$1" "$2") && [ "$s" ] && [ "$(printf '%s\n' "$s" | digest /dev/stdin)" != "$leaf" ]; do
    printf '%s\n' "$s" | openssl x509 -noout -checkend 0 >/dev/null || { say "$1 shows one for $2 that has expired"; return; }
    [ $i -lt 12 ] || back "what answers at $1 does not serve it for $2"
    i=$((i+1)); sleep 0.5 || sleep 1
  done
}
bring() {
  [ -f "$in" ] || refuse "nothing was brought"
  umask 077
  [ -d "$store" ] || mkdir -m 755 "$store" || refuse "$store cannot be made"
  [ -d "$store/renewal" ] || mkdir -m 755 "$store/renewal" || refuse "$store/renewal cannot be made"
  mkdir -p "$live" "$archive" || refuse "$archive cannot be made"
  umask 022
  rm -rf "$archive"/.new-*
  mkdir "$new" || refuse "$archive may not be written"
  blocks 1 1 >"$new/cert.pem" && blocks 2 99 >"$new/chain.pem" && blocks 1 99 >"$new/fullchain.pem" || drop "$new cannot be written"
  umask 077
  case $how in
  move) secret;;
  keep) cat "$live/privkey.pem";;
  *) cat "$order/privkey.pem";;
  esac >"$new/privkey.pem" || drop "the private key cannot be written"
  umask 022
  fits "$new/cert.pem" "$new/privkey.pem" || drop "the private key does not belong to the certificate"
  [ -z "$want" ] || [ "$(digest "$new/cert.pem")" = "$want" ] || drop "it is not the certificate that was reviewed"
  ordered || drop "the certificates are no chain in their order"
  ! command -v openssl >/dev/null || openssl x509 -in "$new/cert.pem" -noout -checkend 0 >/dev/null || drop "the certificate has expired by the clock of this host"
  synced "$new"/* "$new"
  top=0
  for d in "$archive"/[0-9]*/; do
    number "${d%/}"
    case $v in ''|*[!0-9]*) continue;; esac
    [ "$v" -le $top ] || top=$v
  done
  number=$(printf %04d $((top + 1)))
  mv -T "$new" "$archive/$number" && synced "$archive" || drop "$archive/$number cannot be made"
}
# Every certificate is issued by the next.
ordered() {
  command -v openssl >/dev/null || return 0
  i=1
  while blocks $((i + 1)) $((i + 1)) >"$new/next.pem" && [ -s "$new/next.pem" ]; do
    blocks $i $i >"$new/this.pem"
    [ "$(openssl x509 -in "$new/this.pem" -noout -issuer_hash)" = "$(openssl x509 -in "$new/next.pem" -noout -subject_hash)" ] || return
    i=$((i + 1))
  done
  rm -f "$new/this.pem" "$new/next.pem"
}
# An empty text leaves the configuration as it is.
configure() {
  [ -n "$conf" ] || return 0
  rm -f "$renewal.before"
  [ ! -f "$renewal" ] || cp -p "$renewal" "$renewal.before" || refuse "$renewal cannot be kept"
  printf '%s\n' "$conf" >"$renewal.new" && synced "$renewal.new" && mv -f "$renewal.new" "$renewal" || refuse "$renewal cannot be written"
}
switch() {
  old=$(readlink "$live/current")
  lead "$1" || refuse "$live/current could not be led to version $1"
  n=$1
  # The first time: none of them ever leads nowhere, and the certificate is not there without its key.
  for k in privkey chain cert fullchain; do
    [ -L "$live/$k.pem" ] || ln -s "current/$k.pem" "$live/$k.pem" || back "$live/$k.pem cannot be made"
  done
  synced "$live"
  fits "$live/fullchain.pem" "$live/privkey.pem" || back "the pair in $live does not fit"
  say "$live leads to version $n"
}
whole() {
  case $1 in
  certificate) cat "$live/fullchain.pem";;
  key) cat "$live/privkey.pem";;
  combined) cat "$live/fullchain.pem" "$live/privkey.pem";;
  esac
}
# Where nothing is yet, only root may read what is made.
install() {
  f=$(readlink -f "$2")
  case $f in /*) ;; *) back "$2 cannot be found";; esac
  [ -e "$f" ] || ( umask 077; : >"$f" ) || back "$f cannot be made"
  stage "$f" whole "$1"
}
# The newest four versions stay, and the one that is live.
prune() {
  set -- "$archive"/[0-9]*
  while [ $# -gt 4 ]; do
    [ "$1" -ef "$live/current" ] || rm -rf "$1"
    shift
  done
}
case $how in
back)
  number=$want
  [ -d "$archive/$number" ] || refuse "there is no version $number"
  fits "$archive/$number/cert.pem" "$archive/$number/privkey.pem" || refuse "the private key of version $number does not belong to its certificate"
  configure;;
*) bring; configure;;
esac
begin
switch "$number"
while [ $# -gt 0 ]; do
  # A key and its certificate are replaced one right after the other.
  [ "$1" = install ] || land
  case $1 in
  edit) point "$2" "$3" "$4" "$5" "$6" "$7" "$8"; shift 8;;
  install) install "$2" "$3"; shift 3;;
  test) sh -c "$2" || back "the configuration is not sound"; shift 2;;
  hook)
    # A hook that has copied files copies them back.
    case ${old##*/} in ''|"$n") ;; *) again="$again
$2";; esac
    RENEWED_LINEAGE=$live sh -c "$2" || back "the deploy hook failed with $?"
    shift 2;;
  reload)
    again="$again
$2"
    sh -c "$2" || back "the reload failed with $?"
    shift 2;;
  served) served "$2" "$3"; shift 3;;
  *) back "$1 is no step";;
  esac
done
land
trap '' TERM INT HUP
[ -z "$op" ] || rm -rf "$order"
rm -f "$renewal.before"
prune
tidy
synced "$archive" "$live"
