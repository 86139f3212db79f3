me=$0 space=$1 name=$2 known=$3 c=$4 x=$5 i=0
say() { printf '%s: %s\n' "$me" "$*" >&2; }
refuse() { say "$*; nothing was changed"; exit 3; }
trap 'say "told to stop; the cluster goes on with what it has begun"; exit 143' TERM INT HUP
command -v kubectl >/dev/null || refuse "there is no kubectl"
if [ -z "$c$KUBECONFIG" ] && ! [ -r "$HOME/.kube/config" ]; then
  for f in "$CERTDECK_ROOT/etc/kubernetes/admin.conf" "$CERTDECK_ROOT/etc/rancher/k3s/k3s.yaml"; do
    [ -r "$f" ] && c=$f && break
  done
fi
with() { "$@" --request-timeout=8s -n "$space" ${c:+"--kubeconfig=$c"} ${x:+"--context=$x"}; }
# Texts are quoted by Go: they stay on their lines.
template='version {{.metadata.resourceVersion}}
generation {{.metadata.generation}}
{{with .status}}status yes
{{with .revision}}revision {{.}}
{{end}}{{with .conditions}}conditions yes
{{range $i, $it := .}}{{if eq $it.type "Issuing"}}at {{$i}}
issuing {{$it.status}}
why {{with $it.reason}}{{.}}{{end}}: {{with $it.message}}{{printf "%q" .}}{{end}}
{{end}}{{end}}{{end}}{{end}}'
look() {
  now=$(with kubectl get certificates.cert-manager.io "$name" -o "go-template=$template" 2>&1) || return
  revision=$(fact revision) issuing=$(fact issuing)
}
fact() { printf '%s\n' "$now" | sed -n "s/^$1 //p" | head -n 1; }
# What `cmctl renew` does, without it: one condition is set and nothing else, and nothing at all
# if somebody has changed the Certificate since it was read.
mark() {
  version=$(fact version) generation=$(fact generation) at=$(fact at)
  case $version in ''|*[!A-Za-z0-9._-]*) said="its version is odd"; return 1;; esac
  case $generation in ''|*[!0-9]*) said="its generation is odd"; return 1;; esac
  it='{"type":"Issuing","status":"True","reason":"ManuallyTriggered","message":"Certificate re-issuance manually triggered"'
  it="$it,\"lastTransitionTime\":\"$(date -u +%Y-%m-%dT%H:%M:%SZ)\",\"observedGeneration\":$generation}"
  if [ "$at" ]; then it="\"replace\",\"path\":\"/status/conditions/$at\",\"value\":$it"
  elif [ "$(fact conditions)" ]; then it="\"add\",\"path\":\"/status/conditions/-\",\"value\":$it"
  elif [ "$(fact status)" ]; then it="\"add\",\"path\":\"/status/conditions\",\"value\":[$it]"
  else it="\"add\",\"path\":\"/status\",\"value\":{\"conditions\":[$it]}"; fi
  patch="[{\"op\":\"test\",\"path\":\"/metadata/resourceVersion\",\"value\":\"$version\"},{\"op\":$it}]"
  said=$(with kubectl patch certificates.cert-manager.io "$name" --subresource=status --type=json -p "$patch" 2>&1)
}
look || refuse "kubectl cannot read the Certificate: $now"
[ "${revision:-0}" = "$known" ] || refuse "it is at revision ${revision:-0} by now, and not at $known: scan the host again"
if [ "$issuing" = True ]; then say "it is being issued already: no second order is begun"
else
  if command -v cmctl >/dev/null; then
    mark() { said=$(with cmctl renew "$name" 2>&1); }
  elif ! kubectl patch --help 2>&1 | grep -q -e --subresource; then
    refuse "this kubectl cannot patch a status: it takes kubectl 1.24, or cmctl"
  fi
  until mark; do
    i=$((i+1))
    look && [ "$issuing" = True ] && break
    [ $i -lt 3 ] || { say "it could not be marked for renewal: $said"; exit 1; }
  done
fi
say "marked for renewal; cert-manager is waited for"
i=0
while [ $i -lt 300 ]; do
  i=$((i+1))
  sleep 2
  look || continue
  case $issuing in
  True) ;;
  False) say "cert-manager could not issue it: $(fact why)"; exit 1;;
  *)
    [ "${revision:-0}" = "$known" ] || { say "revision $revision is issued"; exit 0; }
    say "cert-manager has ended without a new revision: see its events and CertificateRequests"; exit 1;;
  esac
done
say "it is still not issued after ten minutes, and cert-manager goes on: ${issuing:+$(fact why)}"
exit 1
