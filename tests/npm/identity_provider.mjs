// An organisation's identity provider, as panva's certified oidc-provider is one: it signs in, without asking, whoever
// the test named last.
// In: one JSON document on standard input {redirectUri, leaveUri, clientId, clientSecret}.
// Out: one line on standard output {issuer} when it listens; then, for each line {account} on standard input, a line {}.

import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import * as jose from 'jose'
import Provider from 'oidc-provider'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const input = JSON.parse((await lines.next()).value)
const say = (document) => process.stdout.write(JSON.stringify(document) + '\n')
let account = {}

const { privateKey } = await jose.generateKeyPair('RS256', { extractable: true })
const jwk = { ...(await jose.exportJWK(privateKey)), alg: 'RS256', use: 'sig', kid: 'idp-1' }
const server = createServer()
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const issuer = `http://127.0.0.1:${server.address().port}`

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: input.clientId,
      client_secret: input.clientSecret,
      redirect_uris: [input.redirectUri],
      post_logout_redirect_uris: [input.leaveUri],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_basic',
    },
  ],
  jwks: { keys: [jwk] },
  cookies: { keys: ['a key of the test'] },
  claims: { openid: ['sub', 'acr', 'amr'], profile: ['name', 'groups'] },
  conformIdTokenClaims: false,
  acrValues: ['mfa', 'password'],
  features: { devInteractions: { enabled: false } },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: async (ctx, sub) => ({ accountId: sub, claims: async () => ({ sub, ...account.claims }) }),
  loadExistingGrant: async (ctx) => {
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId,
      accountId: ctx.oidc.session.accountId,
    })
    grant.addOIDCScope('openid profile')
    await grant.save()
    return grant
  },
  ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: 600, AuthorizationCode: 60, IdToken: 600 },
})

const callback = provider.callback()
server.on('request', async (req, res) => {
  if (!req.url.startsWith('/interaction/')) return callback(req, res)
  const result = account.refuses
    ? { error: 'access_denied' }
    : { login: { accountId: account.sub, acr: account.acr, amr: account.amr, remember: false } }
  return provider.interactionFinished(req, res, result, { mergeWithLastSubmission: false })
})

say({ issuer })
for (;;) {
  const { value, done } = await lines.next()
  if (done) break
  account = JSON.parse(value)
  say({})
}
process.exit(0)
