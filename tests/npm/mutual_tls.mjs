// A partner's software over mutual TLS, as its own library would write it: openid-client with a certificate, no DPoP.
// In: one JSON document on standard input {url, resource, clientId, cert, key, ca (PEM)}. The names of both addresses are
// taken to be this machine. Out: one JSON document on standard output, saying what happened at each step.

import https from 'node:https'
import * as client from 'openid-client'

const input = JSON.parse(await new Response(process.stdin).text())
const here = (_name, options, answer) =>
  options.all ? answer(null, [{ address: '127.0.0.1', family: 4 }]) : answer(null, '127.0.0.1', 4)

const fetchWith = (identity) => (url, options) =>
  new Promise((resolve, reject) => {
    const headers = Object.fromEntries(new Headers(options.headers))
    const settings = { method: options.method, headers, ca: input.ca, lookup: here, agent: false, ...identity }
    const request = https.request(url, settings, (answer) => {
      const pieces = []
      answer.on('data', (piece) => pieces.push(piece))
      answer.on('end', () =>
        resolve(new Response(Buffer.concat(pieces), { status: answer.statusCode, headers: answer.headers })))
    })
    request.on('error', reject)
    request.end(options.body ? String(options.body) : undefined)
  })

const own = fetchWith({ cert: input.cert, key: input.key })
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
  withoutCertificate: await call(fetchWith({})),
  introspection: (await client.tokenIntrospection(config, token.access_token)).active,
}
await client.tokenRevocation(config, token.access_token)
result.afterRevocation = await call(own)
result.introspectionAfterRevocation = (await client.tokenIntrospection(config, token.access_token)).active
process.stdout.write(JSON.stringify(result))
