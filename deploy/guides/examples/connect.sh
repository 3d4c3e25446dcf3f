#!/bin/sh
# Connect to a safeguarding gateway with curl and openssl 3 alone: get a token, then call.
#
#   connect.sh https://gateway.council.example northshire-police-1 police.pem POST /v1/messages referral.json
#   connect.sh https://gateway.council.example northshire-police-1 police.pem GET /v1/inbox
#
# police.pem is your private Ed25519 key (openssl genpkey -algorithm ed25519), whose public half is registered. It shows each
# step; it checks no receipt: connect.py and connect.mjs do.
set -eu
url=$1 client=$2 key=$3 method=$4 path=$5 message=${6:-}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
openssl genpkey -algorithm ed25519 -out "$folder/proof.pem" # any fresh key: the token is bound to it

b64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

# A compact JWS by an Ed25519 key: header, claims, key.
jws() {
  signed=$(printf %s "$1" | b64url).$(printf %s "$2" | b64url)
  printf %s "$signed" > "$folder/signed"
  printf %s "$signed.$(openssl pkeyutl -sign -rawin -inkey "$3" -in "$folder/signed" | b64url)"
}

# A DPoP proof for one request, without the query in `htu`: method, path, and the digest of the token if there is one.
proof() {
  x=$(openssl pkey -in "$folder/proof.pem" -pubout -outform DER | tail -c 32 | b64url)
  jws "{\"typ\":\"dpop+jwt\",\"alg\":\"Ed25519\",\"jwk\":{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"$x\"}}" \
    "{\"htm\":\"$1\",\"htu\":\"$url$2\",\"iat\":$(date +%s),\"jti\":\"$(openssl rand -hex 16)\"${3:-}}" "$folder/proof.pem"
}

now=$(date +%s)
assertion=$(jws '{"typ":"client-authentication+jwt","alg":"Ed25519"}' \
  "{\"iss\":\"$client\",\"sub\":\"$client\",\"aud\":\"$url\",\"iat\":$now,\"exp\":$((now + 60)),\"jti\":\"$(openssl rand -hex 16)\"}" "$key")
token=$(curl --silent --show-error --fail-with-body "$url/oauth2/token" --header "DPoP: $(proof POST /oauth2/token)" \
  --data grant_type=client_credentials --data client_assertion="$assertion" \
  --data-urlencode client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer |
  sed 's/.*"access_token": *"\([^"]*\)".*/\1/')

ath=$(printf %s "$token" | openssl dgst -sha256 -binary | b64url)
set -- --request "$method" --header "Authorization: DPoP $token" --header "DPoP: $(proof "$method" "${path%%\?*}" ",\"ath\":\"$ath\"")"
if [ -n "$message" ]; then
  digest=$(openssl dgst -sha256 -binary "$message" | openssl base64 -A)
  set -- "$@" --header "Content-Type: application/json" --header "Content-Digest: sha-256=:$digest:" --data-binary "@$message"
fi
curl --silent --show-error --fail-with-body "$@" "$url$path"
