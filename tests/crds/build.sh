#!/bin/sh
# Builds a lab whose API server has CustomResourceDefinitions, too: build.sh LAB DIR, LAB being the lab's sources.
#
# DIR gets kube-apiserver, the lab's with crds.go, a link to etcd beside DIR, and the definition of ServiceImports as the Multi-Cluster
# Services API publishes it. Does nothing where they were made from the same.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
lab=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
mcs=sigs.k8s.io/mcs-api@v0.5.2
sources=$(cat "$here"/* "$lab"/go.* "$lab"/kube-apiserver/* | sha256sum)
[ "$(cat "$out/sources" 2>/dev/null)" != "$sources" ] || exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R "$lab/." "$work"
chmod -R u+w "$work"
cp "$here/crds.go" "$work/kube-apiserver/"
cd "$work"
sed -i 's/genericapiserver.NewEmptyDelegate()/customResources(o, c)/' kube-apiserver/main.go
grep -q 'customResources(o, c)' kube-apiserver/main.go # else there is nothing for crds.go to be called by
go get "k8s.io/apiextensions-apiserver@$(sed -n 's|^\tk8s.io/apiserver ||p' go.mod)"
go build -mod=mod -buildvcs=false -trimpath -ldflags "-s -w" -o "$out/kube-apiserver" ./kube-apiserver
ln -sf ../etcd "$out/etcd"
module=$(go mod download -json $mcs | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
install -m 644 "$module/config/crd/multicluster.x-k8s.io_serviceimports.yaml" "$out/serviceimports.yaml"
echo "$sources" >"$out/sources"
