#!/usr/bin/env bash
# gen_certs.sh - makes the certificates that tests use, anew for each run. Never for a real server.
#
#   scripts/gen_certs.sh FOLDER
#
#   ca.pem                        an authority, and by it:
#     server.pem .key             localhost, 127.0.0.1, ::1
#     server2.pem .key            the same names: what a renewed certificate is
#     elsewhere.pem .key          elsewhere.example
#     client.pem .key             a visitor
#   other-ca.pem                  an authority that nobody trusts, and by it:
#     stranger.pem .key           a visitor
#   encrypted.key                 server.key under a passphrase
set -euo pipefail
[ $# -eq 1 ] || {
    echo "usage: scripts/gen_certs.sh FOLDER" >&2
    exit 2
}
mkdir -p "$1"
cd "$1"
umask 077

# request NAME SUBJECT OPTION...: a new key and a certificate of it
request() {
    local name=$1 subject=$2
    shift 2
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -batch \
        -keyout "$name.key" -out "$name.pem" -subj "/CN=$subject" -days 2 "$@" 2>"$name.log" || {
        cat "$name.log" >&2
        exit 1
    }
    rm -f "$name.log"
}

# authority NAME; issue AUTHORITY NAME SUBJECT OPTION...
authority() {
    request "$1" "Sluice test $1" -addext basicConstraints=critical,CA:TRUE \
        -addext keyUsage=critical,keyCertSign
}
issue() {
    local by=$1 name=$2 subject=$3
    shift 3
    request "$name" "$subject" -CA "$by.pem" -CAkey "$by.key" \
        -addext basicConstraints=critical,CA:FALSE "$@"
}

names=subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1
authority ca
authority other-ca
issue ca server localhost -addext "$names" -addext extendedKeyUsage=serverAuth
issue ca server2 localhost -addext "$names" -addext extendedKeyUsage=serverAuth
issue ca elsewhere elsewhere.example -addext subjectAltName=DNS:elsewhere.example
issue ca client visitor -addext extendedKeyUsage=clientAuth
issue other-ca stranger stranger -addext extendedKeyUsage=clientAuth
openssl pkcs8 -topk8 -in server.key -out encrypted.key -v2 aes-256-cbc -passout pass:secret
