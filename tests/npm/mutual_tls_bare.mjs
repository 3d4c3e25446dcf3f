// The same life over mutual TLS with oauth4webapi alone: tls_client_auth at the aliases, a call, introspection, revocation.
// In and out as in mutual_tls.mjs.

import * as oauth from 'oauth4webapi'
import { fetchWith } from './showing.mjs'

const input = JSON.parse(await new Response(process.stdin).text())
const own = { [oauth.customFetch]: fetchWith(input.ca, { cert: input.cert, key: input.key }) }
const without = { [oauth.customFetch]: fetchWith(input.ca, {}) }

const issuer = new URL(input.url)
const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...own })
const as = await oauth.processDiscoveryResponse(issuer, found)
const client = { client_id: input.clientId, use_mtls_endpoint_aliases: true }
const auth = oauth.TlsClientAuth()

const granted = await oauth.clientCredentialsGrantRequest(as, client, auth, { scope: 'messages.read' }, own)
const token = await oauth.processClientCredentialsResponse(as, client, granted)
const claims = JSON.parse(Buffer.from(token.access_token.split('.')[1], 'base64url'))
const call = (how) =>
  oauth
    .protectedResourceRequest(token.access_token, 'GET', new URL(input.resource), undefined, undefined, how)
    .then((answer) => answer.status)
    .catch((error) => error.response?.status ?? error.status ?? String(error))
const isActive = async () =>
  (await oauth.processIntrospectionResponse(
    as, client, await oauth.introspectionRequest(as, client, auth, token.access_token, own),
  )).active

const result = {
  tokenType: token.token_type,
  boundToCertificate: Object.keys(claims.cnf).join() === 'x5t#S256',
  get: await call(own),
  withoutCertificate: await call(without),
  introspection: await isActive(),
}
await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, token.access_token, own))
result.afterRevocation = await call(own)
result.introspectionAfterRevocation = await isActive()
process.stdout.write(JSON.stringify(result))
