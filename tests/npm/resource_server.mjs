// Both sides by oauth4webapi alone: its client gets a token and calls, and its own checks for resource servers judge what was sent.
// In: one JSON document on standard input {url, resource, clientId, key (private JWK), alg, proofAlg}.
// Out: one JSON document on standard output.

import * as jose from 'jose'
import * as oauth from 'oauth4webapi'

const input = JSON.parse(await new Response(process.stdin).text())
const { kid, use, alg: _, ...bare } = input.key
const key = await jose.importJWK({ ...bare, alg: input.alg }, input.alg)
const here = { [oauth.allowInsecureRequests]: true }

const issuer = new URL(input.url)
const as = await oauth.processDiscoveryResponse(
  issuer,
  await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...here }),
)
const client = { client_id: input.clientId }
const proof = oauth.DPoP(client, await oauth.generateKeyPair(input.proofAlg))

const grant = async () => oauth.processClientCredentialsResponse(
  as,
  client,
  await oauth.clientCredentialsGrantRequest(
    as,
    client,
    oauth.PrivateKeyJwt(kid ? { key, kid } : key),
    { scope: 'messages.write' },
    { DPoP: proof, ...here },
  ),
)
const granted = await grant().catch((error) => { // as its own examples do: where a nonce was asked for, once more
  if (!oauth.isDPoPNonceError(error)) throw error
  return grant()
})

let sent
const seen = async (url, options) => {
  sent = new Request(url, { method: options.method, headers: options.headers })
  return fetch(url, options)
}
const resource = new URL(input.resource)
const called = await oauth.protectedResourceRequest(granted.access_token, 'GET', resource, undefined, undefined, {
  DPoP: proof,
  [oauth.customFetch]: seen,
  ...here,
})

const judge = async (request) => {
  try {
    return (await oauth.validateJwtAccessToken(as, request, input.url, { requireDPoP: true, ...here })).client_id
  } catch (error) {
    return error.constructor.name
  }
}
const asBearer = new Request(sent.url, { headers: { authorization: `Bearer ${granted.access_token}` } })
const again = await fetch(sent.clone())

process.stdout.write(
  JSON.stringify({
    tokenType: granted.token_type,
    called: called.status,
    judged: await judge(sent),
    judgedAsBearer: await judge(asBearer),
    again: again.status,
  }),
)
