#!/bin/sh
# Makes ready what the programs in one folder need: sh ensure.sh python|node|go|jvm|schemathesis. Costs next to nothing once it is there.
set -eu
cd "$(dirname "$0")"
case "$1" in
python | schemathesis) exec python3 ../../examples/python-authlib/ensure_venv.py "$1" ;;
node) exec node ../../examples/node-openid-client/ensure_modules.mjs node ;;
go)
    cd go
    exec go build -buildvcs=false -o .built/client .
    ;;
jvm)
    cd jvm
    java -version 2>/dev/null
    cmp -s pom.xml target/made-from.xml && exit 0
    rm -rf target
    mvn --batch-mode --quiet dependency:copy-dependencies -DoutputDirectory=target/lib
    cp pom.xml target/made-from.xml
    ;;
curl) curl --version ;;
*)
    echo "$0: no such folder: $1" >&2
    exit 2
    ;;
esac
