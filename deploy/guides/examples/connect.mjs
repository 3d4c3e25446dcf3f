// Connect to a safeguarding gateway from JavaScript: get a token, send, check the receipt, collect, acknowledge.
//
//   node connect.mjs https://gateway.council.example northshire-police-1 police.jwk send referral.json
//   node connect.mjs https://gateway.council.example northshire-police-1 police.jwk collect "A. Holt"
//
// Needs `openid-client` (6.8 or newer) and `jose` (6 or newer). police.jwk is your private key, which never leaves you.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import * as jose from 'jose'
import * as client from 'openid-client'

const [url, clientId, keyFile, command, argument] = process.argv.slice(2)
const sha256 = (bytes, form) => createHash('sha256').update(bytes).digest(form)

const { kid, ...jwk } = JSON.parse(await readFile(keyFile, 'utf8'))
const key = await jose.importJWK(jwk, 'ES256')
// openid-client puts the issuer into `aud` by itself, makes `jti` and lets the assertion live for a minute.
const config = await client.discovery(new URL(url), clientId, undefined, client.PrivateKeyJwt({ key, kid }), {
  algorithm: 'oauth2', // the metadata lies at /.well-known/oauth-authorization-server
})
const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
const token = await client.clientCredentialsGrant(config, {}, { DPoP }) // lasts five minutes: keep it, then ask again

async function call(method, path, body, headers = {}) {
  const sent = new Headers(body === undefined ? headers : { 'content-type': 'application/json', ...headers })
  const answer = await client.fetchProtectedResource(
    config, token.access_token, new URL(path, url), method, body, sent, { DPoP },
  )
  const said = await answer.json()
  if (!answer.ok) throw new Error(`refused: ${answer.status} ${said.code}`)
  return said
}

// Send one message. If no answer comes, send the same bytes again: a repeat is safe.
async function send(payload) {
  const digest = `sha-256=:${sha256(payload, 'base64')}:`
  const answer = await call('POST', '/v1/messages', payload, { 'content-digest': digest })
  await checkReceipt(answer, payload)
  return answer
}

// The gateway signed that it took this message with exactly these bytes. Keep the receipt for good.
async function checkReceipt({ id, receipt }, payload) {
  const keys = jose.createRemoteJWKSet(new URL('/v1/receipts/jwks', url))
  const signed = await jose.compactVerify(receipt.jws, keys, { algorithms: ['ES256'] })
  const statement = JSON.parse(new TextDecoder().decode(signed.payload))
  const opened = {}
  for (const disclosure of receipt.disclosures) { // as in SD-JWT: salt, name, value
    if (!statement._sd.includes(sha256(disclosure, 'base64url'))) throw new Error('a disclosure of another receipt')
    const [, name, value] = JSON.parse(Buffer.from(disclosure, 'base64url').toString())
    opened[name] = value
  }
  if (statement.ref !== id || opened.payload_sha256 !== sha256(payload, 'hex')) {
    throw new Error('this receipt is about something else')
  }
}

// Fetch everything that waits, and acknowledge as the person who has read it.
async function collect(name) {
  const inbox = await call('GET', '/v1/inbox', undefined, { prefer: 'wait=1' })
  for (const { id } of inbox.deliveries) {
    const found = await call('GET', `/v1/inbox/${id}`)
    console.log(`${found.type} of ${found.incident} for ${found.role}`)
    const said = { by: 'person', role: found.role, name } // "system": a hand-over only
    await call('POST', `/v1/inbox/${id}/acknowledgement`, JSON.stringify(said))
    console.log(`acknowledged ${id}`)
  }
}

if (command === 'send') {
  const answer = await send(await readFile(argument))
  console.log(`taken as ${answer.id}, incident ${answer.incident}; the receipt holds`)
} else if (command === 'collect') {
  await collect(argument)
}
