// A partner's software, as its own libraries would write it: openid-client gets a token and calls, jose checks the token.
// In: one JSON document on standard input {url, resource, clientId, key (private JWK), alg, proofAlg}.
// Out: one JSON document on standard output, saying what happened at each step.

import * as jose from 'jose'
import * as client from 'openid-client'

const input = JSON.parse(await new Response(process.stdin).text())
const { kid, use, alg: _, ...bare } = input.key
const key = await jose.importJWK({ ...bare, alg: input.alg }, input.alg)

const config = await client.discovery(
  new URL(input.url),
  input.clientId,
  undefined,
  client.PrivateKeyJwt(kid ? { key, kid } : key),
  { algorithm: 'oauth2', execute: [client.allowInsecureRequests] },
)
const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair(input.proofAlg))
const thief = client.getDPoPHandle(config, await client.randomDPoPKeyPair(input.proofAlg))

const token = await client.clientCredentialsGrant(config, { scope: 'messages.write' }, { DPoP })
const resource = new URL(input.resource)
const call = async (method, handle, body) =>
  (await client.fetchProtectedResource(config, token.access_token, resource, method, body, undefined, { DPoP: handle }))
    .status
const refused = async (attempt) => {
  try {
    return await attempt()
  } catch (error) {
    return error.cause?.response?.status ?? error.response?.status ?? error.status ?? String(error)
  }
}

const keys = jose.createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri))
const opened = await jose.jwtVerify(token.access_token, keys, {
  issuer: input.url,
  audience: input.url,
  typ: 'at+jwt',
  algorithms: ['ES256'],
})

const result = {
  tokenType: token.token_type,
  expiresIn: token.expires_in,
  scope: token.scope,
  clientInToken: opened.payload.client_id,
  get: await call('GET', DPoP),
  post: await call('POST', DPoP, '{}'),
  stolen: await refused(() => call('GET', thief)),
  introspection: (await client.tokenIntrospection(config, token.access_token)).active,
}
await client.tokenRevocation(config, token.access_token)
result.afterRevocation = await refused(() => call('GET', DPoP))
result.introspectionAfterRevocation = (await client.tokenIntrospection(config, token.access_token)).active
process.stdout.write(JSON.stringify(result))
