// A partner's software over mutual TLS, as its own library would write it: openid-client with a certificate, no DPoP.
// In: one JSON document on standard input {url, resource, clientId, cert, key, ca (PEM)}. The names of both addresses are
// taken to be this machine. Out: one JSON document on standard output, saying what happened at each step.

import * as client from 'openid-client'
import { fetchWith } from './showing.mjs'

const input = JSON.parse(await new Response(process.stdin).text())
const own = fetchWith(input.ca, { cert: input.cert, key: input.key })
const config = await client.discovery(
  new URL(input.url),
  input.clientId,
  { use_mtls_endpoint_aliases: true },
  client.TlsClientAuth(),
  { algorithm: 'oauth2', [client.customFetch]: own },
)
const token = await client.clientCredentialsGrant(config, { scope: 'messages.read' })
const claims = JSON.parse(Buffer.from(token.access_token.split('.')[1], 'base64url'))
const call = async (fetching) => {
  const headers = { authorization: `Bearer ${token.access_token}` }
  return (await fetching(new URL(input.resource), { method: 'GET', headers })).status
}

const result = {
  tokenType: token.token_type,
  boundToCertificate: Object.keys(claims.cnf).join() === 'x5t#S256',
  get: await call(own),
  withoutCertificate: await call(fetchWith(input.ca, {})),
  introspection: (await client.tokenIntrospection(config, token.access_token)).active,
}
await client.tokenRevocation(config, token.access_token)
result.afterRevocation = await call(own)
result.introspectionAfterRevocation = (await client.tokenIntrospection(config, token.access_token)).active
process.stdout.write(JSON.stringify(result))
